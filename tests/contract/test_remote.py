# SPDX-License-Identifier: GPL-2.0-or-later
"""`banger -H`: what it makes of a line, with a stand-in for ssh that runs it in another home, as sshd would. tests/lab/tests/test_remote.py has the real one,
between two networks."""

import json
import os
import pty
import signal
import subprocess

import pytest

from harness import archives, bundle, wait
from harness.home import PREFIX, Home

# Takes ssh's words, writes down those before the host, and is the login shell there.
STAND_IN = """#!/usr/bin/python3 -B
import json, os, sys
words = sys.argv[1:]
at = words.index("--")
with open({told!r}, "a") as file:
    file.write(json.dumps(words[:at + 2]) + "\\n")
env = json.load(open({env!r}))
os.chdir(env["HOME"])
os.execve("/bin/sh", ["sh", "-c", " ".join(words[at + 2:])], env)
"""


class Remote:
    """`here` is a home whose ssh leads to `there`."""

    def __init__(self, here, there):
        self.here, self.there = here, there
        self.told = here.root / "told"
        self.env_file = here.root / "env.json"
        self.set_env(PATH=f"{PREFIX / 'bin'}:/usr/bin:/bin")
        folder = here.root / "bin"
        folder.mkdir()
        program = folder / "ssh"
        program.write_text(STAND_IN.format(told=str(self.told), env=str(self.env_file)))
        program.chmod(0o755)
        here.env["PATH"] = f"{folder}:{here.env['PATH']}"

    def set_env(self, **changes):
        self.env_file.write_text(json.dumps({**self.there.env, **changes}))

    def banger(self, *words, host="ssh://box", **options):
        return self.here.banger("-H", host, *words, **options)

    def start(self, *words, **options):
        return self.here.start("-H", "ssh://box", *words, **options)

    def calls(self):
        return [json.loads(line) for line in self.told.read_text().splitlines()]


@pytest.fixture
def remote(home):
    there = Home("there")
    try:
        bundle.put_kernel(there)
        yield Remote(home, there)
        there.banger("daemon", "stop")
        home.banger("daemon", "stop")
    finally:
        there.close()


def test_the_other_host_s_banger_answers(remote):
    archives.put_vm(remote.there, "far")
    archives.put_vm(remote.here, "near")
    rows = json.loads(remote.banger("vm", "list", "--json", host="ssh://alice@box:2222", check=True).stdout)
    assert [row["name"] for row in rows] == ["far"]
    assert remote.calls() == [["-T", "-p", "2222", "-l", "alice", "--", "box"]]
    assert set(remote.here.vms()) == {"near"}


@pytest.mark.parametrize("words, code", [
    (("vm", "show", "no-such"), 3), (("vm", "exec", "no-such", "--", "true"), 125), (("vm", "create", "--no-start", "--name", "A"), 2), (("version",), 0),
])
def test_exit_codes_come_back(remote, words, code):
    done = remote.banger(*words)
    assert done.returncode == code, done.stderr
    assert bool(done.stderr) == bool(code)


def test_a_mistyped_line_costs_no_connection(remote):
    assert remote.banger("vm", "lst").returncode == 2
    assert remote.banger("vm", "run", ".", "--", "true").returncode == 2
    assert remote.banger("vm", "list", host="ssh://-oProxyCommand=x").returncode == 2
    assert remote.banger("vm", "list", host="").returncode == 2, "a variable that is not set is not this host"
    assert remote.banger("vm", "cp", "--", "notes.txt", "far:").returncode == 2, "behind -- it is the same path"
    assert not remote.told.exists()


def test_words_arrive_as_they_are(remote):
    odd = "it's $HOME `id` \\ \"x\" *"
    done = remote.banger("vm", "show", odd)
    assert done.returncode in (2, 3)
    direct = remote.there.banger("vm", "show", odd)
    assert (done.stderr, done.returncode) == (direct.stderr, direct.returncode)


def test_a_host_without_banger_says_so(remote):
    if any(os.path.exists(f"{folder}/banger") for folder in ("/usr/bin", "/bin", "/usr/local/bin")):
        pytest.skip("banger is installed for all users here")
    remote.set_env(PATH="/usr/bin:/bin")
    done = remote.banger("vm", "list")
    assert done.returncode == 4 and "there is no banger on" in done.stderr


def test_archives_are_files_of_this_host(remote):
    archives.put_vm(remote.here)
    remote.here.banger("vm", "export", "traveller", "-o", "a.tar.gz", check=True)
    done = remote.banger("vm", "import", "a.tar.gz", "--name", "arrived", check=True)
    assert done.stdout == "arrived\n"
    assert archives.is_same(archives.disks_of(remote.here, "traveller")["root.img"], archives.disks_of(remote.there, "arrived")["root.img"])
    done = remote.banger("vm", "export", "arrived", "-o", "back.tar.gz", check=True)
    assert done.stdout == "back.tar.gz\n" and (remote.here.root / "back.tar.gz").stat().st_size > 1000
    assert not (remote.there.root / "home" / "back.tar.gz").exists()
    done = remote.banger("vm", "export", "arrived", "-f", "-o", "back.tar.gz", "--json", check=True)
    assert json.loads(done.stdout) == {"path": "back.tar.gz"}
    done = remote.banger("vm", "export", "no-such", "-o", "none.tar.gz")
    assert done.returncode == 3 and not (remote.here.root / "none.tar.gz").exists()
    piped = subprocess.run(f"banger -H ssh://box vm export arrived -o - | banger vm import - --name home --kernel debian", shell=True,
                           env={**remote.here.env, "PATH": f"{remote.here.root / 'bin'}:{PREFIX / 'bin'}:/usr/bin:/bin"}, capture_output=True, text=True,
                           timeout=120)
    assert "no kernel" in piped.stderr, "the stream came, and this home has no kernel"


def test_an_archive_of_there_is_nothing_for_a_terminal_here_either(remote):
    master, slave = pty.openpty()
    try:
        done = subprocess.run(remote.here.command("-H", "ssh://box", "vm", "export", "far", "-o", "-"), env=remote.here.env, stdin=subprocess.DEVNULL,
                              stdout=slave, stderr=subprocess.PIPE, text=True, timeout=30)
    finally:
        os.close(slave)
        os.close(master)
    assert done.returncode == 2 and "nothing for a terminal" in done.stderr
    assert not remote.told.exists()


def test_what_a_guest_wrote_there_does_not_drive_the_terminal_here(remote):
    """With a standard input that is none, as in a loop over a file, the other host's banger has no terminal to see."""
    identity = archives.put_vm(remote.there, "far")
    (remote.there.vms_folder / identity / "console.log").write_bytes(b"before\x1b]0;mine\x07after\n")
    words = remote.here.command("-H", "ssh://box", "vm", "logs", "far")
    master, slave = pty.openpty()
    subprocess.run(words, env=remote.here.env, stdin=subprocess.DEVNULL, stdout=slave, stderr=subprocess.PIPE, timeout=30, check=True)
    os.close(slave)
    seen = os.read(master, 65536)
    os.close(master)
    assert b"before" in seen and b"\x1b" not in seen
    piped = subprocess.run(words, env=remote.here.env, stdin=subprocess.DEVNULL, capture_output=True, timeout=30, check=True)
    assert b"\x1b" in piped.stdout, "a program gets what is there"


def test_a_lost_connection_ends_what_runs_there(remote):
    """An import that waits for the rest of its archive, whose client goes."""
    archives.put_vm(remote.here)
    remote.here.banger("vm", "export", "traveller", "--plain", "-o", "a.tar", check=True)
    data = (remote.here.root / "a.tar").read_bytes()
    reader, writer = os.pipe()
    running = remote.start("vm", "import", "-", stdin=reader)
    os.close(reader)
    os.write(writer, data[:60_000])
    wait.until(lambda: list(remote.there.vms_folder.glob("*/root.img")), 30, "the disk begins to come")
    running.stdout.close()  # as sshd does when the connection is gone
    assert running.wait(30) in (128 + signal.SIGHUP, 129)
    os.close(writer)
    running.stderr.close()
    assert remote.there.vms() == {} and not list(remote.there.vms_folder.iterdir())


def test_a_terminal_here_is_one_there(remote):
    master, slave = pty.openpty()
    done = subprocess.run(remote.here.command("-H", "ssh://box", "version"), env=remote.here.env, stdin=slave, stdout=slave, stderr=subprocess.PIPE, timeout=30)
    os.close(slave)
    seen = os.read(master, 65536)
    os.close(master)
    assert (done.returncode, done.stderr) == (0, b"") and seen.startswith(b"banger ")
    assert remote.calls() == [["-t", "--", "box"]]


def test_what_ssh_refuses_is_ssh_s_to_tell_and_leaves_no_file(remote):
    """Such as an unknown host key where nobody can be asked; the lab has a real one."""
    (remote.here.root / "bin" / "ssh").write_text("#!/bin/sh\necho 'Host key verification failed.' >&2\nexit 255\n")
    before = sorted(remote.here.root.iterdir())
    for words in (("vm", "list"), ("vm", "export", "far"), ("vm", "import", "-")):
        done = remote.banger(*words)
        assert (done.returncode, done.stdout, done.stderr) == (255, "", "Host key verification failed.\n"), words
    assert sorted(remote.here.root.iterdir()) == before


def test_an_interrupted_export_of_there_leaves_no_file_here(remote):
    (remote.here.root / "bin" / "ssh").write_text(f"#!/bin/sh\n: >{remote.told}\nexec sleep 1000\n")
    running = remote.start("vm", "export", "far")
    wait.until(remote.told.exists, 30, "ssh runs")
    running.send_signal(signal.SIGINT)
    assert running.wait(30) == 128 + signal.SIGINT
    running.communicate()
    assert not list(remote.here.root.glob("far*"))


def test_bash_completes_what_stands_behind_a_host(home):
    """COMP_WORDS as bash 5.2 makes them of this line: it takes words apart at : and @."""
    words = "banger -H ssh : //alice @ box : 2222 vm expo"
    script = f"""source <(banger completion bash)
COMP_WORDS=({words}); COMP_CWORD=10; COMP_LINE='banger -H ssh://alice@box:2222 vm expo'
_banger; printf '%s\\n' "${{COMPREPLY[@]}}" """
    done = subprocess.run(["bash", "--norc", "-c", script], env={**home.env, "PATH": f"{PREFIX / 'bin'}:{home.env['PATH']}"}, stdin=subprocess.DEVNULL,
                          capture_output=True, text=True, timeout=30)
    assert (done.stdout, done.stderr) == ("export\n", "")


def test_ssh_that_is_not_there_is_said(home):
    folder = home.root / "empty"
    folder.mkdir()
    done = home.banger("-H", "ssh://box", "vm", "list", env={"PATH": str(folder)})
    assert done.returncode == 4 and "openssh-client" in done.stderr
