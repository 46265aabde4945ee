# SPDX-License-Identifier: GPL-2.0-or-later
"""bangerd and logind on a system bus of the test's own, without a VM: what it hears, from whom, and what it does without. With VMs:
tests/host/test_host_power.py."""

import socket
import time

import pytest

from harness import wait
from harness.logind import SystemBus

SLEPT = "the host has slept"
NO_BUS = "no system bus"
SILENT = "the system bus gives no answer"
NO_LOGIND = "logind is not on the system bus"


@pytest.fixture
def system(home):
    bus = SystemBus(home)
    yield bus
    bus.close()


def said(home, words):
    return home.log().count(words)


def hears(home, times):
    wait.until(lambda: said(home, SLEPT) == times, 10, f"it has heard of {times} sleeps")


def test_a_host_without_a_system_bus_is_no_error_and_said_once(bangerd, home):
    home.env["DBUS_SYSTEM_BUS_ADDRESS"] = f"unix:path={home.root}/no-bus"
    client = bangerd.start()
    wait.until(lambda: said(home, NO_BUS), 10, "it says so")
    client.manager.ListImages()
    assert said(home, NO_BUS) == 1


def test_a_system_bus_that_takes_a_connection_and_says_nothing_stops_nothing(bangerd, home):
    path = home.root / "silent-bus"
    with socket.socket(socket.AF_UNIX) as silent:
        silent.bind(str(path))
        silent.listen(64)
        home.env["DBUS_SYSTEM_BUS_ADDRESS"] = f"unix:path={path}"
        client = bangerd.start()

        def is_said():
            began = time.monotonic()
            client.manager.ListImages()
            assert time.monotonic() - began < 2, "sd-bus would wait for 25 s"
            return said(home, SILENT)

        wait.until(is_said, 20, "it says so")
        began = time.monotonic()
        home.banger("daemon", "stop", check=True)
        assert time.monotonic() - began < 5, "nobody waits for the one who opens the bus"
    assert said(home, SILENT) == 1


def test_a_host_without_logind_is_no_error_and_said_once(bangerd, home, system):
    client = bangerd.start()
    wait.until(lambda: said(home, NO_LOGIND), 10, "it says so")
    client.manager.ListImages()
    system.start_logind()
    system.end_logind()
    system.start_logind()
    system.say("PrepareForSleep", False)
    hears(home, 1)
    assert said(home, NO_LOGIND) == 1


def listen(bangerd, home, system):
    """Until bangerd hears: it finds logind soon after it serves."""
    bangerd.start()

    def is_heard():
        system.say("PrepareForSleep", False)
        return said(home, SLEPT)

    wait.until(is_heard, 10, "it hears logind")
    before = -1
    while before != said(home, SLEPT):  # what was said on the way there has arrived, too
        before = said(home, SLEPT)
        bangerd.client.manager.ListImages()
    return before


def test_it_hears_logind_and_nobody_who_speaks_in_its_name(bangerd, home, system):
    system.start_logind()
    before = listen(bangerd, home, system)
    system.forge("PrepareForSleep", False)
    system.forge("PrepareForShutdown", True)
    system.say("PrepareForSleep", True)
    system.say("PrepareForSleep", False)
    hears(home, before + 1)
    assert "shuts down" not in home.log()


def test_it_follows_a_logind_that_is_started_anew(bangerd, home, system):
    system.start_logind()
    before = listen(bangerd, home, system)
    system.end_logind()
    system.forge("PrepareForSleep", False)
    system.start_logind()

    def is_heard():
        system.say("PrepareForSleep", False)
        return said(home, SLEPT) > before

    wait.until(is_heard, 10, "it hears the new one")


def test_without_a_vm_nobody_has_to_wait_for_it(bangerd, home, system):
    system.start_logind()
    listen(bangerd, home, system)
    assert system.inhibitors() == []
    system.say("PrepareForShutdown", True)
    system.say("PrepareForShutdown", False)
    listen_again = said(home, SLEPT)
    system.say("PrepareForSleep", False)
    hears(home, listen_again + 1)
    assert system.inhibitors() == []


def test_a_system_bus_that_ends_takes_nothing_with_it(bangerd, home, system):
    system.start_logind()
    listen(bangerd, home, system)
    system.end()
    for _ in range(3):
        bangerd.client.manager.ListImages()
    assert bangerd.process.poll() is None
    assert bangerd.kill(15) == 0
