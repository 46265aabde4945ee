# SPDX-License-Identifier: GPL-2.0-or-later
"""How bangerd starts, ends, and takes what it finds on disk."""

import os
import resource
import signal
import sqlite3
import time

import pytest

from harness import bus, wait
from harness.bus import ROOT


def test_quit_ends_it_cleanly(bangerd):
    bangerd.start().manager.Quit()
    assert bangerd.wait() == 0
    wait.until(lambda: not bangerd.client.has_owner(), 5, "the name is free")


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT], ids=["SIGTERM", "SIGINT"])
def test_signals_end_it_cleanly(bangerd, number):
    bangerd.start()
    assert bangerd.kill(number) == 0
    bangerd.start().manager.ListImages()


def test_it_starts_again_after_sigkill(bangerd):
    for _ in range(5):
        bangerd.start()
        bangerd.kill()
    assert list(bangerd.start().get(ROOT, "Manager", "Warnings")) == []


def test_sigkill_while_it_starts_harms_nothing(bangerd):
    bangerd.client = bus.Agent(bangerd.bus.address)
    for milliseconds in (0, 2, 5, 10, 20, 40, 80):
        process = bangerd.launch()
        time.sleep(milliseconds / 1000)
        process.kill()
        process.wait()
    bangerd.start()
    assert list(bangerd.client.get(ROOT, "Manager", "Warnings")) == []


def test_two_on_one_state_folder_are_one(bangerd, home):
    client = bangerd.start()
    first = bangerd.process
    second = bangerd.launch()
    code = second.wait(15)
    assert code != 0 or "already" in bangerd.errors()
    assert first.poll() is None
    assert client.get(ROOT, "Manager", "Pid") == first.pid
    bangerd.process = first


def test_one_that_is_started_as_another_leaves_waits_for_it(bangerd, home):
    """As bus activation does when bangerd has given its name back and not ended yet."""
    bangerd.start()
    first = bangerd.process
    second = bangerd.launch()
    first.terminate()
    first.wait(15)
    wait.until(lambda: second.poll() is not None or (bangerd.client.has_owner() and bangerd.client.get(ROOT, "Manager", "Pid") == second.pid), 15,
               "the second serves")
    assert second.poll() is None, bangerd.errors()


def test_a_call_on_its_way_to_one_that_leaves_is_answered_in_spite_of_sigterm(bangerd):
    """systemd sends it to a unit of Type=dbus that has given its name back."""
    client = bangerd.start("--idle-limit", "1")
    unique = client.bus.get_name_owner(bus.NAME)
    deadline = time.monotonic() + 10
    while client.has_owner():  # without a pause: it is there for only 200 ms more
        assert time.monotonic() < deadline
    bangerd.process.terminate()
    assert client.bus.call_blocking(unique, ROOT, f"{bus.NAME}.Manager", "ListImages", "", ()) == []
    assert bangerd.wait() == 0


def test_a_state_folder_that_others_may_write_is_refused(bangerd, home):
    home.database.parent.mkdir(parents=True)
    home.database.parent.chmod(0o777)
    assert bangerd.launch().wait(15) == 5
    assert "chmod go-w" in bangerd.errors()


def test_a_cache_folder_that_others_may_write_is_refused(bangerd, home):
    """Kernels, images and Firecracker come from it."""
    folder = home.cache / "banger"
    folder.mkdir()
    folder.chmod(0o777)
    assert bangerd.launch().wait(15) == 5
    assert f"chmod go-w {folder}" in bangerd.errors()


def test_it_leaves_the_folder_that_it_was_started_in(bangerd):
    """`python3 -m pip` would run a pip.py that lies there."""
    bangerd.start()
    assert os.readlink(f"/proc/{bangerd.process.pid}/cwd") == "/"


def test_it_may_have_more_open_files_than_a_usual_shell_allows(bangerd):
    before = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (min(1024, before[1]), before[1]))
    try:
        bangerd.start()
    finally:
        resource.setrlimit(resource.RLIMIT_NOFILE, before)
    soft, _ = resource.prlimit(bangerd.process.pid, resource.RLIMIT_NOFILE)
    assert soft == min(16384, before[1])


def test_two_buses_one_state_folder_are_one(bangerd, home):
    bangerd.start()
    first = bangerd.process
    folder = home.root / "other-bus"
    folder.mkdir()
    other = bus.SessionBus(folder, home.env)
    home.env["DBUS_SESSION_BUS_ADDRESS"] = other.address
    try:
        second = bangerd.launch()
        assert second.wait(15) != 0, "two writers on one database"
        assert str(first.pid) in bangerd.errors() or "banger daemon stop" in bangerd.errors()
    finally:
        other.close()
    bangerd.process = first


@pytest.mark.parametrize("damage", [b"this is no database\n" * 100, b"SQLite format 3\0" + b"\xff" * 4096, b"x"],
                         ids=["text", "a header and garbage", "one byte"])
def test_a_corrupt_database_is_moved_aside_and_told(bangerd, home, damage):
    home.database.parent.mkdir(parents=True)
    home.database.write_bytes(damage)
    client = bangerd.start()
    warnings = list(client.get(ROOT, "Manager", "Warnings"))
    aside = [path for path in home.database.parent.iterdir() if path.is_file() and path != home.database and path.read_bytes() == damage]
    assert len(aside) == 1, "the damaged file is kept for a look"
    assert any(str(aside[0]) in warning or aside[0].name in warning for warning in warnings), warnings
    assert home.banger("vm", "list").returncode == 0


def test_a_database_torn_in_the_middle_is_moved_aside_and_told(bangerd, home):
    bangerd.start()
    bangerd.kill(signal.SIGTERM)
    whole = home.database.read_bytes()
    home.database.write_bytes(whole[:100] + b"\xa5" * (len(whole) - 100))
    client = bangerd.start()
    assert list(client.get(ROOT, "Manager", "Warnings"))


def test_a_database_of_a_newer_banger_is_refused_and_left_alone(bangerd, home):
    bangerd.start()
    bangerd.kill(signal.SIGTERM)
    with sqlite3.connect(home.database) as database:
        database.execute("PRAGMA user_version = 9999")
    before = home.database.read_bytes()
    process = bangerd.launch()
    assert process.wait(15) != 0
    assert "newer" in bangerd.errors()
    assert home.database.read_bytes() == before


def test_a_folder_that_is_no_vm_is_left_alone(bangerd, home):
    (home.vms_folder / "aaaaaaaaaaaa").mkdir(parents=True)
    (home.vms_folder / "aaaaaaaaaaaa" / "vm.json").write_text("{ half a file")
    (home.vms_folder / "lost+found").mkdir()
    client = bangerd.start()
    assert list(client.manager.ListImages()) == []
    assert (home.vms_folder / "aaaaaaaaaaaa" / "vm.json").exists()


@pytest.mark.parametrize("text, words", [
    ("log_levl = 'info'\n", ["config.toml:1", "log_levl", "did you mean log_level"]),
    ("\nlog_level = 7\n", ["config.toml:2", "log_level", "string"]),
    ("[vm_defaults]\nmemory = 512\n", ["config.toml:2", "memory", "did you mean memory_mib"]),
    ("[vm_defaults]\nvcpu = 'two'\n", ["config.toml:2", "vcpu"]),
    ("[vm_defaults]\nvcpu = 0\n", ["config.toml:2", "vcpu"]),
    ("[vm_defaults]\ndisk_size = '16Q'\n", ["config.toml:2", "disk_size", "16Q"]),
    ("log_level = \n", ["config.toml:1"]),
    ("vm_defaults = 3\n", ["config.toml:1", "vm_defaults"]),
], ids=repr)
def test_a_config_with_a_mistake_names_file_line_and_mend(bangerd, home, text, words):
    home.write_config(text)
    process = bangerd.launch()
    try:
        code = process.wait(15)
    except Exception:
        pytest.fail(f"bangerd runs in spite of {text!r}")
    assert code == 2
    for word in words:
        assert word in bangerd.errors()
    done = home.banger("vm", "list")
    assert done.returncode != 0 and words[0] in done.stderr, "the CLI passes the sentence on"


def test_a_whole_config_is_taken(bangerd, home):
    home.write_config("log_level = 'debug'\ndefault_image = 'mine'\n[vm_defaults]\nvcpu = 1\nmemory_mib = 256\ndisk_size = '1G'\n")
    client = bangerd.start()
    error, sentence = bus.error_of(client.create_vm, start=False)
    assert error == "NotFound" and "mine" in sentence
