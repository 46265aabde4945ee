# SPDX-License-Identifier: GPL-2.0-or-later
"""A real systemd user manager of a test's own, with a session bus and activation, also where systemd is not the machine's PID 1.

It needs a cgroup that is this user's: scripts/test-as-user delegates one when root starts it. It runs in a user and mount namespace in
which /run says that systemd booted the machine, which is all that it wants of the system manager."""

import os
import pathlib
import subprocess

import dbus.bus
import pytest

from . import namespaces, processes, wait
from .home import PREFIX

SYSTEMD = "/lib/systemd/systemd"

# As the packages dbus and dbus-user-session have them.
DBUS_SOCKET = """[Socket]
ListenStream=%t/bus
"""
DBUS_SERVICE = """[Unit]
Requires=dbus.socket
[Service]
Type=notify
NotifyAccess=main
ExecStart=dbus-daemon --session --address=systemd: --nofork --nopidfile --systemd-activation --syslog-only
"""

# Inside, as the same uid: an empty /run that says "booted by systemd"; the capabilities end with the exec, as the uid is not 0.
BOOTED = """
import ctypes, os, sys
libc = ctypes.CDLL(None, use_errno=True)
if libc.mount(b"tmpfs", b"/run", b"tmpfs", 0, b"mode=0755") != 0:
    sys.exit("mount: " + os.strerror(ctypes.get_errno()))
os.makedirs("/run/systemd/system")
PR_CAP_AMBIENT, PR_CAP_AMBIENT_CLEAR_ALL = 47, 4
libc.prctl(PR_CAP_AMBIENT, PR_CAP_AMBIENT_CLEAR_ALL, 0, 0, 0)
os.execvp(sys.argv[1], sys.argv[1:])
"""


class UserManager:
    """Serves on $XDG_RUNTIME_DIR/bus of `home`, whose environment then names that bus."""

    def __init__(self, home):
        self.home = home
        namespaces.require()
        if not os.access(SYSTEMD, os.X_OK):
            pytest.skip("systemd is not installed")
        units = home.config / "systemd" / "user"
        units.mkdir(parents=True)
        (units / "dbus.socket").write_text(DBUS_SOCKET)
        (units / "dbus.service").write_text(DBUS_SERVICE)
        (units / "sockets.target.wants").mkdir()
        (units / "sockets.target.wants" / "dbus.socket").symlink_to(units / "dbus.socket")
        home.env["XDG_DATA_DIRS"] = f"{PREFIX / 'share'}:/usr/share"
        self.log = home.root / "systemd.log"
        with open(self.log, "wb") as log:
            self.process = subprocess.Popen([*namespaces.UNSHARE, "--mount", "/usr/bin/python3", "-B", "-c", BOOTED, SYSTEMD, "--user"], env=home.env,
                                            stdin=subprocess.DEVNULL, stdout=log, stderr=log, start_new_session=True)
        self.address = f"unix:path={home.runtime / 'bus'}"
        home.env["DBUS_SESSION_BUS_ADDRESS"] = self.address
        try:
            wait.until(lambda: self.serves() or self.process.poll() is not None, 30, "the user manager serves")
        except AssertionError:
            self.close()
            raise
        if self.process.poll() is not None:
            pytest.skip(f"no systemd user manager can run here: {self.log.read_text(errors='replace').strip()[-300:]}")

    def kill_bangerd(self):
        """SIGKILL, and waits until the bus knows, too: before that it gives the next call to the dead one."""
        killed = self.home.agent_pids()
        self.home.kill_bangerd()
        wait.until(lambda: self.owner_pid("dev.banger.Agent1") not in killed, 10, "the bus takes the name from the killed bangerd")

    def owner_pid(self, name):
        connection = dbus.bus.BusConnection(self.address)
        try:
            bus = "org.freedesktop.DBus"
            return int(connection.call_blocking(bus, "/org/freedesktop/DBus", bus, "GetConnectionUnixProcessID", "s", (name,)))
        except dbus.DBusException:
            return None
        finally:
            connection.close()

    def serves(self):
        try:
            connection = dbus.bus.BusConnection(self.address)
        except dbus.DBusException:
            return False
        served = connection.name_has_owner("org.freedesktop.systemd1")
        connection.close()
        return served

    def systemctl(self, *words, check=True):
        done = subprocess.run(["systemctl", "--user", *words], env=self.home.env, capture_output=True, text=True, timeout=60)
        assert not check or done.returncode == 0, f"systemctl {' '.join(words)}: {done.stderr}"
        return done.stdout

    def units(self):
        """Names of banger's units that are loaded."""
        return [line.split()[0] for line in self.systemctl("list-units", "--all", "--plain", "--no-legend", "banger-*").splitlines()]

    def end_session(self, seconds=60):
        """What a logout does: every unit is stopped, each by its own rules."""
        self.process.terminate()
        self.process.wait(seconds)

    def close(self):
        if self.process.poll() is None:
            self.process.kill()
            self.process.wait()
        processes.end(self.home.processes())
