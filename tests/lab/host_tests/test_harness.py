# SPDX-License-Identifier: GPL-2.0-or-later
"""Bad luck that the lab itself must bear."""

import os
import pathlib
import re
import select
import signal
import subprocess
import sys
import time
import types

import pytest

from lab.harness import accelerator, cache, debian_tree, guest_images, programs, results, snapshots, test_run, workstation
from lab.harness.errors import LabError

pytestmark = pytest.mark.skipif(not os.environ.get("LAB_ALL"), reason="tests the lab itself: with scripts/test --all, or LAB_ALL=yes")
LAB = pathlib.Path(__file__).resolve().parents[1] / "lab"


@pytest.fixture
def own_cache(tmp_path, monkeypatch):
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path))
    return tmp_path / "banger-lab"


def is_gone(workstation):
    return workstation.process.poll() is not None and not pathlib.Path(f"/proc/{workstation.process.pid}").exists()


def test_a_workstation_that_hangs_is_ended_and_its_console_shown(clean):
    clean.run("echo the last words >/dev/console")
    clean.qmp.do("stop")
    begin = time.monotonic()
    with pytest.raises(LabError, match=r"(?s)hangs.*took longer than 3 s.*the last words"):
        clean.run("true", seconds=3)
    assert time.monotonic() - begin < 10
    assert is_gone(clean)


def test_a_kernel_panic_is_seen_at_once_and_its_console_shown(clean):
    begin = time.monotonic()
    with pytest.raises(LabError, match=r"(?s)QEMU ended.*Kernel panic"):
        clean.run("echo 1 >/proc/sys/kernel/sysrq; echo c >/proc/sysrq-trigger", seconds=100)
    assert time.monotonic() - begin < 50


def test_a_workstation_that_ends_before_it_is_up_is_waited_for_no_longer(clean):
    clean.process.kill()
    with pytest.raises(LabError, match="QEMU ended .by SIGKILL"):
        clean.wait_until_up()


@pytest.mark.parametrize("before, words", [("kill -KILL {}; ", "QEMU ended .by SIGKILL"), ("", "the connection to the tests was lost")], ids=["QEMU", "ssh"])
def test_a_run_of_tests_that_loses_its_workstation_says_what_happened(clean, monkeypatch, before, words):
    instead = ["sh", "-c", before.format(clean.process.pid) + f"exit {workstation.SSH_LOST}"]
    with monkeypatch.context() as patch, pytest.raises(LabError, match=words):
        patch.setattr(clean, "ssh_command", lambda: instead)
        test_run._pytest(clean, "")


def test_what_a_workstation_has_to_say_comes_back(clean, tmp_path):
    clean.run("sh -c 'kill -SEGV $$'", check=False)
    clean.run("n=0; until coredumpctl list sh || [ $((n += 1)) = 100 ]; do sleep 0.1; done; logger -t lab said")
    results.bring_back(clean, tmp_path / "back")
    names = {path.name for path in (tmp_path / "back").iterdir()}
    assert {"journal.log", "coredumps.txt", "console.log", "qemu.log"} <= names
    assert any(name.startswith("core.sh.") for name in names), names
    assert re.search(r" lab\[\d+\]: said", (tmp_path / "back/journal.log").read_text())


def test_two_labs_at_once_do_not_meet(suite, clean):
    with cache.RunFolder() as other_run, snapshots.clean(suite).start(other_run.path) as other:
        assert other.port != clean.port and other.folder != clean.folder
        clean.run("echo one >/root/here")
        other.run("echo two >/root/here")
        assert (clean.text("cat /root/here"), other.text("cat /root/here")) == ("one", "two")


def test_qemu_ends_with_a_lab_that_was_killed(suite):
    program = f"""import os, sys; sys.path[:0] = [{str(LAB.parents[1])!r}]
from lab.harness import cache, snapshots
with cache.RunFolder() as run, snapshots.clean({suite!r}).start(run.path) as workstation:
    print(workstation.process.pid, run.path, flush=True)
    sys.stdin.read()
"""
    with subprocess.Popen([sys.executable, "-B", "-c", program], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as lab:
        qemu, folder = lab.stdout.readline().split()
        pidfd = os.pidfd_open(int(qemu))
        lab.kill()
    poll = select.poll()
    poll.register(pidfd, select.POLLIN)
    assert poll.poll(10_000), "QEMU ends as well"
    os.close(pidfd)
    with cache.RunFolder():
        assert not pathlib.Path(folder).exists(), "the next lab sweeps its folder away"


CHILD = "sleep 1000 & echo $! >{}; wait"


def wait_for_pid(path):
    deadline = time.monotonic() + 10
    while not (path.exists() and path.read_text().endswith("\n")):
        assert time.monotonic() < deadline
        time.sleep(0.01)
    return pathlib.Path("/proc", path.read_text().strip())


def assert_ended(process):
    deadline = time.monotonic() + 10
    while process.exists() and (process / "stat").read_text().rsplit(")", 1)[1].split()[0] != "Z":
        assert time.monotonic() < deadline, f"{process} lives on"
        time.sleep(0.01)


def entries(folder):
    return [path.name for path in folder.iterdir() if path.is_dir() and path.name != "locks"]


def test_a_failed_build_leaves_its_log_and_no_entry(own_cache):
    def make(draft, log):
        (draft / "half").write_text("half")
        subprocess.run(["sh", "-c", "echo the reason; exit 7"], check=True, stdout=log)

    with pytest.raises(LabError, match=r"(?s)the reason.*whole log is .*thing-1.log"):
        cache.entry("thing", "1", make)
    assert "the reason" in (own_cache / "thing-1.log").read_text()
    assert entries(own_cache) == []


def test_a_build_that_was_killed_leaves_no_entry_and_the_next_one_clears_up(own_cache):
    program = f"""import os, signal, sys; sys.path[:0] = [{str(LAB.parents[1])!r}]
from lab.harness import cache
cache.entry("thing", "1", lambda draft, log: os.kill(os.getpid(), signal.SIGKILL))
"""
    subprocess.run([sys.executable, "-B", "-c", program], check=False)
    assert [name[:6] for name in entries(own_cache)] == [".draft"]
    made = cache.entry("thing", "1", lambda draft, log: (draft / "whole").write_text("whole"))
    assert entries(own_cache) == [made.name]


def run_python(program):
    """Another lab's process, as far as its first line, which is given as well."""
    lab = subprocess.Popen([sys.executable, "-B", "-c", f"import os, sys; sys.path[:0] = [{str(LAB.parents[1])!r}]\nfrom lab.harness import cache\n{program}"],
                           stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
    return lab, lab.stdout.readline().strip()


def make_nothing(_draft, _log):
    pass


def test_an_entry_that_another_lab_uses_is_not_removed_to_make_room(own_cache):
    lab, _ = run_python("""
for key in ("1", "2"):
    cache.entry("thing", key, lambda draft, log: None)
print("used", flush=True)
sys.stdin.read()
""")
    run_python('cache.entry("thing", "3", lambda draft, log: None)')[0].communicate()
    assert sorted(entries(own_cache)) == ["thing-1", "thing-2", "thing-3"]
    lab.communicate()
    cache.entry("thing", "4", make_nothing)
    assert len(entries(own_cache)) == cache.KEEP_OF_A_KIND and "thing-4" in entries(own_cache)


def test_what_is_half_removed_is_not_taken_for_whole(own_cache, monkeypatch):
    for key in ("1", "2", "3"):
        run_python(f'cache.entry("thing", "{key}", lambda draft, log: (draft / "file").touch())')[0].communicate()
    before = set(entries(own_cache))

    def killed(*_, **__):
        raise KeyboardInterrupt
    with monkeypatch.context() as patch, pytest.raises(KeyboardInterrupt):
        patch.setattr(cache.shutil, "rmtree", killed)
        cache.entry("thing", "4", make_nothing)
    assert len(before - set(entries(own_cache))) == 1, "what goes has lost its name first"
    cache.entry("thing", "5", make_nothing)
    assert not [name for name in entries(own_cache) if name.startswith(".")], "the next one clears up"


def test_a_lab_that_still_makes_its_workstation_is_not_destroyed_and_ends_when_told_to(own_cache, tmp_path, monkeypatch):
    (tmp_path / "mmdebstrap").write_text(f"#!/bin/sh\necho $$ >{tmp_path}/pid\nexec sleep 1000\n")
    (tmp_path / "mmdebstrap").chmod(0o755)
    monkeypatch.setenv("PATH", str(tmp_path), prepend=":")
    lab = subprocess.Popen([LAB, "--clean", "run", "true"], stdin=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    try:
        mmdebstrap = wait_for_pid(tmp_path / "pid")
        for verb in ("destroy", "rebuild"):
            done = subprocess.run([LAB, verb], capture_output=True, text=True, stdin=subprocess.DEVNULL)
            assert done.returncode == 3 and "a lab makes or runs a workstation; end it first" in done.stderr
        lab.terminate()
        assert lab.wait(20) == 143
    finally:
        lab.kill()
        lab.wait()
    assert_ended(mmdebstrap)
    assert entries(own_cache) == ["runs"] and entries(own_cache / "runs") == []
    cache.destroy()
    assert not own_cache.exists()


def test_a_run_folder_without_a_lock_keeps_nobody_from_destroying(own_cache):
    (own_cache / "runs/123-half").mkdir(parents=True)
    cache.destroy()
    assert not own_cache.exists()


@pytest.mark.parametrize("qemu, words", [("exit 1", "QEMU is gone"), ("exec sleep 1000", "does not answer in time: its greeting")])
def test_a_qemu_that_fails_at_its_start_leaves_nothing(tmp_path, monkeypatch, qemu, words):
    (tmp_path / "qemu-system-x86_64").write_text(f"#!/bin/sh\necho $$ >{tmp_path}/pid\n{qemu}\n")
    (tmp_path / "qemu-system-x86_64").chmod(0o755)
    monkeypatch.setenv("PATH", str(tmp_path), prepend=":")
    monkeypatch.setattr(accelerator, "choose", lambda base: "tcg")
    monkeypatch.setattr(workstation, "GREET_SECONDS", 1, raising=False)
    before = set(pathlib.Path("/tmp").glob("lab-*"))
    with pytest.raises(LabError, match=words):
        workstation.Workstation(tmp_path, tmp_path, {})
    assert set(pathlib.Path("/tmp").glob("lab-*")) <= before
    assert not pathlib.Path("/proc", (tmp_path / "pid").read_text().strip()).exists()


def test_a_program_that_takes_too_long_ends_with_its_children(tmp_path):
    with open(tmp_path / "log", "wb") as log, pytest.raises(LabError, match="took longer than 1 s"):
        debian_tree.run(log, ["sh", "-c", CHILD.format(tmp_path / "pid")], seconds=1)
    assert_ended(wait_for_pid(tmp_path / "pid"))


def test_a_lab_that_is_told_to_end_does_not_wait_for_what_another_thread_makes(own_cache, tmp_path, monkeypatch):
    def make_guests(_draft, log):
        for _ in range(2):
            programs.run(log, ["sh", "-c", CHILD.format(tmp_path / "pid")], 1000, os.environ)

    def told_to_end(_suite):
        wait_for_pid(tmp_path / "pid")
        sys.exit(143)

    monkeypatch.setattr(guest_images, "folder", lambda: cache.entry("guests", "1", make_guests))
    monkeypatch.setattr(snapshots.workstation_image, "base", told_to_end)
    begin = time.monotonic()
    with pytest.raises(SystemExit):
        snapshots.clean("bookworm")
    assert time.monotonic() - begin < 10
    assert_ended(wait_for_pid(tmp_path / "pid"))
    assert entries(own_cache) == []


def test_another_build_of_banger_makes_other_guests(tmp_path, monkeypatch):
    monkeypatch.setattr(guest_images, "PROGRAMS", tmp_path)
    with pytest.raises(LabError, match="there is no release build"):
        guest_images._key()
    (tmp_path / "bin").mkdir()
    keys = set()
    for bangerd, guest in (("1", "1"), ("2", "1"), ("2", "2")):
        (tmp_path / "bin/bangerd").write_text(bangerd)
        (tmp_path / "bin/banger-guest").write_text(guest)
        keys.add(guest_images._key())
    assert len(keys) == 3


def test_a_disk_that_is_full_while_building_is_told_with_what_frees_it(own_cache):
    def make(_draft, _log):
        with open("/dev/full", "w") as file:
            file.write("x" * 100_000)

    with pytest.raises(LabError, match=r"the disk of .* is full: `tests/lab/lab destroy` frees"):
        cache.entry("thing", "1", make)


@pytest.mark.parametrize("said", ["cp: error writing 'memory': No space left on device", "cp: error writing 'memory': Disk quota exceeded"])
def test_a_disk_without_room_for_a_snapshot_s_memory_is_told(own_cache, tmp_path, monkeypatch, said):
    (tmp_path / "cp").write_text(f'#!/bin/sh\necho "{said}" >&2\nexit 1\n')
    (tmp_path / "cp").chmod(0o755)
    monkeypatch.setenv("PATH", str(tmp_path), prepend=":")
    monkeypatch.setattr(accelerator, "choose", lambda base: "tcg")
    snapshot = snapshots.Snapshot(cache.folder(), "key", tmp_path, {})
    with pytest.raises(LabError, match="is full: `tests/lab/lab destroy` frees"):
        snapshot.with_more("thing", "1", None)
    assert entries(own_cache) == []


def test_memory_that_can_not_grow_on_the_disk_is_told(tmp_path):
    """Without a workstation, as a real one would leave a core of four gigabytes."""
    machine = workstation.Workstation.__new__(workstation.Workstation)
    machine.folder, machine.console, machine.shared = tmp_path, tmp_path / "console.log", True
    machine.qmp = types.SimpleNamespace(take_events=lambda: False, events=[])
    machine.process = types.SimpleNamespace(wait=lambda: -signal.SIGBUS)
    with pytest.raises(LabError, match="is full: `tests/lab/lab destroy` frees"):
        machine.check()
    machine.shared = False
    with pytest.raises(LabError, match="QEMU ended .by SIGBUS"):
        machine.check()


def test_a_disk_without_room_for_a_run_is_told(tmp_path):
    unshare = ["unshare", "--mount"] if os.geteuid() == 0 else ["unshare", "--mount", "--map-root-user"]
    command = f"mount -t tmpfs -o nr_inodes=1 tmpfs {tmp_path} && XDG_CACHE_HOME={tmp_path} exec {LAB} --clean run true"
    done = subprocess.run([*unshare, "sh", "-c", command], capture_output=True, text=True, timeout=60, stdin=subprocess.DEVNULL)
    assert done.returncode == 3
    assert re.fullmatch(r"lab: the disk of \S+ is full: .*", done.stderr.strip()), done.stderr


def test_a_disk_that_gets_full_under_a_running_workstation_is_told(suite):
    """The folder of runs is a small file system in a namespace of this test's own."""
    runs = cache.folder() / "runs"
    runs.mkdir(exist_ok=True)
    unshare = ["unshare", "--mount"] if os.geteuid() == 0 else ["unshare", "--mount", "--map-root-user"]
    command = f"mount -t tmpfs -o size=48m tmpfs {runs} && exec {LAB} --suite {suite} --clean run 'dd if=/dev/urandom of=/var/tmp/big bs=1M count=200 conv=fsync'"
    done = subprocess.run([*unshare, "sh", "-c", command], capture_output=True, text=True, timeout=200, stdin=subprocess.DEVNULL)
    assert done.returncode == 3
    assert "is full: `tests/lab/lab destroy` frees" in done.stderr, done.stderr
