# SPDX-License-Identifier: GPL-2.0-or-later
"""Firecracker that is missing, wrong, dies, hangs, or has no room: an error that says so, and a row that says what is."""

import pathlib
import subprocess

import pytest

from harness import wait

pytestmark = pytest.mark.limit(300)
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


def test_one_that_is_killed_while_it_starts_is_seen_at_once(alice, faults):
    alice.banger(*CREATE, "--no-start")
    alice.banger("vm", "delete", "unlucky")  # so that the version was asked for before: the next Firecracker is the VM's
    cli, vmm = vmm_of_a_starting_vm(alice)
    faults.kill(vmm)
    _, err = cli.communicate(timeout=30)
    assert cli.returncode == 1
    assert "Firecracker ended" in err or "ended" in err, err
    check_row(alice, "failed", "stopped")


def test_one_that_stands_still_while_it_starts_is_given_up(alice, faults):
    cli, vmm = vmm_of_a_starting_vm(alice)
    faults.freeze(vmm)
    _, err = cli.communicate(timeout=120)
    assert cli.returncode != 0
    assert "s" in err
    print(err)


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
    alice.run("systemctl --user stop bangerd.service")
    faults.small_disk(alice.state, alice, megabytes=600)
    alice.banger(*CREATE, "--vmm", "firecracker", timeout=200)
    alice.exec("unlucky", "echo kept >/root/kept; sync")
    alice.banger("vm", "stop", "unlucky")
    faults.fill(alice.state)
    refused = alice.banger("vm", "start", "unlucky", check=False, timeout=200)
    if refused.returncode != 0:
        assert "space" in refused.stderr.lower() or "full" in refused.stderr.lower(), refused.stderr
        assert alice.vms()["unlucky"]["state"] in ("stopped", "failed")
    (alice.state / ".filled").unlink()
    if refused.returncode != 0:
        alice.banger("vm", "start", "unlucky", timeout=200)
    assert alice.exec("unlucky", "cat /root/kept") == "kept"
    alice.banger("vm", "delete", "-f", "unlucky")
    alice.run("systemctl --user stop bangerd.service")
