# SPDX-License-Identifier: GPL-2.0-or-later
"""VMs of OCI images out of a real registry: an alpine-like one, whose PID 1 is banger-guest, and a Debian that boots its own systemd."""

import subprocess

import pytest

from conftest import BOOT_SECONDS, BUILD_SECONDS
from harness.oci import LAYER, Layout, Registry, member, small_tree

pytestmark = pytest.mark.limit(1500)

ENTRY = b"""#!/bin/sh
echo "entry:$*"
echo "env:$COLOUR:$PATH"
echo "user:$(id -u):$(id -g)"
echo "cwd:$(pwd)"
trap 'echo stopped > /srv/run/stopped; sync; exit 0' QUIT
[ "$1" != stay ] || { touch /srv/run/up; while :; do sleep 1; done; }
"""


@pytest.fixture(scope="session")
def registry(world):
    registry = Registry(world.root / "registry", {name: value for name, value in world.env.items() if not name.lower().endswith("_proxy")})
    yield registry
    registry.close()


@pytest.fixture(scope="session")
def small(world, registry):
    """Pulled under the name `small`."""
    layout = Layout().add_layer(small_tree())
    layout.add_layer([member("bin/entry", ENTRY, mode=0o755), member("srv/run/", mode=0o755, owner=(33, 33)), member("run/app/", mode=0o755, owner=(33, 33))])
    layout.run_as(Entrypoint=["entry"], Cmd=["from", "image"], Env=["PATH=/bin:/opt/none", "COLOUR=green"], User="app", WorkingDir="/srv/run",
                  StopSignal="SIGQUIT")
    reference = registry.push(layout.write(world.root / "small"), "team/small:1")
    world.banger("image", "pull", reference, "--size", "256M", check=True, timeout=120)
    yield "small"
    world.banger("image", "delete", "small")


def run(world, *words, memory="256", timeout=BOOT_SECONDS, **options):
    return world.banger("vm", "run", "--rm", "--memory", memory, "--disk-size", "256M", *words, timeout=timeout, **options)


@pytest.fixture
def small_vm(small, make_vm):
    return make_vm("--image", small, disk="256M")


def test_run_without_words_runs_what_the_image_says(world, small):
    done = run(world, "--image", small)
    assert done.returncode == 0, done.stderr
    assert done.stdout.split("\n") == ["entry:from image", "env:green:/bin:/opt/none", "user:33:33", "cwd:/srv/run", ""]


def test_words_follow_the_entrypoint_and_options_win(world, small):
    done = run(world, "--image", small, "-e", "COLOUR=red", "-u", "root", "-w", "/", "--", "mine", "two words")
    assert done.stdout.split("\n") == ["entry:mine two words", "env:red:/bin:/opt/none", "user:0:0", "cwd:/", ""]


def test_another_entrypoint_takes_its_place(world, small):
    assert run(world, "--image", small, "--entrypoint", "cat", "--", "/etc/passwd").stdout.startswith("root:")
    assert run(world, "--image", small, "--entrypoint", "", "--", "echo", "bare").stdout == "bare\n"


def test_exec_has_environment_user_and_folder_but_no_entrypoint(world, small_vm):
    assert small_vm.exec("echo $COLOUR; id -u; pwd").split("\n") == ["green", "33", "/srv/run"]
    assert world.banger("vm", "exec", "-u", "root:wheel", small_vm.name, "--", "id", "-g", check=True).stdout == "10\n"
    assert world.banger("vm", "exec", "-u", "nobody-here", small_vm.name, "--", "id").returncode == 125


def test_the_owners_of_the_layers_are_those_in_the_guest(small_vm):
    assert small_vm.exec("stat -c %u:%g /srv/run /bin/busybox").split("\n") == ["33:33", "0:0"]
    assert small_vm.exec("stat -c '%u:%g %a' /run/app") == "33:33 755", "in our /run, too"


def test_banger_guest_is_pid_1_and_does_what_an_init_does(world, small_vm):
    as_root = ["vm", "exec", "-u", "root", "-w", "/", small_vm.name, "--", "sh", "-c"]

    def root(line):
        return world.banger(*as_root, line, check=True).stdout.strip()
    assert "banger-guest" in root("cat /proc/1/cmdline")
    assert root("hostname") == small_vm.name
    assert root("grep -c nameserver /etc/resolv.conf") != "0"
    for point, kind in (("/dev/pts", "devpts"), ("/dev/shm", "tmpfs"), ("/tmp", "tmpfs"), ("/proc", "proc"), ("/sys", "sysfs"), ("/run", "tmpfs")):
        assert f" {point} {kind} " in root("cat /proc/mounts"), point
    # An orphan ends as a child of PID 1, which takes it away.
    root("(sleep 0.2 & exit 0); sleep 1.5")
    assert root("grep -l '^State:.Z' /proc/[0-9]*/status | wc -l") == "0"


def test_an_edit_is_root_s_whoever_the_image_s_programs_run_as(world, small, nothing_left):
    world.banger("image", "edit", small, "--name", "small-edited", "--commit", "-q", "--network", "none", "--", "sh", "-c", "id -u > /uid", check=True, timeout=300)
    try:
        assert run(world, "--image", "small-edited", "--entrypoint", "cat", "--", "/uid").stdout == "0\n"
        assert run(world, "--image", "small-edited", "-u", "12345", "--entrypoint", "id", "--", "-g").stdout == "0\n", "as docker has it"
        row = world.json("image", "show", "small-edited", "--json")
        row = row[0] if isinstance(row, list) else row
        assert row["user"] == "app" and row["entrypoint"] == ["entry"], "what it says of itself goes on"
    finally:
        world.banger("image", "delete", "small-edited")


def test_a_stop_begins_with_the_image_s_own_signal(world, small):
    world.banger("vm", "run", "-d", "--name", "stays", "--memory", "256", "--disk-size", "256M", "--image", small, "--", "stay", check=True, timeout=BOOT_SECONDS)
    try:
        world.banger("vm", "exec", "stays", "--", "sh", "-c", "until [ -e /srv/run/up ]; do sleep 0.2; done", check=True)
        world.banger("vm", "stop", "stays", check=True, timeout=60)
        world.banger("vm", "start", "stays", check=True, timeout=BOOT_SECONDS)
        assert world.banger("vm", "exec", "stays", "--", "cat", "/srv/run/stopped", check=True).stdout == "stopped\n"
    finally:
        world.banger("vm", "delete", "-f", "stays")


def test_a_vm_keeps_what_it_needs_of_an_image_that_was_replaced(world, small, small_vm):
    Layout().add_layer(small_tree()).run_as(Cmd=["sh"]).write(world.root / "replaced")
    world.banger("image", "pull", f"oci:{world.root}/replaced", "--name", small, "--force", "--size", "256M", check=True)
    try:
        assert small_vm.exec("echo $COLOUR") == "green"
        small_vm.do("restart")
        assert small_vm.exec("echo $COLOUR") == "green"
    finally:
        world.banger("image", "pull", registry_reference(world), "--name", small, "--force", "--size", "256M", check=True)


def registry_reference(world):
    """Where the image of the fixture lies, without its registry."""
    return f"oci:{world.root}/small"


@pytest.fixture(scope="session")
def debian(world, registry, shared_vm):
    """The tests' own image as one layer, read out of a guest, where owners are what they are."""
    stream = world.root / "debian.tar"
    with open(stream, "wb") as file:
        done = subprocess.run(world.command("vm", "exec", shared_vm, "--", "tar", "-C", "/", "--one-file-system", "--xattrs", "--numeric-owner", "--exclude=./tmp/*",
                                            "--exclude=./root/*", "--exclude=./var/cache/*", "-cf", "-", "."), env=world.env, stdin=subprocess.DEVNULL, stdout=file,
                              stderr=subprocess.PIPE, timeout=600)
    assert done.returncode in (0, 1), done.stderr  # 1: a file changed meanwhile
    layout = Layout().add_layer(stream.read_bytes(), packed=False, media_type=LAYER)
    layout.run_as(Cmd=["/sbin/init"], Env=["COLOUR=blue"])
    reference = registry.push(layout.write(world.root / "debian"), "team/debian:1")
    world.banger("image", "pull", reference, "--name", "pulled-debian", "--size", "4G", check=True, timeout=BUILD_SECONDS)
    stream.unlink()
    yield "pulled-debian"
    world.banger("image", "delete", "pulled-debian")


def test_an_image_with_systemd_boots_it(world, debian, make_vm):
    vm = make_vm("--image", debian, memory="512", disk="1G")
    assert vm.exec("cat /proc/1/comm") == "systemd"
    vm.exec("systemctl is-system-running --wait || true", timeout=110)
    assert vm.exec("systemctl list-units --failed --plain --no-legend") == ""
    assert vm.exec("echo $COLOUR") == "blue"
    assert vm.exec("stat -c '%u:%g %a' /etc/shadow /usr/bin/su").split("\n") == ["0:42 640", "0:0 4755"]
    assert len(vm.exec("cat /etc/machine-id")) == 32
    shared = world.banger("vm", "exec", "shared", "--", "cat", "/etc/machine-id", check=True).stdout.strip()
    assert vm.exec("cat /etc/machine-id") != shared, "the id that was in the layer is not a VM's"


def test_its_own_command_is_not_run_beside_systemd(world, debian):
    done = run(world, "--image", debian, "-T", memory="512", input="echo shell:$0; exit 5\n")
    assert done.returncode == 5 and "shell:" in done.stdout
