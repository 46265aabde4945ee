# SPDX-License-Identifier: GPL-2.0-or-later
"""Tests that `scripts/test --all` runs, and CI does not: each is slow, and near another that CI has."""

import os

import pytest

ALL = bool(os.environ.get("BANGER_TEST_ALL"))


def only_with_all(why):
    return pytest.mark.skipif(not ALL, reason=f"{why}: with scripts/test --all")
