# SPDX-License-Identifier: GPL-2.0-or-later
"""The workstation's journal, from a moment on."""

import json
import subprocess


def _is(entry, word):
    """`FIELD=VALUE`, or `--unit=NAME`: what the unit says, and what systemd says of it."""
    name, _, value = word.partition("=")
    if name == "--unit":
        return entry.get("_SYSTEMD_UNIT") == value or (entry.get("_PID") == "1" and entry.get("UNIT") == value)
    return entry.get(name) == value


class Journal:
    """With --after-cursor and matches journalctl (252) passes over the first entry that matches, so matching is done here."""

    def __init__(self):
        self._cursor = self._read("--lines=1")[-1]["__CURSOR"]

    def __call__(self, unit=None, user_unit=None):
        """Messages, oldest first."""
        words = [f"--unit={unit}"] if unit else []
        words += [f"_SYSTEMD_USER_UNIT={user_unit}"] if user_unit else []
        return [entry.get("MESSAGE") or "" for entry in self.entries(*words)]

    def entries(self, *matches):
        """With all fields, oldest first; all of `matches` hold."""
        return [entry for entry in self._read(f"--after-cursor={self._cursor}") if all(_is(entry, word) for word in matches)]

    @staticmethod
    def _read(*words):
        done = subprocess.run(["journalctl", "--no-pager", "--output=json", *words], check=True, capture_output=True, text=True)
        return [json.loads(line) for line in done.stdout.splitlines()]
