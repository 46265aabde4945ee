# SPDX-License-Identifier: GPL-2.0-or-later
"""What banger-broker(8) and broker.toml(5) tell administrators to type, typed as it stands; tests/harness/documented.py names this test."""

import subprocess

import pytest

import broker_world as world
from broker_fixtures import alice, callers  # noqa: F401: fixtures
from harness import wait

pytestmark = pytest.mark.limit(180)
# The line, and what it must print while alice has a sandbox and mallory was refused.
LINES = {
    "usermod -aG banger alice": "",
    "busctl call dev.banger.Broker1 /dev/banger/Broker1 dev.banger.Broker1 AdminList u 0": '"alice" "shown"',
    "journalctl -u banger-broker": "method=CreateSandbox",
    "journalctl -u banger-broker BANGER_VERDICT=refused": "",
    "journalctl -u banger-broker BANGER_UID=1000 -o json": "",
    "/usr/libexec/banger/banger-broker --check": "ok       configuration: /etc/banger/broker.toml\n"
                                                 "ok       quotas: a user 64 sandboxes, 256G, 32 calls at a time; all 256 sandboxes, 1T, 256 calls at a time",
    "systemctl try-restart banger-broker": "",
}


@pytest.mark.parametrize("line", LINES)
def test_what_the_manual_tells_administrators_works(alice, line):
    alice.create("shown", size=0)
    done = subprocess.run(["sh", "-c", line], capture_output=True, text=True, timeout=60)
    assert done.returncode == 0 or line.endswith("--check") and done.returncode == 4, f"{done.stdout}{done.stderr}"
    assert LINES[line] in done.stdout
    alice.destroy("shown")


def test_a_refusal_and_a_user_are_found_by_their_fields(alice):
    alice.create("found", size=0)
    world.sh("runuser -u nobody -- busctl call dev.banger.Broker1 /dev/banger/Broker1 dev.banger.Broker1 AdminList u 0 || true")
    refused = world.sh("journalctl -u banger-broker BANGER_VERDICT=refused -o cat")
    assert "method=AdminList" in refused and "verdict=allowed" not in refused
    assert "object=\"found\"" in world.sh(f"journalctl -u banger-broker BANGER_UID={alice.uid} -o cat")
    alice.destroy("found")


def test_an_administrator_deletes_a_user_s_sandbox_and_the_journal_says_whose(alice):
    alice.create("gone", size=0)
    call = "busctl call dev.banger.Broker1 /dev/banger/Broker1 dev.banger.Broker1"
    world.sh(f"{call} AdminDestroy usu {alice.uid} gone 0")
    assert '"gone"' not in world.sh(f"{call} AdminList u 0")
    told = f'uid=0 .* object="{alice.uid} gone" verdict=allowed result=ok'
    wait.until(lambda: world.sh(f"journalctl -u banger-broker BANGER_METHOD=AdminDestroy -o cat | grep '{told}'", check=False), 20, "one line a privileged act")
