# SPDX-License-Identifier: GPL-2.0-or-later
"""`banger daemon enable` and `disable`, against mocks of logind and of the user's systemd: what they are asked, and what is told of their answers. The lab
has the real ones, and a reboot."""

import os
import signal
import subprocess

import dbus
import dbus.bus
import pytest

from harness import archives, bus, logind, namespaces, wait

SYSTEMD = "org.freedesktop.systemd1"
SYSTEMD_PATH = "/org/freedesktop/systemd1"
SYSTEMD_MANAGER = f"{SYSTEMD}.Manager"
USER_PATH = f"/org/freedesktop/login1/user/_{os.geteuid()}"
UNIT = "banger-autostart.service"


class Systemd:
    """On the session bus of `home`."""

    def __init__(self, home):
        self.bus = bus.SessionBus(home.runtime, home.env)
        home.env["DBUS_SESSION_BUS_ADDRESS"] = self.bus.address
        self.process = subprocess.Popen(["/usr/bin/python3", "-m", "dbusmock", "--session", SYSTEMD, SYSTEMD_PATH, SYSTEMD_MANAGER], env=home.env,
                                        stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL)
        self.client = dbus.bus.BusConnection(self.bus.address)
        wait.until(lambda: self.client.name_has_owner(SYSTEMD), 20, "the mock of systemd has its name")
        changes = 'dbus.Array([], signature="(sss)")'
        self.add("EnableUnitFiles", "asbb", "ba(sss)", f"ret = (True, {changes})")
        self.add("DisableUnitFiles", "asb", "a(sss)", f"ret = {changes}")
        self.add("Reload", "", "", "")

    def tell(self, member, signature, *arguments):
        return self.client.call_blocking(SYSTEMD, SYSTEMD_PATH, logind.MOCK, member, signature, arguments)

    def add(self, name, inputs, outputs, code):
        self.tell("AddMethod", "sssss", SYSTEMD_MANAGER, name, inputs, outputs, code)

    def calls(self, member):
        return [list(arguments) for _, arguments in self.tell("GetMethodCalls", "s", member)]

    def close(self):
        self.process.kill()
        self.process.wait()
        self.client.close()
        self.bus.close()


class Logind(logind.SystemBus):
    """With lingering."""

    def __init__(self, home, lingers=False):
        super().__init__(home)
        self.start_logind()
        self.tell("AddObject", "ssa{sv}a(ssss)", USER_PATH, f"{logind.NAME}.User", dbus.Dictionary({"Linger": dbus.Boolean(lingers)}, signature="sv"),
                  dbus.Array([], signature="(ssss)"))
        self.answer(f'objects["{USER_PATH}"].Set("{logind.NAME}.User", "Linger", args[1])')

    def tell(self, member, signature, *arguments):
        return self.client.call_blocking(logind.NAME, logind.PATH, logind.MOCK, member, signature, arguments)

    def answer(self, code):
        self.tell("AddMethod", "sssss", logind.MANAGER, "SetUserLinger", "ubb", "", code)

    def refuse(self, error, sentence):
        self.answer(f'raise dbus.exceptions.DBusException("{sentence}", name="{error}")')

    def asked(self):
        return [tuple(arguments) for _, arguments in self.tell("GetMethodCalls", "s", "SetUserLinger")]


@pytest.fixture
def systemd(home):
    mock = Systemd(home)
    yield mock
    mock.close()


@pytest.fixture
def login(home):
    mock = Logind(home)
    yield mock
    mock.close()


def note(home):
    return home.state / "banger" / "lingering-by-banger"


def test_enable_at_boot_asks_logind_and_links_the_unit(home, systemd, login):
    done = home.banger("daemon", "enable", "--at-boot", check=True)
    assert "start with this machine" in done.stdout and "banger vm set --autostart" in done.stderr
    assert login.asked() == [(os.geteuid(), True, True)], "for its own user, and polkit may ask him"
    assert systemd.calls("EnableUnitFiles") == [[[UNIT], False, False]]
    assert note(home).exists() and not home.agent_pids(), "bangerd isn't needed for that"
    home.banger("daemon", "enable", "--at-boot", check=True)
    assert len(login.asked()) == 1, "it is on already"
    home.banger("daemon", "disable", check=True)
    assert login.asked()[1] == (os.geteuid(), False, True)
    assert systemd.calls("DisableUnitFiles") == [[[UNIT], False]]
    assert not note(home).exists()


def test_enable_alone_asks_logind_for_nothing(home, systemd, login):
    done = home.banger("daemon", "enable", check=True)
    assert "when you log in" in done.stdout
    assert login.asked() == [] and len(systemd.calls("EnableUnitFiles")) == 1


@pytest.mark.parametrize("error", ["org.freedesktop.DBus.Error.InteractiveAuthorizationRequired", "org.freedesktop.DBus.Error.AccessDenied",
                                   "org.freedesktop.PolicyKit1.Error.NotAuthorized"])
def test_polkit_s_no_is_told_and_changes_nothing(home, systemd, login, error):
    login.refuse(error, "Interactive authentication required.")
    done = home.banger("daemon", "enable", "--at-boot")
    assert done.returncode == 5
    assert "Interactive authentication required." in done.stderr and "loginctl enable-linger" in done.stderr
    assert systemd.calls("EnableUnitFiles") == [] and not note(home).exists()


def test_lingering_of_before_stays(home, systemd):
    mock = Logind(home, lingers=True)
    try:
        home.banger("daemon", "enable", "--at-boot", check=True)
        home.banger("daemon", "disable", check=True)
        assert mock.asked() == []
    finally:
        mock.close()


def test_lingering_is_taken_back_where_the_unit_can_not_be_enabled(home, systemd, login):
    systemd.add("EnableUnitFiles", "asbb", "ba(sss)",
                f'raise dbus.exceptions.DBusException("Unit file {UNIT} does not exist.", name="org.freedesktop.systemd1.NoSuchUnit")')
    done = home.banger("daemon", "enable", "--at-boot")
    assert done.returncode == 4 and UNIT in done.stderr and "install banger again" in done.stderr
    assert [asked[1] for asked in login.asked()] == [True, False]
    assert not note(home).exists(), "or lingering that the user asks for later would be ended as ours"


def test_lingering_that_could_not_be_noted_is_taken_back(home, systemd, login):
    (note(home) / "in its place").mkdir(parents=True)
    done = home.banger("daemon", "enable", "--at-boot")
    assert done.returncode == 1 and str(note(home)) in done.stderr
    assert [asked[1] for asked in login.asked()] == [True, False]
    assert systemd.calls("EnableUnitFiles") == []


def test_a_host_without_systemd_or_logind_says_what_else_helps(home):
    done = home.banger("daemon", "enable")
    assert done.returncode == 4 and "@reboot banger vm start --marked" in done.stderr
    mock = Systemd(home)
    home.env["DBUS_SYSTEM_BUS_ADDRESS"] = f"unix:path={home.runtime}/no-such-bus"
    try:
        done = home.banger("daemon", "enable", "--at-boot")
        assert done.returncode == 4 and "logind" in done.stderr
        assert mock.calls("EnableUnitFiles") == []
    finally:
        mock.close()


def test_status_says_when_marked_vms_start(home):
    home.banger("vm", "list", check=True)
    assert home.json("daemon", "status", "--json")["marked_vms_start"] == "never"
    link = home.config / "systemd" / "user" / "default.target.wants" / UNIT
    link.parent.mkdir(parents=True)
    link.symlink_to("/usr/lib/systemd/user/" + UNIT)
    assert home.json("daemon", "status", "--json")["marked_vms_start"] in ("at login", "at boot")
    home.banger("daemon", "stop")


def test_marked_vms_wait_for_a_network_that_comes_after_the_session():
    """With the machine it comes seconds later; who is started without one stays without. That they have no kernel here shows that they were started."""
    home = namespaces.InsideHome("late-network")
    try:
        archives.put_vm(home, "web", autostart=True, network="auto")
        home.lab.ip("route del default")
        starting = home.start("vm", "start", "--marked", stderr=subprocess.STDOUT)
        assert any("looking for the host's network" in line for line in starting.stdout)
        home.lab.ip("route add default via 192.0.2.1")
        said, _ = starting.communicate(timeout=30)  # a wait for nothing takes a minute
        assert starting.returncode != 0 and "web did not start: " in said, said
        home.lab.ip("route del default")
        starting = home.start("vm", "start", "--marked", stderr=subprocess.STDOUT)
        assert any("looking for the host's network" in line for line in starting.stdout)
        assert starting.poll() is None, "it waits"
        starting.send_signal(signal.SIGINT)
        starting.communicate(timeout=30)
        home.banger("daemon", "stop", check=True)
    finally:
        home.close()
