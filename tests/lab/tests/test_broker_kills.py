# SPDX-License-Identifier: GPL-2.0-or-later
"""R17 on the real kernel: the broker is killed at its steps, a next one is started by the next call, and nothing is leaked.

A step is a system call that changes something: ioctl (device-mapper, loop devices, TAP), fsync and fdatasync (journal), renameat (journal), fallocate
(copy-on-write file), unlinkat, semctl (udev's cookies), sendmsg and sendto (netlink; the bus, too, which shows an answer that is lost)."""

import collections
import os
import random
import re
import subprocess
import time

import pytest

import broker_world as world
from harness import wait
from broker_fixtures import alice, base, bob, callers  # noqa: F401: fixtures
from broker_user import Refused
from long import only_with_all

pytestmark = pytest.mark.limit(1300)
STEPS = "ioctl,fsync,fdatasync,renameat,fallocate,unlinkat,semctl,sendmsg,sendto"
EVERY = bool(os.environ.get("LAB_EVERY_STEP"))
JOURNAL = ("fsync", "renameat", "unlinkat")  # its own steps: each is tried
SOME = 3  # of the others, without LAB_EVERY_STEP=yes
SIZE = 64 << 20
MOST_MEMORY = 4 << 10  # KiB of private dirty memory
MANY = 60


def threads():
    """Of the running broker, in the order in which it made them."""
    return sorted(map(int, os.listdir(f"/proc/{world.pid()}/task")))


class Tracer:
    """strace on the running broker: on one of its threads, which kills it at this thread's `number`th `call` from now on (strace counts each
    system call by itself), or on all, for a look."""

    def __init__(self, thread=None, call=None, number=None):
        where = ["-f", "-p", str(world.pid())] if thread is None else ["-p", str(threads()[thread]), "-e", f"inject={call}:signal=KILL:when={number}"]
        self.process = subprocess.Popen(["strace", "-e", f"trace={STEPS}", "-o", "/tmp/steps", *where], stderr=subprocess.PIPE, text=True)
        assert "attached" in self.process.stderr.readline()

    def close(self):
        self.process.terminate()
        self.process.wait(20)


def running_broker(alice):
    world.sh(f"systemctl reset-failed {world.UNIT}", check=False)
    alice.list()
    return world.pid()


def killed(alice, step, action):
    """Whether the broker was killed by it; what it answers is one of: that it did it, an error of the bus."""
    before = running_broker(alice)
    tracer = Tracer(*step)
    try:
        action()
    except Refused as refusal:
        assert "freedesktop" in refusal.name, refusal
    finally:
        gone = world.pid() != before
        tracer.close()
    return gone


def prepare(alice, base, state):
    if state == "none":
        return
    alice.create("box", size=SIZE)
    if state in ("running", "nat"):
        alice.start("box", base)
    if state == "nat":
        alice.nat("box", True)


METHODS = {
    "create": ("none", lambda alice, base: alice.create("box", size=SIZE)),
    "start": ("stopped", lambda alice, base: alice.start("box", base)),
    "nat-on": ("running", lambda alice, base: alice.nat("box", True)),
    "nat-off": ("nat", lambda alice, base: alice.nat("box", False)),
    "grow": ("running", lambda alice, base: alice.grow("box", SIZE * 2)),
    "clone": ("running", lambda alice, base: alice.call("CloneSandbox", "ss", "box", "twin")),
    "stop": ("nat", lambda alice, base: alice.stop("box")),
    "destroy": ("nat", lambda alice, base: alice.destroy("box")),
}


def steps_of(alice, base, method):
    """[(thread, system call, number)] by a run that nothing kills."""
    state, action = METHODS[method]
    prepare(alice, base, state)
    running_broker(alice)
    tracer = Tracer()
    action(alice, base)
    tracer.close()
    seen, steps, ids = collections.Counter(), [], threads()
    for tid, call in re.findall(r"^(\d+) +(\w+)\(", open("/tmp/steps").read(), re.MULTILINE):
        seen[tid, call] += 1
        steps.append((ids.index(int(tid)), call, seen[tid, call]))
    clear(alice)
    return steps


def clear(alice):
    for sandbox in alice.list():
        alice.destroy(sandbox)


@only_with_all("ten minutes and more")
@pytest.mark.parametrize("method", METHODS)
def test_R17_a_broker_that_is_killed_at_any_step_leaks_nothing(alice, bob, base, method):
    alice.list()
    before = world.state()
    steps = steps_of(alice, base, method)
    print(f"{method}: {len(steps)} steps of {len({thread for thread, *_ in steps})} threads")
    assert len(steps) > 2, "it does something"
    others = [step for step in steps if step[1] not in JOURNAL]
    chosen = steps if EVERY else sorted(set(steps) - set(others)) + random.sample(others, min(SOME, len(others)))
    kills = 0
    for step in chosen:
        state, action = METHODS[method]
        prepare(alice, base, state)
        kills += killed(alice, step, lambda: action(alice, base))
        rows = alice.list()  # of the next broker, which has reconciled
        assert all(row["state"] in ("running", "stopped") for row in rows.values()), (step, rows)
        for name, row in rows.items():
            assert os.path.exists(f"/dev/mapper/banger-{alice.uid}-{name}") == (row["state"] == "running"), (step, rows)
        clear(alice)
        left = world.differences(before, world.state())
        assert left == {}, f"{method}, killed at step {step} of {len(steps)}"
    assert kills >= len(chosen) * 2 // 3, f"{kills} kills in {chosen}"


def test_a_crowd_of_two_users_leaves_nothing(alice, bob, base):
    """Of two users at once, with kills at random: quotas are exact, nothing is left."""
    seconds, most = (600, 200) if os.environ.get("LAB_ALL") else (30, 12)
    seed = int(os.environ.get("LAB_SEED", random.SystemRandom().randrange(1 << 30)))
    print(f"LAB_SEED={seed}")
    dice = random.Random(seed)
    world.sh("gpasswd --add bob banger")
    world.sh(f"systemctl stop {world.UNIT}; mkdir -p /run/systemd/system/{world.UNIT}.d; "
             f"printf '[Unit]\\nStartLimitIntervalSec=0\\n' >/run/systemd/system/{world.UNIT}.d/crowd.conf; systemctl daemon-reload")
    quota = f"[quota.user]\nsandboxes = {most // 2}\n[quota.all]\nsandboxes = {most}\n"
    with open("/etc/banger/broker.toml", "r+") as file:
        settings = file.read()
        file.write("\n" + quota)
    try:
        alice.list()
        before = world.state()
        crowd(alice, bob, base, dice, seconds, most // 2)
        for user in (alice, bob):
            clear(user)
        assert world.differences(before, world.state()) == {}
    finally:
        with open("/etc/banger/broker.toml", "w") as file:
            file.write(settings)
        world.sh(f"gpasswd --delete bob banger; rm -r /run/systemd/system/{world.UNIT}.d; systemctl daemon-reload; systemctl stop {world.UNIT}")


@only_with_all("a minute and a half")
def test_memory_is_flat_over_the_lives_of_many_sandboxes(alice, base):
    for number in range(MANY):
        alice.create(f"b{number}", size=0)
        unless_polkit_stands_still(lambda: alice.start(f"b{number}"))  # pylint: disable=cell-var-from-loop
        unless_polkit_stands_still(lambda: alice.nat(f"b{number}", True))  # pylint: disable=cell-var-from-loop
    print(f"{private_kib_at_rest()} KiB with {MANY}")
    clear(alice)
    after_many = private_kib_at_rest()
    assert after_many <= MOST_MEMORY, f"KiB: {after_many}"
    samples = []
    for number in range(10):
        alice.create(f"m{number}", size=16 << 20)
        alice.start(f"m{number}", base)
        alice.nat(f"m{number}", True)
        alice.stop(f"m{number}")
        alice.destroy(f"m{number}")
        samples.append(private_kib_at_rest())
    print(samples)
    warm = samples[3:]
    assert max(warm) <= min(warm) * 1.05 and max(warm) <= MOST_MEMORY, f"KiB: {samples}"


def crowd(alice, bob, base, dice, seconds, most):
    mine = {alice: {}, bob: {}}
    memory, done = [], collections.Counter()
    end = time.monotonic() + seconds
    next_kill = time.monotonic() + 5
    number = 0
    while time.monotonic() < end or not (done["kill"] and done["QuotaExceeded"]):
        number += 1
        user = dice.choice((alice, bob))
        having = mine[user]
        try:
            if time.monotonic() > next_kill and world.pid():
                memory.append(private_kib_at_rest())
                os.kill(world.pid(), 9)
                done["kill"] += 1
                next_kill = time.monotonic() + dice.uniform(2, 8)
            if len(having) <= most and dice.random() < 0.7:
                expected = len(having) == most
                name = f"s{number}"
                try:
                    user.create(name, size=dice.choice((0, 16 << 20)))
                    having[name] = "stopped"
                    done["create"] += 1
                    assert not expected, "one more than the quota"
                except Refused as refusal:
                    assert "freedesktop" in refusal.name or (refusal.name == "QuotaExceeded" and expected), (refusal, len(having))
                    done[refusal.name] += 1
            elif having:
                act(user, base, dice, dice.choice(sorted(having)), having)
                done["other"] += 1
        except Refused as refusal:
            stood_still = "polkit gives no answer" in refusal.message and polkit_stood_still()
            assert "freedesktop" in refusal.name or stood_still, refusal
            done["polkit stood still"] += stood_still
        mine[user] = {name: row["state"] for name, row in again(user.list).items()}
    print(dict(done), memory)
    assert max(memory) <= MOST_MEMORY, f"KiB: {memory}"


def polkit_stood_still():
    """polkitd 122 ends a rule that takes 15 s, and at times, after thousands, takes one that had long ended for it."""
    return "Terminating runaway script" in wait.until(lambda: world.sh("journalctl -b -u polkit --since -30s | grep runaway", check=False), 20, "its own word")


def unless_polkit_stands_still(call):
    """Once more, then."""
    try:
        call()
    except Refused as refusal:
        assert "polkit gives no answer" in refusal.message and polkit_stood_still(), refusal
        call()


def again(call):
    """A broker that was killed is back at the next call."""
    for _ in range(20):
        try:
            return call()
        except Refused as refusal:
            assert "freedesktop" in refusal.name, refusal
    raise AssertionError("it does not come back")


def act(user, base, dice, name, having):
    row = user.list()[name]
    disk = [] if row["limit"] == 0 else base
    if row["state"] == "stopped" and dice.random() < 0.7:
        user.start(name, disk or None)
    elif row["state"] != "stopped" and dice.random() < 0.3:
        user.nat(name, dice.random() < 0.5)
    elif row["state"] != "stopped":
        user.stop(name)
    else:
        user.destroy(name)


def private_kib_at_rest():
    """It gives back what it can a second after a call, and after the look at the firewall that may follow, which takes megabytes for a moment."""
    time.sleep(3)
    end = time.monotonic() + 20
    while private_kib() > MOST_MEMORY and time.monotonic() < end:
        time.sleep(1)
    return private_kib()


def private_kib():
    text = open(f"/proc/{world.pid()}/smaps_rollup").read()
    return int(next(line.split()[1] for line in text.splitlines() if line.startswith("Private_Dirty")))
