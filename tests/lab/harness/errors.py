# SPDX-License-Identifier: GPL-2.0-or-later
"""The one error that the lab's front program shows as a sentence."""

import errno
import os


class LabError(Exception):
    """Says what was wrong and, where there is one, the command that mends it."""


def is_disk_full(error):
    return isinstance(error, OSError) and error.errno in (errno.ENOSPC, errno.EDQUOT)


def says_disk_full(text):
    """What a program has printed."""
    return any(os.strerror(number) in text for number in (errno.ENOSPC, errno.EDQUOT))


def disk_full(folder):
    return LabError(f"the disk of {folder} is full: `tests/lab/lab destroy` frees what the lab keeps; "
                    "XDG_CACHE_HOME=FOLDER keeps it elsewhere")
