# SPDX-License-Identifier: GPL-2.0-or-later
"""A bus that stands in for the system's, python-dbusmock's logind on it, and strangers who speak in its name."""

import pathlib
import shutil
import subprocess
import tempfile

import dbus
import dbus.bus
import dbus.lowlevel

from . import wait
from .bus import SessionBus

NAME = "org.freedesktop.login1"
PATH = "/org/freedesktop/login1"
MANAGER = f"{NAME}.Manager"
MOCK = "org.freedesktop.DBus.Mock"


class SystemBus:
    """`home`'s programs take it for the system bus. No logind is on it yet."""

    def __init__(self, home):
        self.folder = pathlib.Path(tempfile.mkdtemp(prefix="bt-", dir="/tmp"))  # a socket's path has 107 bytes
        self.env = home.env
        self.bus = SessionBus(self.folder, home.env)
        self.env["DBUS_SYSTEM_BUS_ADDRESS"] = self.bus.address
        self.client = dbus.bus.BusConnection(self.bus.address)
        self.process = None

    def start_logind(self):
        self.process = subprocess.Popen(["/usr/bin/python3", "-m", "dbusmock", "--system", "--template", "logind"], env=self.env,
                                        stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
        wait.until(lambda: self.client.name_has_owner(NAME), 20, "the mock of logind has its name")

    def end_logind(self):
        self.process.kill()
        self.process.wait()
        wait.until(lambda: not self.client.name_has_owner(NAME), 10, "the bus sees that logind is gone")

    def say(self, member, start):
        """PrepareForSleep or PrepareForShutdown, as logind says it."""
        arguments = (MANAGER, member, "b", dbus.Array([dbus.Boolean(start)], signature="v"))
        self.client.call_blocking(NAME, PATH, MOCK, "EmitSignal", "sssav", arguments)

    def forge(self, member, start):
        """The same of somebody else: to all, and to each connection by itself, which no match rule keeps out."""
        bus = "org.freedesktop.DBus"
        names = [name for name in self.client.call_blocking(bus, "/org/freedesktop/DBus", bus, "ListNames", "", ()) if name.startswith(":")]
        for destination in [None, *names]:
            message = dbus.lowlevel.SignalMessage(PATH, MANAGER, member)
            message.append(start, signature="b")
            if destination:
                message.set_destination(destination)
            self.client.send_message(message)
        self.client.flush()

    def inhibitors(self):
        """(what, who, why, mode) of whoever makes it wait."""
        return [tuple(map(str, row[:4])) for row in self.client.call_blocking(NAME, PATH, MANAGER, "ListInhibitors", "", ())]

    def end(self):
        """The bus is gone, and all that was on it."""
        self.client.close()
        self.bus.close()

    def close(self):
        if self.process and self.process.poll() is None:
            self.process.kill()
            self.process.wait()
        if self.bus.process.poll() is None:
            self.end()
        shutil.rmtree(self.folder, ignore_errors=True)
