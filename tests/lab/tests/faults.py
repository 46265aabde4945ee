# SPDX-License-Identifier: GPL-2.0-or-later
"""The fault injector: what breaks in a test is whole again after it, in reverse order."""

import os
import pathlib
import shutil
import signal
import subprocess


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

    def small_disk(self, folder, owner, megabytes):
        """A file system of its own, of this size, on the user's folder, which must not be in use."""
        folder = pathlib.Path(folder)
        image = pathlib.Path(f"/var/tmp/small-{folder.name}.ext4")
        with open(image, "wb") as file:
            file.truncate(megabytes << 20)
        subprocess.run(["mke2fs", "-q", "-t", "ext4", "-E", f"root_owner={owner.uid}:{owner.uid}", image], check=True)
        subprocess.run(["mount", "-o", "loop", image, folder], check=True)

        def undo():
            subprocess.run(["umount", folder], check=True)
            image.unlink()
        self._mending.append(undo)

    def fill(self, folder, leave_bytes=0):
        """Takes all of the file system's free space but `leave_bytes`."""
        path = pathlib.Path(folder) / ".filled"
        with open(path, "wb") as file:
            os.posix_fallocate(file.fileno(), 0, max(0, shutil.disk_usage(folder).free - leave_bytes))
        self._mending.append(lambda: path.unlink(missing_ok=True))
