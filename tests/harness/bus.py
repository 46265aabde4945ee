# SPDX-License-Identifier: GPL-2.0-or-later
"""A session bus of a test's own, and dev.banger.Agent1 as a client sees it."""

import pathlib
import subprocess

import dbus
import dbus.bus

NAME = "dev.banger.Agent1"
ROOT = "/dev/banger/Agent1"
ERROR = "dev.banger.Error."

CONFIG = """<!DOCTYPE busconfig PUBLIC "-//freedesktop//DTD D-Bus Bus Configuration 1.0//EN"
 "http://www.freedesktop.org/standards/dbus/1.0/busconfig.dtd">
<busconfig>
  <type>session</type>
  <listen>unix:path={socket}</listen>
  <auth>EXTERNAL</auth>
  {services}
  <policy context="default">
    <allow send_destination="*" eavesdrop="true"/>
    <allow eavesdrop="true"/>
    <allow own="*"/>
  </policy>
</busconfig>
"""


class SessionBus:
    """A dbus-daemon with the services of one folder, or none."""

    def __init__(self, folder, env, services=None):
        folder = pathlib.Path(folder)
        socket = folder / "session.sock"
        config = folder / "session.conf"
        config.write_text(CONFIG.format(socket=socket, services=f"<servicedir>{services}</servicedir>" if services else ""))
        self.address = f"unix:path={socket}"
        self.process = subprocess.Popen(["dbus-daemon", f"--config-file={config}", "--nofork", "--nopidfile", "--nosyslog", "--print-address"],
                                        env={**env, "DBUS_SESSION_BUS_ADDRESS": self.address}, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE)
        assert self.process.stdout.readline(), "dbus-daemon listens"  # its socket alone is there before

    def close(self):
        self.process.kill()
        self.process.wait()
        self.process.stdout.close()


def calls_until(address, last, run):
    """Members of bangerd's own interfaces that are called while run() runs, in order, up to the first call of `last`."""
    monitor = subprocess.Popen(["timeout", "60", "stdbuf", "-oL", "dbus-monitor", "--address", address, f"type=method_call,destination={NAME}"],
                               stdout=subprocess.PIPE, text=True)
    calls = []
    try:
        for line in monitor.stdout:
            if "member=NameLost" in line:  # what the bus takes from who becomes a monitor
                break
        run()
        for line in monitor.stdout:
            if f"interface={NAME}." in line:
                calls.append(line.split("member=")[1].split()[0])
                if calls[-1] == last:
                    break
    finally:
        monitor.terminate()
        monitor.communicate()
    return calls


class Agent:
    """A client's connection to bangerd. Calls give what dbus-python gives; failures are dbus.DBusException."""

    def __init__(self, address):
        self.address = address
        self.bus = dbus.bus.BusConnection(address)

    def has_owner(self):
        return self.bus.name_has_owner(NAME)

    def interface(self, path, interface):
        return dbus.Interface(self.bus.get_object(NAME, path), f"{NAME}.{interface}")

    @property
    def manager(self):
        return self.interface(ROOT, "Manager")

    def get(self, path, interface, name):
        return self.bus.call_blocking(NAME, path, "org.freedesktop.DBus.Properties", "Get", "ss", (f"{NAME}.{interface}", name))

    def call(self, path, interface, member, signature, arguments, timeout=30.0):
        return self.bus.call_blocking(NAME, path, f"{NAME}.{interface}", member, signature, arguments, timeout=timeout)

    def create_vm(self, timeout=30.0, **options):
        """CreateVm with the types that the contract gives to each key; unknown keys go as they are."""
        return self.call(ROOT, "Manager", "CreateVm", "a{sv}", (typed(options),), timeout)

    def introspect(self, path):
        return self.bus.call_blocking(NAME, path, "org.freedesktop.DBus.Introspectable", "Introspect", "", ())

    def close(self):
        self.bus.close()


KEY_TYPES = {"vcpus": dbus.UInt32, "memory_mib": dbus.UInt32, "disk_bytes": dbus.UInt64, "ready_timeout_s": dbus.UInt32,
             "size_bytes": dbus.UInt64, "allow_host_loopback": dbus.Boolean, "start": dbus.Boolean, "remove_on_stop": dbus.Boolean,
             "dry_run": dbus.Boolean, "force": dbus.Boolean, "docker": dbus.Boolean, "stop": dbus.Boolean, "work_disk": dbus.Boolean, "keep": dbus.Boolean}


def typed(options):
    """Plain Python values get the contract's types; a value that has a D-Bus type already keeps it."""
    values = {}
    for key, value in options.items():
        plain = type(value) in (bool, int, str)
        values[key] = KEY_TYPES.get(key, dbus.String)(value) if plain else value
    return dbus.Dictionary(values, signature="sv")


def error_of(call, *args, **options):
    """The short name of the error (`NotFound`) that a call fails with, and its sentence; fails the test when it succeeds."""
    try:
        answer = call(*args, **options)
    except dbus.DBusException as error:
        return (error.get_dbus_name() or "").removeprefix(ERROR), error.get_dbus_message()
    raise AssertionError(f"no error but {answer!r}")
