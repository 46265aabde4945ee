# SPDX-License-Identifier: GPL-2.0-or-later
"""Firecracker that is missing, wrong, dies, hangs, or has no room: an error that says so, and a row that says what is."""

import pathlib
import re
import subprocess

import pytest

from harness import wait
from long import only_with_all

pytestmark = [pytest.mark.limit(300), only_with_all("four minutes")]
PROGRAM = pathlib.Path("/usr/local/bin/firecracker")
CREATE = ("vm", "create", "--name", "unlucky", "--image", "bare", "--memory", "256", "--disk-size", "1G")


def start_on_firecracker(user):
    """A VM that is made, and told to start on a Firecracker that won't."""
    return user.banger(*CREATE, "--vmm", "firecracker", check=False, timeout=200)


def check_row(user, *states):
    """What is listed is so: there is no VMM behind a VM that doesn't run, and it can be deleted."""
    row = user.vms().get("unlucky")
    if row:
        assert row["state"] in states, row
        assert not user.processes("firecracker")
        assert not [unit for unit in user.units() if unit.endswith("-vmm.service")]
        user.banger("vm", "delete", "-f", "unlucky")
    assert user.vms() == {}


def test_a_missing_one_is_named_with_what_brings_it(alice, faults):
    faults.hide(PROGRAM)
    refused = start_on_firecracker(alice)
    assert refused.returncode == 4
    assert "firecracker was asked for, but" in refused.stderr and "banger runtime fetch" in refused.stderr, refused.stderr
    check_row(alice, "stopped", "failed")


def test_one_that_is_too_old_is_told_by_its_version(alice, faults):
    faults.replace(PROGRAM, "#!/bin/sh\necho 'Firecracker v1.10.1'\n")
    refused = start_on_firecracker(alice)
    assert refused.returncode == 4
    assert "1.10.1, too old" in refused.stderr and "banger runtime fetch" in refused.stderr, refused.stderr
    check_row(alice, "stopped", "failed")


def test_one_that_may_not_be_executed_is_told(alice, faults):
    faults.mode(PROGRAM, 0o644)
    refused = start_on_firecracker(alice)
    assert refused.returncode == 4
    assert "firecracker was asked for, but" in refused.stderr and "banger runtime fetch" in refused.stderr, refused.stderr
    check_row(alice, "stopped", "failed")


def test_without_it_qemu_is_taken_and_that_is_said(alice, faults):
    faults.hide(PROGRAM)
    said = alice.banger(*CREATE, timeout=200).stderr
    assert alice.show("unlucky")["vmm"] == "qemu-kvm"
    assert "firecracker" in said.lower() and "qemu-kvm" in said, said


def vmm_of_a_starting_vm(user):
    """The running CLI, and Firecracker as soon as it is there."""
    cli = user.start("exec " + user.command(*CREATE, "--vmm", "firecracker", "--timeout", "30"), stderr=subprocess.PIPE, text=True)
    vmm, = wait.until(lambda: user.processes("firecracker"), 100, "Firecracker is started")
    return cli, vmm


@pytest.fixture
def probed(alice, make_vm):
    """A Firecracker that starts from now on is a VM's: its version was asked for, and KVM was tried with it."""
    alice.banger("vm", "delete", "-f", make_vm(alice))


def test_one_that_is_killed_while_it_starts_is_seen_at_once(alice, probed, faults):
    cli, vmm = vmm_of_a_starting_vm(alice)
    faults.kill(vmm)
    _, err = cli.communicate(timeout=20)
    assert cli.returncode == 1, err
    assert "ended before" in err, err
    check_row(alice, "failed", "stopped")


def test_one_that_stands_still_while_it_starts_is_given_up(alice, probed, faults):
    cli, vmm = vmm_of_a_starting_vm(alice)
    faults.freeze(vmm)
    _, err = cli.communicate(timeout=100)
    assert cli.returncode in (1, 7), err
    assert re.search(r"not (listen|answer|ready|get ready)", err), err
    assert alice.vms()["unlucky"]["state"] != "running"
    alice.banger("vm", "delete", "-f", "unlucky")
    assert not vmm.alive()


def test_a_running_one_that_stands_still_is_ended_by_a_stop(alice, make_vm, faults):
    vm = make_vm(alice)
    vmm, = alice.processes("firecracker")
    faults.freeze(vmm)
    alice.banger("vm", "stop", "--timeout", "5", vm, timeout=100)
    assert not vmm.alive()
    assert alice.vms()[vm]["state"] in ("stopped", "failed")


def test_a_folder_with_a_long_name_is_no_problem_for_its_socket(alice, make_vm):
    state = alice.home / ("long-" + "x" * 120)
    alice.run("systemctl --user stop bangerd.service")
    alice.run(f"systemctl --user set-environment XDG_STATE_HOME={state}")
    try:
        long = {"command": f"XDG_STATE_HOME={state} banger"}
        alice.run(f"{long['command']} vm create --name long --image bare --memory 256 --disk-size 1G --vmm firecracker", timeout=200)
        assert alice.run(f"{long['command']} vm exec long -- echo hi").stdout == "hi\n"
        alice.run(f"{long['command']} vm delete -f long")
    finally:
        alice.run("systemctl --user unset-environment XDG_STATE_HOME; systemctl --user stop bangerd.service")


def test_a_full_disk_is_told_and_nothing_is_lost(alice, faults):
    faults.small_disk(alice, "3G")
    alice.banger(*CREATE, "--vmm", "firecracker", timeout=200)
    alice.exec("unlucky", "echo kept >/root/kept; sync")
    alice.banger("vm", "stop", "unlucky")
    full = faults.fill(alice.state)
    refused = alice.banger("vm", "create", "--name", "no-room", "--image", "bare", "--no-start", check=False)
    assert refused.returncode != 0
    assert "No space left" in refused.stderr or "full" in refused.stderr, refused.stderr
    assert "no-room" not in alice.vms()
    started = alice.banger("vm", "start", "unlucky", check=False, timeout=100)
    assert (started.returncode == 0) == (alice.vms()["unlucky"]["state"] == "running"), started.stderr
    full.unlink()
    if started.returncode != 0:
        assert "No space left" in started.stderr or "full" in started.stderr, started.stderr
        alice.banger("vm", "start", "unlucky", timeout=200)
    assert alice.exec("unlucky", "cat /root/kept") == "kept"
