# SPDX-License-Identifier: GPL-2.0-or-later
"""The fault injector: what breaks in a test is whole again after it, in reverse order."""

import errno
import os
import pathlib
import signal
import subprocess


# A VM's units end with each other, so some are gone when their turn comes (exit 5); what counts is that none is left.
END_BANGER = ("systemctl --user stop 'banger-*' bangerd.service; code=$?; "
              "left=$(systemctl --user list-units --plain --no-legend --state=active 'banger-*' bangerd.service); "
              "if [ -n \"$left\" ]; then echo \"code $code, still there: $left\" >&2; exit 1; fi")


class Faults:
    def __init__(self):
        self._mending = []

    def mend(self):
        while self._mending:
            self._mending.pop()()

    def kill(self, process):
        os.kill(process.pid, signal.SIGKILL)

    def freeze(self, process):
        """SIGSTOP, until the test ends or thaw()."""
        os.kill(process.pid, signal.SIGSTOP)
        self._mending.append(lambda: self.thaw(process))

    def thaw(self, process):
        if process.alive():
            os.kill(process.pid, signal.SIGCONT)

    def mode(self, path, mode):
        before = os.stat(path).st_mode & 0o7777
        os.chmod(path, mode)
        self._mending.append(lambda: os.chmod(path, before))

    def hide(self, path):
        """It is not there until the test ends."""
        aside = f"{path}.hidden"
        os.rename(path, aside)
        self._mending.append(lambda: os.rename(aside, path))

    def replace(self, path, text, mode=0o755):
        """A program of another content in its place."""
        self.hide(path)
        pathlib.Path(path).write_text(text)
        os.chmod(path, mode)
        self._mending.append(lambda: os.unlink(path))

    def add_to_group(self, user, group):
        """In the databases; who is logged in doesn't have it yet."""
        subprocess.run(["gpasswd", "--add", user, group], check=True, capture_output=True)
        self._mending.append(lambda: subprocess.run(["gpasswd", "--delete", user, group], check=True, capture_output=True))

    def linger(self, user):
        subprocess.run(["loginctl", "enable-linger", user], check=True)
        self._mending.append(lambda: subprocess.run(["loginctl", "disable-linger", user], check=True))

    def small_disk(self, user, size):
        """A file system of its own for the user's state, which then has no VM yet. `size` as truncate(1) has it; nothing of it is allocated."""
        image = f"/var/tmp/small-{user.name}.ext4"
        user.run(END_BANGER)
        user.run(f"mkdir -p -m 700 '{user.state}'")  # the user's own, also when nothing was there before
        subprocess.run(["truncate", "--size", size, image], check=True)
        subprocess.run(["mke2fs", "-q", "-t", "ext4", "-m", "0", "-E", f"root_owner={user.uid}:{user.uid}", image], check=True)
        subprocess.run(["mount", "-o", "loop", image, user.state], check=True)

        def undo():
            user.run(END_BANGER)
            subprocess.run(["umount", user.state], check=True)
            os.unlink(image)
        self._mending.append(undo)

    def fill(self, folder):
        """Takes all of the file system's free space; gives the file that does."""
        path = pathlib.Path(folder) / ".filled"
        with open(path, "wb") as file:
            end, step = 0, 1 << 30
            while step >= 4096:
                try:
                    os.posix_fallocate(file.fileno(), end, step)
                    end += step
                except OSError as error:
                    if error.errno != errno.ENOSPC:
                        raise
                    step //= 2
        self._mending.append(lambda: path.unlink(missing_ok=True))
        return path
