# SPDX-License-Identifier: GPL-2.0-or-later
"""A real terminal for one program: a tmux of a test's own, its keys sent and its screen read from outside."""

import itertools
import os
import pathlib
import re
import shlex
import subprocess

from . import wait

CONFIG = """set -g default-terminal {term}
set -g status off
set -g remain-on-exit on
set -s escape-time 0
set -g history-limit 500
"""

# Where golden screens are, and what of them is another one each time: it becomes as many of the letter, so that columns stay.
GOLDEN = pathlib.Path(__file__).resolve().parents[1] / "contract" / "tui"
CHANGING = ((r"PID \d+", "PID N"), (r"/\S+/(state|config)/banger\S*", "FOLDER"), (r"\b20\d\d-\d\d-\d\d\b", "DATE-DATE-"), (r"banger \d+\.\d+\.\d+", "banger N.N.N"))
RENEW = bool(os.environ.get("BANGER_TEST_RENEW"))


_numbers = itertools.count(1)


class Terminal:
    """`words`: the program; a string is a line for sh. The size is (columns, rows), as tmux has it."""

    def __init__(self, home, words, size=(80, 24), env=None, term="tmux-256color"):
        self.env = {name: value for name, value in home.env.items() if name not in ("TMUX", "TERM", "LC_ALL")}
        self.env.update(TMUX_TMPDIR=str(home.runtime), LANG="C.UTF-8", TERM=term)
        self.env.update(env or {})
        config = home.runtime / "tmux.conf"
        config.write_text(CONFIG.format(term=term))
        # Told by sh: tmux 3.3a at times knows only that a program is gone. A server of its own: the last one's may be ending still.
        self.code = home.runtime / f"exit-code-{next(_numbers)}"
        self.server = self.code.name
        line = words if isinstance(words, str) else f"{shlex.join(map(str, words))}; echo $? >{shlex.quote(str(self.code))}"
        columns, rows = size
        self.tmux("-f", str(config), "new-session", "-d", "-s", "t", "-x", str(columns), "-y", str(rows), line)

    def tmux(self, *words, check=True):
        done = subprocess.run(["tmux", "-u", "-L", self.server, *words], env=self.env, stdin=subprocess.DEVNULL, capture_output=True, timeout=20)
        assert not check or done.returncode == 0, f"tmux {words}: {done.stderr.decode(errors='replace')}"
        return done.stdout.decode("utf-8", errors="replace")

    def screen(self):
        return self.tmux("capture-pane", "-p", "-t", "t")

    def colours(self):
        """The screen with what colours it (SGR)."""
        return self.tmux("capture-pane", "-e", "-p", "-t", "t")

    def keys(self, *keys):
        self.tmux("send-keys", "-t", "t", *keys)

    def type(self, text):
        self.tmux("send-keys", "-t", "t", "-l", "--", text)

    def click(self, row, column):
        """As an xterm says it (X10), which tmux's own terminfo promises: pressed, and let go, as a button that stays down can't be pressed again."""
        for button in ("20", "23"):
            self.tmux("send-keys", "-t", "t", "-H", "1b", "5b", "4d", button, f"{0x21 + column:x}", f"{0x21 + row:x}")

    def wheel(self, row, column, button):
        """Turned by a notch. `button`: "60" up, "61" down, as an xterm says it."""
        self.tmux("send-keys", "-t", "t", "-H", "1b", "5b", "4d", button, f"{0x21 + column:x}", f"{0x21 + row:x}")

    def resize(self, columns, rows):
        self.tmux("resize-window", "-t", "t", "-x", str(columns), "-y", str(rows))

    def of_pane(self, what):
        return self.tmux("display-message", "-p", "-t", "t", f"#{{{what}}}").strip()

    def pid(self):
        """The program's, which sh has started."""
        shell = self.of_pane("pane_pid")
        return int(pathlib.Path(f"/proc/{shell}/task/{shell}/children").read_text().split()[0])

    def sees(self, words, seconds=15):
        """Waits until the screen has these words; gives the screen."""
        last = [""]

        def look():
            last[0] = self.screen()
            return words in last[0]

        try:
            wait.until(look, seconds, f"{words!r} is on the screen")
        except AssertionError as error:
            raise AssertionError(f"{error}; it is\n{last[0]}") from None
        return last[0]

    def sees_no_more(self, words, seconds=15):
        last = [""]

        def look():
            last[0] = self.screen()
            return words not in last[0]

        try:
            wait.until(look, seconds, f"{words!r} is on the screen no more")
        except AssertionError as error:
            raise AssertionError(f"{error}; it is\n{last[0]}") from None
        return last[0]

    def ended(self, seconds=15):
        """Waits for the program's end; its exit code as sh has it. Of words, not of a line."""
        return int(wait.until(lambda: self.code.exists() and self.code.read_text().strip(), seconds, "it ends"))

    def close(self):
        self.tmux("kill-server", check=False)


def normalised(screen):
    for pattern, instead in CHANGING:
        screen = re.sub(pattern, instead, screen)
    return "\n".join(line.rstrip() for line in screen.rstrip().splitlines()) + "\n"


def compare(terminal, name, seconds=5):
    """Holds the screen against tests/contract/tui/NAME.txt. With BANGER_TEST_RENEW in the environment that file is written instead
    (tests/contract/tui/README.md)."""
    path = GOLDEN / f"{name}.txt"
    if RENEW:
        GOLDEN.mkdir(exist_ok=True)
        path.write_text(normalised(terminal.screen()))
        return
    assert path.exists(), f"there is no {path} yet; tests/contract/tui/README.md says how to make it"
    golden = path.read_text()
    try:
        wait.until(lambda: normalised(terminal.screen()) == golden, seconds, "the screen is the golden one")
    except AssertionError:
        screen = normalised(terminal.screen())
        assert screen == golden, f"not as {path.name}; it is\n{screen}"
