# SPDX-License-Identifier: GPL-2.0-or-later
"""Programs that stand before the real ones on PATH, and do what a test says: wait in the middle of their work, or fail as on a full disk."""

import shlex
import shutil

from . import processes, wait

# What a build needs of mmdebstrap: a tree. Nothing is fetched, so it works without a network.
MAKE_TREE = """for word in "$@"; do case $word in */scratch/root) tree=$word;; esac; done
mkdir -p "$tree/etc/apt/apt.conf.d" "$tree/etc/apt/sources.list.d" "$tree/etc/default" "$tree/var/lib/dpkg"
echo "built by a stand-in" > "$tree/etc/issue"
exit 0
"""


class StandIns:
    def __init__(self, home):
        self.home = home
        self.folder = home.root / "stand-ins"
        self.folder.mkdir()
        self.folder.chmod(0o755)
        self.held = None
        self.usual_path = home.env["PATH"]
        home.env["PATH"] = f"{self.folder}:{self.usual_path}"

    def _put(self, program, script):
        file = self.folder / program
        fresh = self.folder / f".{program}.new"  # one that runs is not written to
        fresh.write_text("#!/bin/sh\n" + script)
        fresh.chmod(0o755)
        fresh.rename(file)

    def _real(self, program):
        found = shutil.which(program, path=self.usual_path + ":/usr/sbin:/sbin")
        assert found, f"{program} is not installed"
        return found

    def make_trees(self):
        self._put("mmdebstrap", MAKE_TREE)

    def hold(self, program, words=""):
        """A call with these words in it does not begin before release(), which one that is confined doesn't see: it waits for its end."""
        self.held = program, words
        after = MAKE_TREE if program == "mmdebstrap" else f'exec {shlex.quote(self._real(program))} "$@"\n'
        self._put(program, f'case "$*" in *{shlex.quote(words)}*) while [ -e "$0" ]; do sleep 0.1; done;; esac\n{after}')

    def _is_held(self):
        """Seen from outside, as a program that is confined can write nothing for us."""
        program, words = self.held
        return any(process.name == program and words in processes.command_line(process) for process in self.running())

    def wait_until_reached(self):
        wait.until(self._is_held, 60, f"{self.held[0]} begins")

    def release(self):
        """No program stands before another any more, but mmdebstrap's."""
        for file in self.folder.iterdir():
            if file.name != "mmdebstrap":
                file.unlink()
        self.make_trees()

    def fail(self, program, sentence, words=""):
        """A call with these words writes something, says the sentence and ends badly; others are the real one's."""
        after = MAKE_TREE if program == "mmdebstrap" else f'exec {shlex.quote(self._real(program))} "$@"\n'
        self._put(program, f'case "$*" in *{shlex.quote(words)}*) (echo half > half-written) 2>/dev/null; echo {shlex.quote(sentence)} >&2; exit 1;; esac\n{after}')

    def running(self):
        return processes.below_folder(self.folder)
