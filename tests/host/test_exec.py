# SPDX-License-Identifier: GPL-2.0-or-later
"""`banger vm exec`: what a command sees and what comes back."""

import concurrent.futures
import fcntl
import hashlib
import os
import pty
import select
import signal
import struct
import subprocess
import termios
import time

import pytest

from harness import wait

pytestmark = pytest.mark.limit(180)


def test_streams_stay_apart_and_the_code_comes_back(world, shared_vm):
    done = world.banger("vm", "exec", shared_vm, "--", "sh", "-c", "echo out; echo err >&2; exit 42")
    assert (done.stdout, done.stderr, done.returncode) == ("out\n", "err\n", 42)


@pytest.mark.parametrize("command, code", [
    (["true"], 0), (["false"], 1), (["sh", "-c", "exit 255"], 255), (["/no/such"], 127), (["no-such"], 127), (["/etc/passwd"], 126), (["/etc"], 126),
    (["sh", "-c", "kill -TERM $$"], 143), (["sh", "-c", "kill -KILL $$"], 137),
], ids=lambda value: " ".join(value) if isinstance(value, list) else str(value))
def test_exit_codes(world, shared_vm, command, code):
    assert world.banger("vm", "exec", shared_vm, "--", *command).returncode == code


def test_arguments_arrive_as_bytes(world, shared_vm):
    words = [b"", b"a b", b"'\"$`\\", b"\xff\xfe", b"*", "ä".encode(), b"-n", b"x" * 20000]
    command = [word.encode() for word in world.command("vm", "exec", shared_vm, "--", "printf", "%s\\0")] + words
    done = subprocess.run(command, env=world.env, capture_output=True, timeout=60)
    assert done.stdout.split(b"\0")[:-1] == words


def test_environment_folder_and_user(world, shared_vm):
    done = world.banger("vm", "exec", "--env", "A=1", "--env", "B=x y=z", "--cwd", "/usr/share", "--user", "nobody", shared_vm, "--",
                        "sh", "-c", 'echo "$A $B"; pwd; id -un')
    assert done.stdout.split("\n")[:3] == ["1 x y=z", "/usr/share", "nobody"], done.stderr


def test_the_default_is_root_at_home_with_a_path(guest):
    assert guest('echo "$(id -u) $(pwd) $HOME"') == "0 /root /root"
    assert "/usr/sbin" in guest("echo $PATH")


@pytest.mark.parametrize("options", [["--cwd", "/no/such"], ["--user", "no-such-user"]], ids=" ".join)
def test_a_bad_folder_or_user_is_banger_s_error(world, shared_vm, options):
    done = world.banger("vm", "exec", *options, shared_vm, "--", "true")
    assert done.returncode == 125 and options[1] in done.stderr


def test_standard_input_arrives_whole(world, shared_vm):
    data = os.urandom(8 << 20)
    done = world.banger("vm", "exec", shared_vm, "--", "sha256sum", input=data, text=False)
    assert done.stdout.split()[0].decode() == hashlib.sha256(data).hexdigest()


def test_output_arrives_whole(world, shared_vm):
    data = os.urandom(4 << 20)
    done = world.banger("vm", "exec", shared_vm, "--", "cat", input=data, text=False)
    assert done.stdout == data


def test_no_standard_input_is_end_of_file(world, shared_vm):
    assert world.banger("vm", "exec", shared_vm, "--", "wc", "-c").stdout.strip() == "0"


def test_a_reader_that_leaves_ends_the_command(world, shared_vm):
    process = world.start("vm", "exec", shared_vm, "--", "yes")
    assert process.stdout.readline() == "y\n"
    process.stdout.close()
    process.wait(30)
    assert world.banger("vm", "exec", shared_vm, "--", "sh", "-c", "sleep 1; ! pgrep -x yes").returncode == 0


@pytest.mark.parametrize("number, word", [(signal.SIGINT, "INT"), (signal.SIGTERM, "TERM"), (signal.SIGHUP, "HUP")])
def test_signals_reach_the_command(world, shared_vm, number, word):
    process = world.start("vm", "exec", shared_vm, "--", "sh", "-c", f'trap "echo got {word}; exit 3" {word}; echo ready; while :; do sleep 1; done')
    assert process.stdout.readline() == "ready\n"
    process.send_signal(number)
    out, _ = process.communicate(timeout=30)
    assert (out, process.returncode) == (f"got {word}\n", 3)


def test_a_killed_client_hangs_the_command_up(world, shared_vm, guest):
    process = world.start("vm", "exec", shared_vm, "--", "sh", "-c", "echo ready; exec sleep 4321")
    assert process.stdout.readline() == "ready\n"
    process.kill()
    process.wait()
    wait.until(lambda: guest("pgrep -fx 'sleep 4321' || true") == "", 30, "the command is gone")


def test_a_detached_command_goes_on(world, shared_vm, guest):
    world.banger("vm", "exec", "--detach", shared_vm, "--", "sh", "-c", "sleep 2; echo done > /tmp/detached", check=True)
    wait.until(lambda: guest("cat /tmp/detached 2>/dev/null || true") == "done", 30, "it wrote its file")


class Terminal:
    """A pseudo-terminal with the CLI on it, as an interactive user has. `by`: what starts it in its place."""

    def __init__(self, world, *args, rows=40, columns=100, by=()):
        self.master, slave = pty.openpty()
        self.resize(rows, columns)
        self.process = subprocess.Popen([*by, *world.command(*args)], stdin=slave, stdout=slave, stderr=slave, env={**world.env, "TERM": "xterm"},
                                        start_new_session=True, preexec_fn=lambda: fcntl.ioctl(0, termios.TIOCSCTTY, 0))
        os.close(slave)
        self.seen = ""

    def resize(self, rows, columns):
        fcntl.ioctl(self.master, termios.TIOCSWINSZ, struct.pack("HHHH", rows, columns, 0, 0))

    def type(self, text):
        os.write(self.master, text.encode())

    def expect(self, text, seconds=30):
        deadline = time.monotonic() + seconds
        while text not in self.seen:
            assert time.monotonic() < deadline, f"no {text!r} in {self.seen!r}"
            if select.select([self.master], [], [], 0.5)[0]:
                try:
                    self.seen += os.read(self.master, 65536).decode(errors="replace")
                except OSError:
                    assert text in self.seen, f"ended without {text!r}: {self.seen!r}"
        before, self.seen = self.seen.split(text, 1)
        return before

    def close(self):
        self.process.kill()
        self.process.wait()
        os.close(self.master)


@pytest.fixture
def terminal(world):
    opened = []

    def open_terminal(*args, **options):
        opened.append(Terminal(world, *args, **options))
        return opened[-1]

    yield open_terminal
    for each in opened:
        each.close()


def test_a_terminal_is_passed_on_with_its_size(terminal, shared_vm):
    user = terminal("vm", "exec", shared_vm, "--", "sh", "-c", "tty; stty size; exit 5")
    assert "/dev/pts/" in user.expect("40 100")
    assert user.process.wait(30) == 5


def test_a_resized_window_is_told(terminal, shared_vm):
    user = terminal("vm", "exec", shared_vm, "--", "sh", "-c", "trap 'stty size' WINCH; echo ready; while :; do sleep 1; done")
    user.expect("ready")
    user.resize(50, 132)
    user.expect("50 132")


def test_ctrl_c_on_a_terminal_reaches_the_command_alone(terminal, shared_vm, guest):
    user = terminal("vm", "exec", shared_vm, "--", "sh", "-c", "trap 'echo got INT' INT; echo ready; sleep 4322; echo after; exit 9")
    user.expect("ready")
    # Between fork and exec the shell's trap would take the signal in sleep's place.
    wait.until(lambda: guest("pgrep -fx 'sleep 4322' || true"), 30, "sleep runs")
    user.type("\x03")
    user.expect("after")
    assert user.process.wait(30) == 9


# By a program that lives on: with the end of its first one the kernel itself makes a terminal what it was.
BEFORE_AND_AFTER = ("sh", "-c", 'before=$(stty -g); "$@"; code=$?; [ "$(stty -g)" = "$before" ] && echo "as it was"; exit $code', "sh")


def test_a_shell_works_and_the_terminal_is_left_as_it_was(terminal, shared_vm):
    user = terminal("vm", "exec", shared_vm, "--", "sh", by=BEFORE_AND_AFTER)
    user.type("echo $((6*7))x\n")
    user.expect("42x")
    user.type("exit 3\n")
    user.expect("as it was")
    assert user.process.wait(30) == 3


@pytest.mark.limit(300)
def test_run_alone_is_a_shell(terminal):
    user = terminal("vm", "run", "--rm", "--memory", "256", by=BEFORE_AND_AFTER)
    user.expect("# ", 200)
    user.type("echo $((6*7))x\n")
    user.expect("42x")
    user.type("exit 4\n")
    user.expect("as it was", 60)
    assert user.process.wait(30) == 4


def test_many_commands_at_once(world, shared_vm):
    def one(number):
        return world.banger("vm", "exec", shared_vm, "--", "sh", "-c", f"sleep 1; echo {number}", timeout=120).stdout.strip()

    with concurrent.futures.ThreadPoolExecutor(32) as pool:
        assert list(pool.map(one, range(64))) == [str(number) for number in range(64)]


def test_a_stalled_reader_stops_nobody_else(world, shared_vm):
    stalled = world.start("vm", "exec", shared_vm, "--", "cat", "/dev/zero")
    try:
        for _ in range(5):
            assert world.banger("vm", "exec", shared_vm, "--", "echo", "hi", timeout=30).stdout == "hi\n"
    finally:
        stalled.kill()
        stalled.communicate()


# A file system whose server answers nothing, and goes with this program: as NFS or sshfs of a host that sleeps. 165: mount(2)
DEAD_DISK = """$| = 1; my ($name, $type, $at) = ("dead", "fuse", $ARGV[0]);
open my $fuse, "+<", "/dev/fuse" or die $!; my $how = "fd=" . fileno($fuse) . ",rootmode=40000,user_id=0,group_id=0";
syscall(165, $name, $at, $type, 0, $how) == 0 or die $!; print "up\\n"; sleep 600"""


def test_a_disk_that_hangs_stops_nobody_else(world, shared_vm, guest):
    guest("modprobe fuse; mkdir /tmp/dead")
    server = world.start("vm", "exec", shared_vm, "--", "perl", "-e", DEAD_DISK, "/tmp/dead")
    hanging = []
    try:
        assert server.stdout.readline() == "up\n", server.stderr.read()
        hanging = [world.start("vm", *words) for words in (("exec", "-w", "/tmp/dead", shared_vm, "--", "true"),
                                                          ("exec", shared_vm, "--", "/tmp/dead/program"), ("cp", f"{shared_vm}:/tmp/dead/x", "-"))]
        for _ in range(3):
            assert guest("echo hi", timeout=20) == "hi"
        assert [process.poll() for process in hanging] == [None] * 3
    finally:
        server.kill()
        server.communicate()
        ends = [process.communicate(timeout=60) and process.returncode for process in hanging]
        guest("umount -l /tmp/dead", check=False)
    assert ends[0] == 125 and 0 not in ends


def test_in_a_stopped_vm_it_says_how_to_start(world):
    world.banger("vm", "create", "--no-start", "--name", "asleep", check=True)
    try:
        done = world.banger("vm", "exec", "asleep", "--", "true")
        assert done.returncode == 125 and "banger vm start asleep" in done.stderr
    finally:
        world.banger("vm", "delete", "asleep")
