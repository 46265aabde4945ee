# SPDX-License-Identifier: GPL-2.0-or-later
"""dev.banger.Broker1 over a machine in memory (tests/fakes/broker_main.cpp), on a private bus that stands in for the system's, with
python-dbusmock's polkitd or none."""

import os
import pathlib
import subprocess

import dbus
import dbus.bus

from . import bus, wait
from .home import STAGE

NAME = "dev.banger.Broker1"
PATH = "/dev/banger/Broker1"
POLKIT = "org.freedesktop.PolicyKit1"
AUTHORITY = "/org/freedesktop/PolicyKit1/Authority"
MOCK = "org.freedesktop.DBus.Mock"
MANAGE, NETWORK, ADMINISTER = (f"dev.banger.{verb}" for verb in ("manage-sandboxes", "enable-network", "administer-sandboxes"))
DIGEST = dbus.ByteArray(bytes(range(32)))
GIB = 1 << 30
MIB = 1 << 20


def program():
    """The installed copy, or in a checkout what was built last."""
    found = [path for path in [STAGE / "fakes" / "banger-broker-fake", *STAGE.glob("build/*/bin/banger-broker-fake")] if path.exists()]
    assert found, "no banger-broker-fake; scripts/test contract builds it"
    return max(found, key=lambda path: path.stat().st_mtime)


class Polkit:
    """Denies everything until it is told otherwise."""

    def __init__(self, address, env, *arguments):
        command = ["/usr/bin/python3", "-m", "dbusmock", "--system", *(arguments or ("--template", "polkitd"))]
        self.process = subprocess.Popen(command, env=env, stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL)
        self.bus = dbus.bus.BusConnection(address)
        wait.until(lambda: self.bus.name_has_owner(POLKIT), 20, "the mock of polkit has its name")

    def tell(self, member, signature, *arguments):
        self.bus.call_blocking(POLKIT, AUTHORITY, MOCK, member, signature, arguments)

    def allow(self, *actions):
        self.tell("SetAllowed", "as", dbus.Array(actions, signature="s"))

    def kill(self):
        if self.process.poll() is None:
            self.process.kill()
            self.process.wait()
            wait.until(lambda: not self.bus.name_has_owner(POLKIT), 10, "the bus sees that polkit is gone")

    def close(self):
        if self.process.poll() is None:
            self.process.kill()
            self.process.wait()
        self.bus.close()


class Client:
    """One connection. Calls give what dbus-python gives; failures are dbus.DBusException."""

    def __init__(self, address):
        self.bus = dbus.bus.BusConnection(address)
        self.name = self.bus.get_unique_name()

    def call(self, member, signature="", *arguments, timeout=30.0):
        return self.bus.call_blocking(NAME, PATH, NAME, member, signature, arguments, timeout=timeout)

    def create(self, name, cow=GIB, flags=0):
        self.call("CreateSandbox", "saytu", name, DIGEST if cow else dbus.ByteArray(b""), dbus.UInt64(cow), dbus.UInt32(flags))

    def start(self, name, *files, flags=2, digest=DIGEST):
        fds = dbus.Array([dbus.types.UnixFd(file) for file in files], signature="h")
        return self.call("StartSandbox", "sahayu", name, fds, digest, dbus.UInt32(flags))

    def list(self):
        return {str(row[0]): [value for value in row[1:]] for row in self.call("List")}

    def introspect(self, path=PATH):
        return self.bus.call_blocking(NAME, path, "org.freedesktop.DBus.Introspectable", "Introspect", "", ())

    def has_owner(self):
        return self.bus.name_has_owner(NAME)

    def close(self):
        self.bus.close()


class BrokerWorld:
    """A bus, and on it whatever a test starts."""

    def __init__(self, folder, services=None):
        self.folder = pathlib.Path(folder)
        self.address = f"unix:path={self.folder}/session.sock"
        self.env = {name: value for name, value in os.environ.items() if not name.startswith("DBUS_")}
        self.env.update(DBUS_SYSTEM_BUS_ADDRESS=self.address, DBUS_SESSION_BUS_ADDRESS=self.address)
        self.bus = bus.SessionBus(folder, self.env, services)  # which gives its environment to what it activates
        assert self.bus.address == self.address
        self.stderr = self.folder / "broker.stderr"
        self.process = None
        self.polkit = None
        self.clients = []

    def client(self):
        client = Client(self.address)
        self.clients.append(client)
        return client

    def start_polkit(self, *arguments):
        self.polkit = Polkit(self.address, self.env, *arguments)
        return self.polkit

    def launch(self, *arguments):
        with open(self.stderr, "ab") as file:
            self.process = subprocess.Popen([str(program()), *map(str, arguments)], env=self.env, stdin=subprocess.DEVNULL, stdout=file,
                                            stderr=file)

    def start(self, *arguments):
        self.launch(*arguments)
        client = self.client()
        wait.until(lambda: client.has_owner() or self.process.poll() is not None, 30, "the broker takes its name")
        assert self.process.poll() is None, self.log()
        return client

    def log(self):
        return self.stderr.read_text(errors="replace")

    def open_descriptors(self):
        return len(os.listdir(f"/proc/{self.process.pid}/fd"))

    def close(self):
        for client in self.clients:
            client.close()
        if self.polkit:
            self.polkit.close()
        if self.process and self.process.poll() is None:
            self.process.kill()
            self.process.wait()
        self.bus.close()


def error_of(call, *arguments, **named):
    """The name of the error without its prefix, and its sentence."""
    try:
        call(*arguments, **named)
    except dbus.DBusException as error:
        return error.get_dbus_name().removeprefix("dev.banger.Error."), error.get_dbus_message()
    return None, ""
