# SPDX-License-Identifier: GPL-2.0-or-later
"""Twenty VMs in a loop, with bangerd killed ten times at random in between: none lost, each /root kept."""

import concurrent.futures
import os
import random
import time

import pytest

VMS, KILLS = 20, 10
AT_ONCE = 2


class Killer:
    """SIGKILLs bangerd at random moments, KILLS times in all."""

    def __init__(self, home):
        self.home = home
        self.left = KILLS
        self.dice = random.Random(20)
        self.stopping = False

    def run(self):
        while self.left and not self.stopping:
            time.sleep(self.dice.uniform(5, 25))
            if self.home.agent_pids() and not self.stopping:
                self.home.kill_bangerd()
                self.left -= 1


def insist(home, *words, want=None, seconds=240):
    """Repeats a command until it works: a bangerd killed under it is an error that its user sees, and the next try is right."""
    deadline = time.monotonic() + seconds
    while True:
        done = home.banger(*words, timeout=seconds)
        if done.returncode == 0 or (want and want(done)):
            return done
        assert time.monotonic() < deadline, f"{words}: {done.returncode}: {done.stderr}"
        time.sleep(0.2)


@pytest.mark.limit(1500)
@pytest.mark.skipif(not os.environ.get("BANGER_TEST_SOAK"), reason="ten minutes; scripts/test --all runs it beside the lab")
def test_vms_survive_kills_of_bangerd(own_world):
    names = [f"soak-{number}" for number in range(VMS)]
    killer = Killer(own_world)

    def taken(done):
        return done.returncode == 6

    def first_life(name):
        insist(own_world, "vm", "create", "--no-start", "--name", name, "--memory", "256", "--disk-size", "256M", want=taken)
        insist(own_world, "vm", "start", name)
        insist(own_world, "vm", "exec", name, "--", "sh", "-c", f"echo {name} > /root/kept && echo {name} > /kept")
        insist(own_world, "vm", "stop", name)

    def second_life(name):
        insist(own_world, "vm", "start", name)
        kept = insist(own_world, "vm", "exec", name, "--", "cat", "/root/kept", "/kept").stdout.split()
        insist(own_world, "vm", "delete", "-f", name, want=lambda done: done.returncode == 3)
        return kept

    with concurrent.futures.ThreadPoolExecutor(AT_ONCE + 1) as pool:
        killing = pool.submit(killer.run)
        try:
            list(pool.map(first_life, names))
            rows = own_world.vms()
            assert set(rows) == set(names)
            assert {row["state"] for row in rows.values()} == {"stopped"}
            kept = list(pool.map(second_life, names))
        finally:
            killer.stopping = True
        killing.result()
    assert kept == [[name, name] for name in names]
    assert killer.left == 0, f"only {KILLS - killer.left} kills"
    assert own_world.vms() == {}
    assert not list(own_world.vms_folder.iterdir())
