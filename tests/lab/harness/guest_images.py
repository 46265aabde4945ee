# SPDX-License-Identifier: GPL-2.0-or-later
"""Kernel and images for the VMs inside the workstation, made once on the host by banger itself, and Firecracker."""

import contextlib
import os
import pathlib
import shutil
import subprocess
import tempfile

from . import cache, programs
from .errors import LabError

LAB = pathlib.Path(__file__).resolve().parents[1]
REPO = LAB.parents[1]
BUILD_SECONDS = 1200
STOP_SECONDS = 60
PROGRAMS = REPO / "build/release"
MAKERS = ("bangerd", "banger-guest")
DISK = "images.raw"
STEPS = [["kernel", "import"], ["image", "build"], ["image", "build", "--name", "bare", "--packages-file", LAB / "bare.list"], ["runtime", "fetch"]]
if os.environ.get("LAB_ALL"):
    STEPS.append(["image", "build", "--name", "docker", "--docker"])


def folder():
    """Holds DISK, a tar archive of banger/ as it is in $XDG_CACHE_HOME: the default kernel, the default image `debian`, the small one `bare`,
    with LAB_ALL the default one with Docker, `docker`; and firecracker. The workstation reads it as a disk: over ssh it takes two minutes."""
    key = _key()
    return cache.entry("guests", key, lambda draft, log: _make(draft, log, key))


def _key():
    """The programs that make a kernel, an image and an initrd, as they are installed: sources may be newer than their build."""
    for name in MAKERS:
        if not (PROGRAMS / "bin" / name).exists():
            raise LabError("there is no release build; `cmake --preset release && cmake --build build/release` makes it")
    return cache.key_of(*(PROGRAMS / "bin" / name for name in MAKERS), LAB / "bare.list", pathlib.Path(__file__), len(STEPS))


def _make(draft, log, key):
    with tempfile.TemporaryDirectory(prefix="lab-", dir="/tmp") as runtime:
        _run(log, ["cmake", "--install", PROGRAMS, "--prefix", draft / "prefix"], os.environ)
        if _key() != key:
            raise LabError("build/release changed while it was installed; try again")
        environment = _environment(draft, runtime)
        try:
            for words in STEPS:
                _run(log, [draft / "prefix/bin/banger", *words], environment)
        finally:
            with contextlib.suppress(subprocess.TimeoutExpired):
                subprocess.run([draft / "prefix/bin/banger", "daemon", "stop"], env=environment, stdout=log, stderr=log, check=False,
                               timeout=STOP_SECONDS)
    # As a program of the host: what banger has fetched itself it knows by its inode, which a copy has not.
    firecracker, = (draft / "cache/banger/runtime").rglob("firecracker")
    os.rename(firecracker, draft / "cache/banger/firecracker")
    shutil.rmtree(draft / "cache/banger/runtime")
    _run(log, ["tar", "-C", draft / "cache", "-cSf", draft / DISK, "--owner=0", "--group=0", "banger"], os.environ)
    for name in ("prefix", "home", "state", "config", "cache"):
        shutil.rmtree(draft / name, ignore_errors=True)


def _environment(draft, runtime):
    """Nothing of this user's own session."""
    kept = ("PATH", "LANG", "http_proxy", "https_proxy", "no_proxy", "HTTP_PROXY", "HTTPS_PROXY", "NO_PROXY")
    environment = {name: os.environ[name] for name in kept if name in os.environ}
    environment.update(XDG_RUNTIME_DIR=runtime, HOME=str(draft / "home"))
    for name in ("state", "config", "cache"):
        environment[f"XDG_{name.upper()}_HOME"] = str(draft / name)
    for name in ("home", "state", "config", "cache"):
        (draft / name).mkdir()
    return environment


def _run(log, words, environment):
    programs.run(log, words, BUILD_SECONDS, environment)
