# SPDX-License-Identifier: GPL-2.0-or-later
"""Fixtures: a real bangerd on a private bus, in folders of its own. No VM is ever started here."""

import os
import shutil
import signal
import subprocess
import tempfile

import pytest

from harness import bus, wait
from harness.broker import MIB, BrokerWorld
from harness.home import PREFIX, Home

def bangerd_program():
    found = [path for path in PREFIX.rglob("bangerd") if path.is_file()]
    assert found, f"no bangerd below {PREFIX}"
    return found[0]


class Bangerd:
    """A bangerd of the test's own, on a session bus of its own."""

    def __init__(self, home):
        self.home = home
        self.bus = bus.SessionBus(home.runtime, home.env)
        home.env["DBUS_SESSION_BUS_ADDRESS"] = self.bus.address
        self.process = None
        self.client = None

    def launch(self, *options):
        self.stderr = self.home.root / "bangerd.stderr"
        with open(self.stderr, "ab") as file:
            self.process = subprocess.Popen([str(bangerd_program()), *options], env=self.home.env, stdin=subprocess.DEVNULL, stdout=file,
                                            stderr=file)
        return self.process

    def start(self, *options):
        self.launch(*options)
        self.client = self.client or bus.Agent(self.bus.address)
        wait.until(lambda: self.client.has_owner() or self.process.poll() is not None, 15, "bangerd takes its name")
        assert self.process.poll() is None, f"bangerd ended with {self.process.returncode}: {self.errors()}"
        return self.client

    def errors(self):
        return self.stderr.read_text(errors="replace")

    def wait(self, seconds=15):
        return self.process.wait(seconds)

    def kill(self, signal_number=signal.SIGKILL):
        self.process.send_signal(signal_number)
        code = self.wait()
        wait.until(lambda: not self.client.has_owner(), 10, "the bus sees that bangerd is gone")
        return code

    def close(self):
        if self.process and self.process.poll() is None:
            self.process.kill()
            self.process.wait()
        if self.client:
            self.client.close()
        self.bus.close()


@pytest.fixture
def home():
    home = Home("contract")
    yield home
    home.close()


@pytest.fixture
def bangerd(home):
    """Not started yet."""
    daemon = Bangerd(home)
    yield daemon
    daemon.close()


@pytest.fixture
def agent(bangerd):
    """A client of a bangerd that runs."""
    return bangerd.start()


@pytest.fixture(scope="module")
def shared_home():
    home = Home("contract")
    yield home
    home.close()


@pytest.fixture(scope="module")
def shared(shared_home):
    """A client of one bangerd for all tests of a file that leave it as it is."""
    daemon = Bangerd(shared_home)
    yield daemon.start()
    daemon.close()


@pytest.fixture
def world():
    """A bus for a broker and polkit; neither is started yet."""
    folder = tempfile.mkdtemp(prefix="bt-", dir="/tmp")  # a socket's path has 107 bytes
    world = BrokerWorld(folder)
    yield world
    world.close()
    shutil.rmtree(folder)


@pytest.fixture
def polkit(world):
    return world.start_polkit()


@pytest.fixture
def client(world, polkit):
    """Of a broker that runs, beside a polkit that denies everything."""
    return world.start()


@pytest.fixture
def base(tmp_path):
    """A disk's descriptor."""
    path = tmp_path / "base.img"
    with open(path, "wb") as file:
        file.truncate(64 * MIB)
    fd = os.open(path, os.O_RDONLY | os.O_CLOEXEC)
    yield fd
    os.close(fd)
