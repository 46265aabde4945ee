# SPDX-License-Identifier: GPL-2.0-or-later
"""The workstation's journal, from a moment on."""

import json
import subprocess


class Journal:
    def __init__(self):
        self._cursor = self._read("--lines=1")[-1]["__CURSOR"]

    def __call__(self, unit=None, user_unit=None):
        """Messages, oldest first."""
        words = [f"--after-cursor={self._cursor}"]
        if unit:
            words.append(f"--unit={unit}")
        if user_unit:
            words.append(f"_SYSTEMD_USER_UNIT={user_unit}")
        return [entry.get("MESSAGE") or "" for entry in self._read(*words)]

    @staticmethod
    def _read(*words):
        done = subprocess.run(["journalctl", "--no-pager", "--output=json", *words], check=True, capture_output=True, text=True)
        return [json.loads(line) for line in done.stdout.splitlines()]
