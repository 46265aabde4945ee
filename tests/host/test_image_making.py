# SPDX-License-Identifier: GPL-2.0-or-later
"""Images that are built, promoted and edited, and VMs of them. Builds take a small list of their own: they fetch packages."""

import json
import os
import pty
import signal
import subprocess

import pytest

from harness import wait
from harness.long import only_with_all

pytestmark = pytest.mark.limit(900)

BUILD_SECONDS = 600


@pytest.fixture(scope="module")
def base(world):
    """Names of images of this module, deleted at its end."""
    names = []
    yield names
    for name in names:
        world.banger("image", "delete", name)


def image_of(world, name):
    rows = {row["name"]: row for row in world.json("image", "list", "--json")}
    return rows.get(name)


def file_in(world, name, path):
    """A file of an image, by debugfs."""
    folder = world.json("image", "show", name, "--json")["path"]
    done = subprocess.run(["/usr/sbin/debugfs", "-R", f"cat {path}", f"{folder}/rootfs.ext4"], capture_output=True, text=True)
    return done.stdout


def stat_in(world, name, path):
    folder = world.json("image", "show", name, "--json")["path"]
    return subprocess.run(["/usr/sbin/debugfs", "-R", f"stat {path}", f"{folder}/rootfs.ext4"], capture_output=True, text=True).stdout


@pytest.fixture(scope="module")
def built(world, base, tmp_path_factory):
    """On the default image: two packages, a customise script, all as an ordinary user."""
    folder = tmp_path_factory.mktemp("build")
    (folder / "more.apt").write_text("# small ones\njq\n")
    script = folder / "customise"
    script.write_text("#!/bin/sh -e\nid -u\nenv | sort > /etc/customised\ntest -d /proc/self\ncommand -v jq\n")
    words = ["image", "build", "--name", "t-built", "--base", "debian", "--packages", str(folder / "more.apt"), "--customize", str(script)]
    base.append("t-built")
    done = world.banger(*words, check=True, timeout=BUILD_SECONDS)
    assert "is made" in done.stdout
    return words


def test_a_build_on_a_base_has_both_and_keeps_what_the_base_had(world, built):
    assert stat_in(world, "t-built", "/usr/bin/jq")
    customised = file_in(world, "t-built", "/etc/customised").splitlines()
    assert {"BANGER_IMAGE=t-built", "BANGER_DOCKER=0", "HOME=/root", "DEBIAN_FRONTEND=noninteractive"} <= set(customised)
    assert not any(line.startswith(("XDG_", "BANGER_STATE", "TMPDIR")) for line in customised)
    assert "security.capability" in stat_in(world, "t-built", "/usr/bin/ping")
    assert "Mode:  04755" in stat_in(world, "t-built", "/usr/bin/su")
    assert "Group:    42" in stat_in(world, "t-built", "/etc/shadow")
    assert "debian.org" in file_in(world, "t-built", "/etc/apt/sources.list.d/debian.sources")
    assert file_in(world, "t-built", "/banger-customize") == ""


def test_the_same_inputs_are_up_to_date_and_cost_nothing(world, built):
    digest = image_of(world, "t-built")["digest"]
    done = world.banger(*built, check=True, timeout=30)
    assert "was there already" in done.stdout
    assert image_of(world, "t-built")["digest"] == digest


def test_the_log_of_a_build_is_kept(world, built):
    log = (world.state / "banger" / "image-build" / "t-built.log").read_text()
    assert "== unpacking the base" in log and "== computing the digest" in log and "jq" in log


def test_a_package_that_does_not_exist_is_named_with_its_line(world, tmp_path):
    (tmp_path / "list.apt").write_text("jq\nno-such-package-at-all\n")
    for words in (["--base", "debian"], []):
        done = world.banger("image", "build", "--name", "t-unknown", *words, "--packages", tmp_path / "list.apt", timeout=BUILD_SECONDS)
        assert done.returncode == 3
        assert f'{tmp_path / "list.apt"}:2: there is no package "no-such-package-at-all"' in done.stderr, done.stderr
    assert image_of(world, "t-unknown") is None


def test_a_customise_script_that_fails_fails_the_build_with_what_it_said(world, tmp_path):
    script = tmp_path / "customise"
    script.write_text("#!/bin/sh\necho all is lost\nexit 3\n")
    done = world.banger("image", "build", "--name", "t-failing", "--base", "debian", "--customize", script, timeout=BUILD_SECONDS)
    assert done.returncode == 1
    assert "all is lost" in done.stderr and "exit code 3" in done.stderr and str(script) in done.stderr


def test_an_interrupted_build_leaves_nothing_and_a_second_of_its_name_is_refused(world, tmp_path):
    script = tmp_path / "customise"
    script.write_text("#!/bin/sh\nexec tail -f /dev/null\n")
    words = ("image", "build", "--name", "t-cut", "--base", "debian", "--customize", str(script))
    process = world.start(*words)
    log = world.state / "banger" / "image-build" / "t-cut.log"
    wait.until(lambda: log.exists() and "running the customise script" in log.read_text(), BUILD_SECONDS, "the script runs")
    second = world.banger(*words)
    assert second.returncode == 6 and "being made already" in second.stderr
    refused = world.banger("image", "delete", "debian")
    assert refused.returncode == 6
    process.send_signal(signal.SIGINT)
    process.communicate(timeout=60)
    drafts = world.cache / "banger" / "images"
    wait.until(lambda: not list(drafts.glob(".new-t-cut*")), 30, "the draft is gone")
    assert image_of(world, "t-cut") is None


def test_a_vm_becomes_an_image_and_its_vms_are_others(world, base, make_vm):
    base.append("t-promoted")
    vm = make_vm(name="t-origin")
    vm.exec("echo kept > /etc/kept; dd if=/dev/urandom of=/var/tmp/junk bs=1M count=20 status=none; sync; rm /var/tmp/junk; sync")
    first = vm.exec("cat /etc/machine-id")
    running = world.banger("image", "promote", "t-origin", "--name", "t-promoted")
    assert running.returncode == 6 and "banger vm stop t-origin" in running.stderr
    world.banger("image", "promote", "t-origin", "--name", "t-promoted", "--stop", check=True, timeout=180)
    assert world.banger("image", "promote", "t-origin", "--name", "t-promoted").returncode == 6, "it exists"
    child = make_vm("--image", "t-promoted", name="t-child")
    assert child.exec("cat /etc/kept; hostname").split() == ["kept", "t-child"]
    assert child.exec("cat /etc/machine-id") != first
    assert world.json("image", "list", "--json") and "t-child" in image_of(world, "t-promoted")["users"]
    refused = world.banger("image", "delete", "t-promoted")
    assert refused.returncode == 6 and "t-child" in refused.stderr
    assert image_of(world, "t-promoted")["used"] < image_of(world, "debian")["used"] + (20 << 20), "deleted files stay behind"


def test_an_edit_is_committed_under_the_name_or_dropped(world, base, nothing_left):
    base.append("t-edited")
    old = image_of(world, "debian")["digest"]
    world.banger("image", "edit", "debian", "--name", "t-edited", "--commit", "-q", "--", "sh", "-c", "echo mine > /root/mine; echo kept > /etc/kept",
                 check=True, timeout=300)
    assert image_of(world, "debian")["digest"] == old
    assert file_in(world, "t-edited", "/etc/kept") == "kept\n"
    assert file_in(world, "t-edited", "/root/mine") == "mine\n", "/root is the image's own while it is edited"
    assert "banger" not in file_in(world, "t-edited", "/root/.ssh/authorized_keys")
    dropped = world.banger("image", "edit", "t-edited", "--drop", "-q", "--", "touch", "/etc/dropped", timeout=300)
    assert dropped.returncode == 0 and file_in(world, "t-edited", "/etc/dropped") == ""
    failed = world.banger("image", "edit", "t-edited", "--commit", "-q", "--", "sh", "-c", "echo worse > /etc/kept; exit 4", timeout=300)
    assert failed.returncode == 4 and file_in(world, "t-edited", "/etc/kept") == "kept\n"


def test_an_edit_whose_terminal_is_lost_leaves_nothing(world, nothing_left):
    master, slave = pty.openpty()
    process = world.start("image", "edit", "debian", stdin=slave, stdout=slave, stderr=slave, start_new_session=True, text=False)
    os.close(slave)
    wait.until(lambda: any(row["state"] == "running" for name, row in world.vms().items() if name != "shared"), 180, "its VM runs")
    process.send_signal(signal.SIGKILL)
    process.wait(10)
    os.close(master)


def test_an_edit_whose_bangerd_is_killed_leaves_nothing_or_names_its_vm(own_world):
    edit = own_world.start("image", "edit", "debian", "--name", "t-lost", "--commit", "-q", "--", "sleep", "300")
    wait.until(lambda: any(row["state"] == "running" for row in own_world.vms().values()), 180, "its VM runs")
    own_world.kill_bangerd()
    _, err = edit.communicate(timeout=120)
    assert edit.returncode != 0, err
    assert own_world.vms() == {}, "a command can be run again"
    master, slave = pty.openpty()
    edit = own_world.start("image", "edit", "debian", "--commit", "-q", stdin=slave, stdout=slave, stderr=subprocess.PIPE, start_new_session=True)
    os.close(slave)
    try:
        wait.until(lambda: b"#" in os.read(master, 65536), 180, "its shell asks")
        own_world.kill_bangerd()
        _, err = edit.communicate(timeout=120)
    finally:
        os.close(master)
    (name, row), = own_world.vms().items()
    assert row["state"] == "running"
    assert f"banger image promote --stop {name}" in err and f"banger vm delete -f {name}" in err
    own_world.banger("vm", "delete", "-f", name, check=True)


@only_with_all("a minute of packages")
def test_docker_is_there_and_enabled(world, base):
    base.append("t-docker")
    world.banger("image", "build", "--name", "t-docker", "--base", "debian", "--docker", check=True, timeout=BUILD_SECONDS)
    for link in ("multi-user.target.wants/docker.service", "sockets.target.wants/docker.socket"):
        assert "Type: symlink" in stat_in(world, "t-docker", f"/etc/systemd/system/{link}")
    details = world.json("image", "show", "t-docker", "--json")
    assert "docker" in json.dumps(details["origin"])
    with_docker = world.banger("vm", "run", "--rm", "--image", "t-docker", "--memory", "1G", "--", "sh", "-c",
                               "systemctl start docker && docker info --format '{{.Driver}}'", timeout=400)
    assert with_docker.stdout.strip() == "overlay2", with_docker.stderr
