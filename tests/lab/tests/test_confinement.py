# SPDX-License-Identifier: GPL-2.0-or-later
"""Firecracker, and what stands in its place, on the kernel of a Debian workstation; and the slice that VMs are in."""

import pathlib

import pytest

import broker_world as world
from harness import spy, wait
from long import only_with_all

pytestmark = pytest.mark.limit(390)
BOOT_SECONDS = 180


def doctor_row(user, check):
    return next(row for row in user.json("doctor", check=False) if row["check"] == check)


def test_this_kernel_confines_a_vmm_in_each_way(alice):
    row = doctor_row(alice, "VMM's view")
    assert row["verdict"] == "ok" and "Landlock" in row["detail"] and "a root folder of its own" in row["detail"], row


def test_what_stands_in_firecracker_s_place_sees_its_own_vm_alone(alice, make_vm, faults):
    other = alice.show(make_vm(alice))  # the verdict on KVM is remembered with it
    alice.run("install -d -m 700 ~/.ssh && echo secret >~/.ssh/id_lab && install -d ~/spy")
    secrets = {"key": alice.home / ".ssh/id_lab", "disk": alice.state / "vms" / other["id"] / "root.img", "database": alice.state / "banger.db",
               "bus": f"/run/user/{alice.uid}/bus", "process": other["pid"]}
    program = pathlib.Path(alice.run("readlink -f ~/spy").stdout.strip()) / "firecracker"
    spy.put(program, secrets, before='if "--version" in sys.argv:\n    print("Firecracker v1.12.1")\n    sys.exit()')
    alice.run("mkdir -p ~/.config/banger && cp -p ~/.config/banger/config.toml ~/config.before 2>/dev/null; "
              f"echo 'firecracker_bin = \"{program}\"' >>~/.config/banger/config.toml")
    try:
        alice.banger("vm", "create", "--name", "spied", "--no-start", "--vmm", "firecracker", "--image", "bare", "--memory", "256")
        assert alice.banger("vm", "start", "spied", check=False, timeout=BOOT_SECONDS).returncode != 0, "a spy boots nothing"
        log = alice.state / "vms" / alice.show("spied")["id"] / "console.log"
        wait.until(lambda: log.exists() and "spy: " in log.read_text(errors="replace"), 10, "the spy has tried")
        found = spy.report(log.read_text(errors="replace"))
        assert spy.got(found) == spy.ITS_OWN, found
    finally:
        alice.run("rm ~/.config/banger/config.toml; mv ~/config.before ~/.config/banger/config.toml 2>/dev/null; rm -rf ~/spy ~/.ssh/id_lab", check=False)


def test_firecracker_itself_is_confined(alice, make_vm):
    vm = make_vm(alice)
    status = pathlib.Path(f"/proc/{alice.show(vm)['pid']}/status").read_text()
    assert "NoNewPrivs:\t1" in status and "CapEff:\t0000000000000000" in status
    root = pathlib.Path(f"/proc/{alice.show(vm)['pid']}/root")
    assert not (root / "run").exists() and not (root / "etc/passwd").exists() and (root / "usr/bin").exists()
    assert {path.name for path in (root / "home/alice/.local/state/banger/vms").iterdir()} == {alice.show(vm)["id"]}


def test_a_guest_with_two_cpus_ends_its_vmm(alice, make_vm):
    """Firecracker stops the other CPU by a signal, which the filter must let through."""
    vm = make_vm(alice, "--vmm", "firecracker", "--vcpu", "2")
    alice.banger("vm", "stop", "--timeout", "60", vm, timeout=90)
    assert "exiting successfully" in (alice.state / "vms" / alice.show(vm)["id"] / "firecracker.log").read_text(errors="replace"), "no kill was needed"


@pytest.mark.parametrize("options", [
    ["--network", "user"], ["--nat"], pytest.param(["--vmm", "qemu-kvm", "--nat"], marks=only_with_all("a minute, and test_vmm boots QEMU"))], ids=" ".join)
def test_each_kind_of_network_and_disk_works_confined(alice, make_vm, options):
    """A TAP of banger-tap's namespace, one of the broker's, and its block device."""
    vm = make_vm(alice, *options)
    alice.exec(vm, "echo kept >/root/kept && echo kept >/kept && sync")
    alice.banger("vm", "restart", vm, timeout=BOOT_SECONDS)
    assert alice.exec(vm, "cat /root/kept /kept") == "kept\nkept"


def test_vms_are_in_a_slice_with_limits_and_their_memory_is_counted(alice, make_vm):
    shown = alice.show(make_vm(alice))
    unit = f"banger-{shown['id']}-vmm.service"
    properties = dict(line.split("=", 1) for line in alice.run(f"systemctl --user show {unit} -p Slice,MemoryAccounting,MemoryCurrent").stdout.splitlines())
    assert properties["Slice"] == "banger.slice" and properties["MemoryAccounting"] == "yes"
    assert int(properties["MemoryCurrent"]) > 16 << 20
    total = int(next(line for line in pathlib.Path("/proc/meminfo").read_text().splitlines() if line.startswith("MemTotal")).split()[1]) << 10
    limit = int(alice.run("systemctl --user show -P MemoryMax banger.slice").stdout)
    assert 0.85 * total < limit < 0.95 * total


@only_with_all("a minute and a half, and R32 of the broker is among its tests")
def test_the_next_owner_of_a_uid_gets_nothing_of_the_vms_that_run_on():
    """userdel --force, as an administrator who is in a hurry does it, and the number goes to somebody else."""
    world.sh("useradd --create-home --uid 4343 --groups kvm,banger gone && loginctl enable-linger gone")
    as_gone = "systemd-run --quiet --pipe --wait --machine gone@ --user"
    try:
        world.sh("cp -a --reflink=auto /home/alice/.cache /home/gone/ && chown -R gone:gone /home/gone/.cache")
        world.sh(f"{as_gone} banger vm create --name left --nat --image bare --memory 256 --disk-size 1G")
        assert world.sh("pgrep -u 4343 firecracker")
        world.sh("loginctl disable-linger gone; userdel --force --remove gone; useradd --create-home --uid 4343 heir")
        wait.until(lambda: not world.sh("pgrep -u 4343 firecracker", check=False), 120, "bangerd ends the VMs of a uid that is another's now")
        world.sh("systemctl start banger-broker-reconcile.service; systemctl restart banger-broker.service", check=False)
        wait.until(lambda: not world.sh("dmsetup ls | grep banger-4343", check=False), 60, "its disk is nobody's")
        assert "banger-4343" not in world.sh("ip -o link")
        world.sh("systemctl stop banger-broker.service; sed -i 's/^left = .*/left = 1/' /var/lib/banger-broker/sandboxes/4343-*.toml")
        world.sh("systemctl start banger-broker-reconcile.service")
        assert not world.sh("ls /var/lib/banger-broker/*/4343-* 2>/dev/null", check=False), "a day later its disk is gone"
    finally:
        world.sh("loginctl terminate-user 4343; userdel --force --remove gone; userdel --force --remove heir; true", check=False)
