# SPDX-License-Identifier: GPL-2.0-or-later
"""For every suite: the harness is importable, and no test hangs the others."""

import os
import pathlib
import signal
import sys

import pytest

sys.path.insert(0, str(pathlib.Path(__file__).parent))

DEFAULT_LIMIT_SECONDS = 120


def pytest_configure(config):
    # What is ignored here is ignored by what is started here: a shell does so with SIGINT for what runs beside it, nohup with SIGHUP.
    for number, handler in ((signal.SIGINT, signal.default_int_handler), (signal.SIGHUP, signal.SIG_DFL)):
        if signal.getsignal(number) == signal.SIG_IGN:
            signal.signal(number, handler)
    config.addinivalue_line("markers", "together: all tests with this are in one share, as they share something of the user's")
    config.addinivalue_line("markers", "limit(seconds): the longest that this test may take, its fixtures included")


@pytest.hookimpl(trylast=True)
def pytest_collection_modifyitems(config, items):
    """BANGER_TEST_SHARE=2/3: of three processes, what the second one runs."""
    share, shares = map(int, os.environ.get("BANGER_TEST_SHARE", "1/1").split("/"))
    places = [1 if item.get_closest_marker("together") else number % shares + 1 for number, item in enumerate(items)]
    config.hook.pytest_deselected(items=[item for item, place in zip(items, places) if place != share])
    items[:] = [item for item, place in zip(items, places) if place == share]


class TooLong(Exception):
    pass


@pytest.hookimpl(hookwrapper=True)
def pytest_runtest_protocol(item):
    marker = item.get_closest_marker("limit")
    seconds = marker.args[0] if marker else DEFAULT_LIMIT_SECONDS

    def too_long(*_):
        raise TooLong(f"the test and its fixtures took longer than {seconds} s")

    signal.signal(signal.SIGALRM, too_long)
    signal.alarm(seconds)
    yield
    signal.alarm(0)
