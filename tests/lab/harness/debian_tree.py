# SPDX-License-Identifier: GPL-2.0-or-later
"""A Debian in a folder, by mmdebstrap, as root or as an ordinary user in a user namespace. Nothing is mounted."""

import os

from . import programs

SECONDS = 900  # a slow mirror

# /dev is devtmpfs's own, and an ordinary user could not make its nodes anyway.
_UNPACK = 'mkdir -m 755 "$2" && tar -C "$2" --exclude="./dev/*" --numeric-owner --xattrs --xattrs-include="*" -xf "$1" && chmod a+rx "$2/boot"'


def make(log, suite, packages, tree, *options):
    """Minbase and these packages, at `tree`, which must not exist. Options: mmdebstrap's."""
    tar = tree.with_name(tree.name + ".tar")
    run(log, ["mmdebstrap", "--variant=minbase", "--include=" + ",".join(packages), "--dpkgopt=force-unsafe-io", *options, suite, tar])
    run(log, as_its_root(["sh", "-eu", "-c", _UNPACK, "sh", tar, tree]))
    tar.unlink()


def as_its_root(words, *namespaces):
    """The command, as root where the tree's owners are what they are in it. Namespaces: unshare's words for more."""
    if os.geteuid() == 0:
        return ["unshare", *namespaces, "--", *words] if namespaces else words
    return ["unshare", "--map-auto", "--map-root-user", *namespaces, "--", *words]


def run(log, words, seconds=SECONDS):
    environment = {**os.environ, "PATH": os.environ.get("PATH", "") + ":/usr/sbin:/sbin"}
    programs.run(log, words, seconds, environment)
