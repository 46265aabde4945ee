# SPDX-License-Identifier: GPL-2.0-or-later
"""A desktop with a VM that runs: a shell opens in a terminal, a VM that is stopped is started for it, and one that ends by itself is told."""

import subprocess

import pytest

from harness import bus, wait
from harness.desktop import NotificationDaemon, Search, Terminal, in_window
from harness.home import PREFIX, Home

pytestmark = pytest.mark.limit(600)


class Session:
    """A home with a session bus that starts bangerd, a terminal, a notification daemon."""

    def __init__(self, cache):
        self.home = Home("desktop", cache=cache)
        self.terminal = Terminal(self.home)
        self.bus = bus.SessionBus(self.home.runtime, self.home.env, services=PREFIX / "share" / "dbus-1" / "services")
        self.home.env["DBUS_SESSION_BUS_ADDRESS"] = self.bus.address
        self.notifications = NotificationDaemon(self.bus.address, self.home.env)
        self.search = Search(self.bus.address)

    def close(self):
        self.home.banger("daemon", "stop")
        self.search.close()
        self.notifications.close()
        self.bus.close()
        self.home.close()


@pytest.fixture
def session(cache):
    session = Session(cache)
    yield session
    session.close()


def test_a_vm_is_opened_and_its_own_end_is_told(session):
    home, terminal = session.home, session.terminal
    home.banger("vm", "create", "--name", "e", "--memory", "256", "--disk-size", "1G", "--network", "none", check=True, timeout=240)
    result, = session.search.results("e")
    session.search.activate(result)
    shell = in_window("vm", "exec", "e")
    assert terminal.wait() == [shell]
    done = subprocess.run([*shell, "--", "echo", "hi"], env=home.env, capture_output=True, text=True, stdin=subprocess.DEVNULL, timeout=120)
    assert done.stdout == "hi\n", done.stderr

    home.banger("vm", "stop", "e", check=True, timeout=60)
    session.search.activate(session.search.results("e")[0])
    assert terminal.wait(2, seconds=240) == [shell, shell]
    assert home.show("e")["state"] == "running"
    assert session.notifications.titles() == [], "all of that was asked for"

    home.banger("vm", "exec", "e", "--", "systemctl", "--no-block", "poweroff", timeout=60)
    call = session.notifications.wait("e has shut itself down", seconds=120)
    assert list(call[5]) == ["start", "Start it again"]
    session.notifications.click(1, "start")
    wait.until(lambda: home.show("e")["state"] == "running", 240, "it is started again")

    session.search.run(session.search.results("stop", "e")[0])
    wait.until(lambda: home.show("e")["state"] == "stopped", 60, "it is stopped")
    assert session.notifications.titles() == ["e has shut itself down"]
