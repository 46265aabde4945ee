# SPDX-License-Identifier: GPL-2.0-or-later
"""VMs that go from one user to another, and off a root disk that is the broker's."""

import subprocess

import pytest

import broker_world as world
from long import ALL, only_with_all

pytestmark = pytest.mark.limit(600)
BOOT_SECONDS = 180


def move(sender, words, receiver, more=""):
    """`vm export … -o - | vm import -`, each by its own user."""
    exporting = sender.start(sender.command("vm", "export", *words, "-o", "-"), stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.PIPE)
    importing = receiver.start(f"banger vm import - {more}", stdin=exporting.stdout, stdout=subprocess.PIPE, stderr=subprocess.PIPE)
    exporting.stdout.close()
    told, errors = importing.communicate(timeout=BOOT_SECONDS)
    sent = exporting.stderr.read().decode()
    exporting.stderr.close()
    assert (exporting.wait(60), importing.returncode) == (0, 0), sent + errors.decode()
    return told.decode().strip()


def test_a_vm_of_alice_s_becomes_one_of_bob_s(kvm_for_all, alice, bob, make_vm):
    vm = make_vm(alice)
    alice.exec(vm, "echo kept >/root/kept; echo kept >/kept; cat /etc/machine-id >/root/machine-id || true")
    assert move(alice, ["--stop", vm], bob, "--name arrived") == "arrived"
    shown = bob.show("arrived")
    assert (shown["state"], shown["storage"], shown["image_digest"]) == ("stopped", "file", alice.show(vm)["image_digest"])
    assert shown["root_used_bytes"] < (bob.state / "vms" / shown["id"] / "root.img").stat().st_size / 2, "sparse stays sparse"
    folder = bob.state / "vms" / shown["id"]
    for disk, path in (("root.img", "/kept"), ("work.img", "/kept")):
        assert world.sh(f"debugfs -R 'cat {path}' {folder / disk} 2>/dev/null") == "kept\n"
    if not ALL:
        return  # its boot takes more than a minute: with scripts/test --all, or LAB_ALL=yes
    bob.banger("vm", "start", "arrived", timeout=BOOT_SECONDS)
    assert bob.exec("arrived", "cat /root/kept /kept") == "kept\nkept"
    assert bob.exec("arrived", "cmp /etc/machine-id /root/machine-id || ! test -s /root/machine-id; echo $?") == "0", "it is the same machine"


@only_with_all("a minute, and the test above has a disk of the broker's, too")
def test_a_disk_of_the_broker_s_leaves_as_a_whole_one(alice, make_vm):
    vm = make_vm(alice, "--storage", "dm-snapshot")
    alice.exec(vm, "echo kept >/kept; dd if=/dev/urandom of=/large bs=1M count=20 2>/dev/null; sha256sum /large >/sum")
    alice.banger("vm", "stop", vm)
    assert move(alice, [vm], alice, "--name whole --new-identity") == "whole"
    assert alice.show("whole")["storage"] == "file"
    alice.banger("vm", "delete", "-f", vm)
    alice.banger("vm", "start", "whole", timeout=BOOT_SECONDS)
    assert alice.exec("whole", "cat /kept; sha256sum -c /sum >/dev/null; echo $?") == "kept\n0"
