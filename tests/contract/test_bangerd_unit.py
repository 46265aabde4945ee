# SPDX-License-Identifier: GPL-2.0-or-later
"""bangerd.service under a real systemd user manager: the bus starts it as a unit, and systemd knows what to do with its end."""

import os
import signal

import pytest

from harness import wait
from harness.home import Home
from harness.user_manager import UserManager

pytestmark = pytest.mark.together  # of which a user has one
UNIT = "bangerd.service"


@pytest.fixture
def session():
    home = Home("unit")
    manager = None
    try:
        manager = UserManager(home)
        yield manager
    finally:
        if manager:
            manager.close()
        home.close()


def main_pid(session):
    return int(session.systemctl("show", "-P", "MainPID", UNIT))


def state(session):
    return session.systemctl("show", "-P", "ActiveState", UNIT).strip()


def test_a_call_starts_bangerd_as_its_unit(session):
    session.home.banger("vm", "list", check=True)
    assert state(session) == "active"
    assert set(session.home.agent_pids()) == {main_pid(session)}


def test_a_restart_puts_another_bangerd_in_its_place(session):
    session.home.banger("vm", "list", check=True)
    before = main_pid(session)
    session.systemctl("restart", UNIT)
    assert main_pid(session) not in (0, before)
    assert set(session.home.agent_pids()) == {main_pid(session)}
    session.home.banger("vm", "list", check=True)


def test_a_killed_bangerd_comes_back_by_itself(session):
    """VMs that run are watched again, without a call."""
    session.home.banger("vm", "list", check=True)
    before = main_pid(session)
    os.kill(before, signal.SIGKILL)
    wait.until(lambda: state(session) == "active" and main_pid(session) not in (0, before), 30, "bangerd is there again")


def test_a_bangerd_that_was_told_to_leave_stays_away(session):
    session.home.banger("vm", "list", check=True)
    session.home.banger("daemon", "stop", check=True)
    wait.until(lambda: state(session) == "inactive", 10, "the unit has ended in order")
    session.home.banger("vm", "list", check=True)
    assert state(session) == "active"


def test_an_idle_bangerd_leaves_and_the_next_call_has_another(session):
    unit = session.systemctl("cat", UNIT)
    command = next(line for line in unit.splitlines() if line.startswith("ExecStart="))
    drop_in = session.home.config / "systemd" / "user" / f"{UNIT}.d" / "idle.conf"
    drop_in.parent.mkdir()
    drop_in.write_text(f"[Service]\nExecStart=\n{command} --idle-limit 1\n")
    session.systemctl("daemon-reload")
    session.home.banger("vm", "list", check=True)
    before = main_pid(session)
    wait.until(lambda: state(session) == "inactive", 20, "it leaves")
    assert session.systemctl("show", "-P", "Result", UNIT).strip() == "success"
    session.home.banger("vm", "list", check=True)
    assert main_pid(session) not in (0, before)


def test_a_bangerd_that_can_t_serve_tells_its_caller_why_at_once(session):
    """dbus-daemon learns nothing of a unit that fails, and would let callers wait for two minutes."""
    session.home.write_config("[vm_defaults]\nmemory = 512\n")
    failed = session.home.banger("vm", "list", timeout=15)
    assert failed.returncode == 2
    assert "config.toml:2" in failed.stderr and "did you mean memory_mib" in failed.stderr
    assert session.systemctl("show", "-P", "NRestarts", UNIT).strip() == "0", "it is not tried over and over"
    session.home.config_file.unlink()
    session.home.banger("vm", "list", check=True, timeout=15)
