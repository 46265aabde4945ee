# SPDX-License-Identifier: GPL-2.0-or-later
"""VMs, bangerd and the user's session: who may end without whom."""

import subprocess
import time

import pytest

from harness import processes, wait

pytestmark = pytest.mark.limit(390)
SESSION_END_SECONDS = 90


def vmm_of(user, vm):
    return processes.find(user.show(vm)["pid"])


def write_unsynced(user, vm):
    user.exec(vm, "echo kept >/root/kept; echo kept >/kept")


def check_disks(user, vm):
    """Both are whole while the VM is stopped, and hold what was not synced before the stop."""
    folder = user.state / "vms" / user.show(vm)["id"]
    for disk in ("root.img", "work.img"):
        checked = subprocess.run(["e2fsck", "-f", "-n", folder / disk], capture_output=True, text=True)
        assert checked.returncode == 0, f"{disk}: {checked.stdout}{checked.stderr}"
    user.banger("vm", "start", vm, timeout=180)
    assert user.exec(vm, "cat /root/kept /kept") == "kept\nkept"


def test_the_session_bus_starts_bangerd(alice):
    alice.run("systemctl --user stop bangerd.service")
    assert not alice.processes("bangerd")
    alice.run("busctl --user call dev.banger.Agent1 / org.freedesktop.DBus.Peer Ping")
    started = alice.processes("bangerd")
    assert len(started) == 1
    assert alice.run("systemctl --user show -P MainPID bangerd.service").stdout.strip() == str(started[0].pid)


def test_a_vm_outlives_a_killed_bangerd_and_is_found_again(alice, make_vm, faults):
    vm = make_vm(alice)
    vmm = vmm_of(alice, vm)
    bangerd, = alice.processes("bangerd")
    faults.kill(bangerd)
    wait.until(lambda: not bangerd.alive(), 10, "bangerd is gone")
    assert vmm.alive()
    assert alice.show(vm)["pid"] == vmm.pid
    assert alice.exec(vm, "echo hi") == "hi"


@pytest.fixture
def clock():
    """Sets the workstation's clock by a number of days; put right when the test ends."""
    before, since = time.time(), time.monotonic()
    yield lambda days: time.clock_settime(time.CLOCK_REALTIME, time.time() + days * 86400)
    time.clock_settime(time.CLOCK_REALTIME, before + time.monotonic() - since)


def test_a_clock_that_jumps_harms_nothing(alice, make_vm, clock):
    vm = make_vm(alice)
    vmm = vmm_of(alice, vm)
    for days in (400, -900):
        clock(days)
        assert alice.exec(vm, "echo hi") == "hi"
        assert alice.show(vm)["state"] == "running"
        assert vm in alice.banger("vm", "list").stdout
        alice.banger("vm", "stats", vm)
    assert vmm.alive()
    alice.banger("vm", "restart", vm, timeout=180)
    assert alice.exec(vm, "echo hi") == "hi"


@pytest.mark.parametrize("bangerd", ["there", "gone"])
def test_a_logout_stops_vms_cleanly(alice, make_vm, bangerd):
    vm = make_vm(alice, "--storage", "file")  # whose file system can be looked at while it is stopped
    vmm = vmm_of(alice, vm)
    write_unsynced(alice, vm)
    if bangerd == "gone":
        alice.run("systemctl --user stop bangerd.service")
    subprocess.run(["loginctl", "terminate-user", "alice"], check=True)
    wait.until(lambda: not vmm.alive(), SESSION_END_SECONDS, "the VMM ends with the session")
    wait.until(lambda: not alice.processes("systemd"), SESSION_END_SECONDS, "the user manager ends")
    alice.log_in()
    assert alice.vms()[vm]["state"] == "stopped"
    check_disks(alice, vm)


def test_vms_of_a_lingering_user_stay(alice, make_vm, faults):
    faults.linger("alice")
    vm = make_vm(alice)
    vmm = vmm_of(alice, vm)
    alice.log_out()
    wait.until(lambda: "alice" not in sessions(), SESSION_END_SECONDS, "the last session ends")
    assert vmm.alive()
    alice.log_in()
    assert alice.show(vm)["pid"] == vmm.pid
    assert alice.exec(vm, "echo hi") == "hi"


def sessions():
    """Names of the users with a session."""
    listed = subprocess.run(["loginctl", "list-sessions", "--no-legend"], check=True, capture_output=True, text=True).stdout
    return [line.split()[2] for line in listed.splitlines()]
