# SPDX-License-Identifier: GPL-2.0-or-later
"""VMMs with real nested KVM, and what is said where KVM may not be used."""

import json
import pathlib
import re
import subprocess

import pytest
from long import only_with_all

BOOT_SECONDS = 180
pytestmark = pytest.mark.limit(390)


def test_alice_runs_a_command_in_a_vm_that_is_gone_afterwards(alice):
    done = alice.banger("vm", "run", "--rm", "--image", "bare", "--", "id", timeout=BOOT_SECONDS)
    assert done.stdout.startswith("uid=0(root)")
    assert alice.vms() == {}


def test_firecracker_runs_as_alice_in_a_unit_of_her_manager_and_speaks_vsock(alice, make_vm):
    vm = make_vm(alice)
    shown = alice.show(vm)
    assert shown["vmm"] == "firecracker"
    unit = f"banger-{shown['id']}-vmm.service"
    assert unit in alice.units()
    assert alice.run(f"systemctl --user show -P MainPID {unit}").stdout.strip() == str(shown["pid"])
    assert alice.run(f"ps -o user=,comm= -p {shown['pid']}").stdout.split() == ["alice", "firecracker"]
    cgroup = alice.run(f"cat /proc/{shown['pid']}/cgroup").stdout
    assert f"/user@{alice.uid}.service/" in cgroup and unit in cgroup
    for thread in pathlib.Path(f"/proc/{shown['pid']}/task").iterdir():
        status = (thread / "status").read_text()
        assert "Seccomp:\t2" in status and "CapEff:\t0000000000000000" in status, status
        filters = int(re.search(r"(?m)^Seccomp_filters:\t(\d+)$", status).group(1))
        assert filters >= 2, f"banger-confine's and Firecracker's own: {status}"
    folder = alice.state / "vms" / shown["id"]
    assert (folder / "firecracker.log").read_text(), "it tells of its start"
    assert "vsock" in json.loads((folder / "firecracker.metrics").read_text().splitlines()[0]), "one line at its start, then one a minute"
    assert "banger.channel=vsock:" in alice.exec(vm, "cat /proc/cmdline")
    assert alice.exec(vm, "ls /sys/class/virtio-ports 2>/dev/null") == "", "there is no other channel"


def test_a_disk_with_a_rate_is_no_faster(alice, make_vm):
    vm = make_vm(alice, "--disk-rate", "4M", "--disk-iops", "2000")
    shown = alice.show(vm)
    assert (shown["disk_rate"], shown["disk_iops"], shown["network_rate"]) == (4 << 20, 2000, 0)
    wrote = "dd if=/dev/zero of=/root/some bs=64k count=256 oflag=direct >/dev/null 2>&1"
    took = alice.exec(vm, f"read begin _ </proc/uptime; {wrote}; read end _ </proc/uptime; echo $begin $end").split()
    assert float(took[1]) - float(took[0]) > 2, "16 MiB: one bucket of 4 at once, 12 as they come"


@only_with_all("a minute and a half")
def test_many_start_at_once(alice):
    """Answers of systemd, of Firecrackers and of guests cross each other in one bangerd."""
    alice.banger("vm", "list")
    bangerd = alice.processes("bangerd")
    create = "vm create --image bare --memory 256 --disk-size 256M --network none --name"
    done = alice.run(f"for n in 1 2 3 4 5 6 7 8 9 10; do banger {create} many-$n & done; wait", timeout=2 * BOOT_SECONDS)
    assert {vm["state"] for vm in alice.vms().values()} == {"running"}, done.stderr
    assert len([name for name in alice.vms() if name.startswith("many-")]) == 10, done.stderr
    assert alice.processes("bangerd") == bangerd, "the same bangerd all the time"


@pytest.mark.parametrize("vmm, hypervisor", [("qemu-kvm", "kvm"), pytest.param("qemu-tcg", "none", marks=only_with_all("emulation inside emulation, nearly two minutes"))])
def test_qemu_boots_the_same_image(alice, make_vm, vmm, hypervisor):
    vm = make_vm(alice, "--vmm", vmm)
    shown = alice.show(vm)
    assert shown["vmm"] == vmm
    words = alice.run(f"tr '\\0' ' ' </proc/{shown['pid']}/cmdline").stdout
    assert ("accel=kvm" in words or "-accel kvm" in words) == (hypervisor == "kvm"), words
    assert alice.exec(vm, "id -u") == "0"


def test_whoever_may_not_open_kvm_is_told_the_group_and_the_command(bob):
    refused = bob.banger("vm", "create", "--name", "no", "--image", "bare", "--vmm", "qemu-kvm", check=False)
    assert refused.returncode == 4
    assert "/dev/kvm" in refused.stderr and "usermod -aG kvm" in refused.stderr
    assert bob.vms() == {} or bob.vms()["no"]["state"] != "running"


def test_falling_back_to_emulation_is_said(bob):
    """Before the guest has booted, which emulation inside emulation takes two minutes for."""
    cli = bob.start("exec " + bob.command("vm", "create", "--name", "slow", "--image", "bare", "--memory", "256", "--disk-size", "1G"),
                    stderr=subprocess.PIPE, text=True)
    said = next(line for line in cli.stderr if "starting" in line)
    assert "starting qemu-tcg" in said and "/dev/kvm may not be opened" in said
    assert bob.show("slow")["vmm"] == "qemu-tcg"
    bob.banger("vm", "delete", "-f", "slow")
    cli.communicate(timeout=60)


def test_doctor_names_the_group_and_the_command(bob):
    row = next(line for line in bob.banger("doctor", check=False).stdout.splitlines() if "KVM" in line)
    assert "usermod -aG kvm" in row


def test_a_group_that_the_user_manager_has_not_yet_is_told_with_what_to_renew(bob, faults):
    bob.banger("vm", "list")  # bangerd is there, and in no group kvm
    faults.add_to_group("bob", "kvm")
    bob.log_out()
    bob.log_in()
    assert "kvm" in bob.run("id -nG").stdout.split(), "the new session has the group"
    refused = bob.banger("vm", "create", "--name", "no", "--image", "bare", "--vmm", "qemu-kvm", check=False)
    assert refused.returncode == 4
    assert "loginctl terminate-user" in refused.stderr, refused.stderr
    assert "usermod" not in refused.stderr, "that was done already"
    bob.log_out()
