# SPDX-License-Identifier: GPL-2.0-or-later
"""VMs, bangerd and the user's session: who may end without whom."""

import pathlib
import subprocess
import time

import pytest

from harness import processes, wait
from long import only_with_all

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


def test_a_vm_outlives_a_killed_bangerd_and_is_found_again(alice, make_vm, journal, faults):
    vm = make_vm(alice)  # running, image `bare`, its disk the broker's; gone when the test ends
    alice.exec(vm, "echo kept >/root/file")
    vmm, (bangerd,) = processes.find(alice.show(vm)["pid"]), alice.processes("bangerd")
    faults.kill(bangerd)  # what can be mended is mended when the test ends
    wait.until(lambda: not bangerd.alive(), 10, "bangerd is gone")
    assert alice.show(vm)["pid"] == vmm.pid and vmm.alive()  # says the next one, which the session bus starts
    assert alice.exec(vm, "cat /root/file") == "kept"
    assert any(f"uid={alice.uid}" in line and "method=CreateSandbox" in line for line in journal(unit="banger-broker.service"))


@only_with_all("two minutes")
@pytest.mark.parametrize("delay", [0.1, 0.4, 1.0])
def test_a_guest_that_powers_off_stays_off_though_bangerd_is_killed_meanwhile(alice, make_vm, faults, delay):
    """On Firecracker every end is a reset, so that a power-off was meant is its guest's word alone."""
    vm = make_vm(alice)
    vmm = vmm_of(alice, vm)
    bangerd, = alice.processes("bangerd")
    stubborn = "setsid sh -c \"trap '' TERM HUP; exec sleep 60\" </dev/null >/dev/null 2>&1 &"
    alice.exec(vm, f"{stubborn} kill -USR2 1", check=False)  # banger-guest's init waits 3 s for such a one, and hears nobody meanwhile
    time.sleep(delay)
    faults.kill(bangerd)
    wait.until(lambda: not vmm.alive(), 60, "the VMM ends")
    wait.until(lambda: alice.vms()[vm]["state"] == "stopped", 20, "its end is seen")
    time.sleep(3)  # what must not come back would be there by then
    assert alice.vms()[vm]["state"] == "stopped"
    assert not alice.processes("firecracker")


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


LOGIND = ["org.freedesktop.login1", "/org/freedesktop/login1", "org.freedesktop.login1.Manager"]
PM_TEST = pathlib.Path("/sys/power/pm_test")


def is_asleep():
    told = subprocess.run(["busctl", "get-property", *LOGIND, "PreparingForSleep"], check=True, capture_output=True, text=True).stdout
    return told == "b true\n"


@pytest.fixture
def sleep_and_wake():
    """A sleep that logind takes for a real one, but that goes only as far as freezing all processes, for five seconds; gives the moment at which
    logind says that it is over. The kernel's own test of a suspend: /sys/power/pm_test, CONFIG_PM_SLEEP_DEBUG."""
    def sleep():
        subprocess.run(["busctl", "call", *LOGIND, "Suspend", "b", "false"], check=True, capture_output=True)
        wait.until(is_asleep, 20, "logind begins")
        wait.until(lambda: not is_asleep(), 60, "the workstation wakes")
        return time.monotonic()

    PM_TEST.write_text("freezer")
    yield sleep
    PM_TEST.write_text("none")


def test_a_guest_s_clock_is_right_two_seconds_after_the_host_has_slept(alice, make_vm, sleep_and_wake):
    vm = make_vm(alice)
    alice.exec(vm, "date -s @1000000000")
    woke = sleep_and_wake()
    wait.until(lambda: time.monotonic() >= woke + 2, 3, "two seconds have passed")
    assert abs(int(alice.exec(vm, "date +%s")) - time.time()) < 5, "emulation is slow, but not by that much"
    assert alice.show(vm)["state"] == "running"


def who_delays_a_shutdown():
    listed = subprocess.run(["systemd-inhibit", "--list", "--no-legend", "--no-pager"], check=True, capture_output=True, text=True).stdout
    return [line.split()[0] for line in listed.splitlines() if "shutdown" in line and line.split()[-1] == "delay"]


def test_a_shutdown_waits_for_vms_that_run_and_not_for_bangerd(alice, make_vm):
    before = who_delays_a_shutdown()
    vm = make_vm(alice)
    wait.until(lambda: "banger" in who_delays_a_shutdown(), 20, "a shutdown would wait")
    alice.banger("vm", "stop", vm)
    wait.until(lambda: who_delays_a_shutdown() == before, 20, "it would not any more")


@pytest.mark.parametrize("bangerd", ["there", pytest.param("gone", marks=only_with_all("a minute"))])
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
