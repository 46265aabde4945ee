# SPDX-License-Identifier: GPL-2.0-or-later
"""Bad luck: bangerd or a VM dies, the disk is full, programs are missing, the guest sends garbage."""

import os
import random
import shutil
import signal
import subprocess
import time

import pytest

from harness import namespaces, processes, wait
from harness.home import Home

pytestmark = pytest.mark.limit(400)


def test_a_running_vm_is_found_again(own_world, make_vm):
    vm = make_vm(home=own_world)
    pid, boot = vm.show()["pid"], vm.boot_id()
    for _ in range(3):
        own_world.kill_bangerd()
        assert vm.state() == "running"
        assert vm.show()["pid"] == pid
        assert vm.boot_id() == boot
    vm.do("stop")
    assert vm.state() == "stopped"


def test_a_running_vm_outlives_daemon_stop(own_world, make_vm):
    vm = make_vm(home=own_world)
    boot = vm.boot_id()
    own_world.banger("daemon", "stop", check=True)
    wait.until(lambda: not own_world.agent_pids(), 10, "bangerd is gone")
    assert processes.find(vm.show()["pid"])
    assert vm.boot_id() == boot


def test_a_vm_that_boots_outlives_daemon_stop(own_world, make_vm):
    vm = make_vm("--no-start", home=own_world)
    start = own_world.start("vm", "start", vm.name)
    pid = wait.until(lambda: vm.show()["pid"], 60, "its VMM is there")
    own_world.banger("daemon", "stop", check=True)
    start.communicate(timeout=60)
    wait.until(lambda: not own_world.agent_pids(), 10, "bangerd is gone")
    assert processes.find(pid)
    assert (vm.state(), vm.show()["pid"]) == ("running", pid)
    wait.until(lambda: vm.exec("echo up", check=False) == "up", 120, "the boot goes on to its end")


def test_a_vm_that_died_meanwhile_is_told_truthfully(own_world, make_vm):
    vm = make_vm(home=own_world)
    pid = vm.show()["pid"]
    vm.exec("echo kept > /root/kept; sync")
    own_world.kill_bangerd()
    os.kill(pid, signal.SIGKILL)
    wait.until(lambda: processes.find(pid) is None, 10, "the VMM is gone")
    assert vm.state() in ("stopped", "failed")
    with pytest.raises(AssertionError):
        vm.exec("true")
    vm.do("start")
    assert vm.exec("cat /root/kept") == "kept"


def test_a_lost_database_is_rebuilt_from_the_folders(own_world, make_vm):
    running = make_vm(home=own_world)
    stopped = make_vm("--no-start", home=own_world)
    boot = running.boot_id()
    own_world.kill_bangerd()
    for path in own_world.database.parent.glob(own_world.database.name + "*"):
        path.write_bytes(b"garbage" * 1000)
    assert running.state() == "running"
    assert stopped.state() == "stopped"
    assert running.boot_id() == boot
    done = own_world.banger("daemon", "status")
    assert "banger.db" in done.stdout + done.stderr, "the user is told"


@pytest.mark.parametrize("verb", ["create", "start", "stop", "delete"])
def test_bangerd_killed_while_it_works_leaves_nothing_half_made(own_world, make_vm, verb):
    for delay in (0.02, 0.1, 0.4, 1.5):
        name = f"half-{verb}-{int(delay * 1000)}"
        if verb != "create":
            make_vm(*(["--no-start"] if verb in ("start", "delete") else []), home=own_world, name=name)
        words = {"create": ("create", "--name", name, "--memory", "256"), "start": ("start", name), "stop": ("stop", name),
                 "delete": ("delete", name)}[verb]
        own_world.banger("vm", "list", check=True)
        call = own_world.start("vm", *words)
        time.sleep(delay)
        own_world.kill_bangerd()
        call.communicate(timeout=60)
        row = own_world.vms().get(name)
        if row:
            settled = wait.until(lambda: (own_world.vms().get(name) or {"state": "gone"})["state"] not in ("creating", "deleting", "stopping")
                                 and (own_world.vms().get(name) or {"state": "gone"})["state"], 120, "it settles")
            if settled == "stopped" and verb != "create":
                own_world.banger("vm", "start", name, check=True, timeout=180)
                own_world.banger("vm", "exec", name, "--", "true", check=True)
            own_world.banger("vm", "delete", "-f", name)
        assert name not in own_world.vms()
        wait.until(lambda: not list(own_world.vms_folder.iterdir()), 20, "no folder is left")
        wait.until(lambda: {process.name for process in own_world.processes()} <= {"bangerd", "dbus-daemon"}, 20, "no VMM is left")


def end_with_bangerd(home, call):
    """One that came too late for the bangerd that was killed has started another, which must go, too."""
    while True:
        try:
            call.communicate(timeout=5)
            return
        except subprocess.TimeoutExpired:
            home.kill_bangerd()


def test_bangerd_killed_in_mid_frame_many_times(own_world, make_vm):
    """Half a frame stays in the pipe, in both directions; the next command works."""
    vm = make_vm(home=own_world)
    dice = random.Random(3)
    for round in range(100 if os.environ.get("BANGER_TEST_ALL") else 20):
        down = own_world.start("vm", "exec", vm.name, "--", "head", "-c", "100M", "/dev/zero", stdout=subprocess.DEVNULL)
        up = own_world.start("vm", "exec", vm.name, "--", "sh", "-c", "cat > /dev/null", stdin=open("/dev/zero"), stdout=subprocess.DEVNULL)
        time.sleep(dice.uniform(0.05, 0.3))
        own_world.kill_bangerd()
        for call in (down, up):
            end_with_bangerd(own_world, call)
        done = own_world.banger("vm", "exec", vm.name, "--", "echo", str(round), timeout=60)
        assert done.stdout.strip() == str(round), f"round {round}: exit {done.returncode}: {done.stderr}"
    wait.until(lambda: int(vm.exec("pgrep -c head || true") or 0) == 0, 60, "commands without a host end are hung up")


def test_a_guest_that_sends_garbage(own_world, make_vm):
    vm = make_vm(home=own_world)
    other = make_vm(home=own_world)
    # The channel has one opener: banger-guest's place must be taken first.
    vm.exec("setsid sh -c 'sleep 1; for n in 1 2 3 4 5 6 7 8 9 10; do for pid in $(pgrep banger-guest); do kill -9 $pid; done; "
            "for port in /dev/vport*; do timeout 1 dd if=/dev/urandom of=$port bs=64k; done; done' > /dev/null 2>&1 < /dev/null &", check=False)
    begin = time.monotonic()
    while time.monotonic() - begin < 15:
        assert other.exec("echo well") == "well", "the neighbour is not touched"
    done = own_world.banger("vm", "exec", vm.name, "--", "echo", "back", timeout=60)
    assert done.stdout == "back\n" or (done.returncode == 125 and done.stderr.strip())
    pid = own_world.agent_pids()[0]
    assert processes.private_dirty_kib(pid) < 100 * 1024
    vm.do("delete", "-f")
    assert vm.name not in own_world.vms()


def test_a_command_that_floods_its_output(own_world, make_vm):
    vm = make_vm(home=own_world)
    flood = own_world.start("vm", "exec", vm.name, "--", "cat", "/dev/zero")
    time.sleep(3)
    pid = own_world.agent_pids()[0]
    assert processes.private_dirty_kib(pid) < 64 * 1024, "what nobody reads is not kept in memory"
    assert vm.exec("echo hi") == "hi"
    flood.kill()
    flood.communicate()


@pytest.mark.parametrize("size", ["256k", "1m", "8m", "64m", "200m"])
def test_a_full_disk_at_create(cache, size):
    home = Home("full", cache=cache)
    try:
        script = 'for n in 1 2 3; do "$0" vm create --no-start --name full-$n --disk-size 1G; echo "exit $?"; done; ' \
                 '"$0" vm list --json; ls "$1/banger/vms" 2>/dev/null | wc -l; "$0" daemon stop; exit 0'
        done = subprocess.run(namespaces.with_small_folder(home.state, size, ["sh", "-c", script, *home.command(), home.state]), env=home.env,
                              capture_output=True, text=True, timeout=200, stdin=subprocess.DEVNULL, cwd=home.root)
        assert "exit 0" not in done.stdout, f"{done.stdout}\n{done.stderr}"
        assert done.stdout.count("exit 1") == 3, f"{done.stdout}\n{done.stderr}"
        assert "space" in done.stderr.lower()
        if size != "256k":  # there bangerd itself can't start
            assert "[]" in done.stdout and done.stdout.rstrip().endswith("0")
    finally:
        home.close()


def test_on_a_full_disk_bangerd_still_starts_and_deletes(cache):
    home = Home("full", cache=cache)
    try:
        script = '"$0" vm create --no-start --name victim --disk-size 64M || exit 1; cat /dev/zero > "$1/banger/fill" 2>/dev/null; ' \
                 'kill -9 $(sed -n \'s/.*"pid":\\([0-9]*\\).*/\\1/p\' "$1/banger/bangerd.json"); ' \
                 '"$0" vm delete victim; echo "deleted: $?"; "$0" vm list --json; "$0" daemon stop; exit 0'
        done = subprocess.run(namespaces.with_small_folder(home.state, "500m", ["sh", "-c", script, *home.command(), home.state]), env=home.env,
                              capture_output=True, text=True, timeout=200, stdin=subprocess.DEVNULL, cwd=home.root)
        assert "deleted: 0" in done.stdout and "[]" in done.stdout, f"{done.stdout}\n{done.stderr}"
    finally:
        home.close()


@pytest.mark.parametrize("missing, package, words", [
    ("qemu-system-x86_64", "qemu-system-x86", ("vm", "create", "--name", "poor", "--vmm", "qemu-tcg")),
    ("passt", "passt", ("vm", "create", "--name", "poor", "--network", "user")),
    ("mmdebstrap", "mmdebstrap", ("image", "build", "--name", "poor")),
])
def test_a_missing_program_is_named_with_its_package(cache, tmp_path, missing, package, words):
    home = Home("poor", cache=cache)
    home.env["PATH"] = namespaces.clean_path_without(tmp_path / "bin", {missing, "mkfs.ext4", "passt.avx2"} if missing != "mkfs.ext4" else set())
    try:
        done = home.banger(*words, timeout=180)
        assert done.returncode == 4, done.stderr
        assert f"apt-get install {package}" in done.stderr or f"apt install {package}" in done.stderr
        doctor = home.banger("doctor")
        assert f"apt install {package}" in doctor.stdout
        assert doctor.returncode == (4 if missing == "qemu-system-x86_64" else 0), "only what no VM can do without is an error"
        assert "poor" not in home.vms() or words[1] != "create" or home.banger("vm", "delete", "-f", "poor").returncode == 0
        home.banger("daemon", "stop")
    finally:
        home.close()


def test_bangerd_killed_while_it_builds_an_image(tmp_path):
    """Nothing half-made is listed, the working files go, and the next build works from the start (not run to its end here)."""
    home = Home("build")
    try:
        call = home.start("image", "build", "--name", "mine")
        wait.until(lambda: [process for process in home.processes() if process.name == "mmdebstrap"] or call.poll() is not None, 60, "mmdebstrap runs")
        home.kill_bangerd()
        call.communicate(timeout=60)
        assert call.returncode != 0
        assert home.json("image", "list", "--json") == []
        wait.until(lambda: {process.name for process in home.processes()} <= {"bangerd", "dbus-daemon"}, 60, "the build's processes are gone")
        left = [path for path in (home.cache / "banger").rglob("*") if path.is_file() and path.stat().st_size > 1 << 20]
        assert not left, left
        home.banger("daemon", "stop")
    finally:
        home.close()


def test_disk_sizes_beyond_the_file_system_are_refused(world):
    free = shutil.disk_usage(world.state).total
    done = world.banger("vm", "create", "--no-start", "--name", "huge", "--disk-size", f"{free // (1 << 30) + 100}G")
    assert done.returncode in (1, 2), done.stderr
    assert "huge" not in world.vms()
