#!/usr/bin/python3
# SPDX-License-Identifier: GPL-2.0-or-later
"""A client of dev.banger.Agent1, which the manual page dev.banger.Agent1(7) describes: makes a VM, waits for the signal that it is ready, runs a
command in it with this program's own standard input, output and error, and deletes the VM. It needs Python and python3-gi, nothing of banger's."""

import argparse
import contextlib
import json
import os
import socket
import sys
import threading

from gi.repository import Gio, GLib

NAME = "dev.banger.Agent1"
ROOT = "/dev/banger/Agent1"
NO_LIMIT = GLib.MAXINT32  # of Operation.Wait, which answers when the work is done


class Failure(Exception):
    """A sentence for the user."""


def sentence_of(error):
    """D-Bus errors come as "GDBus.Error:NAME: sentence"; bangerd's sentences are made to be shown."""
    return error.message.split(": ", 1)[-1] if Gio.DBusError.get_remote_error(error) else error.message


class Agent:
    """A connection to bangerd. `seen` has the properties of its objects, as far as signals have told them."""

    def __init__(self, address=None):
        if address:
            flags = Gio.DBusConnectionFlags.AUTHENTICATION_CLIENT | Gio.DBusConnectionFlags.MESSAGE_BUS_CONNECTION
            self.bus = Gio.DBusConnection.new_for_address_sync(address, flags, None, None)
        else:
            self.bus = Gio.bus_get_sync(Gio.BusType.SESSION, None)
        self.seen = {}
        self.gone = False
        self.loop = GLib.MainLoop()
        # Before anything is made, so that no change is missed. The first argument of PropertiesChanged is the interface.
        for interface in ("Vm", "Operation"):
            self.bus.signal_subscribe(NAME, "org.freedesktop.DBus.Properties", "PropertiesChanged", None, f"{NAME}.{interface}",
                                      Gio.DBusSignalFlags.NONE, self._changed)

    def _changed(self, _bus, _sender, path, _interface, _signal, parameters):
        self.seen.setdefault(path, {}).update(parameters.unpack()[1])
        self.loop.quit()

    def _vanished(self, *_):
        self.gone = True
        self.loop.quit()

    def call(self, path, interface, method, signature, *arguments, limit=-1):
        """Starts bangerd where none runs, as the bus does that. Gives the list of results."""
        parameters = GLib.Variant(signature, arguments)
        return self.bus.call_sync(NAME, path, f"{NAME}.{interface}", method, parameters, None, Gio.DBusCallFlags.NONE, limit, None).unpack()

    def wait_until(self, condition):
        """Sleeps between signals."""
        watch = Gio.bus_watch_name_on_connection(self.bus, NAME, Gio.BusNameWatcherFlags.NONE, None, self._vanished)
        while not condition():
            if self.gone:
                raise Failure("bangerd ended")
            self.loop.run()
        Gio.bus_unwatch_name(watch)

    def create(self, **options):
        """A VM that is ready: its object's path. The types of the options are those of CreateVm."""
        vm, operation = self.call(ROOT, "Manager", "CreateVm", "(a{sv})", options)
        try:
            self.wait_until(lambda: self.seen.get(vm, {}).get("Ready") or self.seen.get(operation, {}).get("State") in ("failed", "cancelled"))
            if not self.seen.get(vm, {}).get("Ready"):
                raise Failure(self.seen[operation]["Error"][1])
        except BaseException:
            with contextlib.suppress(GLib.Error):  # what could not be made is mostly gone already
                self.delete(vm)
            raise
        return vm

    def delete(self, vm):
        operation, = self.call(vm, "Vm", "Delete", "(b)", True)
        self.call(operation, "Operation", "Wait", "()", limit=NO_LIMIT)

    def run(self, vm, argv):
        """Runs a command to its end, as one that a shell started. Gives its exit code, or 128 and the signal that ended it."""
        words = [os.fsencode(word) for word in argv]
        parameters = GLib.Variant("(aayaayaysuqq)", (words, [], b"", "", 0, 0, 0))
        answer, list_of_fds = self.bus.call_with_unix_fd_list_sync(NAME, vm, f"{NAME}.Vm", "Exec", parameters, None, Gio.DBusCallFlags.NONE, -1,
                                                                   None, None)
        fds = list_of_fds.steal_fds()  # a copy that stays open would hold back the command's end-of-file
        stdin, stdout, stderr, control = (fds[index] for index in answer.unpack())
        threading.Thread(target=pump, args=(os.dup(sys.stdin.fileno()), stdin), daemon=True).start()
        outputs = [threading.Thread(target=pump, args=(stdout, os.dup(sys.stdout.fileno()))),
                   threading.Thread(target=pump, args=(stderr, os.dup(sys.stderr.fileno())))]
        for output in outputs:
            output.start()
        with socket.socket(fileno=control) as packets:
            last = json.loads(packets.recv(65536) or b"{}")
        for output in outputs:
            output.join()
        if "exit" in last:
            return last["exit"]
        if "signal" in last:
            return 128 + last["signal"]
        raise Failure(last.get("message", "the VM ended"))


def pump(source, sink):
    """All of `source` into `sink`. Both are closed then: for a command's input that is the end-of-file, and a command whose output nobody takes any more
    is to hear of that, or it would wait for ever."""
    with contextlib.suppress(OSError):  # the other end has gone
        while data := os.read(source, 65536):
            while data:
                data = data[os.write(sink, data):]
    os.close(sink)
    os.close(source)


def parse_arguments():
    parser = argparse.ArgumentParser(description="Runs a command in a VM of its own.", epilog="Exits as the command does; 1 where something fails.")
    parser.add_argument("--bus", metavar="ADDRESS", help="of the bus, where it is not the session's: what `banger daemon socket` prints")
    parser.add_argument("--image", help="the VM's image (default: bangerd's)")
    parser.add_argument("--name", help="the VM's name (default: made up)")
    parser.add_argument("command", nargs=argparse.REMAINDER, help="and its arguments")
    options = parser.parse_args()
    if options.command[:1] == ["--"]:
        del options.command[0]
    if not options.command:
        parser.error("a command is missing")
    return options


def main():
    options = parse_arguments()
    wanted = {key: GLib.Variant("s", value) for key, value in (("image", options.image), ("name", options.name)) if value is not None}
    try:
        agent = Agent(options.bus)
        vm = agent.create(**wanted)
        try:
            code = agent.run(vm, options.command)
        finally:
            agent.delete(vm)
    except GLib.Error as error:
        sys.exit(f"client.py: {sentence_of(error)}")
    except Failure as failure:
        sys.exit(f"client.py: {failure}")
    sys.exit(code)


if __name__ == "__main__":
    main()
