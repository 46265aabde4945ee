# SPDX-License-Identifier: GPL-2.0-or-later
"""A thousand VMs change at once, and somebody who asked for all signals reads none of them. None of the VMs ever runs."""

import json
import pathlib
import time

import dbus
import dbus.bus
import pytest

from harness import bundle, bus, wait
from harness.bus import NAME
from harness.signals import Signals

COUNT = 1000
MOST_MEMORY_MIB = 64  # of operations and signals on their way; 1,000 VMs come to 17 (bench/README.md)
ANSWER_SECONDS = 2


def define_vms(home, count):
    """Folders that no row knows become VMs at bangerd's start."""
    image, kernel = bundle.put_image(home), bundle.put_kernel(home)
    for number in range(count):
        folder = home.vms_folder / f"{number:012d}"
        folder.mkdir(parents=True)
        (folder / "vm.json").write_text(json.dumps(
            {"name": f"many-{number}", "image": "debian", "image_digest": image, "kernel": "debian", "kernel_digest": kernel, "vcpus": 1,
             "memory_mib": 128, "disk_bytes": 64 << 20, "vmm": "auto", "network": "user", "allow_host_loopback": False, "remove_on_stop": False}))


def resident_mib(pid):
    status = pathlib.Path(f"/proc/{pid}/status").read_text()
    return int(status.split("VmRSS:")[1].split()[0]) / 1024


@pytest.mark.limit(300)
def test_who_does_not_read_holds_up_nobody_and_costs_no_memory_without_end(bangerd, home):
    define_vms(home, COUNT)
    bangerd.launch()
    client = bangerd.client = bus.Agent(bangerd.bus.address)
    wait.until(lambda: client.has_owner() or bangerd.process.poll() is not None, 90, "it has taken them in")
    assert bangerd.process.poll() is None, bangerd.errors()
    deaf = dbus.bus.BusConnection(bangerd.bus.address)
    deaf.add_match_string("type='signal'")  # and never is read from again: dbus-python reads only for who calls
    listener = Signals(bangerd.bus.address)
    vms = [f"{bus.ROOT}/vm/{number:012d}" for number in range(COUNT)]
    before = resident_mib(bangerd.process.pid)
    slowest = 0
    for number, vm in enumerate(vms):
        client.call(vm, "Vm", "Set", "a{sv}", (bus.typed({"memory_mib": 256}),))
        if number % 50 == 0:
            begin = time.monotonic()
            rows = client.manager.ListVms(dbus.Dictionary({}, signature="ss"))
            slowest = max(slowest, time.monotonic() - begin)
            assert len(rows) == COUNT
    changed = lambda: {path for path, _, member, arguments in listener.heard if member == "PropertiesChanged" and arguments[0] == f"{NAME}.Vm"}
    listener.until(lambda: changed() == set(vms), 120, "who reads hears of all")
    assert slowest < ANSWER_SECONDS
    assert resident_mib(bangerd.process.pid) - before < MOST_MEMORY_MIB
    assert client.get(vms[-1], "Vm", "Details")["memory_mib"] == 256
    listener.close()
    deaf.close()
