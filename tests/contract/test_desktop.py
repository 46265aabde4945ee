# SPDX-License-Identifier: GPL-2.0-or-later
"""What a desktop has of bangerd: its searches, called as their shells call them, its terminals and its notifications. No VM ever runs here:
each start fails, as there is no kernel. tests/host/test_desktop.py has one that runs."""

import json
import re
import statistics
import time

import dbus
import pytest

from harness import bus, contract, desktop, wait
from harness.desktop import NotificationDaemon, Search, Terminal, click_as_stranger, describe_vms, in_window
from harness.home import STAGE
from harness.terminal import Terminal as Screen

NAMES = ["calm-otter", "web", "web-1", "web-2", "cobweb", "start-up"]
LIKE_OPTIONS = ["e", "h", "help", "rm", "no-sandbox", "x--y"]


class Desk:
    """A bangerd that knows some VMs, with a terminal and a search."""

    def __init__(self, home, bangerd, names, kernel):
        self.home, self.bangerd = home, bangerd
        self.ids = describe_vms(home, names, kernel)
        self.terminal = Terminal(home)
        self.client = bangerd.start()
        self.search = Search(bangerd.bus.address)

    def state(self, name):
        return self.client.get(self.client.manager.FindVm(name), "Vm", "State")

    def fail_to_start(self, name):
        self.search.activate(self.ids[name])
        wait.until(lambda: self.state(name) == "failed", 20, f"{name} fails to start")

    def close(self):
        self.search.close()


@pytest.fixture
def make_desk(home, bangerd):
    made = []

    def make(names=tuple(NAMES), kernel="debian"):
        made.append(Desk(home, bangerd, names, kernel))
        return made[0]
    yield make
    for desk in made:
        desk.close()


@pytest.fixture
def desk(make_desk):
    return make_desk()


@pytest.fixture
def notifications(bangerd):
    daemon = NotificationDaemon(bangerd.bus.address, bangerd.home.env)
    yield daemon
    daemon.close()


@pytest.mark.parametrize("path, interface", [desktop.PROVIDER, desktop.RUNNER])
def test_the_objects_are_exported_as_the_contract_says(shared, path, interface):
    xml = (STAGE / "dbus" / f"{interface}.xml").read_text()
    assert contract.read_interface(shared.introspect(path), interface) == contract.read_interface(xml, interface)


def test_names_are_found_whole_then_by_their_beginning_then_by_the_rest(desk):
    assert desk.search.names("web") == ["web", "web-1", "web-2", "cobweb"]
    assert desk.search.names("WEB", "2") == ["web-2"]
    assert desk.search.names("owl") == []
    assert desk.search.results("web")[0] == desk.ids["web"]


def test_a_result_says_what_it_is(desk):
    meta, = desk.search.metas(desk.ids["calm-otter"])
    assert meta == {"id": desk.ids["calm-otter"], "name": "calm-otter", "description": "stopped, image debian", "gicon": "dev.banger.Banger"}


def test_a_refined_search_finds_what_the_first_one_had_no_room_for(make_desk):
    desk = make_desk([f"web-{number}" for number in range(100)])
    first = desk.search.results("web")
    assert len(first) == 20
    assert desk.search.refined(first, "web", "99") == [desk.ids["web-99"]]


def test_an_action_beside_a_name_is_a_result_where_it_makes_sense(desk):
    assert desk.search.names("start", "otter") == ["Start calm-otter"]
    assert desk.search.results("start", "otter") == [f"start:{desk.ids['calm-otter']}"]
    assert desk.search.names("stop", "otter") == []
    assert desk.search.names("start") == ["start-up"]


def test_krunner_gets_the_same_matches_with_their_actions(desk):
    assert desk.search.actions() == [("start", "Start", "media-playback-start"), ("stop", "Stop", "media-playback-stop")]
    matches = desk.search.match("  web ")
    assert [(str(match[0]), str(match[1])) for match in matches] == [(desk.ids[name], name) for name in ("web", "web-1", "web-2", "cobweb")]
    assert [int(match[3]) for match in matches] == [100, 70, 70, 30]
    assert all(match[2] == "dev.banger.Banger" and 0 < match[4] <= 1 for match in matches)
    assert matches[0][5]["subtext"] == "stopped, image debian" and list(matches[0][5]["actions"]) == ["start"]
    desk.search.teardown()


def test_opening_one_that_can_not_start_is_a_notification_and_no_terminal(desk, notifications):
    desk.fail_to_start("web")
    call = notifications.wait("web did not start")
    assert (call[0], call[1], call[2]) == ("banger", 0, "dev.banger.Banger")
    assert "kernel" in call[4]
    assert list(call[5]) == ["show-log", "Show the log"]
    assert call[6]["desktop-entry"] == "dev.banger.Banger"
    assert desk.terminal.opened() == []


def test_what_krunner_runs_is_done(desk, notifications):
    desk.search.run(desk.ids["web"], "start")
    notifications.wait("web did not start")
    desk.search.run(desk.ids["web-1"])
    notifications.wait("web-1 did not start")


@pytest.mark.parametrize("name", LIKE_OPTIONS)
def test_a_name_like_an_option_is_a_name(make_desk, notifications, name):
    desk = make_desk([name])
    assert desk.search.results(name) == [desk.ids[name]]
    desk.fail_to_start(name)
    notifications.wait(f"{name} did not start")
    notifications.click(1, "show-log")
    assert desk.terminal.wait() == [in_window("vm", "logs", "--follow", name)]
    assert desk.home.banger("vm", "logs", name, check=True).stdout == f"the console of {name}\n"
    assert desk.home.banger("vm", "ssh", name).returncode == 6, "it does not run, and that is all"


def test_a_click_counts_once_and_from_the_daemon_alone(desk, notifications):
    desk.fail_to_start("web")
    notifications.wait("web did not start")
    bangerd = desk.client.bus.get_name_owner(bus.NAME)
    stranger = dbus.bus.BusConnection(desk.bangerd.bus.address)
    try:
        click_as_stranger(stranger, 1, "show-log")
        click_as_stranger(stranger, 1, "show-log", receiver=bangerd)
        stranger.get_name_owner(bus.NAME)  # the bus has passed on what came before it
        notifications.click(99, "show-log")
        notifications.click(1, "open-shell")
    finally:
        stranger.close()
    # What a click opens takes bangerd one question to the bus, and so does a notification: one that is shown later shows that no click counted.
    desk.fail_to_start("web-1")
    notifications.wait("web-1 did not start")
    desk.search.launch("web")
    assert desk.terminal.wait() == [in_window("tui")]
    notifications.click(2, "show-log")
    notifications.click(2, "show-log")
    desk.terminal.wait(2)
    desk.fail_to_start("web-2")
    notifications.wait("web-2 did not start")
    desk.search.launch("web")
    assert desk.terminal.wait(3) == [in_window("tui"), in_window("vm", "logs", "--follow", "web-1"), in_window("tui")]


def test_the_next_notification_about_a_vm_takes_the_place_of_the_last_one(desk, notifications):
    desk.fail_to_start("web")
    notifications.wait("web did not start")
    desk.search.run(desk.ids["web"], "start")
    wait.until(lambda: len(notifications.calls()) >= 2, 20, "the second failure is told")
    assert notifications.calls()[1][1] == 1
    assert len(notifications.calls("GetCapabilities")) == 1, "asked once"


def test_markup_is_escaped_only_for_a_daemon_that_reads_it(make_desk, bangerd):
    """The kernel's name is in the reason."""
    desk = make_desk(kernel="<b>&")
    for capabilities, expected in (("body body-markup", "&lt;b&gt;&amp;"), ("body", "<b>&")):
        daemon = NotificationDaemon(bangerd.bus.address, bangerd.home.env, capabilities)
        try:
            desk.search.run(desk.ids["web"], "start")
            call = daemon.wait("web did not start")
            assert expected in call[4]
            assert list(call[5]) == [], "it knows no actions"
        finally:
            daemon.close()


def test_many_failures_are_a_few_notifications(make_desk, notifications):
    names = [f"vm-{number}" for number in range(30)]
    desk = make_desk(names)
    for name in names:
        desk.search.run(desk.ids[name], "start")
    wait.until(lambda: any("more messages from banger" in title for title in notifications.titles()), 45, "the rest is summed up")
    wait.until(lambda: all(desk.state(name) == "failed" for name in names), 60, "all have failed")
    desk.search.launch("vm")  # done after all that was told before it
    desk.terminal.wait()
    assert len(notifications.titles()) <= 5
    for summed in [call for call in notifications.calls() if "more messages" in call[3]]:  # one, or two where 30 starts take long
        assert re.fullmatch(r"About (vm-\d+, )*vm-\d+( and \d+ more)?", summed[4])
        assert list(summed[5]) == ["open-tui", "Show all"]


def test_without_a_notification_daemon_that_is_said_once_and_nothing_is_amiss(desk):
    for name in NAMES:
        desk.fail_to_start(name)
    assert desk.search.names("web")[0] == "web"
    wait.until(lambda: "notifications are not shown" in desk.home.log(), 20, "it is said")
    said = [line for line in map(json.loads, desk.home.log().splitlines()) if "notif" in line["message"]]
    assert [line["level"] for line in said] == ["info"]


def test_a_daemon_that_the_bus_can_not_start_is_tried_once_in_a_flood(home, bangerd, make_desk):
    services = home.root / "services"
    services.mkdir()
    tries = home.root / "tries"
    program = home.root / "broken-daemon"
    program.write_text(f"#!/bin/sh\necho once >>{tries}\nexit 1\n")
    program.chmod(0o755)
    (services / "notify.service").write_text(f"[D-BUS Service]\nName={desktop.NOTIFICATIONS}\nExec={program}\n")
    bangerd.bus.close()
    bangerd.bus = bus.SessionBus(home.runtime, home.env, services)
    names = [f"vm-{number}" for number in range(20)]
    desk = make_desk(names)
    for name in names:
        desk.fail_to_start(name)
    assert tries.read_text() == "once\n"


def test_notifications_can_be_switched_off_while_it_runs(home, desk, notifications):
    home.write_config("[desktop]\nnotifications = false\n")
    home.banger("vm", "list", check=True)  # which has bangerd look at the file
    desk.fail_to_start("web")
    home.write_config("[desktop]\nnotifications = true\n# again\n")
    home.banger("vm", "list", check=True)
    desk.fail_to_start("web-1")
    notifications.wait("web-1 did not start")
    assert notifications.titles() == ["web-1 did not start"]


def test_a_search_as_a_whole_opens_the_tui(desk):
    desk.search.launch("web")
    assert desk.terminal.wait() == [in_window("tui")]


def test_without_a_terminal_it_says_so_once_with_what_brings_one(home, bangerd, notifications):
    folder = home.root / "empty"
    folder.mkdir()
    home.env["PATH"] = str(folder)
    ids = describe_vms(home, ["web"])
    bangerd.start()
    search = Search(bangerd.bus.address)
    try:
        for _ in range(3):
            search.launch("web")
        call = notifications.wait("No terminal opens")
        assert "apt install" in call[4]
        search.run(ids["web"], "start")  # takes longer than to find no terminal
        notifications.wait("web did not start")
        assert notifications.titles() == ["No terminal opens", "web did not start"]
        assert home.log().count("no terminal opens") == 1
    finally:
        search.close()


@pytest.fixture
def windows(home):
    """Makes terminals that run what bangerd has them run."""
    made = []

    def make(*words):
        made.append(Screen(home, in_window(*words)))
        return made[-1]
    yield make
    for window in made:
        window.close()
    home.banger("daemon", "stop")


def test_a_window_stays_open_until_it_is_read_why_its_command_failed(windows):
    window = windows("vm", "exec", "no-such-vm")
    screen = window.sees("Any key closes this window")
    assert "no-such-vm" in screen and "That ended with 125" in screen
    assert not window.code.exists(), "it waits"
    window.keys("x")
    assert window.ended() == 125


def test_a_window_closes_with_a_command_that_ends_well_or_by_ctrl_c(windows):
    window = windows("--version")
    assert window.ended() == 0
    assert "closes this window" not in window.screen()
    window = windows("tui")
    window.sees("n makes one", 30)
    window.keys("C-c")
    assert window.ended() == 130


@pytest.mark.parametrize("terms", [[], [""], [" "], ["web"] * 10_000, ["x" * 1_000_000], ["\x01", "\n"], ["%s%n", "../.."], ["ü", "日本"]],
                         ids=["none", "an empty one", "a blank", "10,000", "a long one", "controls", "a format", "other letters"])
def test_odd_terms_find_nothing_and_harm_nothing(desk, terms):
    assert desk.search.results(*terms) == []
    assert desk.search.refined(terms, *terms) == []
    assert desk.search.match(" ".join(terms)) == []
    assert desk.search.names("otter") == ["calm-otter"]


@pytest.mark.parametrize("result", ["", ":", "start:", "start:start:x", "/", "web", "vm" + "9" * 10, "x" * 100_000, "\n"], ids=lambda text: repr(text[:20]))
def test_odd_results_are_refused_and_harm_nothing(desk, result):
    assert desk.search.metas(result) == []
    for call in (desk.search.activate, desk.search.run):
        assert bus.error_of(call, result)[0] == "NotFound"
    assert bus.error_of(desk.search.run, desk.ids["web"], "format")[0] == "InvalidArgument"
    assert desk.search.metas(*[result[:12]] * 10_000) == []
    assert len(desk.search.metas(*[desk.ids["web"]] * 10_000)) == 20


def test_each_call_takes_less_than_10_ms_at_100_vms(make_desk):
    desk = make_desk([f"sandbox-{number}" for number in range(100)])
    results = desk.search.results("sandbox")
    calls = {"GetInitialResultSet": lambda: desk.search.results("sandbox", "7"), "GetSubsearchResultSet": lambda: desk.search.refined(results, "box"),
             "GetResultMetas": lambda: desk.search.metas(*results), "Match": lambda: desk.search.match("start sandbox"), "Actions": desk.search.actions,
             "Run": lambda: desk.search.run(results[0], "start"), "ActivateResult": lambda: desk.search.activate(results[1])}
    for name, call in calls.items():
        times = []
        for _ in range(21):
            begin = time.perf_counter()
            call()
            times.append((time.perf_counter() - begin) * 1000)
        assert statistics.median(times) <= 10, f"{name}: {sorted(times)}"


def test_a_session_bus_that_goes_takes_bangerd_with_it_in_order(desk, notifications):
    for name in NAMES:
        desk.search.run(desk.ids[name], "start")
    desk.bangerd.bus.close()
    assert desk.bangerd.wait() >= 0, "by itself, and by no signal"
    assert "Sanitizer" not in desk.bangerd.errors() and "terminate" not in desk.bangerd.errors()
    desk.bangerd.client.close()
    desk.bangerd.client = None
    desk.bangerd.bus = bus.SessionBus(desk.home.runtime, desk.home.env)
    desk.bangerd.start()
    search = Search(desk.bangerd.bus.address)
    try:
        assert search.names("otter") == ["calm-otter"]
    finally:
        search.close()


def test_a_private_bus_has_no_desktop(home, bangerd):
    bangerd.launch("--private-bus")
    announcement = home.state / "banger" / "bangerd.json"
    wait.until(lambda: announcement.exists() or bangerd.process.poll() is not None, 15, "bangerd serves")
    search = Search(json.loads(announcement.read_text())["address"])
    try:
        wait.until(lambda: search.bus.name_has_owner(bus.NAME), 15, "it has its name")
        with pytest.raises(dbus.DBusException):
            search.results("web")
    finally:
        search.close()
