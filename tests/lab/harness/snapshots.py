# SPDX-License-Identifier: GPL-2.0-or-later
"""Workstations that were booted once: kept as their disks, a file with their RAM and the devices' state.

A run takes overlays over the disks and maps the RAM privately, so that it costs what it changes and starts in a second; any number can run
at once. A snapshot may be made from another."""

import pathlib
import subprocess

from . import cache, workstation_image
from .errors import LabError
from .workstation import MEMORY, Workstation, qemu_version

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
    """An entry of the cache with root.qcow2, home.qcow2, memory and state."""

    def __init__(self, folder, base):
        self.folder = folder
        self.base = base

    def disks(self, folder):
        """Fresh overlays in `folder`."""
        for name in DISKS:
            overlay(folder / f"{name}.qcow2", self.folder / f"{name}.qcow2", "qcow2")
        return {name: folder / f"{name}.qcow2" for name in DISKS}

    def start(self, folder, more_disks=None):
        """A running workstation, its clock set."""
        workstation = Workstation(folder, self.base, {**self.disks(folder), **(more_disks or {})}, memory=self.folder / "memory",
                                  incoming=self.folder / "state")
        try:
            workstation.set_clock()
        except BaseException:
            workstation.close()
            raise
        return workstation


def booted(suite):
    """Booted once, nobody logged in, nothing of banger in it."""
    base = workstation_image.base(suite)
    key = cache.key_of(workstation_image.key(suite), qemu_version(), *(HARNESS / name for name in ("snapshots.py", "workstation.py")))
    return Snapshot(cache.entry("booted", key, lambda draft, log: _boot(base, draft, log)), base)


def _boot(base, draft, log):
    overlay(draft / "root.qcow2", base / "base.ext4", "raw")
    _qemu_img("create", "-q", "-f", "qcow2", draft / "home.qcow2", HOME_SIZE)
    with Workstation(draft, base, {name: draft / f"{name}.qcow2" for name in DISKS}, memory=draft / "memory", shared=True) as workstation:
        workstation.wait_until_up()
        workstation.run(MAKE_HOME, stdout=log, stderr=log)
        _save(workstation, draft)


# The users' folders move to a file system with reflinks.
MAKE_HOME = """set -eu
mkfs.xfs -q -L home /dev/disk/by-id/virtio-home
udevadm settle
mount /dev/disk/by-id/virtio-home /mnt
cp -a /home/. /mnt/
umount /mnt
echo 'LABEL=home /home xfs defaults 0 2' >>/etc/fstab
systemctl daemon-reload
mount /home
modprobe -a kvm_amd tun dm_snapshot vhost_vsock
"""


def _save(workstation, draft):
    workstation.disconnect()
    workstation.save(draft / "state")
