# SPDX-License-Identifier: GPL-2.0-or-later
"""Makes tree.py importable wherever pytest was started."""

import pathlib
import sys

sys.path.insert(0, str(pathlib.Path(__file__).parent))
