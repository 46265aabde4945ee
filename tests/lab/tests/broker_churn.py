# SPDX-License-Identifier: GPL-2.0-or-later
"""broker_churn.py go|clear: alice's sandboxes without end, until the machine loses its power; and what a next boot finds of them. As root, for
host_tests/test_power.py."""

import os
import pathlib
import random
import sys

import broker_world as world
from broker_user import BrokerUser

BASE = pathlib.Path("/home/alice/churn.img")
MOST = 4


def go(alice):
    """Tells each step that was answered."""
    BASE.touch()
    os.truncate(BASE, 256 << 20)
    BASE.chmod(0o644)
    BASE.parent.chmod(0o755)
    os.sync()
    number = 0
    while True:
        rows = alice.list()
        number += 1
        step = next_step(alice, rows, f"s{number}")
        print(number, step, flush=True)


def next_step(alice, rows, new):
    if len(rows) < MOST:
        alice.create(new, size=16 << 20)
        return "create"
    name, row = random.choice(sorted(rows.items()))
    if row["state"] == "stopped" and random.random() < 0.7:
        alice.start(name, BASE)
        return "start"
    if row["state"] == "stopped":
        alice.destroy(name)
        return "destroy"
    if random.random() < 0.5:
        alice.nat(name, not row["nat"])
        return "nat"
    alice.stop(name)
    return "stop"


def clear(alice):
    """Fails when anything is left."""
    rows = alice.list()
    print(f"{len(rows)} sandboxes")
    assert all(row["state"] == "stopped" for row in rows.values()), rows
    for name in rows:
        alice.start(name, BASE)  # whole, that is
        alice.stop(name)
        alice.destroy(name)
    now = world.state()
    for what in ("dm", "loops", "links", "rules"):
        assert "banger" not in now[what] and "bgr" not in now[what], (what, now[what])
    assert now["files"] == []
    assert set(now["forwarding"].values()) == {"0"}, now["forwarding"]


def main():
    alice = BrokerUser("alice")
    {"go": go, "clear": clear}[sys.argv[1]](alice)
    alice.close()


main()
