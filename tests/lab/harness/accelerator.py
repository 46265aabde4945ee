# SPDX-License-Identifier: GPL-2.0-or-later
"""Whether the host's KVM really boots a guest: it may open, and guests hang. Tried once a boot of the host."""

import os
import pathlib
import subprocess

from . import cache

PROBE_SECONDS = 10  # on a KVM that works the kernel has come to its end within one
BOOT_ID = pathlib.Path("/proc/sys/kernel/random/boot_id")
NESTED = [pathlib.Path(f"/sys/module/kvm_{maker}/parameters/nested") for maker in ("intel", "amd")]


def choose(base):
    """`kvm` or `tcg`; `base` has a kernel and an initrd to try."""
    if not (os.access("/dev/kvm", os.R_OK | os.W_OK) and _nests()):
        return "tcg"
    memory = cache.folder() / "kvm-verdict"
    key = f"{BOOT_ID.read_text().strip()} {os.geteuid()} "
    if memory.exists() and memory.read_text().startswith(key):
        return memory.read_text().removeprefix(key)
    verdict = "kvm" if _boots(base) else "tcg"
    memory.write_text(key + verdict)
    return verdict


def _nests():
    """The tests want KVM inside as well."""
    return any(path.exists() and path.read_text().strip() in ("1", "Y") for path in NESTED)


def _boots(base):
    """An init that ends at once panics the kernel, which then resets, which ends QEMU."""
    words = ["qemu-system-x86_64", "-accel", "kvm", "-cpu", "host", "-machine", "q35", "-m", "512", "-nodefaults", "-display", "none", "-no-reboot",
             "-kernel", base / "vmlinuz", "-initrd", base / "initrd", "-append", "rdinit=/bin/true panic=-1 quiet"]
    try:
        return subprocess.run(words, stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL, timeout=PROBE_SECONDS,
                              check=False).returncode == 0
    except subprocess.TimeoutExpired:
        return False
