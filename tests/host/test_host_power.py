# SPDX-License-Identifier: GPL-2.0-or-later
"""The host sleeps, wakes and shuts down, as python-dbusmock's logind says; real guests."""

import time

import pytest

from harness import wait
from harness.logind import SystemBus

RIGHT_AGAIN_SECONDS = 2  # issue 8
DELAY_SECONDS = 5  # logind's own, where nobody has said another
WAITING = ("shutdown", "banger", "Virtual machines are shut down in order", "delay")


@pytest.fixture
def system(own_world):
    bus = SystemBus(own_world)
    bus.start_logind()
    yield bus
    bus.close()


@pytest.fixture
def vm(own_world, system, make_vm):
    """Runs, and bangerd has found logind."""
    made = make_vm(home=own_world)
    wait.until(lambda: system.inhibitors() == [WAITING], 10, "a shutdown would wait for it")
    return made


def seconds_wrong(vm):
    return abs(int(vm.exec("date +%s")) - time.time())


def test_a_guest_s_clock_is_right_within_two_seconds_of_a_resume(vm, system):
    vm.exec("date -s @1000000000")
    system.forge("PrepareForSleep", False)
    system.say("PrepareForSleep", True)
    assert seconds_wrong(vm) > 1000, "nobody else sets it"
    system.say("PrepareForSleep", False)
    wait.until(lambda: seconds_wrong(vm) < 2, RIGHT_AGAIN_SECONDS, "the clock is right")
    assert system.inhibitors() == [WAITING], "a sleep was not held up"


def test_a_shutdown_of_the_host_stops_vms_in_order(vm, system, own_world):
    vm.exec("echo kept >/root/kept; echo kept >/kept")
    system.forge("PrepareForShutdown", True)
    system.end_logind()
    system.start_logind()
    wait.until(lambda: system.inhibitors() == [WAITING], 10, "the new logind is asked, too")
    assert vm.state() == "running", "who is not logind stops nothing"
    since = time.monotonic()
    system.say("PrepareForShutdown", True)
    wait.until(lambda: system.inhibitors() == [], DELAY_SECONDS, "the shutdown goes on before logind's patience ends")
    assert time.monotonic() - since < DELAY_SECONDS
    vm.wait_for_state("stopped")
    assert "the host shuts down; stopping it" in own_world.log()
    vm.do("start")
    assert vm.exec("cat /root/kept /kept") == "kept\nkept"
