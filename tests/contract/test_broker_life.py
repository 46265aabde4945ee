# SPDX-License-Identifier: GPL-2.0-or-later
"""How banger-broker starts and leaves."""

import pathlib
import random
import shutil
import subprocess
import tempfile
import threading
import time

import dbus
import pytest

from harness import wait
from harness.broker import AUTHORITY, DIGEST, MANAGE, MOCK, NAME, PATH, POLKIT, BrokerWorld, error_of, program

IDLE_MS = 60


def test_an_idle_one_leaves(world, polkit):
    client = world.start(300)
    client.list()
    assert world.process.wait(15) == 0
    assert not client.has_owner()


def test_one_with_a_running_sandbox_stays(world, polkit, base):
    polkit.allow(MANAGE)
    client = world.start(300)
    client.create("box")
    client.start("box", base)
    with pytest.raises(subprocess.TimeoutExpired):
        world.process.wait(2)
    client.call("StopSandbox", "s", "box")
    assert world.process.wait(15) == 0


def start_as_it_leaves(client, base):
    """By the broker's unique name, as soon as it has given its other one back: as a call that was on its way."""
    owner = client.bus.get_name_owner(NAME)
    while client.has_owner():
        pass
    disks = dbus.Array([dbus.types.UnixFd(base)], signature="h")
    client.bus.call_blocking(owner, PATH, NAME, "StartSandbox", "sahayu", ("box", disks, DIGEST, dbus.UInt32(2)))


def test_one_that_leaves_stays_for_a_sandbox_that_is_started_meanwhile(world, polkit, base):
    polkit.allow(MANAGE)
    client = world.start(300)
    client.create("box")
    start_as_it_leaves(client, base)
    wait.until(client.has_owner, 10, "it has its name again")
    assert client.list()["box"][0] == "running"


def test_one_that_systemd_ends_as_its_name_is_gone_fails_if_a_sandbox_was_started_meanwhile(world, polkit, base):
    """Then systemd starts the next one."""
    polkit.allow(MANAGE)
    client = world.start(300)
    client.create("box")
    start_as_it_leaves(client, base)
    world.process.terminate()
    assert world.process.wait(15) == 1


@pytest.mark.parametrize("polkit_answers, error", [(True, None), (False, "Unavailable")])
def test_a_call_that_came_as_an_idle_one_left_is_done_though_systemd_ends_it(world, polkit, polkit_answers, error):
    polkit.allow(MANAGE)
    client = world.start(300)
    polkit.tell("SimulateHang", "b", True)
    owner = client.bus.get_name_owner(NAME)
    answers = []

    def create():
        arguments = ("box", dbus.ByteArray(b""), dbus.UInt64(0), dbus.UInt32(1))
        answers.append(error_of(client.bus.call_blocking, owner, PATH, NAME, "CreateSandbox", "saytu", arguments)[0])

    asking = threading.Thread(target=create)
    while client.has_owner():
        pass
    asking.start()
    wait.until(lambda: polkit.bus.call_blocking(POLKIT, AUTHORITY, MOCK, "HaveHangingCalls", "", ()), 10, "polkit is asked")
    world.process.terminate()
    if polkit_answers:
        polkit.tell("ReleaseHangingCalls", "")
    assert world.process.wait(10) == 0
    asking.join()
    assert answers == [error]


def test_a_prompt_that_nobody_answers_keeps_no_broker_that_is_told_to_end(world, polkit):
    client = world.start()
    polkit.tell("SimulateHang", "b", True)
    answers = []
    asking = threading.Thread(target=lambda: answers.append(error_of(client.create, "box", 0, 1)[0]))
    asking.start()
    wait.until(lambda: polkit.bus.call_blocking(POLKIT, AUTHORITY, MOCK, "HaveHangingCalls", "", ()), 10, "polkit is asked")
    world.process.terminate()
    assert world.process.wait(5) == 0
    asking.join()
    assert answers == ["Unavailable"]


def test_sigterm_ends_it_and_answers_what_came(world, client):
    client.list()
    world.process.terminate()
    assert world.process.wait(15) == 0


def test_one_that_can_not_read_its_journal_ends_and_does_nothing(world):
    world.launch(30_000, 1)
    assert world.process.wait(15) == 1
    assert "records.load" in world.log()


@pytest.fixture
def activating():
    """A bus that starts the broker itself; it leaves after 60 ms."""
    folder = pathlib.Path(tempfile.mkdtemp(prefix="bt-", dir="/tmp"))
    wrapper = folder / "broker"
    wrapper.write_text(f"#!/bin/sh\nexec {program()} {IDLE_MS} 2>>{folder}/broker.stderr\n")
    wrapper.chmod(0o755)
    (folder / "services").mkdir()
    (folder / "services" / f"{NAME}.service").write_text(f"[D-BUS Service]\nName={NAME}\nExec={wrapper}\n")
    world = BrokerWorld(folder, folder / "services")
    yield world
    world.close()
    shutil.rmtree(folder)


@pytest.mark.limit(900)
def test_no_call_of_10000_is_lost_across_the_idle_exit(activating):
    """From eight connections, with pauses that end about when the broker leaves: the bus starts it again and again."""
    threads, rounds, calls = 8, 50, 25
    pauses = random.Random(4711)
    together = threading.Barrier(threads, action=lambda: time.sleep(pauses.uniform(0.6, 5) * IDLE_MS / 1000))
    lost = []

    def call(client):
        for _ in range(rounds):
            together.wait()
            for _ in range(calls):
                error, sentence = error_of(client.call, "List", timeout=60.0)
                if error:
                    lost.append(f"{error}: {sentence}")

    workers = [threading.Thread(target=call, args=(activating.client(),)) for _ in range(threads)]
    for worker in workers:
        worker.start()
    for worker in workers:
        worker.join()
    lives = activating.log().count("serving")
    assert not lost, f"{len(lost)} lost in {lives} lives: {lost[:3]}"
    assert lives > 5, "it left and came back"
