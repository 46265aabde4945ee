# SPDX-License-Identifier: GPL-2.0-or-later
"""Tests that CI does not run, as they take long and others are near them."""

import os

import pytest

ALL = bool(os.environ.get("LAB_ALL"))


def only_with_all(why):
    return pytest.mark.skipif(not ALL, reason=f"{why}: with scripts/test --all, or LAB_ALL=yes")
