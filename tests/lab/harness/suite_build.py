# SPDX-License-Identifier: GPL-2.0-or-later
"""banger's package for another Debian than the host's, built in a tree of that Debian."""

import os
import pathlib
import subprocess

from . import cache, debian_tree

REPO = pathlib.Path(__file__).resolve().parents[3]
TESTS_NEED = ("libgtest-dev", "libgmock-dev")
SECONDS = 3600
# All that is compiled or packaged, but for what people read.
SOURCES = ("CMakeLists.txt", "LICENSE", "agent", "broker", "cli", "common", "dbus", "desktop", "guest", "man", "package", "polkit", "scripts/deps", "systemd", "tests/fakes",
           "tests/lab/ports")


def of(suite):
    """A folder like build/release: the .debs, and bin/ with what the tests take along."""
    key = cache.key_of(suite, _packages(), *_sources(), pathlib.Path(__file__), pathlib.Path(debian_tree.__file__))
    return cache.entry(f"package-{suite}", key, lambda draft, log: _build(suite, draft, log))


def _sources():
    files = [file for name in SOURCES for file in sorted([REPO / name, *(REPO / name).rglob("*")]) if file.is_file()]
    return [file for file in files if file.suffix not in (".md", ".pyc")]


def _packages():
    listed = subprocess.run([REPO / "scripts/deps", "--list", "build"], check=True, capture_output=True, text=True).stdout.split()
    return [*listed, *TESTS_NEED]


def _build(suite, draft, log):
    packages = _packages()
    builder = cache.entry(f"builder-{suite}", cache.key_of(suite, packages, pathlib.Path(debian_tree.__file__)),
                          lambda folder, its_log: debian_tree.make(its_log, suite, packages, folder / "root", '--customize-hook=mkdir "$1/source" "$1/build"'))
    words = ["sh", "-eu", "-c", IN_TREE, "sh", builder / "root", REPO, draft, COMPILE, str(len(os.sched_getaffinity(0)))]
    debian_tree.run(log, debian_tree.as_its_root(words, "--mount", "--propagation", "private"), SECONDS)


IN_TREE = """mount --rbind /dev "$1/dev"
mount --rbind /proc "$1/proc"
mount --bind "$2" "$1/source"
mount --bind "$3" "$1/build"
exec chroot "$1" sh -eu -c "$4" sh "$5"
"""

COMPILE = """cmake -S /source -B /build/tree -G Ninja -DCMAKE_BUILD_TYPE=RelWithDebInfo -DCMAKE_UNITY_BUILD=ON -DBANGER_TESTS=OFF -DBANGER_LAB_TESTS=ON
cmake --build /build/tree -j "$1" --target all package
mkdir /build/bin
mv /build/tree/bin/broker_port_tests /build/bin/
mv /build/tree/banger*.deb /build/
rm -rf /build/tree
"""
