# SPDX-License-Identifier: GPL-2.0-or-later
"""`banger vm run`: the front door."""

import json
import os
import signal
import time

import pytest

from harness import wait

pytestmark = pytest.mark.limit(300)


def test_prints_the_output_and_takes_the_exit_code(world, nothing_left):
    done = world.banger("vm", "run", "--rm", "--memory", "256", "--", "sh", "-c", "echo hi; exit 7", timeout=180)
    assert done.stdout == "hi\n"
    assert done.returncode == 7, done.stderr


def test_needs_no_build_and_no_download(world):
    """The image and the kernel are those from before, and the network is not there: a proxy that refuses all stands in its way."""
    def used():
        kinds = (json.loads(world.banger(kind, "list", "--json", check=True).stdout) for kind in ("image", "kernel"))
        return [(row["name"], row["digest"], row["created"]) for rows in kinds for row in rows if row["name"] == "debian"]

    before = used()
    assert len(before) == 2
    done = world.banger("vm", "run", "--rm", "--memory", "256", "--", "true", timeout=180, env={"http_proxy": "http://127.0.0.1:9"})
    assert done.returncode == 0, done.stderr
    assert used() == before


def test_the_vm_stays_without_rm_and_is_told(world):
    done = world.banger("vm", "run", "--name", "stays", "--memory", "256", "--", "cat", "/etc/hostname", timeout=180)
    try:
        assert done.stdout.strip() == "stays"
        assert world.vms()["stays"]["state"] == "running"
        assert "stays" in done.stderr
    finally:
        world.banger("vm", "delete", "-f", "stays")


def test_detach_leaves_it_running(world):
    done = world.banger("vm", "run", "-d", "--name", "apart", "--memory", "256", check=True, timeout=180)
    try:
        assert "apart" in done.stdout
        assert world.vms()["apart"]["state"] == "running"
    finally:
        world.banger("vm", "delete", "-f", "apart")


def test_a_made_up_name_is_two_words(world):
    done = world.banger("vm", "create", "--no-start", check=True)
    name = done.stdout.split()[-1].strip(".")
    try:
        assert name in world.vms() and name.count("-") == 1
    finally:
        world.banger("vm", "delete", name)


def test_dry_run_checks_and_makes_nothing(world, nothing_left):
    done = world.banger("vm", "run", "--dry-run", "--name", "never", "--memory", "256", "--", "true", check=True)
    assert "never" in done.stdout + done.stderr
    assert "never" not in world.vms()
    assert world.banger("vm", "run", "--dry-run", "--image", "no-such", "--", "true").returncode in (3, 125)


def test_a_pipe_gets_plain_lines_of_progress(world, nothing_left):
    done = world.banger("vm", "run", "--rm", "--memory", "256", "--", "true", timeout=180)
    assert "\x1b" not in done.stderr and "\r" not in done.stderr


@pytest.mark.parametrize("seconds", [0.05, 0.3, 1, 3, 6])
def test_ctrl_c_ends_it_and_leaves_nothing_with_rm(world, nothing_left, seconds):
    process = world.start("vm", "run", "--rm", "--memory", "256", "--", "sleep", "1000", start_new_session=True)
    time.sleep(seconds)
    os.killpg(process.pid, signal.SIGINT)
    out, err = process.communicate(timeout=60)
    assert process.returncode == 130, err


def test_ctrl_c_at_the_command_leaves_nothing_with_rm(world, nothing_left):
    process = world.start("vm", "run", "--rm", "--memory", "256", "--", "sh", "-c", "echo ready; exec sleep 1000", start_new_session=True)
    assert process.stdout.readline() == "ready\n"
    os.killpg(process.pid, signal.SIGINT)
    process.communicate(timeout=60)
    assert process.returncode == 130


def test_a_killed_cli_leaves_nothing_with_rm(world, nothing_left):
    process = world.start("vm", "run", "--rm", "--memory", "256", "--", "sh", "-c", "echo ready; exec sleep 1000", start_new_session=True)
    assert process.stdout.readline() == "ready\n"
    process.kill()
    process.communicate(timeout=60)


def test_a_command_that_is_not_there(world, shared_vm):
    done = world.banger("vm", "exec", shared_vm, "--", "no-such-command")
    assert done.returncode == 127 and "no-such-command" in done.stderr


def test_a_guest_that_is_not_ready_in_time_is_kept_for_a_look(world):
    done = world.banger("vm", "run", "--name", "late", "--memory", "256", "--timeout", "1", "--", "true", timeout=120)
    try:
        assert done.returncode in (7, 125), done.stderr
        assert "late" in done.stderr and "vm logs late" in done.stderr
        assert "late" in world.vms()
        assert world.vms()["late"]["state"] == "running"
        wait.until(lambda: world.show("late")["ready"], 120, "it gets ready in the end")
        assert world.banger("vm", "exec", "late", "--", "true").returncode == 0
    finally:
        world.banger("vm", "delete", "-f", "late")


def test_create_times_out_with_code_7(world):
    done = world.banger("vm", "create", "--name", "later", "--memory", "256", "--timeout", "1", timeout=120)
    try:
        assert done.returncode == 7, done.stderr
        assert "later" in world.vms()
    finally:
        world.banger("vm", "delete", "-f", "later")
