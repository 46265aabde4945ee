# SPDX-License-Identifier: GPL-2.0-or-later
"""Programs of two users whose /etc/nsswitch.conf has libnss_banger, without root: a user namespace in which we are root, alice and bob."""

import shutil
import subprocess
import sys

import pytest

from .home import PREFIX

ALICE, BOB, ROOT = 1000, 1001, 0
HEAD = "# banger names 1\n"

# Run inside as its root: arguments are the module's folder, then UID and names file in pairs, "--", the uid of the program, the program.
# Nothing of the machine's own is left in /run, where a resolver or a cache might answer in our place.
SET_UP = """
set -e
module=$1
shift
mount -t tmpfs tmpfs /run
mount -t tmpfs tmpfs /mnt
cp -r /etc/. /mnt/ 2>/dev/null || true
sed -i 's/^hosts:.*/hosts: files banger/' /mnt/nsswitch.conf
grep -q '^hosts:' /mnt/nsswitch.conf || echo 'hosts: files banger' >>/mnt/nsswitch.conf
mount --bind /mnt /etc
mkdir -p -m 0755 /run/user
while [ "$1" != -- ]; do
    mkdir -p -m 0700 "/run/user/$1/banger/names"
    cat "$2" >"/run/user/$1/banger/names/bangerd"
    chown -R "$1" "/run/user/$1"
    shift 2
done
shift
if [ -n "$PREPARE" ]; then eval "$PREPARE"; fi
uid=$1
shift
export LD_LIBRARY_PATH=$module
exec setpriv --reuid="$uid" --regid="$uid" --clear-groups -- "$@"
"""
UNSHARE = ["unshare", "--map-root-user", "--map-auto", "--mount", "sh", "-c", SET_UP, "sh"]


def require():
    """Skips where this user may have no namespace with other users in it."""
    tried = subprocess.run(["unshare", "--map-root-user", "--map-auto", "--mount", "setpriv", f"--reuid={BOB}", "true"], capture_output=True, text=True)
    if tried.returncode != 0:
        pytest.skip(f"no user namespace with several users here: {tried.stderr.strip()}")


class NameService:
    """`files`: {uid: what is in his names file}. `prepare`: shell, by root, before a program starts."""

    def __init__(self, folder):
        require()
        self.folder = folder
        found = list(PREFIX.rglob("libnss_banger.so.2"))
        assert found, f"no libnss_banger.so.2 below {PREFIX}"
        # A copy, as the other users may not look into our home.
        shutil.copy(found[0], folder)
        self.files = {}
        self.prepare = ""

    def command(self, uid, *words):
        pairs = []
        for owner, text in self.files.items():
            path = self.folder / f"names-{owner}"
            path.write_bytes(text if isinstance(text, bytes) else text.encode())
            pairs += [str(owner), str(path)]
        return [*UNSHARE, str(self.folder), *pairs, "--", str(uid), *map(str, words)]

    def run(self, uid, *words, timeout=60, input=None):
        stdin = {"input": input} if input is not None else {"stdin": subprocess.DEVNULL}
        return subprocess.run(self.command(uid, *words), capture_output=True, text=True, timeout=timeout, cwd="/",
                              env={"PATH": "/usr/sbin:/usr/bin:/sbin:/bin", "LANG": "C.UTF-8", "HOME": "/", "PREPARE": self.prepare}, **stdin)

    def python(self, uid, program, *words):
        done = self.run(uid, sys.executable if sys.executable.startswith("/usr/") else "/usr/bin/python3", "-I", "-B", "-c", program, *words)
        assert done.returncode == 0, done.stderr
        return done.stdout

    def getent(self, uid, database, key):
        """What getent(1) prints, in words; None when it finds nothing."""
        done = self.run(uid, "getent", database, key)
        assert done.returncode in (0, 2), done.stderr
        return done.stdout.split() if done.returncode == 0 else None
