# SPDX-License-Identifier: GPL-2.0-or-later
"""The workstation's disk: Debian by mmdebstrap, as root or as an ordinary user in a user namespace. Nothing is mounted."""

import os
import pathlib
import shlex
import subprocess

from . import cache, programs

LAB = pathlib.Path(__file__).resolve().parents[1]
REPO = LAB.parents[1]
RECIPE = LAB / "workstation"
DISK_SIZE = "12G"
BUILD_SECONDS = 900  # a slow mirror


def packages(suite):
    """From packages.list and, for what banger's package depends on, scripts/deps."""
    names = set(subprocess.run([REPO / "scripts/deps", "--list", "run"], check=True, capture_output=True, text=True).stdout.split())
    for line in (LAB / "packages.list").read_text().splitlines():
        name, *suites = line.split("#")[0].split() or [None]
        if name and (not suites or suite in suites):
            names.add(name)
    return sorted(names)


def key(suite):
    return cache.key_of(suite, packages(suite), RECIPE, pathlib.Path(__file__))


def base(suite):
    """Folder with base.ext4 (sparse, not to be written), vmlinuz, initrd, key (private, of root and the users) and known_hosts."""
    return cache.entry("base", key(suite), lambda draft, log: _build(suite, draft, log))


def _build(suite, draft, log):
    subprocess.run(["ssh-keygen", "-q", "-t", "ed25519", "-N", "", "-C", "lab", "-f", draft / "key"], check=True, stdout=log, stderr=log)
    tar = draft / "root.tar"
    _run(log, _mmdebstrap(suite, draft / "key.pub", tar))
    _run(log, _as_root_of_tree(["sh", "-eu", "-c", UNPACK, "sh", tar, draft / "root"]))
    tree = draft / "root"
    for name, source in (("vmlinuz", "boot/vmlinuz-*"), ("initrd", "boot/initrd.img-*")):
        _run(log, _as_root_of_tree(["cp", *tree.glob(source), draft / name]))
    host_key = (tree / "etc/ssh/ssh_host_ed25519_key.pub").read_text().split()[:2]
    (draft / "known_hosts").write_text("workstation " + " ".join(host_key) + "\n")
    _run(log, _as_root_of_tree(["mke2fs", "-q", "-t", "ext4", "-d", tree, draft / "base.ext4", DISK_SIZE]))
    tar.unlink()
    cache.remove(tree)


# /dev is devtmpfs's own, and an ordinary user could not make its nodes anyway.
UNPACK = 'mkdir -m 755 "$2" && tar -C "$2" --exclude="./dev/*" --numeric-owner --xattrs --xattrs-include="*" -xf "$1" && chmod a+rx "$2/boot"'


def _mmdebstrap(suite, key, tar):
    recipe, files, key = (shlex.quote(str(path)) for path in (RECIPE, RECIPE / "files", key))
    return ["mmdebstrap", "--variant=minbase", "--include=" + ",".join(packages(suite)), "--dpkgopt=force-unsafe-io",
            f'--essential-hook={recipe}/essential "$1"', f'--customize-hook={recipe}/customize "$1" {files} {key}', suite, tar]


def _as_root_of_tree(words):
    if os.geteuid() == 0:
        return words
    return ["unshare", "--map-auto", "--map-root-user", "--", *words]


def _run(log, words):
    environment = {**os.environ, "PATH": os.environ.get("PATH", "") + ":/usr/sbin:/sbin"}
    programs.run(log, words, BUILD_SECONDS, environment)
