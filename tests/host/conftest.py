# SPDX-License-Identifier: GPL-2.0-or-later
"""Fixtures: one kernel and one image for all, one running VM for the tests that leave it as it is, fresh ones for the others."""

import contextlib
import fcntl
import itertools
import os

import pytest

from harness import bus, wait
from harness.home import TESTS_CACHE, Home

BOOT_SECONDS = 180  # a systemd guest takes 10 to 15 s under TCG on an idle machine
BUILD_SECONDS = 1200  # mmdebstrap over a slow mirror


@pytest.fixture(scope="session")
def cache():
    """XDG_CACHE_HOME with the default kernel and image, kept from run to run. Its name says what it was made by (scripts/test-as-user)."""
    folder = TESTS_CACHE / os.environ.get("BANGER_TEST_CACHE_KEY", "default")
    folder.mkdir(parents=True, exist_ok=True)
    home = Home("cache", cache=folder)
    lock = open(folder / "tests.lock", "w")
    try:
        fcntl.flock(lock, fcntl.LOCK_EX)  # one of the test processes makes it for all
        home.banger("kernel", "import", check=True, timeout=BUILD_SECONDS)
        home.banger("image", "build", check=True, timeout=BUILD_SECONDS)
        home.banger("daemon", "stop")
    finally:
        lock.close()
        home.close()
    return folder


@contextlib.contextmanager
def world_of(cache, name):
    home = Home(name, cache=cache)
    try:
        yield home
        home.banger("daemon", "stop")
    finally:
        home.close()


@pytest.fixture(scope="session")
def world(cache):
    """The home that most tests share, with whatever VMs they make."""
    with world_of(cache, "host") as home:
        yield home


@pytest.fixture
def own_world(cache):
    """A home of this test's own, for those that kill bangerd or damage its files."""
    with world_of(cache, "own") as home:
        yield home


@pytest.fixture(scope="session")
def shared_vm(world):
    """A running VM for everybody; tests write only below /tmp and /root/NAME-OF-THE-TEST."""
    world.banger("vm", "create", "--name", "shared", "--memory", "512", "--disk-size", "4G", check=True, timeout=BOOT_SECONDS)
    yield "shared"
    world.banger("vm", "delete", "-f", "shared")


@pytest.fixture
def guest(world, shared_vm):
    """Runs a shell line in the shared VM and gives what it printed."""
    def run(line, timeout=60, check=True, **options):
        done = world.banger("vm", "exec", shared_vm, "--", "sh", "-c", line, timeout=timeout, **options)
        assert not check or done.returncode == 0, f"{line}: exit {done.returncode}: {done.stderr}"
        return done.stdout.strip() if check else done
    return run


_numbers = itertools.count(1)


class Vm:
    """A VM of one test's own."""

    def __init__(self, home, name):
        self.home = home
        self.name = name

    def exec(self, line, check=True, timeout=60, **options):
        done = self.home.banger("vm", "exec", self.name, "--", "sh", "-c", line, timeout=timeout, **options)
        assert not check or done.returncode == 0, f"{line}: exit {done.returncode}: {done.stderr}"
        return done.stdout.strip()

    def do(self, verb, *options, check=True, timeout=BOOT_SECONDS):
        return self.home.banger("vm", verb, *options, self.name, check=check, timeout=timeout)

    def state(self):
        return self.home.vms()[self.name]["state"]

    def wait_for_state(self, *states, seconds=60):
        return wait.until(lambda: (state := self.state()) in states and state, seconds, f"{self.name} is {' or '.join(states)}")

    def show(self):
        return self.home.show(self.name)

    def folder(self):
        return self.home.vms_folder / self.show()["id"]

    def boot_id(self):
        return self.exec("cat /proc/sys/kernel/random/boot_id")


@pytest.fixture
def make_vm(world):
    """Makes VMs that go when the test ends."""
    made = []

    def make(*options, home=world, name=None, memory="256", disk="1G"):
        name = name or f"own-{next(_numbers)}"
        made.append((home, name))
        home.banger("vm", "create", "--name", name, "--memory", memory, "--disk-size", disk, *options, check=True, timeout=BOOT_SECONDS)
        return Vm(home, name)

    yield make
    for home, name in made:
        if home.root.exists():
            home.banger("vm", "delete", "-f", name)


@pytest.fixture
def vm(make_vm):
    """One fresh, running VM."""
    return make_vm()


@pytest.fixture
def client(world):
    """The Agent1 interface of the shared world's bangerd."""
    world.banger("vm", "list", check=True)
    agent = bus.Agent(world.agent_address())
    yield agent
    agent.close()


@pytest.fixture
def nothing_left(world):
    """Checks, after the test, that the world has the VMs and processes that it had before, and no other folder."""
    def traces():
        folders = {path.name for path in world.vms_folder.iterdir()} if world.vms_folder.exists() else set()
        return set(world.vms()), folders, {process.name for process in world.processes()}, len(world.processes())

    world.banger("vm", "list", check=True)
    before = traces()
    yield
    wait.until(lambda: traces() == before, 20, f"only what was there before is left: before {before}, now {traces()}")
