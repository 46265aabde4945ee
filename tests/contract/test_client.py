# SPDX-License-Identifier: GPL-2.0-or-later
"""What the example client (dbus/examples/client.py) says where something is wrong; with a VM: tests/host/test_client.py."""

import importlib.util
import os
import subprocess

import pytest

from harness.home import PREFIX

CLIENT = PREFIX / "share" / "doc" / "banger" / "examples" / "client.py"


def run(home, *words):
    return subprocess.run(["/usr/bin/python3", CLIENT, *words], env=home.env, stdin=subprocess.DEVNULL, capture_output=True, text=True, timeout=60)


@pytest.mark.parametrize("words", [(), ("--",), ("--frobnicate", "true"), ("--name",), ("--image", "x")], ids=lambda words: " ".join(words) or "nothing")
def test_a_wrong_command_line_is_a_usage_error(home, words):
    done = run(home, *words)
    assert done.returncode == 2
    assert "usage: client.py" in done.stderr and done.stdout == ""


@pytest.mark.parametrize("words, sentence", [
    (("--image", "no-such-image", "true"), "no-such-image"), (("--name", "UPPER", "true"), "name"), (("--name", "-a", "true"), "usage"),
    (("--name=-a", "true"), "name"), (("--image", "x" * 5000, "true"), "x"),
], ids=lambda value: " ".join(value)[:40] if isinstance(value, tuple) else "")
def test_what_bangerd_refuses_is_its_sentence_and_nothing_else(agent, home, words, sentence):
    done = run(home, *words)
    assert done.returncode in (1, 2) and sentence in done.stderr
    assert "Traceback" not in done.stderr and "GDBus.Error" not in done.stderr and "dev.banger.Error" not in done.stderr
    assert list(agent.manager.ListVms({"name": "*"})) == []


def test_a_bus_that_is_not_there_is_told(home):
    done = run(home, "--bus", f"unix:path={home.root}/no-bus", "true")
    assert done.returncode == 1
    assert done.stderr.startswith("client.py: ") and "Traceback" not in done.stderr


def test_a_bus_without_bangerd_is_told(bangerd, home):
    """The fixture's bus starts nothing."""
    done = run(home, "true")
    assert done.returncode == 1
    assert done.stderr.startswith("client.py: ") and "Traceback" not in done.stderr


def test_a_command_whose_output_nobody_takes_hears_of_it():
    """As in `client.py … | head`: else it would wait for a reader, and the client for its end."""
    spec = importlib.util.spec_from_file_location("client", CLIENT)
    client = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(client)
    output, command = os.pipe()
    head, sink = os.pipe()
    os.close(head)
    os.write(command, b"a line\n")
    client.pump(output, sink)
    with pytest.raises(BrokenPipeError):
        os.write(command, b"another\n")
    os.close(command)
