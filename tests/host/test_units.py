# SPDX-License-Identifier: GPL-2.0-or-later
"""VMs under a systemd user manager: units of their own, which outlive bangerd and end in order with the session."""

import os

import pytest

from harness import processes, wait
from harness.home import Home
from harness.long import only_with_all
from harness.user_manager import UserManager

ROUNDS = 3 if os.environ.get("BANGER_TEST_ALL") else 1

# A user has one manager, so these go one after another.
pytestmark = [pytest.mark.limit(400), pytest.mark.together]


@pytest.fixture
def session(cache):
    home = Home("units", cache=cache)
    manager = None
    try:
        manager = UserManager(home)
        yield manager
    finally:
        if manager:
            manager.close()
        home.close()


def create(home, name):
    home.banger("vm", "create", "--name", name, "--memory", "256", "--disk-size", "1G", check=True, timeout=240)
    return home.show(name)


def test_a_vm_is_a_unit_that_outlives_bangerd_and_goes_with_the_vm(session):
    home = session.home
    shown = create(home, "unit")
    assert f"banger-{shown['id']}-vmm.service" in session.units()
    assert session.systemctl("show", "-P", "MainPID", f"banger-{shown['id']}-vmm.service").strip() == str(shown["pid"])
    session.kill_bangerd()
    assert home.show("unit")["pid"] == shown["pid"], "found again by its unit"
    assert home.banger("vm", "exec", "unit", "--", "echo", "hi", check=True).stdout == "hi\n"
    home.banger("vm", "stop", "unit", check=True, timeout=60)
    wait.until(lambda: not session.units(), 20, "no unit is left, failed ones neither")
    home.banger("vm", "start", "unit", check=True, timeout=240)
    home.banger("vm", "delete", "-f", "unit", check=True, timeout=60)
    wait.until(lambda: not session.units(), 20, "no unit is left, failed ones neither")


def test_a_bangerd_that_is_restarted_while_a_vm_boots_leaves_it_alone(session):
    """As an upgrade of the package does."""
    home = session.home
    home.banger("vm", "create", "--name", "unit", "--memory", "256", "--disk-size", "1G", "--no-start", check=True, timeout=240)
    start = home.start("vm", "start", "unit")
    pid = wait.until(lambda: home.show("unit")["pid"], 60, "its VMM is there")
    session.systemctl("restart", "bangerd.service")
    start.communicate(timeout=60)
    assert (home.show("unit")["state"], home.show("unit")["pid"]) == ("running", pid)
    assert processes.find(pid)


def test_a_bangerd_that_ends_while_somebody_is_connected_ends_in_order(session):
    home = session.home
    create(home, "unit")
    ssh = home.start("vm", "ssh", "unit", "--", "echo there; sleep 60")
    assert ssh.stdout.readline() == "there\n"
    session.systemctl("stop", "bangerd.service")
    assert session.systemctl("show", "-P", "Result", "bangerd.service").strip() == "success"
    ssh.communicate(timeout=60)
    assert home.show("unit")["state"] == "running"


def test_a_bangerd_without_a_session_bus_finds_vms_that_are_units(session):
    """As cron or su start one."""
    home = session.home
    pids = {"unit": create(home, "unit")["pid"]}
    home.banger("vm", "run", "-d", "--rm", "--name", "passing", "--memory", "256", "--disk-size", "1G", check=True, timeout=240)
    pids["passing"] = home.show("passing")["pid"]
    home.banger("daemon", "stop", check=True)
    wait.until(lambda: not home.agent_pids(), 10, "bangerd is gone")
    elsewhere = home.runtime / "elsewhere"
    elsewhere.mkdir(mode=0o700)
    del home.env["DBUS_SESSION_BUS_ADDRESS"]
    home.env["XDG_RUNTIME_DIR"] = str(elsewhere)
    for name, pid in pids.items():
        assert (home.show(name)["state"], home.show(name)["pid"]) == ("running", pid)
        assert home.banger("vm", "exec", name, "--", "echo", "hi", check=True).stdout == "hi\n"
    home.banger("vm", "stop", "unit", "passing", check=True, timeout=60)
    wait.until(lambda: list(home.vms()) == ["unit"], 20, "the passing one goes with its stop")
    home.banger("daemon", "stop", check=True)


def boot_id(home):
    return home.banger("vm", "exec", "unit", "--", "cat", "/proc/sys/kernel/random/boot_id", timeout=60).stdout.strip()


@pytest.mark.parametrize("bangerd", ["there", "stopped"])
def test_a_stopped_unit_shuts_the_guest_down_in_order(session, bangerd):
    """systemctl stop, with bangerd and without: what the guest had not synced is there at the next start."""
    home = session.home
    shown = create(home, "unit")
    home.banger("vm", "exec", "unit", "--", "sh", "-c", "echo kept > /root/kept; echo kept > /kept", check=True)
    if bangerd == "stopped":  # not killed: systemd would start another
        session.systemctl("stop", "bangerd.service")
        assert not home.agent_pids()
        assert processes.find(shown["pid"]), "the VM goes on"
    session.systemctl("stop", f"banger-{shown['id']}-vmm.service")
    assert processes.find(shown["pid"]) is None
    assert home.show("unit")["state"] == "stopped"
    home.banger("vm", "start", "unit", check=True, timeout=240)
    assert home.banger("vm", "exec", "unit", "--", "cat", "/root/kept", "/kept", check=True).stdout == "kept\nkept\n"


@only_with_all("a minute")
def test_restarts_and_reboots_wait_for_the_unit_that_is_still_ending(session):
    """systemd runs ExecStop for a VMM that ended by itself, too, and the unit's name is taken until that is over."""
    home = session.home
    create(home, "unit")
    for _ in range(ROUNDS):
        home.banger("vm", "restart", "unit", check=True, timeout=240)
    for _ in range(ROUNDS):
        before = boot_id(home)
        home.banger("vm", "exec", "unit", "--", "systemctl", "--no-block", "reboot")
        wait.until(lambda: boot_id(home) not in ("", before), 120, "another boot answers")


def test_a_session_s_end_loses_nothing(session):
    home = session.home
    shown = create(home, "unit")
    home.banger("vm", "exec", "unit", "--", "sh", "-c", "echo kept > /root/kept; echo kept > /kept", check=True)
    session.end_session()
    wait.until(lambda: processes.find(shown["pid"]) is None, 30, "the VMM ends with its session")
    del home.env["DBUS_SESSION_BUS_ADDRESS"]
    home.banger("vm", "start", "unit", check=True, timeout=240)
    assert home.banger("vm", "exec", "unit", "--", "cat", "/root/kept", "/kept", check=True).stdout == "kept\nkept\n"
    home.banger("daemon", "stop", check=True)
