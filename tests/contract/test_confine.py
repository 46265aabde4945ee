# SPDX-License-Identifier: GPL-2.0-or-later
"""banger-confine as it is installed: what a program in a VMM's place gets at, beside what its user may do. With bangerd's own words:
tests/host/test_confinement.py."""

import os
import socket
import subprocess
import sys

import pytest

from harness import namespaces, spy
from harness.home import PREFIX

CONFINE = PREFIX / "libexec" / "banger" / "banger-confine"
FILES = ["--read", "kernel", "--write", "root.img"]


@pytest.fixture
def place(home):
    """A VM's folder, a spy to run there, and what is none of its business."""
    class Place:
        vm = home.root / "vm"
        key = home.root / "home" / ".ssh" / "id_ed25519"
        bus = home.runtime / "bus"
    for folder in (Place.vm, Place.key.parent, home.root / "other"):
        folder.mkdir(parents=True)
    for file in (Place.key, Place.vm / "root.img", Place.vm / "vm.json", home.root / "kernel", home.root / "other" / "root.img", home.root / "database"):
        file.write_text("something")
    (Place.vm / "kernel").symlink_to(home.root / "kernel")
    listener = socket.socket(socket.AF_UNIX)
    listener.bind(str(Place.bus))
    listener.listen()
    bystander = subprocess.Popen(["sleep", "1000"], env=home.env)
    Place.spy = spy.put(home.root / "spy", {"key": Place.key, "disk": home.root / "other" / "root.img", "database": home.root / "database", "bus": Place.bus,
                                            "process": bystander.pid})
    yield Place
    bystander.kill()
    bystander.wait()
    listener.close()


def run(place, *words, cwd=None):
    return subprocess.run([CONFINE, *words], cwd=cwd or place.vm, stdin=subprocess.DEVNULL, capture_output=True, text=True, timeout=30)


def has_landlock(place):
    return run(place, "--check").returncode == 0


def unconfined(place):
    found = spy.report(subprocess.run([place.spy], cwd=place.vm, capture_output=True, text=True).stderr)
    (place.vm / "link").unlink()
    return found


@pytest.mark.parametrize("options", [[], ["--sockets"]], ids=["without sockets", "with sockets"])
def test_a_program_in_a_vmm_s_place_sees_its_own_vm_alone(place, options):
    said = run(place, "--check").stdout
    if not has_landlock(place):
        pytest.skip(f"this kernel: {said}")
    assert spy.got(unconfined(place)) >= {"key", "names of keys", "another VM's disk", "database", "a link", "a mode", "a signal", "its memory", "its folder", "the bus"} | spy.ITS_OWN, \
        "its user may do all that"
    done = run(place, *FILES, *options, "--", place.spy)
    assert done.returncode == 0, done.stderr
    reach = spy.got(spy.report(done.stderr))
    # Only a root folder of its own hides sockets from who may call some.
    assert reach - ({"the bus"} if options and "no root folder" in said else set()) == spy.ITS_OWN


# To be run as banger-confine's starter: from here on the kernel has no Landlock.
WITHOUT_LANDLOCK = """
import ctypes, os, struct, sys
libc = ctypes.CDLL(None, use_errno=True)
PR_SET_NO_NEW_PRIVS, PR_SET_SECCOMP, SECCOMP_MODE_FILTER = 38, 22, 2
LOAD_WORD, JUMP_IF_EQUAL, RETURN, ALLOW, ENOSYS, LANDLOCK_CREATE_RULESET = 0x20, 0x15, 6, 0x7fff0000, 0x50000 | 38, 444
words = ((LOAD_WORD, 0, 0, 0), (JUMP_IF_EQUAL, 0, 1, LANDLOCK_CREATE_RULESET), (RETURN, 0, 0, ENOSYS), (RETURN, 0, 0, ALLOW))
code = ctypes.create_string_buffer(b"".join(struct.pack("HBBI", *word) for word in words))
program = ctypes.create_string_buffer(struct.pack("HxxxxxxQ", len(words), ctypes.addressof(code)))
if libc.prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) != 0 or libc.prctl(PR_SET_SECCOMP, SECCOMP_MODE_FILTER, program, 0, 0) != 0:
    sys.exit("no filter: " + os.strerror(ctypes.get_errno()))
os.execv(sys.argv[1], sys.argv[1:])
"""
WRITES = """
import errno, os, sys
for path in sys.argv[1:]:
    try:
        os.close(os.open(path, os.O_WRONLY))
        print(path, "open")
    except OSError as error:
        print(path, errno.errorcode[error.errno])
"""
OF_ITS_USER = "/proc/self/oom_score_adj"  # which who owns the process may write


def without_landlock(*words):
    return [sys.executable, "-c", WITHOUT_LANDLOCK, CONFINE, *words]


def skip_without_own_root():
    said = subprocess.run(without_landlock("--check"), capture_output=True, text=True, timeout=30).stdout
    assert said.startswith("no Landlock; "), said
    if "no root folder" in said:
        pytest.skip(f"this host: {said}")


def test_without_landlock_what_it_is_to_read_is_read_only_all_the_same(place):
    skip_without_own_root()
    paths = [OF_ITS_USER, "kernel", "root.img", "/dev/null"]
    probe = ["/usr/bin/python3", "-I", "-c", WRITES, *paths]
    unbound = subprocess.run(probe, cwd=place.vm, capture_output=True, text=True, timeout=30)
    assert unbound.stdout.split("\n")[:-1] == [f"{path} open" for path in paths], "its user may"
    done = subprocess.run(without_landlock(*FILES, "--", *probe), cwd=place.vm, capture_output=True, text=True, timeout=30)
    assert done.stdout.splitlines() == [f"{OF_ITS_USER} EROFS", "kernel EROFS", "root.img open", "/dev/null open"], done.stderr


def test_a_vm_whose_home_is_below_usr_can_write_its_disk(place):
    skip_without_own_root()
    below = "/usr/share/keyrings"
    script = f"cd {below} && : >kernel && : >root.img && exec \"$@\""
    words = without_landlock(*FILES, "--", "/usr/bin/python3", "-I", "-c", WRITES, "root.img", OF_ITS_USER)
    done = subprocess.run(namespaces.with_small_folder(below, "64k", ["sh", "-c", script, "sh", *words]), capture_output=True, text=True, timeout=30)
    assert done.stdout.splitlines() == ["root.img open", f"{OF_ITS_USER} EROFS"], done.stderr


def test_what_it_says_of_itself(place):
    done = run(place, "--check")
    assert "a filter of system calls" in done.stdout and done.stdout.count("\n") == 1
    assert (done.returncode == 0) == ("no Landlock" not in done.stdout)
    assert done.stderr == ""


def test_a_disk_that_is_a_link_to_a_file_starts_nothing(place):
    (place.vm / "root.img").unlink()
    (place.vm / "root.img").symlink_to(place.key)
    done = run(place, *FILES, "--", place.spy)
    assert done.returncode == 127
    assert "root.img is not a file of the VM's own or a link to a block device" in done.stderr and "spy" not in done.stderr


@pytest.mark.parametrize("words", [["--read", "../other/root.img", "--", "/bin/true"], ["--device", "/etc/shadow", "--", "/bin/true"], ["--", "true"], ["--what"]])
def test_words_that_lead_elsewhere_are_refused(place, words):
    done = run(place, *words)
    assert done.returncode == 2 and done.stderr.startswith("banger-confine: ")


def test_a_program_that_is_not_there_is_named(place):
    done = run(place, "--", "/nowhere/vmm")
    assert done.returncode == 127 and "/nowhere/vmm" in done.stderr


def test_its_connection_is_there_as_descriptor_3(place):
    listener = socket.socket(socket.AF_UNIX)
    listener.bind(str(place.vm / "net.sock"))
    listener.listen()
    done = run(place, "--connect", "net.sock", "--", "/usr/bin/python3", "-I", "-c", "import os; os.write(3, b'frame')")
    assert done.returncode == 0, done.stderr
    caller, _ = listener.accept()
    assert caller.recv(16) == b"frame"
    listener.close()


def test_it_keeps_its_pid_and_its_exit_code(place):
    process = subprocess.Popen([CONFINE, "--", "/bin/sh", "-c", "echo $$; exit 7"], cwd=place.vm, stdout=subprocess.PIPE, text=True)
    said, _ = process.communicate(timeout=30)
    assert (int(said), process.returncode) == (process.pid, 7)


def test_it_has_nothing_of_its_user_s_environment(place):
    done = subprocess.run([CONFINE, "--", "/usr/bin/env"], cwd=place.vm, env={**os.environ, "TOKEN": "secret"}, capture_output=True, text=True, timeout=30)
    assert (done.returncode, done.stdout) == (0, "PATH=/usr/bin:/bin\n"), done.stderr
