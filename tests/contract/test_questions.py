# SPDX-License-Identifier: GPL-2.0-or-later
"""What a command asks on a terminal before it deletes, and what may happen until the answer comes."""

import contextlib
import os
import pty
import subprocess

import pytest

from harness import bundle


class Question:
    """A command on a terminal of its own, which has asked."""

    def __init__(self, home, *words):
        self.terminal, theirs = pty.openpty()
        self.process = home.start(*words, stdin=theirs, stdout=subprocess.DEVNULL, stderr=theirs)
        os.close(theirs)
        self.text = ""
        while "[y/N]" not in self.text:
            self.text += os.read(self.terminal, 4096).decode()

    def answer(self, line):
        """What it said from then on, and its exit code."""
        os.write(self.terminal, line)
        text = b""
        with contextlib.suppress(OSError):  # EIO: the other end is closed
            while piece := os.read(self.terminal, 4096):
                text += piece
        os.close(self.terminal)
        return text.decode(), self.process.wait(60)


@pytest.fixture
def world(home):
    """With an image and a kernel that boot nothing."""
    bundle.put_image(home)
    bundle.put_kernel(home)
    yield home
    home.banger("daemon", "stop")


def make_vm(home, name):
    home.banger("vm", "create", "--no-start", "--name", name, "--disk-size", "64M", check=True)


def test_prune_deletes_those_that_it_asked_about_and_no_later_one_of_that_name(world):
    make_vm(world, "calm-otter")
    make_vm(world, "old-fox")
    question = Question(world, "vm", "prune")
    assert "calm-otter and old-fox" in question.text
    world.banger("vm", "delete", "calm-otter", check=True)
    make_vm(world, "calm-otter")
    text, code = question.answer(b"y\n")
    assert code == 0, text
    assert list(world.vms()) == ["calm-otter"], "the new one, about which nobody was asked"


def test_a_no_deletes_nothing(world):
    make_vm(world, "calm-otter")
    for line in (b"\n", b"n\n", b"yes, please\n"):
        text, code = Question(world, "vm", "prune").answer(line)
        assert code == 0 and "nothing was deleted" in text
    assert list(world.vms()) == ["calm-otter"]
