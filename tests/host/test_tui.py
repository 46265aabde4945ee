# SPDX-License-Identifier: GPL-2.0-or-later
"""`banger tui` with a real guest: its numbers, its console, and a shell in place and back. The rest is in tests/contract/test_tui.py."""

import pytest

from harness import wait
from harness.terminal import Terminal

pytestmark = pytest.mark.limit(240)


@pytest.fixture
def tui(world, shared_vm):
    terminal = Terminal(world, world.command("tui"), size=(120, 40))
    terminal.sees(shared_vm)
    terminal.keys("/")
    terminal.type(shared_vm)
    terminal.keys("Enter")
    yield terminal
    terminal.close()


def test_a_shell_in_place_and_back(tui, guest):
    tui.sees("running")
    tui.keys("e")
    tui.sees("root@", 60)
    tui.type("echo back-$((6 * 7)) > /tmp/tui-was-here; hostname")
    tui.keys("Enter")
    wait.until(lambda: guest("cat /tmp/tui-was-here 2>/dev/null || true") == "back-42", 30, "the line ran in the guest")
    tui.resize(100, 30)
    wait.until(lambda: guest("for t in /dev/pts/[0-9]*; do stty -F $t size; done | sort -u | tr '\\n' ' '").find("30 100") >= 0, 30,
               "the guest's terminal has the new size")
    tui.type("exit")
    tui.keys("Enter")
    screen = tui.sees("STATE", 30)
    assert "shared" in screen and "root@" not in screen.splitlines()[-1]
    tui.keys("?")
    tui.sees("make a new VM")


def test_numbers_and_the_console_follow(tui, guest):
    tui.sees("up ", 30)
    wait.until(lambda: any(line.startswith("shared") and line.count("%") == 2 for line in tui.screen().splitlines()), 30, "CPU and memory have numbers")
    guest("echo the console says hello > /dev/console")
    tui.sees("the console says hello", 30)
