# SPDX-License-Identifier: GPL-2.0-or-later
"""For every suite: the harness is importable, and no test hangs the others."""

import pathlib
import signal
import sys

import pytest

sys.path.insert(0, str(pathlib.Path(__file__).parent))

DEFAULT_LIMIT_SECONDS = 120


def pytest_configure(config):
    # What is ignored here is ignored by what is started here: pytest-xdist's processes do so with SIGINT, nohup with SIGHUP.
    for number, handler in ((signal.SIGINT, signal.default_int_handler), (signal.SIGHUP, signal.SIG_DFL)):
        if signal.getsignal(number) == signal.SIG_IGN:
            signal.signal(number, handler)
    config.addinivalue_line("markers", "limit(seconds): the longest that this test may take, its fixtures included")


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
