# SPDX-License-Identifier: GPL-2.0-or-later
"""The example client of dev.banger.Agent1 (dbus/examples/client.py), as its reader runs it: the installed copy, over the bus alone."""

import subprocess

import pytest

from harness.home import PREFIX

CLIENT = PREFIX / "share" / "doc" / "banger" / "examples" / "client.py"

pytestmark = pytest.mark.limit(400)


@pytest.fixture
def client(world):
    world.banger("vm", "list", check=True)  # so that there is a bangerd, on its private bus

    def run(*words, **options):
        return subprocess.run(["/usr/bin/python3", CLIENT, "--bus", world.agent_address(), *words], env=world.env, capture_output=True, timeout=300,
                              **options)
    return run


def test_a_command_has_its_input_output_error_and_exit_code(client, world, nothing_left):
    sent = bytes(range(256)) * 4096  # more than any pipe holds
    done = client("--name", "by-client", "--", "sh", "-c", "hostname >&2; cat; exit 7", input=sent)
    assert (done.returncode, done.stdout, done.stderr) == (7, sent, b"by-client\n")
    assert "by-client" not in world.vms(), "it is deleted again"


def test_a_command_that_is_not_there_is_told_and_leaves_no_vm(client, world, nothing_left):
    done = client("no-such-command", stdin=subprocess.DEVNULL)
    assert done.returncode == 1
    assert b"no-such-command" in done.stderr and b"Traceback" not in done.stderr and b"GDBus" not in done.stderr
