# SPDX-License-Identifier: GPL-2.0-or-later
"""Worlds within a user namespace of our own, for what an ordinary user can't set up otherwise: a small file system, a network with an
inside and an outside. Nothing here needs root; where user namespaces are switched off, tests skip with that reason, and for no other."""

import os
import pathlib
import subprocess
import sys

import pytest

from .home import Home

UNSHARE = ["unshare", "--user", "--map-current-user", "--keep-caps"]

# Run inside, as the same uid with the namespace's capabilities; they end with the exec, as the uid is not 0.
MOUNT_TMPFS = """
import ctypes, os, sys
libc = ctypes.CDLL(None, use_errno=True)
folder, size, *command = sys.argv[1:]
if libc.mount(b"tmpfs", folder.encode(), b"tmpfs", 0, f"size={size},mode=0700".encode()) != 0:
    sys.exit("mount: " + os.strerror(ctypes.get_errno()))
PR_CAP_AMBIENT, PR_CAP_AMBIENT_CLEAR_ALL = 47, 4
libc.prctl(PR_CAP_AMBIENT, PR_CAP_AMBIENT_CLEAR_ALL, 0, 0, 0)
os.execvp(command[0], command)
"""

# As above. A bind of it, with the flags that it has, which may not be fewer in here.
MOUNT_READ_ONLY = """
import ctypes, os, sys
libc = ctypes.CDLL(None, use_errno=True)
folder, *command = sys.argv[1:]
MS_RDONLY, MS_NOSUID, MS_NODEV, MS_NOEXEC, MS_REMOUNT, MS_NOATIME, MS_BIND, MS_RELATIME = 1, 2, 4, 8, 32, 1024, 4096, 1 << 21
has = os.statvfs(folder).f_flag
flags = MS_RDONLY | MS_REMOUNT | MS_BIND | MS_NOSUID | MS_NODEV | has & (MS_NOEXEC | MS_NOATIME) | (MS_RELATIME if has & 4096 else 0)
if libc.mount(folder.encode(), folder.encode(), None, MS_BIND, None) != 0 or libc.mount(None, folder.encode(), None, flags, None) != 0:
    sys.exit("mount: " + os.strerror(ctypes.get_errno()))
PR_CAP_AMBIENT, PR_CAP_AMBIENT_CLEAR_ALL = 47, 4
libc.prctl(PR_CAP_AMBIENT, PR_CAP_AMBIENT_CLEAR_ALL, 0, 0, 0)
os.execvp(command[0], command)
"""


def require():
    tried = subprocess.run([*UNSHARE, "--net", "--mount", "true"], capture_output=True, text=True)
    if tried.returncode != 0:
        pytest.skip(f"no user namespaces here: {tried.stderr.strip()}")


def with_small_folder(folder, size, command):
    """`command`, to be run where `folder` is an empty file system of `size` (tmpfs's grammar). Its processes share it; it goes with them."""
    require()
    return [*UNSHARE, "--mount", sys.executable, "-B", "-c", MOUNT_TMPFS, str(folder), size, *map(str, command)]


def with_read_only_folder(folder, command):
    """`command`, to be run where nothing in `folder` can be written."""
    require()
    return [*UNSHARE, "--mount", sys.executable, "-B", "-c", MOUNT_READ_ONLY, str(folder), *map(str, command)]


class NetworkLab:
    """A network namespace ("inside": the host on which bangerd and its VMs run) whose only way out leads to another one ("outside").

    Servers greet each connection with their name: see GREETINGS in network_lab.py. `command` wraps a command to run inside."""

    def __init__(self, env):
        require()
        program = pathlib.Path(__file__).with_name("network_lab.py")
        self.process = subprocess.Popen([*UNSHARE, "--net", "--mount", sys.executable, "-B", str(program)], env=env, stdin=subprocess.PIPE,
                                        stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True)
        line = self.process.stdout.readline()
        if line.strip() != "ready":
            rest = self.process.communicate()[0]
            pytest.fail(f"the network lab can't be set up here: {line}{rest}")

    def command(self, words):
        return ["nsenter", f"--target={self.process.pid}", "--user", "--net", "--mount", "--preserve-credentials", *map(str, words)]

    def ip(self, words):
        """ip(8) on the inside, with the rights that it needs."""
        print(words, file=self.process.stdin, flush=True)
        assert self.process.stdout.readline().strip() == "done", words

    def close(self):
        self.process.stdin.close()
        try:
            self.process.wait(10)
        except subprocess.TimeoutExpired:
            self.process.kill()
            self.process.wait()


class InsideHome(Home):
    """A home whose `banger`, and so bangerd and its VMs, run in the inside of a network lab."""

    def __init__(self, name, cache=None):
        require()
        super().__init__(name, cache)
        self.lab = NetworkLab(self.env)

    def command(self, *args):
        return self.lab.command(super().command(*args))

    def close(self):
        super().close()
        self.lab.close()


def clean_path_without(folder, names):
    """A PATH with everything of the usual one but these programs, as symlinks in `folder`."""
    folder = pathlib.Path(folder)
    folder.mkdir(parents=True)
    for source in ("/usr/local/bin", "/usr/bin", "/bin", "/usr/sbin", "/sbin"):
        for entry in os.scandir(source) if os.path.isdir(source) else ():
            target = folder / entry.name
            if entry.name not in names and not target.is_symlink():
                target.symlink_to(entry.path)
    return str(folder)
