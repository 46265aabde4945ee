# SPDX-License-Identifier: GPL-2.0-or-later
"""The workstation's disk: a Debian with two users and the way in."""

import pathlib
import shlex
import subprocess

from . import cache, debian_tree

LAB = pathlib.Path(__file__).resolve().parents[1]
REPO = LAB.parents[1]
RECIPE = LAB / "workstation"
DISK_SIZE = "12G"


def packages(suite):
    """From packages.list and, for what banger's package depends on, scripts/deps."""
    names = set(subprocess.run([REPO / "scripts/deps", "--list", "run"], check=True, capture_output=True, text=True).stdout.split())
    for line in (LAB / "packages.list").read_text().splitlines():
        name, *suites = line.split("#")[0].split() or [None]
        if name and (not suites or suite in suites):
            names.add(name)
    return sorted(names)


def key(suite):
    return cache.key_of(suite, packages(suite), RECIPE, pathlib.Path(__file__), pathlib.Path(debian_tree.__file__))


def base(suite):
    """Folder with base.ext4 (sparse, not to be written), vmlinuz, initrd, key (private, of root and the users) and known_hosts."""
    return cache.entry("base", key(suite), lambda draft, log: _build(suite, draft, log))


def _build(suite, draft, log):
    subprocess.run(["ssh-keygen", "-q", "-t", "ed25519", "-N", "", "-C", "lab", "-f", draft / "key"], check=True, stdout=log, stderr=log)
    tree = draft / "root"
    recipe, files, key = (shlex.quote(str(path)) for path in (RECIPE, RECIPE / "files", draft / "key.pub"))
    debian_tree.make(log, suite, packages(suite), tree, f'--essential-hook={recipe}/essential "$1"',
                     f'--customize-hook={recipe}/customize "$1" {files} {key}')
    for name, source in (("vmlinuz", "boot/vmlinuz-*"), ("initrd", "boot/initrd.img-*")):
        debian_tree.run(log, debian_tree.as_its_root(["cp", *tree.glob(source), draft / name]))
    host_key = (tree / "etc/ssh/ssh_host_ed25519_key.pub").read_text().split()[:2]
    (draft / "known_hosts").write_text("workstation " + " ".join(host_key) + "\n")
    debian_tree.run(log, debian_tree.as_its_root(["mke2fs", "-q", "-t", "ext4", "-d", tree, draft / "base.ext4", DISK_SIZE]))
    cache.remove(tree)
