# SPDX-License-Identifier: GPL-2.0-or-later
"""Calls banger-broker for broker_user.py, as the user that runs it: a JSON line a call on stdin, one with the answer on stdout.

{"method": NAME, "signature": SIGNATURE, "args": […]}; where the signature has an h, the argument is how to get a descriptor: {"path", "flags"},
{"special": "memfd"|"pipe"|"socket"|"udp ADDRESS PORT"|"deleted PATH"}. The answer is {"ok": […]} or {"error": name, "message": text}.
{"signals": SECONDS} waits for one SandboxChanged."""

import json
import os
import socket
import sys

import dbus
import dbus.mainloop.glib
from gi.repository import GLib

NAME, PATH = "dev.banger.Broker1", "/dev/banger/Broker1"
kept = []


def descriptor(how):
    """Ours is closed with the message, python-dbus having its own."""
    if "path" in how:
        return os.open(how["path"], how.get("flags", os.O_RDONLY), 0o600)
    words = how["special"].split()
    if words[0] == "memfd":
        fd = os.memfd_create("base")
        os.ftruncate(fd, 1 << 20)
        return fd
    if words[0] == "pipe":
        return os.pipe()[0]
    if words[0] == "socket":
        return socket.socket(socket.AF_UNIX).detach()
    if words[0] == "udp":
        server = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
        server.bind((words[1], int(words[2])))
        kept.append(server)
        return os.dup(server.fileno())
    if words[0] == "deleted":
        fd = os.open(words[1], os.O_RDWR | os.O_CREAT, 0o600)
        os.ftruncate(fd, 1 << 20)
        os.close(fd)
        fd = os.open(words[1], os.O_RDONLY)
        os.unlink(words[1])
        return fd
    raise ValueError(how)


def with_descriptors(value):
    """Arguments as they came, but for what stands for a descriptor."""
    if isinstance(value, dict):
        fd = descriptor(value)
        wrapped = dbus.types.UnixFd(fd)
        os.close(fd)
        return wrapped
    if isinstance(value, list):
        return [with_descriptors(one) for one in value]
    return value


def plain(value):
    if isinstance(value, (dbus.String, str)):
        return str(value)
    if isinstance(value, dbus.Boolean):
        return bool(value)
    if isinstance(value, int):
        return int(value)
    return [plain(one) for one in value]


class Caller:
    def __init__(self):
        dbus.mainloop.glib.DBusGMainLoop(set_as_default=True)
        self.bus = dbus.SystemBus()
        self.signals = []
        self.bus.add_signal_receiver(lambda *args: self.signals.append(plain(list(args))), signal_name="SandboxChanged", dbus_interface=NAME)

    def call(self, request):
        if "signals" in request:
            context = GLib.MainContext.default()
            done = []
            GLib.timeout_add(int(request["signals"] * 1000), lambda: done.append(True))
            while not done and not self.signals:
                context.iteration(True)
            got, self.signals = self.signals, []
            return {"ok": got}
        try:
            answer = self.bus.call_blocking(NAME, PATH, request.get("interface", NAME), request["method"], request["signature"],
                                            with_descriptors(request["args"]), timeout=request.get("timeout", 60))
        except dbus.DBusException as error:
            return {"error": error.get_dbus_name(), "message": error.get_dbus_message()}
        if answer is None:
            answer = []
        return {"ok": plain(list(answer)) if isinstance(answer, (tuple, list)) else [plain(answer)]}


def main():
    caller = Caller()
    for line in sys.stdin:
        try:
            answer = caller.call(json.loads(line))
        except Exception as error:  # the test reads it
            answer = {"error": type(error).__name__, "message": str(error)}
        print(json.dumps(answer), flush=True)


main()
