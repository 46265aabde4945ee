# SPDX-License-Identifier: GPL-2.0-or-later
"""`banger tui` in a real terminal (tmux). With a real bangerd where no VM has to run, else with one that plays its part (harness/fake_agent.py)."""

import contextlib
import json
import os
import pty
import re
import shlex
import signal
import time

import pytest

from harness import bundle, bus, processes, wait
from harness.contract import interface_of_xml
from harness.fake_agent import FakeAgent
from harness.terminal import Terminal, compare

GARBAGE = (b"x" * 100_000 + b"\n\x1b]0;pwned\x07\x1b[2J\x1b[31mred\x1b[0m\x1b[?1049l\x1bP1;2q\x1b\\" + bytes(range(256)) + b"\xff\xfe\xc2\x9b31m" +
           "\u202etxt.exe \u0301\u0301 e\u0301\u0301\u0301\u0301\u0301 \u65e5\u672c\r\n".encode() + b"\x1b]never ended\nend of the garbage\n")


class Tui(Terminal):
    def __init__(self, home, *options, **settings):
        super().__init__(home, home.command("tui", *options), **settings)


@pytest.fixture
def terminals(home):
    """Makes terminals, one at a time in a home, and ends them."""
    made = []

    def make(kind, *arguments, **settings):
        for old in made:
            old.close()
        made.append(kind(home, *arguments, **settings))
        return made[-1]

    yield make
    for terminal in made:
        terminal.close()


@pytest.fixture
def world(home):
    """With an image and a kernel that boot nothing, and a bangerd that the first call starts."""
    bundle.put_image(home)
    bundle.put_kernel(home)
    yield home
    home.banger("daemon", "stop")


def make_vm(home, name, *options):
    home.banger("vm", "create", "--no-start", "--name", name, "--disk-size", "64M", *options, check=True)


@pytest.fixture
def fake(home):
    session = bus.SessionBus(home.runtime, home.env)
    home.env["BANGER_BUS_ADDRESS"] = session.address
    agent = FakeAgent(session.address, home.env)
    yield agent
    agent.close()
    session.close()


# What it refuses


def test_without_a_terminal_it_says_so(home):
    done = home.banger("tui")
    assert done.returncode == 2 and done.stdout == ""
    assert "wants a terminal" in done.stderr and "vm list" in done.stderr
    assert not home.agent_pids(), "nothing is started for it"


@pytest.mark.parametrize("term", ["dumb", ""])
def test_a_terminal_that_nothing_can_be_drawn_on_is_refused(home, terminals, term):
    terminal = terminals(Terminal, f"TERM={term} {shlex.join(home.command('tui'))}; echo code $?; exec cat")
    screen = terminal.sees("code 2")
    assert "nothing can be drawn" in screen and "TERM" in screen


def test_a_terminal_that_nobody_knows_is_refused(world, terminals):
    terminal = terminals(Terminal, f"TERM=no-such-terminal {shlex.join(world.command('tui'))}; echo code $?; exec cat")
    assert "no-such-terminal" in terminal.sees("code 4")


# What it shows: golden screens


def test_a_new_user_sees_what_to_do(home, terminals):
    tui = terminals(Tui)
    tui.sees("n makes one")
    compare(tui, "empty")
    tui.keys("?")
    tui.sees("make a new VM")
    compare(tui, "help")
    tui.keys("Escape", "n")
    tui.sees("disk-size")
    compare(tui, "form")
    tui.keys("Escape", "q")
    assert tui.ended() == 0


def test_vms_are_listed_and_asked_about(world, terminals):
    for name in ("amber-fox", "brave-owl", "calm-otter"):
        make_vm(world, name, "--vcpu", "1", "--memory", "512")
    tui = terminals(Tui)
    tui.sees("calm-otter")
    tui.sees("it has no log yet")
    compare(tui, "stopped")
    tui.keys("c")
    tui.sees("change amber-fox")
    compare(tui, "change")
    tui.keys("Escape", "Down", "d")
    tui.sees("delete brave-owl")
    compare(tui, "question")
    tui.resize(40, 10)
    tui.sees("y yes")
    compare(tui, "question-40x10")
    tui.keys("n")
    tui.sees_no_more("y yes")
    compare(tui, "stopped-40x10")


def test_vms_that_run_have_sparklines(fake, terminals):
    fake.add("web")
    fake.add("db", state="stopped")
    tui = terminals(Tui)
    tui.sees("25%")
    screen = tui.sees("▂", 30)
    row = next(line for line in screen.splitlines() if line.startswith("web"))
    assert "running" in row and "%" in row
    assert "-" in next(line for line in screen.splitlines() if line.startswith("db"))
    tui.resize(300, 50)
    screen = tui.sees("STORAGE")
    assert all(title in screen for title in ("NETWORK", "ADDRESS", "UP", "STORAGE")), screen
    assert "1m1s" in screen


# What moves it


def test_what_others_do_is_seen_at_once(world, terminals):
    make_vm(world, "first")
    tui = terminals(Tui)
    tui.sees("first")
    make_vm(world, "second")
    tui.sees("second", 3)
    world.banger("vm", "delete", "first", check=True)
    wait.until(lambda: not any(line.startswith("first ") for line in tui.screen().splitlines()), 3, "its row is gone")
    tui.keys("3")
    screen = tui.sees("delete")
    assert "first" in screen and "done" in screen
    tui.keys("2")
    assert "debian" in tui.sees("DIGEST")
    tui.keys("4")
    tui.sees("bangerd", 30)


def test_a_vm_is_made_by_the_form_and_deleted_after_a_question(world, terminals):
    tui = terminals(Tui)
    tui.sees("n makes one")
    tui.keys("n")
    tui.sees("new VM")
    tui.type("web")
    tui.keys("Tab", "Tab", "Tab")
    tui.type("12")
    tui.keys("Enter")
    tui.sees_no_more("Enter does it")
    tui.sees("12")  # bangerd's sentence on so little memory
    assert "new VM" in tui.screen()
    tui.keys("C-u")
    tui.type("256M")
    tui.keys("Tab")
    tui.type("64M")
    tui.keys("Up", "Up", "Up", "Up", "Up")  # start
    tui.keys("Right", "Right")
    tui.sees("< no >")
    tui.keys("Enter")
    tui.sees_no_more("new VM")
    tui.sees("stopped")
    assert world.vms()["web"]["memory_mib"] == 256
    tui.keys("n")
    tui.sees("new VM")
    tui.type("web")
    tui.keys("Enter")
    tui.sees_no_more("Enter does it")
    tui.sees_no_more("bangerd is asked")
    screen = tui.screen()
    assert "new VM" in screen and "Enter does it" not in screen, "a name that is taken is said in the form"
    tui.keys("Escape", "d")
    tui.sees("delete web")
    tui.keys("y")
    tui.sees("n makes one")
    assert world.vms() == {}


def test_a_stopped_vm_is_changed_by_a_form(world, terminals):
    make_vm(world, "web", "--memory", "256")
    tui = terminals(Tui)
    tui.sees("web")
    tui.keys("c")
    tui.sees("change web")
    tui.keys("Enter")
    tui.sees("nothing is filled in")
    tui.keys("Tab")
    tui.type("512")
    tui.keys("Enter")
    tui.sees("change web: done")
    wait.until(lambda: world.vms()["web"]["memory_mib"] == 512, 10, "bangerd has changed it")
    tui.sees("512M")
    tui.keys("c")
    tui.sees("change web")
    tui.keys("Up", "Right")
    tui.sees("< yes >")
    tui.keys("Enter")
    wait.until(lambda: world.show("web")["autostart"], 10, "it is marked")


def has_port(tui, *words):
    return any("│" in line and all(word in line for word in words) for line in tui.screen().splitlines())


def test_ports_are_looked_at_forwarded_and_closed(fake, terminals):
    fake.add("db", state="stopped")
    fake.add("web")
    tui = terminals(Tui)
    tui.sees("running")
    tui.keys("p")
    tui.sees("db is stopped")
    tui.keys("Down", "p")
    screen = tui.sees("nginx")
    assert "ports of web" in screen and "\\x1b[2Jdns" in screen
    tui.keys("d")
    tui.sees("n opens one")
    tui.keys("n")
    tui.sees("forward a port to web")
    tui.keys("Tab")
    tui.type("x")
    tui.keys("Enter")
    tui.sees("is no [ADDRESS:]PORT")
    tui.keys("C-u")
    tui.type("8080")
    tui.keys("Enter")
    tui.sees("127.0.0.1:8080 leads to port 80 of web")
    wait.until(lambda: has_port(tui, "nginx", "127.0.0.1:8080"), 10, "it is listed")
    tui.resize(40, 10)
    tui.sees("ports of web")
    tui.resize(80, 24)
    tui.sees("Esc back")
    tui.keys("d")
    tui.sees("127.0.0.1:8080 is closed")
    wait.until(lambda: not has_port(tui, "127.0.0.1:8080"), 10, "it is listed no more")
    assert has_port(tui, "nginx")
    tui.keys("Escape")
    tui.sees_no_more("ports of web")


def test_a_vm_is_exported_by_a_form(world, terminals, tmp_path):
    make_vm(world, "web")
    archive = tmp_path / "web.vm.tar.gz"
    tui = terminals(Tui)
    tui.sees("web")
    for outcome in ("export web: done", "Enter leads back"):
        tui.keys("x")
        tui.sees("with-image")
        tui.type(str(archive))
        tui.keys("Enter")
        screen = tui.sees(outcome, 60)
        assert archive.stat().st_size > 0
    assert "exists already" in screen
    tui.keys("Enter")
    tui.sees("STATE")


def test_what_is_refused_says_why(fake, terminals):
    fake.add("web", state="stopped")
    tui = terminals(Tui)
    tui.sees("stopped")
    tui.keys("e")
    tui.sees("web is stopped; s starts")
    tui.keys("s")  # which the fake has not
    tui.sees("start web: ")
    tui.keys("Down")
    tui.sees_no_more("start web: ")
    fake.set_state("web", "failed")
    tui.sees("failed", 3)


def test_a_key_makes_the_call_that_its_command_makes(fake, terminals):
    fake.add("db", state="stopped")
    fake.add("web")
    fake.obey()
    tui = terminals(Tui)
    tui.sees("running")
    expected = []
    for keys, call in ((("s",), ["Start", "db", "u", [120]]), (("a",), ["Set", "db", "a{sv}", [{"nat": True}]]),
                       (("d", "y"), ["Delete", "db", "b", [False]]), (("Down", "t"), ["Stop", "web", "u", [0]]),
                       (("r",), ["Restart", "web", "u", [0]]), (("K", "y"), ["Kill", "web", "i", [9]]), (("d", "y"), ["Delete", "web", "b", [True]])):
        tui.keys(*keys)
        expected.append(call)
        wait.until(lambda: len(fake.asked()) >= len(expected), 10, f"{call[0]} is called")
    assert fake.asked() == expected
    tui.sees("delete web: done")
    vm = interface_of_xml(f"{bus.NAME}.Vm")
    for member, _, signature, _ in expected:
        assert signature == "".join(kind for kind, direction, _ in vm[member][1] if direction == "in"), member


def test_an_image_is_verified_and_deleted(world, terminals):
    tui = terminals(Tui)
    tui.sees("n makes one")
    tui.keys("2")
    tui.sees("debian")
    tui.keys("v")
    tui.sees("verify image debian: done")
    tui.keys("d")
    tui.sees("delete the image debian?")
    tui.keys("y")
    tui.sees("no image yet")


def test_it_filters_as_one_types(world, terminals):
    for name in ("amber-fox", "brave-owl", "calm-otter"):
        make_vm(world, name)
    tui = terminals(Tui)
    tui.sees("calm-otter")
    tui.keys("/")
    tui.type("OWL")
    screen = tui.sees_no_more("amber-fox")
    assert "brave-owl" in screen and "1 of 3" in screen
    tui.keys("Escape")
    tui.sees("amber-fox")


def test_the_mouse_chooses(world, terminals):
    for name in ("amber-fox", "brave-owl", "calm-otter"):
        make_vm(world, name)
    tui = terminals(Tui)
    tui.sees("calm-otter")
    tui.click(4, 3)
    tui.keys("d")
    tui.sees("delete calm-otter")
    tui.keys("n")
    tui.click(0, 12)
    tui.sees("DIGEST")


def test_the_wheel_goes_through_the_list(fake, terminals):
    fake.vms(30, state="stopped")
    tui = terminals(Tui)
    tui.sees("vm-0000")
    tui.wheel(4, 3, "61")
    tui.keys("d")
    tui.sees("delete vm-0003 ")
    tui.keys("n")
    tui.wheel(4, 3, "60")
    tui.keys("d")
    tui.sees("delete vm-0000 ")


@pytest.mark.parametrize("options, is_taken", [((), "1"), (("--no-mouse",), "0")], ids=["taken", "left"])
def test_the_mouse_is_left_to_the_terminal_where_that_is_asked_for(fake, terminals, options, is_taken):
    fake.add("web", state="stopped")
    tui = terminals(Tui, *options)
    tui.sees("web")
    assert tui.of_pane("mouse_any_flag") == is_taken


# Sizes, colours, characters


def test_it_is_resized_while_it_runs(world, terminals):
    for number in range(30):
        make_vm(world, f"vm-{number:02}")
    tui = terminals(Tui)
    tui.sees("vm-00")
    for columns, rows in ((40, 10), (20, 3), (3, 1), (1, 1), (300, 60), (80, 24)):
        tui.resize(columns, rows)
        if columns >= 20:
            tui.sees("vm-0")
    tui.keys("End")
    tui.sees("vm-29")
    tui.resize(40, 10)
    tui.sees("vm-29")
    tui.keys("q")
    assert tui.ended() == 0


def test_no_color_leaves_colours_out(fake, terminals):
    fake.add("db")  # the chosen one, which is reversed
    fake.add("web")
    coloured = re.compile(r"\x1b\[(?:\d+;)*3[1-7][;m]")
    tui = terminals(Tui)
    tui.sees("running")
    assert coloured.search(tui.colours())
    tui = terminals(Tui, env={"NO_COLOR": "1"})
    tui.sees("running")
    assert not coloured.search(tui.colours())


def test_colours_can_be_read_on_light_and_on_dark(fake, terminals):
    """Neither black, yellow nor white, and no background: that is the terminal's own."""
    fake.add("a", state="stopped")  # the chosen one, which is reversed
    for name in ("running", "starting", "failed"):
        fake.add(f"is-{name}", state=name)
    tui = terminals(Tui)
    tui.sees("is-starting")
    parameters = {word for words in re.findall(r"\x1b\[([\d;]*)m", tui.colours()) for word in words.split(";")}
    assert {"31", "32", "35"} <= parameters, "the check sees colours"
    assert not parameters & {"30", "33", "37", "38", *map(str, range(40, 49)), *map(str, range(90, 108))}


def test_a_terminal_without_utf8_gets_ascii(fake, terminals, tmp_path):
    log = tmp_path / "log"
    log.write_bytes("Straße\n".encode())
    fake.log(log)
    fake.add("web")
    tui = terminals(Tui, env={"LANG": "C"})
    tui.sees("Stra?e", 30)
    assert tui.screen().isascii()


# Bad luck


def test_a_bangerd_that_is_killed_is_missed_and_comes_back(world, terminals):
    make_vm(world, "web")
    tui = terminals(Tui)
    tui.sees("web")
    before = world.agent_pids()
    world.kill_bangerd()
    screen = tui.sees("away")
    assert "web" in screen, "what was known stays on the screen"
    tui.keys("s")
    tui.keys("?")
    tui.sees("make a new VM", 2)
    tui.keys("?")
    tui.sees_no_more("away", 30)
    assert world.agent_pids() and world.agent_pids() != before
    make_vm(world, "new")
    tui.sees("new", 5)


def test_a_session_bus_that_ends_is_survived(bangerd, terminals):
    """The bangerd that is found afterwards is another one, on a bus of its own."""
    bangerd.start()
    tui = terminals(Tui)
    tui.sees("n makes one")
    bangerd.bus.close()
    tui.sees("away")
    tui.sees_no_more("away", 40)
    tui.keys("?")
    tui.sees("make a new VM")
    bangerd.home.banger("daemon", "stop")


def test_a_bangerd_that_hangs_blocks_no_key(world, terminals):
    make_vm(world, "web")
    tui = terminals(Tui)
    tui.sees("it has no log yet")
    pid = world.agent_pids()[0]
    os.kill(pid, signal.SIGSTOP)
    try:
        tui.keys("d", "y", "2", "4", "1", "/")
        tui.type("we")
        tui.sees("/we", 3)
        tui.keys("Escape", "?")
        tui.sees("make a new VM", 3)
        tui.keys("?", "q")
        assert tui.ended(5) == 0
    finally:
        os.kill(pid, signal.SIGCONT)


def test_a_listing_that_fails_is_asked_for_again(fake, terminals):
    fake.add("web", state="stopped")
    fake.refuse_listings(1)
    tui = terminals(Tui)
    tui.sees("web")
    assert fake.calls()["ListVms"] == 2


@pytest.mark.limit(240)
def test_a_flood_of_a_thousand_vms_blocks_no_key(fake, terminals):
    fake.vms(1000)
    tui = terminals(Tui)
    tui.sees("VMs 1000", 30)
    before = processes.private_dirty_kib(tui.pid())
    listings = fake.calls()["ListVms"]
    began = time.monotonic()
    fake.flood(20)
    tui.keys("?")
    tui.sees("make a new VM", 3)
    tui.keys("?", "End")
    tui.sees("vm-0999", 10)
    wait.until(lambda: "stopping" not in tui.screen(), 30, "the last states are seen")
    took = time.monotonic() - began
    assert fake.calls()["ListVms"] - listings <= 3 * took + 5, "signals are gathered before anything is asked for"
    assert processes.private_dirty_kib(tui.pid()) - before < 20_000
    fake.set_state("vm-0999", "failed")
    tui.sees("failed", 3)


def test_numbers_are_asked_for_what_is_seen_alone(fake, terminals):
    fake.vms(200)
    tui = terminals(Tui)
    tui.sees("25%", 20)
    first = fake.calls()
    assert 0 < first["most_stats_ids"] <= 24, "the rows on the screen"
    tui.keys("2")
    tui.sees("DIGEST")
    before = fake.calls()["Stats"]
    time.sleep(5)  # in which nothing must happen
    after = fake.calls()
    assert after["Stats"] - before <= 1, "the one that was under way"
    assert after["ListVms"] == first["ListVms"] == 1, "the list moves by signals"


def test_nothing_is_asked_while_nothing_runs(fake, terminals):
    fake.vms(20, state="stopped")
    tui = terminals(Tui)
    tui.sees("vm-0000")
    used = processes.cpu_seconds(tui.pid())
    time.sleep(5)  # in which nothing must happen
    calls = fake.calls()
    assert (calls["Stats"], calls["ListVms"]) == (0, 1)
    assert processes.cpu_seconds(tui.pid()) - used <= 0.02


def test_garbage_in_a_log_reaches_no_terminal(world, terminals):
    make_vm(world, "web")
    log = world.vms_folder / world.show("web")["id"] / "console.log"
    log.write_bytes(GARBAGE)
    tui = terminals(Tui)
    screen = tui.sees("end of the garbage")
    assert "web" in screen and "VMs 1" in screen, "nothing cleared it"
    assert tui.of_pane("pane_title") != "pwned"
    assert tui.of_pane("alternate_on") == "1"
    with open(log, "ab") as file:
        for _ in range(50):
            file.write(GARBAGE)
            file.flush()
        file.write(b"the very end\n")
    tui.sees("the very end")
    tui.keys("Enter")
    tui.sees("the very end")
    assert not re.search(r"[\x00-\x08\x0b-\x1f\x7f-\x9f\u202e]", tui.screen())


def test_json_drives_no_terminal_either(home, fake):
    fake.vms(1)
    words = "vm", "ports", "000000000000", "--json"
    plain = home.banger(*words, text=False, check=True).stdout
    assert "\u009b31m\u202e".encode() in plain, "what another program gets is as it was"
    terminal, theirs = pty.openpty()
    process = home.start(*words, stdout=theirs)
    os.close(theirs)
    shown = b""
    with contextlib.suppress(OSError):  # EIO: the other end is closed
        while piece := os.read(terminal, 4096):
            shown += piece
    os.close(terminal)
    assert process.wait(60) == 0 and shown.isascii() and b"\x1b" not in shown
    assert json.loads(shown) == json.loads(plain)


def test_a_vm_may_be_named_like_an_option(fake, terminals):
    for name in ("--help", "-rf", "a;b", "$(x)", "\x1b[2J\u202eevil", "日本"):
        fake.add(name)
    tui = terminals(Tui)
    screen = tui.sees("日本")
    assert all(words in screen for words in ("--help", "-rf", "a;b", "$(x)", "\\x1b[2J")), screen
    assert "VMs 6" in screen
    tui.keys("/")
    tui.type("--help")
    tui.keys("Enter", "e")
    screen = tui.sees("Enter leads back")
    assert "channel is down" in screen and "That ended with 125" in screen, "a shell was tried in it, and no help was printed"
    tui.keys("Enter")
    tui.sees("/--help")
    assert "channel is down" not in tui.screen()


# How it ends


SCRIPT = "stty -a | tr ';' '\\n' >{before}; {tui}; code=$?; stty -a | tr ';' '\\n' >{after}; echo code $code; exec cat"


@pytest.mark.parametrize("how, code", [("q", 0), ("C-c", 130), (signal.SIGTERM, 143), (signal.SIGHUP, 129)], ids=str)
def test_the_terminal_is_as_before_however_it_ends(home, terminals, tmp_path, how, code):
    before, after = tmp_path / "before", tmp_path / "after"
    terminal = terminals(Terminal, SCRIPT.format(before=before, after=after, tui=shlex.join(home.command("tui"))))
    terminal.sees("n makes one", 30)
    if isinstance(how, str):
        terminal.keys(how)
    else:
        pid = next(process.pid for process in home.processes() if process.name == "banger")
        os.kill(pid, how)
    terminal.sees(f"code {code}")
    assert after.read_text() == before.read_text()
    assert terminal.of_pane("alternate_on") == "0" and terminal.of_pane("cursor_flag") == "1"
    assert terminal.of_pane("mouse_any_flag") == "0"
    home.banger("daemon", "stop")


def test_what_is_typed_behind_a_quit_is_done_no_more(world, terminals):
    make_vm(world, "web")
    tui = terminals(Tui)
    tui.sees("it has no log yet")
    tui.type("qdy")  # as a paste or a slow terminal brings them: all at once
    assert tui.ended() == 0
    assert world.vms()["web"]["state"] == "stopped"


def test_a_terminal_that_is_closed_ends_it(home, terminals):
    tui = terminals(Tui)
    tui.sees("n makes one", 30)
    process = processes.find(tui.pid())
    tui.close()
    wait.until(lambda: not process.alive(), 10, "banger tui has ended")
    home.banger("daemon", "stop")


def test_it_stops_and_goes_on_as_any_program(home, terminals):
    terminal = terminals(Terminal, "exec bash --norc -i")
    terminal.sees("bash-")
    terminal.type(shlex.join(home.command("tui")))
    terminal.keys("Enter")
    terminal.sees("n makes one", 30)
    terminal.keys("C-z")
    terminal.sees("Stopped")
    terminal.type("fg")
    terminal.keys("Enter")
    terminal.sees("n makes one")
    terminal.keys("q")
    terminal.sees_no_more("n makes one")
    terminal.type("echo $?")
    terminal.keys("Enter")
    terminal.sees("\n0\n")
    home.banger("daemon", "stop")

