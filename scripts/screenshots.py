#!/usr/bin/python3 -B
# SPDX-License-Identifier: GPL-2.0-or-later
"""scripts/screenshots.py [FOLDER]          pictures of `banger tui` for the README, as SVG: cli/tui/screenshots by default

Runs the installed banger (BANGER_TEST_PREFIX, or ~/.local) with VMs of its own in folders of its own, drives it in a tmux, and draws what
tmux has on its screen. Takes some minutes, most of it the default kernel and image where the test cache has none. As an ordinary user."""

import dataclasses
import html
import os
import pathlib
import re
import sys
import time

REPO = pathlib.Path(__file__).resolve().parents[1]
sys.path.insert(0, str(REPO / "tests"))

SIZE = (110, 32)  # columns, rows
CELL = (8.4, 18)  # pixels
INK, PAPER = "#d4d4d4", "#1e1e1e"
PALETTE = ["#000000", "#f14c4c", "#23d18b", "#e5e510", "#3b8eea", "#d670d6", "#29b8db", "#e5e5e5"]
SGR = re.compile(r"\x1b\[([\d;]*)m")


@dataclasses.dataclass(frozen=True)
class Look:
    """How a piece of text looks, as SGR (ECMA-48) has it."""

    ink: str = INK
    paper: str = PAPER
    bold: bool = False
    dim: bool = False
    reverse: bool = False

    def after(self, code):
        changes = {1: {"bold": True}, 2: {"dim": True}, 7: {"reverse": True}, 22: {"bold": False, "dim": False}, 27: {"reverse": False},
                   39: {"ink": INK}, 49: {"paper": PAPER}}
        if code == 0:
            return Look()
        if code in changes:
            return dataclasses.replace(self, **changes[code])
        if 30 <= code <= 37 or 90 <= code <= 97:
            return dataclasses.replace(self, ink=PALETTE[code % 10])
        if 40 <= code <= 47:
            return dataclasses.replace(self, paper=PALETTE[code - 40])
        return self

    def colours(self):
        return (self.paper, self.ink) if self.reverse else (self.ink, self.paper)


def pieces(line, look):
    """[(text, look)] of a line of `capture-pane -e`, and the look at its end."""
    found, at = [], 0
    for mark in SGR.finditer(line):
        if mark.start() > at:
            found.append((line[at:mark.start()], look))
        for code in (mark.group(1) or "0").split(";"):
            look = look.after(int(code or 0))
        at = mark.end()
    if at < len(line):
        found.append((line[at:], look))
    return found, look


def svg_of(captured, size=SIZE, title="banger tui"):
    """One picture; every character a column wide."""
    (columns, rows), (width, height) = size, CELL
    out = [f'<svg xmlns="http://www.w3.org/2000/svg" width="{columns * width:.0f}" height="{rows * height}" role="img" aria-label="{html.escape(title)}">',
           f'<rect width="100%" height="100%" fill="{PAPER}"/>',
           '<g font-family="ui-monospace, DejaVu Sans Mono, monospace" font-size="14" xml:space="preserve">']
    look = Look()
    for row, line in enumerate(captured.splitlines()[:rows]):
        column = 0
        found, look = pieces(line, look)
        for text, style in found:
            ink, paper = style.colours()
            if paper != PAPER:
                out.append(f'<rect x="{column * width:.1f}" y="{row * height}" width="{len(text) * width:.1f}" height="{height}" fill="{paper}"/>')
            if text.strip():
                weight = ' font-weight="bold"' if style.bold else ""
                faint = ' opacity="0.6"' if style.dim else ""
                out.append(f'<text x="{column * width:.1f}" y="{row * height + 14}" textLength="{len(text) * width:.1f}" fill="{ink}"{weight}{faint}>'
                           f"{html.escape(text)}</text>")
            column += len(text)
    return "\n".join([*out, "</g>", "</svg>"]) + "\n"


def take(folder):
    from harness.home import TESTS_CACHE, Home
    from harness.terminal import Terminal

    home = Home("screenshots", cache=TESTS_CACHE / "bench")
    try:
        for words in (("kernel", "import"), ("image", "build")):
            home.banger(*words, check=True, timeout=1200)
        for name in ("amber-fox", "brave-owl", "calm-otter"):
            home.banger("vm", "create", "--name", name, "--memory", "256", "--disk-size", "2G", check=True, timeout=300)
        for name in ("dim-moth", "eager-elk"):
            home.banger("vm", "create", "--no-start", "--name", name, "--disk-size", "2G", check=True)
        home.banger("vm", "exec", "-d", "brave-owl", "--", "sh", "-c",
                    "while :; do dd if=/dev/urandom of=/root/x bs=1M count=20 conv=fsync 2>/dev/null; sleep 3; done", check=True)
        terminal = Terminal(home, home.command("tui"), size=SIZE)
        try:
            terminal.sees("calm-otter")
            terminal.keys("Down")
            time.sleep(45)  # for sparklines worth a look
            pictures = {"vms": terminal.colours()}
            terminal.keys("n")
            terminal.sees("new VM")
            terminal.type("fine-finch")
            pictures["form"] = terminal.colours()
        finally:
            terminal.close()
        home.banger("vm", "delete", "-f", *home.vms(), timeout=120)
        home.banger("daemon", "stop")
    finally:
        home.close()
    folder.mkdir(parents=True, exist_ok=True)
    for name, captured in pictures.items():
        (folder / f"{name}.svg").write_text(svg_of(captured))
        print(folder / f"{name}.svg")


if __name__ == "__main__":
    if sys.argv[1:] in (["-h"], ["--help"]):
        sys.exit(__doc__)
    os.environ.setdefault("BANGER_TEST_PREFIX", str(pathlib.Path.home() / ".local"))
    take(pathlib.Path(sys.argv[1]) if len(sys.argv) > 1 else REPO / "cli" / "tui" / "screenshots")
