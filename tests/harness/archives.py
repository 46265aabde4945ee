# SPDX-License-Identifier: GPL-2.0-or-later
"""VMs with disks, but no guest that ever ran: what can be exported and imported without one; and archives of others."""

import io
import json
import os
import tarfile

GIB = 1 << 30
ROOT_SIZE, WORK_SIZE = 2 * GIB, GIB


def _sparse(path, size, pieces):
    with open(path, "wb") as file:
        file.truncate(size)
        for at, data in pieces.items():
            file.seek(at)
            file.write(data)


def put_vm(home, name="traveller", image_digest="a" * 64, **changes):
    """A stopped VM that the next bangerd finds. Its id."""
    identity = f"{name[:8]:x<8}{len(name):04}".replace("-", "0")
    folder = home.vms_folder / identity
    folder.mkdir(parents=True, mode=0o700)
    _sparse(folder / "root.img", ROOT_SIZE, {0: b"a root disk", 700 << 20: b"in the middle" * 10_000, ROOT_SIZE - 100: b"its end"})
    _sparse(folder / "work.img", WORK_SIZE, {4096: b"a work disk"})
    (folder / "vm.json").write_text(json.dumps({
        "name": name, "image": "debian", "image_digest": image_digest, "kernel": "debian", "kernel_digest": "b" * 64, "vcpus": 1,
        "memory_mib": 256, "disk_bytes": WORK_SIZE, "vmm": "qemu-tcg", "network": "none", "storage": "file", "allow_host_loopback": True,
        "remove_on_stop": False, **changes}))
    return identity


def disks_of(home, name):
    """{name: path} of a VM's disks."""
    folder = home.vms_folder / home.show(name)["id"]
    return {disk: folder / disk for disk in ("root.img", "work.img")}


def rot(path):
    """Another byte in it, as of a disk that forgets: no stat shows it."""
    before = path.stat()
    path.chmod(0o644)
    with open(path, "r+b") as file:
        file.write(b"!")
    os.utime(path, ns=(before.st_atime_ns, before.st_mtime_ns))


def is_same(one, other):
    """By content, as `cmp` has it, without reading holes twice the hard way."""
    with open(one, "rb") as a, open(other, "rb") as b:
        while True:
            left, right = a.read(1 << 22), b.read(1 << 22)
            if left != right:
                return False
            if not left:
                return True


def rewritten(source, target, change):
    """`source` (plain) with its members changed: change({name: (TarInfo, bytes)}, archive) may take away, add and alter, in place."""
    with tarfile.open(source) as archive:
        members = {member.name: (member, archive.extractfile(member).read() if member.name == "vm.json" else None) for member in archive}
    with tarfile.open(target, "w", format=tarfile.PAX_FORMAT) as archive:
        change(members, archive)
        for name, (_, data) in members.items():
            entry = tarfile.TarInfo(name)
            data = data if data is not None else b"x"
            entry.size = len(data)
            archive.addfile(entry, io.BytesIO(data))
    return target
