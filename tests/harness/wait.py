# SPDX-License-Identifier: GPL-2.0-or-later
"""Waiting with an end. Tests look at the world from outside, so here, unlike in the programs, looking again is the only way."""

import time


def until(condition, seconds, what):
    """The first true value of condition(); fails the test when there is none in time."""
    deadline = time.monotonic() + seconds
    while True:
        value = condition()
        if value:
            return value
        assert time.monotonic() < deadline, f"not within {seconds} s: {what}"
        time.sleep(0.1)
