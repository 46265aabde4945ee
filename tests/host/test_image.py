# SPDX-License-Identifier: GPL-2.0-or-later
"""The default image and kernel as the guest sees them."""

import io
import socket
import tarfile

import dbus
import pytest

from harness.bus import NAME, error_of
from harness.contract import interface_of_xml, read_interface

pytestmark = pytest.mark.limit(120)


def test_owners_and_modes_are_kept(guest):
    assert guest("stat -c '%u:%g %a' / /root /etc/shadow /usr/bin/su /tmp /var/mail").split("\n") == \
        ["0:0 755", "0:0 700", "0:42 640", "0:0 4755", "0:0 1777", "0:8 2775"]


def test_nothing_belongs_to_the_user_who_built_it(guest):
    assert guest("find / -xdev \\( -nouser -o -nogroup \\) -print | head") == ""


def member_of(client, vm, path):
    stream, control = client.call(vm, "Vm", "CopyOut", "ay", (dbus.ByteArray(path.encode()),))
    data = bytearray()
    with socket.socket(fileno=stream.take()) as stream, socket.socket(fileno=control.take()):
        while chunk := stream.recv(1 << 16):
            data += chunk
    with tarfile.open(fileobj=io.BytesIO(bytes(data))) as archive:
        return archive.getmembers()[0]


def test_file_capabilities_are_kept(client, guest, shared_vm):
    """ping has cap_net_raw as an extended attribute of format 2: no user namespace's root id in it."""
    path = guest("command -v ping || true")
    if not path:
        pytest.skip("the image has no ping")
    headers = member_of(client, client.manager.FindVm(shared_vm), guest(f"readlink -f {path}")).pax_headers
    value = [value for key, value in headers.items() if key.endswith("security.capability")]
    assert value, headers
    assert guest("setpriv --reuid=65534 --clear-groups ping -c1 -W5 127.0.0.1 >/dev/null && echo works") == "works"


def test_there_is_room(guest):
    assert int(guest("df --output=avail -k / | tail -1")) >= 12 * 1024 * 1024
    assert int(guest("df --output=size -k /root | tail -1")) >= 3.5 * 1024 * 1024


def test_the_root_and_the_work_disk_are_ext4(guest):
    assert guest("findmnt -no FSTYPE /; findmnt -no FSTYPE /root").split() == ["ext4", "ext4"]


def test_kernel_modules_are_all_there(guest):
    guest("modprobe wireguard && modprobe overlay && modprobe br_netfilter")
    assert guest("ip link add wg-test type wireguard && ip link show wg-test >/dev/null && ip link del wg-test && echo made") == "made"
    assert guest("findmnt -no OPTIONS /usr/lib/modules/$(uname -r) | tr , '\\n' | grep -x ro") == "ro"


def test_systemd_is_well(guest):
    """No unit failed, and none waits for a device that never comes."""
    guest("systemctl is-system-running --wait || true", timeout=110)
    assert guest("systemctl list-units --failed --plain --no-legend") == ""
    assert guest("systemctl list-jobs --no-legend") == ""


def test_name_clock_and_resolver(guest):
    import time
    assert guest("hostname") == "shared"
    assert abs(int(guest("date +%s")) - time.time()) < 5
    assert guest("getent hosts shared | wc -l") != "0"


def test_the_machine_id_is_the_vm_s_own(guest, make_vm):
    assert guest("cat /etc/machine-id") != make_vm().exec("cat /etc/machine-id")


def test_the_root_account_has_no_password_that_works_over_ssh(guest):
    assert guest("getent shadow root | cut -d: -f2") in ("*", "!", "!*", "!!")


def test_objects_are_exported_as_the_contract_says(client, shared_vm):
    for path, interface in ((client.manager.FindVm(shared_vm), "Vm"), (client.manager.FindImage("debian"), "Image"),
                            (client.manager.FindKernel("debian"), "Kernel")):
        assert read_interface(client.introspect(path), f"{NAME}.{interface}") == interface_of_xml(f"{NAME}.{interface}")


def test_what_is_in_use_can_not_be_deleted(client, world, shared_vm):
    for noun, find in (("Image", client.manager.FindImage), ("Kernel", client.manager.FindKernel)):
        error, sentence = error_of(client.call, find("debian"), noun, "Delete", "", ())
        assert error == "InUse" and shared_vm in sentence
    done = world.banger("image", "delete", "debian")
    assert done.returncode == 6 and shared_vm in done.stderr


def test_building_again_finds_what_is_there(world):
    before = world.json("image", "list", "--json"), world.json("kernel", "list", "--json")
    world.banger("kernel", "import", check=True)
    world.banger("image", "build", check=True)
    assert (world.json("image", "list", "--json"), world.json("kernel", "list", "--json")) == before


def test_the_image_is_the_same_file_after_vms_wrote(world, cache, guest):
    """Shared read-only: what guests write goes to their own copies."""
    guest("echo mine > /etc/mine; sync")
    assert world.json("image", "list", "--json")[0]["digest"]
    for path in (cache / "banger" / "images").rglob("*"):
        if path.is_file():
            assert not path.stat().st_mode & 0o222, f"{path} is writable"
