# SPDX-License-Identifier: GPL-2.0-or-later
"""The workstation's users, each at a shell of a real login session: sshd, PAM, logind, a user manager, a session bus."""

import contextlib
import json
import os
import pathlib
import pwd
import shlex
import shutil
import subprocess
import tempfile

from harness import processes, wait

SSH = ["ssh", "-F", "none", "-o", "BatchMode=yes", "-o", "LogLevel=ERROR", "-o", "ControlMaster=auto", "-o", "ControlPersist=yes"]


class User:
    """One login at a time; its commands share a connection, so that only the first pays for the session."""

    def __init__(self, name):
        entry = pwd.getpwnam(name)
        self.name = name
        self.uid = entry.pw_uid
        self.home = pathlib.Path(entry.pw_dir)
        self.state = self.home / ".local/state/banger"
        self._folder = None

    def log_in(self):
        """Nothing when there is a session already."""
        if self._folder and self._control("check").returncode != 0:
            self.log_out()
        if self._folder is None:
            self._folder = tempfile.mkdtemp(prefix=f"{self.name}-")
            self.run("true")

    def log_out(self):
        """The user manager ends some seconds after the last session, if the user doesn't linger."""
        if self._folder:
            self._control("exit")
            shutil.rmtree(self._folder, ignore_errors=True)
            self._folder = None

    def _ssh(self):
        assert self._folder, f"{self.name} is not logged in"
        return [*SSH, "-o", f"ControlPath={self._folder}/ssh", "-l", self.name]

    def _control(self, word):
        return subprocess.run([*self._ssh(), "-O", word, "localhost"], capture_output=True, check=False)

    def start(self, command, **options):
        """A shell line as a running process."""
        return subprocess.Popen([*self._ssh(), "-T", "localhost", command], **options)

    def run(self, command, timeout=120, check=True, input=None):
        """A shell line, to its end. With check, one that fails fails the test."""
        stdin = {"input": input} if input is not None else {"stdin": subprocess.DEVNULL}
        done = subprocess.run([*self._ssh(), "-T", "localhost", command], capture_output=True, text=True, timeout=timeout, **stdin)
        assert not check or done.returncode == 0, \
            f"{self.name}: {command}: exit {done.returncode}\n--- stdout\n{done.stdout}\n--- stderr\n{done.stderr}"
        return done

    @staticmethod
    def command(*words):
        return "banger " + shlex.join(map(str, words))

    def banger(self, *words, **options):
        return self.run(self.command(*words), **options)

    def json(self, *words, **options):
        return json.loads(self.banger(*words, "--json", **options).stdout)

    def vms(self):
        """{name: row}"""
        return {row["name"]: row for row in self.json("vm", "list")}

    def show(self, name):
        answer = self.json("vm", "show", name)
        return answer[0] if isinstance(answer, list) else answer

    def exec(self, vm, line, **options):
        """What a shell line printed in the VM."""
        return self.banger("vm", "exec", vm, "--", "sh", "-c", line, **options).stdout.strip()

    def delete_vms(self):
        if self.state.exists() and (names := list(self.vms())):
            self.banger("vm", "delete", "-f", *names)

    def processes(self, name):
        """Of this user, by program name (15 letters)."""
        found = []
        for entry in os.scandir("/proc"):
            with contextlib.suppress(OSError):
                if entry.name.isdigit() and entry.stat().st_uid == self.uid:
                    found.append(processes.find(int(entry.name)))
        return [process for process in found if process and process.name == name[:15]]

    def wait_for_state(self, vm, *states, seconds=60):
        return wait.until(lambda: (state := self.vms()[vm]["state"]) in states and state, seconds, f"{vm} is {' or '.join(states)}")

    def units(self):
        """Names of banger's units that are loaded in the user's manager."""
        listed = self.run("systemctl --user list-units --all --plain --no-legend 'banger-*'").stdout
        return [line.split()[0] for line in listed.splitlines()]
