# SPDX-License-Identifier: GPL-2.0-or-later
"""What a desktop has around bangerd: a search, a notification daemon (python-dbusmock's), a terminal that writes down what it is to run."""

import json
import subprocess

import dbus
import dbus.bus
import dbus.lowlevel

from . import bus, wait
from .home import PREFIX

PROVIDER = ("/dev/banger/SearchProvider", "org.gnome.Shell.SearchProvider2")
RUNNER = ("/dev/banger/Runner", "org.kde.krunner1")
NOTIFICATIONS = "org.freedesktop.Notifications"
NOTIFICATIONS_PATH = "/org/freedesktop/Notifications"
MOCK = "org.freedesktop.DBus.Mock"

TERMINAL = """#!/bin/sh
{{ for word; do printf '%s\\0' "$word"; done; printf '\\n'; }} >>{told}
"""


def in_window(*words):
    """What a terminal is to run for `banger WORDS`."""
    return [str(PREFIX / "bin" / "banger"), "internal", "window", "--", *words]


def strings(words):
    return dbus.Array(words, signature="s")


class Terminal:
    """xdg-terminal-exec on the PATH of `home`, for who is started after it."""

    def __init__(self, home, name="xdg-terminal-exec"):
        folder = home.root / "terminal"
        folder.mkdir()
        self.told = folder / "told"
        program = folder / name
        program.write_text(TERMINAL.format(told=self.told))
        program.chmod(0o755)
        home.env["PATH"] = f"{folder}:{home.env['PATH']}"

    def opened(self):
        """The words of each, in their order."""
        if not self.told.exists():
            return []
        whole = self.told.read_text().rpartition("\n")[0]
        return [line.split("\0")[:-1] for line in whole.splitlines()]

    def wait(self, count=1, seconds=20):
        return wait.until(lambda: len(found := self.opened()) >= count and found, seconds, f"terminal {count} opens")


class Search:
    """Both shells, over one connection to bangerd."""

    def __init__(self, address):
        self.bus = dbus.bus.BusConnection(address)

    def _call(self, where, member, signature="", *arguments):
        path, interface = where
        return self.bus.call_blocking(bus.NAME, path, interface, member, signature, arguments, timeout=20.0)

    def results(self, *terms):
        return [str(result) for result in self._call(PROVIDER, "GetInitialResultSet", "as", strings(terms))]

    def refined(self, previous, *terms):
        return [str(result) for result in self._call(PROVIDER, "GetSubsearchResultSet", "asas", strings(previous), strings(terms))]

    def metas(self, *results):
        return [{str(key): str(value) for key, value in meta.items()} for meta in self._call(PROVIDER, "GetResultMetas", "as", strings(results))]

    def names(self, *terms):
        return [meta["name"] for meta in self.metas(*self.results(*terms))]

    def activate(self, result, *terms):
        self._call(PROVIDER, "ActivateResult", "sasu", result, strings(terms), dbus.UInt32(0))

    def launch(self, *terms):
        self._call(PROVIDER, "LaunchSearch", "asu", strings(terms), dbus.UInt32(0))

    def actions(self):
        return [tuple(map(str, row)) for row in self._call(RUNNER, "Actions")]

    def match(self, query):
        return list(self._call(RUNNER, "Match", "s", query))

    def run(self, match, action=""):
        self._call(RUNNER, "Run", "ss", match, action)

    def teardown(self):
        self._call(RUNNER, "Teardown")

    def close(self):
        self.bus.close()


class NotificationDaemon:
    """Writes down what it is to show, and says what a person clicks."""

    def __init__(self, address, env, capabilities="body body-markup actions"):
        command = ["/usr/bin/python3", "-m", "dbusmock", "--session", "--template", "notification_daemon", "--parameters",
                   json.dumps({"capabilities": capabilities})]
        self.process = subprocess.Popen(command, env={**env, "DBUS_SESSION_BUS_ADDRESS": address}, stdin=subprocess.DEVNULL,
                                        stdout=subprocess.DEVNULL)
        self.bus = dbus.bus.BusConnection(address)
        wait.until(lambda: self.bus.name_has_owner(NOTIFICATIONS), 20, "the notification daemon has its name")

    def _tell(self, member, signature, *arguments):
        return self.bus.call_blocking(NOTIFICATIONS, NOTIFICATIONS_PATH, MOCK, member, signature, arguments)

    def calls(self, member="Notify"):
        return [list(arguments) for _, arguments in self._tell("GetMethodCalls", "s", member)]

    def titles(self):
        return [str(call[3]) for call in self.calls()]

    def wait(self, words, seconds=20):
        """The arguments of the first call whose title has these words."""
        return wait.until(lambda: next((call for call in self.calls() if words in call[3]), None), seconds, f"a notification: {words}")

    def click(self, number, action):
        """What is clicked is gone from the screen, as with most daemons: one signal right behind the other."""
        self._tell("EmitSignal", "sssav", "", "ActionInvoked", "us", dbus.Array([dbus.UInt32(number), action], signature="v"))
        self._tell("EmitSignal", "sssav", "", "NotificationClosed", "uu", dbus.Array([dbus.UInt32(number), dbus.UInt32(2)], signature="v"))

    def close(self):
        if self.process.poll() is None:
            self.process.kill()
            self.process.wait()
        self.bus.close()


def click_as_stranger(connection, number, action, receiver=None):
    """The signal of a daemon that this connection is not; `receiver`: to one connection alone."""
    message = dbus.lowlevel.SignalMessage(NOTIFICATIONS_PATH, NOTIFICATIONS, "ActionInvoked")
    message.append(dbus.UInt32(number), action, signature="us")
    if receiver:
        message.set_destination(receiver)
    connection.send_message(message)
    connection.flush()


def describe_vms(home, names, kernel="debian"):
    """VMs that the next bangerd finds, with an image and a kernel that are not there: a start of one fails. {name: id}"""
    ids = {}
    for number, name in enumerate(names):
        ids[name] = f"vm{number:010}"
        folder = home.vms_folder / ids[name]
        folder.mkdir(parents=True, mode=0o700)
        (folder / "console.log").write_text(f"the console of {name}\n")
        (folder / "vm.json").write_text(json.dumps({
            "name": name, "image": "debian", "image_digest": "a" * 64, "kernel": kernel, "kernel_digest": "b" * 64, "vcpus": 1,
            "memory_mib": 256, "disk_bytes": 1 << 30, "vmm": "qemu-tcg", "network": "none", "storage": "file", "allow_host_loopback": False,
            "remove_on_stop": False}))
    return ids
