# SPDX-License-Identifier: GPL-2.0-or-later
"""What a client hears of bangerd that only listens: signals, by GLib's own D-Bus, as desktops have it."""

import time

from gi.repository import Gio, GLib

from .bus import NAME, ROOT

BUS = "org.freedesktop.DBus"


class Signals:
    """`heard`: (path, interface, member, arguments) of each signal below /dev/banger/Agent1, in order."""

    def __init__(self, address):
        flags = Gio.DBusConnectionFlags.AUTHENTICATION_CLIENT | Gio.DBusConnectionFlags.MESSAGE_BUS_CONNECTION
        self.heard = []
        self.connection = Gio.DBusConnection.new_for_address_sync(address, flags, None, None)
        self.connection.signal_subscribe(NAME, None, None, None, None, Gio.DBusSignalFlags.NONE, self._hear)
        self.connection.call_sync(BUS, "/org/freedesktop/DBus", BUS, "GetId", None, None, Gio.DBusCallFlags.NONE, -1, None)  # after it the bus listens

    def _hear(self, _connection, _sender, path, interface, member, parameters):
        if path.startswith(ROOT):
            self.heard.append((path, interface, member, parameters.unpack()))

    def until(self, condition, seconds, what):
        """The first true value of condition(); fails the test when there is none in time."""
        context = GLib.MainContext.default()
        deadline = time.monotonic() + seconds
        tick = GLib.timeout_add(100, lambda: True)  # so that the deadline is seen
        try:
            while not (value := condition()):
                assert time.monotonic() < deadline, f"not within {seconds} s: {what}; heard {self.heard}"
                context.iteration(True)
            return value
        finally:
            GLib.source_remove(tick)

    def changes(self, path, name):
        """The values of a property that PropertiesChanged told, in order; None where it only said that there is another."""
        values = []
        for where, _, member, arguments in self.heard:
            if (where, member) == (path, "PropertiesChanged"):
                values += [arguments[1][name]] if name in arguments[1] else [None] * (name in arguments[2])
        return values

    def came(self, path):
        return any(member == "InterfacesAdded" and arguments[0] == path for _, _, member, arguments in self.heard)

    def went(self, path):
        return any(member == "InterfacesRemoved" and arguments[0] == path for _, _, member, arguments in self.heard)

    def close(self):
        self.connection.close_sync(None)
