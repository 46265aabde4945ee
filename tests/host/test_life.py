# SPDX-License-Identifier: GPL-2.0-or-later
"""A VM's life: stop, start, restart, poweroff and reboot from within, kill, delete."""

import contextlib
import os
import pty
import signal
import subprocess
import time

import pytest

from harness import processes, wait
from harness.long import only_with_all

pytestmark = pytest.mark.limit(400)


def test_stop_keeps_what_was_written(make_vm):
    """With a limit that a busy machine keeps, too: after it the VMM is ended, and the file systems are recovered, not unmounted."""
    vm = make_vm()
    vm.exec("echo root > /root/kept; echo disk > /kept; mkdir -p /root/d; seq 100000 > /root/d/many")
    vm.do("stop", "--timeout", "120")
    assert vm.state() == "stopped"
    assert not processes.below_folder(vm.folder())
    vm.do("start")
    assert vm.exec("cat /root/kept /kept; tail -1 /root/d/many").split() == ["root", "disk", "100000"]
    assert vm.exec("dmesg | grep -ci 'recovery\\|orphan' || true") == "0", "the file systems were unmounted"


def test_restart_is_a_new_boot_of_the_same_disks(make_vm):
    vm = make_vm()
    vm.exec("echo x > /root/kept")
    before = vm.boot_id()
    vm.do("restart")
    assert vm.boot_id() != before
    assert vm.exec("cat /root/kept") == "x"


@pytest.mark.parametrize("command", ["systemctl poweroff", *(pytest.param(other, marks=only_with_all("another word for it"))
                                                            for other in ("poweroff -f", "shutdown -h now"))])
def test_a_poweroff_inside_ends_in_stopped(make_vm, command):
    vm = make_vm()
    vm.exec(f"echo kept > /root/kept; sync; {command}", check=False)
    vm.wait_for_state("stopped", seconds=60)
    vm.do("start")
    assert vm.exec("cat /root/kept") == "kept"


@pytest.mark.parametrize("command", ["systemctl reboot", pytest.param("reboot -f", marks=only_with_all("another word for it"))])
def test_a_reboot_inside_comes_back(make_vm, command):
    vm = make_vm()
    before = vm.boot_id()
    vm.exec(f"echo kept > /root/kept; sync; {command}", check=False)

    def rebooted():
        done = vm.home.banger("vm", "exec", vm.name, "--", "cat", "/proc/sys/kernel/random/boot_id", timeout=60)
        return done.returncode == 0 and done.stdout.strip() not in ("", before)

    wait.until(rebooted, 120, "another boot answers")
    assert vm.state() == "running"
    assert vm.exec("cat /root/kept") == "kept"


def test_a_crashing_guest_is_no_hang(make_vm):
    vm = make_vm()
    vm.exec("echo kept > /root/kept; sync; (sleep 0.2; echo c > /proc/sysrq-trigger) >/dev/null 2>&1 &", check=False)
    wait.until(lambda: vm.state() in ("failed", "stopped") or vm.home.banger("vm", "exec", vm.name, "--", "test", "-e", "/root/kept").returncode == 0,
               120, "it ended or is back")
    vm.do("delete", "-f")


def test_kill_is_for_when_stop_fails(make_vm):
    vm = make_vm()
    vm.exec("echo synced > /root/kept; sync")
    vm.do("kill", "--signal", "KILL")
    assert vm.wait_for_state("stopped", "failed") in ("stopped", "failed")
    vm.do("start")
    assert vm.exec("cat /root/kept") == "synced"


def test_stop_of_a_guest_that_does_not_answer_ends_it_all_the_same(make_vm):
    vm = make_vm()
    pid = vm.show()["pid"]
    os.kill(pid, signal.SIGSTOP)
    vm.do("stop", "--timeout", "3")
    assert vm.state() in ("stopped", "failed")


def answered(home, answer, *words):
    """What a command wrote on its terminal, where it was given this answer to its question, and its exit code."""
    master, slave = pty.openpty()
    process = home.start(*words, stdin=slave, stdout=subprocess.DEVNULL, stderr=slave)
    os.close(slave)
    text = b""
    with contextlib.suppress(OSError):  # EIO: the terminal's other end is closed
        while b"[y/N]" not in text:
            text += os.read(master, 4096)
        os.write(master, answer)
        while piece := os.read(master, 4096):
            text += piece
    os.close(master)
    return text.decode(), process.wait(60)


def test_delete_leaves_nothing(make_vm):
    vm = make_vm()
    folder, pid = vm.folder(), vm.show()["pid"]
    assert vm.do("delete", check=False).returncode == 6, "a running VM needs -f"
    asked, code = answered(vm.home, b"n\n", "vm", "delete", vm.name)
    assert code == 0 and f"{vm.name} runs" in asked and "nothing was deleted" in asked, asked
    assert vm.state() == "running"
    asked, code = answered(vm.home, b"Yes\n", "vm", "delete", vm.name)
    assert code == 0, asked
    assert vm.name not in vm.home.vms()
    assert not folder.exists()
    assert processes.find(pid) is None
    assert not processes.below_folder(folder)


def test_prune_deletes_what_is_stopped_and_ps_does_not_list_it(own_world, make_vm):
    names = [make_vm("--no-start", home=own_world).name for _ in range(2)]

    def listed(*words):
        return own_world.banger(*words, check=True).stdout.split()

    assert listed("ps", "-q") == []
    for words in (("ps", "-aq"), ("vm", "list", "-q"), ("vm", "list", "-q", "--filter", "state=stopped")):
        assert sorted(listed(*words)) == sorted(names), words
    refused = own_world.banger("vm", "prune")
    assert refused.returncode == 2 and all(name in refused.stderr for name in names) and "--force" in refused.stderr
    asked, code = answered(own_world, b"\n", "vm", "prune")
    assert code == 0 and all(name in asked for name in names)
    assert sorted(own_world.vms()) == sorted(names)
    own_world.banger("vm", "prune", "-f", check=True)
    assert own_world.vms() == {}
    assert own_world.banger("vm", "prune", check=True).stderr == "no VM is stopped\n"


def test_verbs_that_change_nothing_succeed(make_vm):
    vm = make_vm()
    vm.do("start")
    vm.do("stop")
    vm.do("stop")
    assert vm.state() == "stopped"
    assert vm.do("kill", check=False).returncode == 6


def test_several_names_a_call(world, make_vm):
    a, b = make_vm("--no-start"), make_vm("--no-start")
    done = world.banger("vm", "delete", a.name, "no-such", b.name)
    assert done.returncode == 3 and "no-such" in done.stderr
    assert not {a.name, b.name} & set(world.vms()), "the others are done all the same"


def test_a_taken_name_is_refused(world, make_vm):
    vm = make_vm("--no-start")
    done = world.banger("vm", "create", "--no-start", "--name", vm.name)
    assert done.returncode == 6 and vm.name in done.stderr


def test_two_creates_of_one_name_at_once_one_wins(world, make_vm):
    calls = [world.start("vm", "create", "--no-start", "--name", "contested") for _ in range(6)]
    codes = []
    for call in calls:
        call.communicate(timeout=60)
        codes.append(call.returncode)
    try:
        assert sorted(codes) == [0] + [6] * 5
        assert len([name for name in world.vms() if name == "contested"]) == 1
        assert len([path for path in world.vms_folder.iterdir() if '"contested"' in (path / "vm.json").read_text()]) == 1
    finally:
        world.banger("vm", "delete", "contested")


def test_a_created_vm_is_as_asked(make_vm):
    vm = make_vm("--vcpu", "2", memory="384", disk="2G")
    shown = vm.show()
    assert (shown["vcpus"], shown["memory_mib"], shown["disk_bytes"]) == (2, 384, 2 << 30)
    assert vm.exec("nproc") == "2"
    assert 300_000 < int(vm.exec("awk '/^MemTotal/ {print $2}' /proc/meminfo")) < 384 * 1024
    assert int(vm.exec("cat /sys/class/block/$(basename $(findmnt -no SOURCE /root))/size")) * 512 == 2 << 30


def test_disks_are_sparse(make_vm):
    vm = make_vm("--no-start", disk="16G")
    used = sum(path.stat().st_blocks * 512 for path in vm.folder().iterdir() if path.is_file() and not path.is_symlink())
    assert used < 800 << 20, "no more than the image's own content"
    assert (vm.folder() / "work.img").stat().st_blocks * 512 < 32 << 20


def test_logs_show_the_console_and_follow(world, make_vm):
    vm = make_vm()
    follow = world.start("vm", "logs", "-f", vm.name, start_new_session=True)
    try:
        vm.exec("echo a-marker-on-the-console > /dev/console")
        deadline = time.monotonic() + 20
        while "a-marker-on-the-console" not in follow.stdout.readline():
            assert time.monotonic() < deadline
    finally:
        follow.kill()
    assert "a-marker-on-the-console" in world.banger("vm", "logs", vm.name, check=True).stdout


def test_a_disk_grows_and_never_shrinks(world, make_vm):
    vm = make_vm(disk="256M")
    vm.exec("echo kept > /root/kept")
    done = world.banger("vm", "set", "--disk-size", "512M", vm.name)
    assert done.returncode == 6 and f"banger vm stop {vm.name}" in done.stderr
    vm.do("stop")
    done = world.banger("vm", "set", "--disk-size", "128M", vm.name)
    assert done.returncode == 2 and "256M" in done.stderr and "shrink" in done.stderr
    world.banger("vm", "set", "--disk-size", "512M", "--memory", "384", "--vcpu", "2", vm.name, check=True)
    shown = vm.show()
    assert (shown["vcpus"], shown["memory_mib"], shown["disk_bytes"]) == (2, 384, 512 << 20)
    vm.do("start")
    assert vm.exec("cat /root/kept; nproc") == "kept\n2"
    assert int(vm.exec("df --output=size -k /root | tail -1")) > 400 * 1024
