# SPDX-License-Identifier: GPL-2.0-or-later
"""Homes that are not as they should be: read-only, or shared with another host that has a bangerd on them. What is full: tests/host/test_faults.py."""

import fcntl
import json
import subprocess

import pytest

from harness import namespaces
from harness.home import PREFIX


def start(home, wrap=lambda command: command):
    return subprocess.run(wrap([str(PREFIX / "libexec" / "banger" / "bangerd"), "--private-bus"]), env=home.env, stdin=subprocess.DEVNULL, capture_output=True, text=True, timeout=30)


@pytest.mark.parametrize("before", ["nothing there", "used before"])
def test_a_read_only_home_is_told_with_what_shows_why(home, before):
    if before == "used before":
        home.banger("vm", "list", check=True)
        home.banger("daemon", "stop", check=True)
    failed = start(home, lambda command: namespaces.with_read_only_folder(home.state, command))
    assert failed.returncode == 1
    assert "Read-only file system" in failed.stderr and "findmnt -T ~" in failed.stderr and "XDG_STATE_HOME" in failed.stderr


def test_the_command_says_it_too(home):
    words = namespaces.with_read_only_folder(home.state, home.command("vm", "list"))
    failed = subprocess.run(words, env=home.env, stdin=subprocess.DEVNULL, capture_output=True, text=True, timeout=60)
    assert failed.returncode != 0
    assert "Read-only file system" in failed.stderr


@pytest.mark.parametrize("host, told", [("elsewhere", True), (None, False)], ids=["another host", "this host"])
def test_a_home_that_another_host_s_bangerd_has_names_that_host(home, host, told):
    """As on NFS, whose locks hold across hosts; its pid is of no use here."""
    folder = home.state / "banger"
    folder.mkdir(mode=0o700)
    announced = {"pid": 4711, "address": "unix:path=/nowhere", **({"host": host} if host else {})}
    (folder / "bangerd.json").write_text(json.dumps(announced))
    with open(folder / "bangerd.lock", "w") as lock:
        fcntl.lockf(lock, fcntl.LOCK_EX)
        failed = start(home)
    assert failed.returncode == 6 and "already running" in failed.stderr
    assert ("on the host elsewhere" in failed.stderr) == told
    assert ("banger daemon stop on the host elsewhere ends it" in failed.stderr) == told
