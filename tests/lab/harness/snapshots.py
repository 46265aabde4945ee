# SPDX-License-Identifier: GPL-2.0-or-later
"""Workstations that were booted once: kept as their disks, a file with their RAM, and the devices' state.

A run takes overlays over the disks and maps the RAM privately, so that it starts in a second, costs what it changes, and any number can run at
once. Snapshots stand on each other: what is slow and seldom changes comes first."""

import concurrent.futures
import pathlib
import subprocess

from . import accelerator, cache, guest_images, package, programs, workstation_image
from .errors import LabError
from .workstation import Workstation, qemu_version

HARNESS = pathlib.Path(__file__).parent
HOME_SIZE = "40G"
DISKS = ("root", "home")


def overlay(path, backing, form):
    """A qcow2 that holds what is written over `backing`, whose own format is `form`."""
    _qemu_img("create", "-q", "-f", "qcow2", "-F", form, "-b", backing, path)


def _qemu_img(*words):
    try:
        subprocess.run(["qemu-img", *map(str, words)], check=True, capture_output=True, text=True)
    except FileNotFoundError:
        raise LabError("qemu-img is missing; `scripts/deps test` installs it") from None
    except subprocess.CalledProcessError as error:
        raise LabError(f"qemu-img {words[0]}: {error.stderr.strip()}") from None


class Snapshot:
    """An entry of the cache with root.qcow2, home.qcow2, memory and state. `constant`: disks that it has as well, read only."""

    def __init__(self, folder, key, base, constant):
        self.folder = folder
        self.key = key
        self.base = base
        self.constant = constant

    def disks(self, folder):
        """Fresh overlays in `folder`."""
        for name in DISKS:
            overlay(folder / f"{name}.qcow2", self.folder / f"{name}.qcow2", "qcow2")
        return {**{name: folder / f"{name}.qcow2" for name in DISKS}, **self.constant}

    def start(self, folder, disks=None, **options):
        """A running workstation whose clock is right, on its own fresh disks or on the ones given."""
        return self._running(folder, disks or self.disks(folder), memory=self.folder / "memory", **options)

    def _running(self, folder, disks, **options):
        workstation = Workstation(folder, self.base, disks, incoming=self.folder / "state", **options)
        try:
            workstation.set_clock()
        except BaseException:
            workstation.close()
            raise
        return workstation

    def with_more(self, kind, key, work):
        """The snapshot of this one after work(workstation, log)."""
        key = cache.key_of(self.key, key, *_code(self.base))
        place = cache.entry(kind, key, lambda draft, log: self._make(draft, log, work), self.folder)
        return Snapshot(place, key, self.base, self.constant)

    def _make(self, draft, log, work):
        subprocess.run(["cp", "--sparse=always", "--reflink=auto", self.folder / "memory", draft / "memory"], check=True, stdout=log, stderr=log)
        with self._running(draft, self.disks(draft), memory=draft / "memory", shared=True) as workstation:
            work(workstation, log)
            _save(workstation, draft)


def _code(base):
    """What a snapshot also depends on: the QEMU that made it, and the machine that it is of."""
    return [qemu_version(), accelerator.choose(base), HARNESS / "snapshots.py", HARNESS / "workstation.py"]


def clean(suite):
    """Booted once, nobody logged in, nothing of banger installed; kernel, images and Firecracker for VMs, as alice and bob would have fetched
    them."""
    with concurrent.futures.ThreadPoolExecutor() as pool, programs.together():  # both wait for the mirror most of the time
        coming = pool.submit(guest_images.folder)
        base = workstation_image.base(suite)
        images = coming.result()
    key = cache.key_of(workstation_image.key(suite), images.name, *_code(base))
    constant = {"images": images / guest_images.DISK}
    return Snapshot(cache.entry("clean", key, lambda draft, log: _boot(base, draft, log, constant), base), key, base, constant)


def installed(suite, deb):
    """With banger's packages installed by apt, and not used yet."""
    return clean(suite).with_more("installed", cache.key_of(*package.parts(deb)), lambda workstation, log: package.install(workstation, deb, log))


def _boot(base, draft, log, constant):
    overlay(draft / "root.qcow2", base / "base.ext4", "raw")
    _qemu_img("create", "-q", "-f", "qcow2", draft / "home.qcow2", HOME_SIZE)
    disks = {**{name: draft / f"{name}.qcow2" for name in DISKS}, **constant}
    with Workstation(draft, base, disks, memory=draft / "memory", shared=True) as workstation:
        workstation.wait_until_up()
        workstation.run(FURNISH, stdout=log, stderr=log, seconds=300)
        _save(workstation, draft)


# The users' folders move to a file system with reflinks, and what VMs are made of comes into them.
FURNISH = """set -eu
mkfs.xfs -q -L home /dev/disk/by-id/virtio-home
udevadm settle
mount /dev/disk/by-id/virtio-home /mnt
cp -a /home/. /mnt/
umount /mnt
echo 'LABEL=home /home xfs defaults 0 2' >>/etc/fstab
systemctl daemon-reload
mount /home
modprobe -a tun dm_snapshot vhost_vsock

cd /home/alice
install -d -o alice -g alice .cache
tar -xSf /dev/disk/by-id/virtio-images -C .cache
chown -R alice:alice .cache/banger
install -d -o bob -g bob /home/bob/.cache
cp -a --reflink=always .cache/banger /home/bob/.cache/
chown -R bob:bob /home/bob/.cache
install -m 755 .cache/banger/firecracker /usr/local/bin/
rm .cache/banger/firecracker /home/bob/.cache/banger/firecracker
sync
"""


def _save(workstation, draft):
    workstation.disconnect()
    workstation.save(draft / "state")
