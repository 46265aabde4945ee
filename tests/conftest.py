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
    config.addinivalue_line("markers", "together: all tests with this are run by one process, as they share something of the user's")
    if "BANGER_TEST_CLAIMS" in os.environ:
        config.pluginmanager.register(Claims(os.environ["BANGER_TEST_CLAIMS"]))
    config.addinivalue_line("markers", "limit(seconds): the longest that this test may take, its fixtures included")


class Claims:
    """Of several processes that run the same tests: whoever comes to a module first has all of it, so that what its tests share is made
    once, and nobody is idle while there is another. `folder`: the processes' own, empty at first."""

    def __init__(self, folder):
        self.folder = folder
        self.mine = {}

    def has(self, name):
        if name not in self.mine:
            try:
                os.close(os.open(os.path.join(self.folder, name), os.O_CREAT | os.O_EXCL | os.O_WRONLY, 0o600))
                self.mine[name] = True
            except FileExistsError:
                self.mine[name] = False
        return self.mine[name]

    @pytest.hookimpl(tryfirst=True)
    def pytest_runtest_protocol(self, item):
        """Others' tests are passed over without a word: True ends the hook."""
        together = item.get_closest_marker("together")
        return None if self.has("together" if together else item.module.__name__) else True


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
