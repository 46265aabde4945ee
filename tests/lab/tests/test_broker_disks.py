# SPDX-License-Identifier: GPL-2.0-or-later
"""The broker's copy-on-write files on a host disk that gets full or fails."""


import pytest

import broker_world as world
from broker_fixtures import alice, base, bob, callers, mallory  # noqa: F401: fixtures
from broker_user import Refused, wait_until
from test_broker_life import MIB, read
from long import only_with_all

pytestmark = [pytest.mark.limit(300), only_with_all("three minutes")]
DISKS = world.STATE / "disks"


@pytest.fixture
def disks_on():
    """disks_on(DEVICE, OPTIONS): a file system of its own for the files, which the broker finds when it is started."""
    def mount(device, options=""):
        world.sh(f"systemctl stop {world.UNIT}; mkdir -p -m 700 {DISKS}; mount {options} {device} {DISKS}; chmod 700 {DISKS}")
    yield mount
    world.sh(f"if mountpoint -q {DISKS}; then systemctl stop {world.UNIT}; umount {DISKS}; fi")


def test_a_full_disk_of_the_host_holds_a_sandbox_until_there_is_room(disks_on, alice, base):
    image = "/var/tmp/small.img"
    world.sh(f"truncate -s 1500M {image} && mke2fs -q -t ext4 -m 0 {image}")
    disks_on(image, "-o loop")
    world.sh(f"avail=$(df --output=avail -B1M {DISKS} | tail -1); fallocate -l $((avail - 300))M {DISKS}/filler; rm {image}")
    alice.signals(0)
    alice.create("box")
    disk, *_ = alice.start("box", base, flags=0)
    writer = alice.begin("dd", "if=/dev/urandom", f"of={disk}", "bs=1M", "count=300", "oflag=direct", "conv=notrunc,fsync")
    wait_until(lambda: alice.list()["box"]["state"] == "held", 60, "it is not held")
    told = []
    wait_until(lambda: told.extend(alice.signals(1)) or any(signal[:2] == ["box", "held"] for signal in told), 20, "its owner is not told")
    assert writer.poll() is None, "its writes wait"
    world.sh(f"rm {DISKS}/filler")
    assert writer.wait(120) == 0, "and go on when there is room"
    assert alice.list()["box"]["state"] == "running"
    alice.stop("box")
    alice.destroy("box")


def test_a_disk_of_the_host_that_fails_breaks_its_own_sandboxes_and_that_is_told(disks_on, alice, base, journal):
    """dm-linear under the file system, of which every sector fails from a moment on."""
    image = "/var/tmp/failing.img"
    size = 600 * MIB
    world.sh(f"truncate -s {size} {image} && losetup /dev/loop77 {image} && dmsetup create failing --table '0 {size // 512} linear /dev/loop77 0' "
             "&& mke2fs -q -t ext4 /dev/mapper/failing")
    try:
        disks_on("/dev/mapper/failing")
        alice.create("box", size=128 * MIB)
        alice.create("net", size=0)
        disk, *_ = alice.start("box", base, flags=0)
        alice.start("net")
        world.sh(f"dmsetup suspend --noflush --nolockfs failing && dmsetup reload failing --table '0 {size // 512} error' && dmsetup resume failing")
        done = alice.run("dd", "if=/dev/urandom", f"of={disk}", "bs=1M", "count=8", "oflag=direct", "conv=notrunc,fsync")
        assert done.returncode != 0
        wait_until(lambda: alice.list()["box"]["state"] == "broken", 30, "it is not told")
        assert any("could not be written" in line for line in journal(unit=world.UNIT))
        assert alice.list()["net"]["state"] == "running", "the others go on"
        alice.stop("box")
        assert alice.list()["box"]["state"] == "stopped"
        world.sh(f"dmsetup suspend --noflush --nolockfs failing; dmsetup reload failing --table '0 {size // 512} linear /dev/loop77 0' && dmsetup resume failing")
        world.sh(f"systemctl stop {world.UNIT}; umount {DISKS}; e2fsck -fy /dev/mapper/failing; mount /dev/mapper/failing {DISKS}", check=False)
        disk, *_ = alice.start("box", base, flags=0)
        assert read(alice, disk)
        alice.stop("box")
        alice.destroy("box")
        alice.destroy("net")
    finally:
        world.sh(f"systemctl stop {world.UNIT}; umount {DISKS}; dmsetup remove --retry failing; losetup -d /dev/loop77; rm {image}", check=False)


def test_a_disk_of_the_host_that_is_mounted_late_loses_nobody_s(disks_on, alice, base):
    image, records = "/var/tmp/late.img", "/var/tmp/records"
    world.sh(f"truncate -s 1G {image} && mke2fs -q -t ext4 {image}")
    disks_on(image, "-o loop")
    alice.create("box", size=64 * MIB)
    disk, *_ = alice.start("box", base, flags=0)
    alice.run("sh", "-c", f"printf kept | dd of={disk} conv=notrunc,fsync")
    alice.stop("box")
    world.sh(f"systemctl stop {world.UNIT}; umount {DISKS}")
    assert alice.list()["box"]["state"] == "stopped"
    with pytest.raises(Refused, match="HostLacks.*mounted"):
        alice.start("box", base, flags=0)
    with pytest.raises(Refused, match="HostLacks.*may come back"):
        alice.destroy("box")
    world.sh(f"systemctl stop {world.UNIT}")
    assert f"left alone: sandbox {alice.uid}-box has a record" in world.sh("/usr/libexec/banger/banger-broker --reconcile --dry-run")
    world.sh(f"mount -o loop {image} {DISKS}; mkdir {records}; mv {world.STATE}/sandboxes/*.toml {records}")
    assert alice.list() == {}, "a backup of which the disks came first"
    world.sh(f"systemctl stop {world.UNIT}; mv {records}/*.toml {world.STATE}/sandboxes; rmdir {records}")
    disk, *_ = alice.start("box", base, flags=0)
    assert read(alice, disk, count=4) == "kept"
    alice.stop("box")
    alice.destroy("box")
    world.sh(f"rm {image}")


def test_when_no_loop_device_is_left_a_start_says_so_and_leaves_nothing(alice, base):
    """As many as the kernel makes: its minors end at 2^20, so the pool is made small instead, by a mask over /dev/loop-control."""
    alice.create("box")
    before = world.state()
    world.sh(f"systemctl stop {world.UNIT}; mkdir -p /run/systemd/system/{world.UNIT}.d; printf '[Service]\\nDeviceAllow=\\nDeviceAllow=/dev/mapper/control rw\\n"
             f"DeviceAllow=/dev/net/tun rw\\nDeviceAllow=block-device-mapper rw\\n' >/run/systemd/system/{world.UNIT}.d/loops.conf; systemctl daemon-reload")
    try:
        with pytest.raises(Exception, match="HostLacks|Failed"):
            alice.start("box", base)
        assert world.differences(before, world.state()) == {}
    finally:
        world.sh(f"rm -r /run/systemd/system/{world.UNIT}.d; systemctl daemon-reload; systemctl stop {world.UNIT}")
    alice.start("box", base)
    alice.stop("box")
