# SPDX-License-Identifier: GPL-2.0-or-later
"""Every command that users of the original know, in its exact spelling. What each does beyond that is in the files beside this one."""

import json
import os
import re
import signal
import socket
import subprocess

import pytest

pytestmark = pytest.mark.limit(300)

SHOWN = {"name", "id", "state", "ready", "reason", "image", "image_digest", "kernel", "kernel_digest", "vcpus", "memory_mib", "disk_bytes", "disk_used_bytes",
         "root_used_bytes", "overlay_bytes", "disk_rate", "disk_iops", "network_rate", "vmm", "storage", "network", "nat", "warning", "address", "pid",
         "created", "started", "directory", "remove_on_stop", "autostart"}


def completed(world, *words):
    """What a shell offers for the last of these words."""
    return world.banger("internal", "complete", "--", *words, check=True).stdout.split("\n")


def test_vm_create(world, make_vm):
    made = make_vm("--vcpu", "1", "--image", "debian", "--system-overlay-size", "2G", "--no-start", name="made", memory="0.25GiB", disk="512M")
    shown = made.show()
    assert (shown["memory_mib"], shown["disk_bytes"], shown["vcpus"], shown["state"]) == (256, 512 << 20, 1, "stopped")
    refused = world.banger("vm", "create", "--name", "natted", "--nat")
    assert refused.returncode == 4 and "banger-broker" in refused.stderr and "natted" not in world.vms()


def test_vm_run(world, tmp_path):
    subprocess.run(["git", "init", "-q", tmp_path], check=True)
    (tmp_path / "hello").write_text("from the tree\n")
    subprocess.run(["git", "-C", tmp_path, "add", "hello"], check=True)
    (tmp_path / "new").write_text("not added\n")
    done = world.banger("vm", "run", "--rm", "--memory", "256", "--include-untracked", "--branch", "work", tmp_path, "--", "sh", "-c", "pwd; cat hello new",
                        timeout=180)
    assert (done.stdout, done.returncode) == ("/root/repo\nfrom the tree\nnot added\n", 0), done.stderr
    assert world.banger("vm", "run", "--from", "no-such-commit", tmp_path, "--", "true").returncode == 125
    assert world.banger("vm", "run", str(tmp_path / "nowhere"), "--", "true").returncode == 125


def test_vm_list_and_ps(world, shared_vm):
    row = world.vms()[shared_vm]
    assert {"name", "state", "image", "vcpus", "memory_mib", "address", "created"} <= set(row)
    for command in (("vm", "list"), ("ps",), ("ps", "-a"), ("vm", "list", "-a"), ("vm", "list", "--filter", "state=running"),
                    ("vm", "list", "--format", "plain"), ("ps", "-q")):
        assert shared_vm in world.banger(*command, check=True).stdout, command
    assert shared_vm not in world.banger("vm", "list", "--filter", "state=stopped", check=True).stdout
    assert world.banger("vm", "list", "--filter", "colour=red").returncode == 2
    assert world.banger("vm", "list", check=True).stdout.split()[:5] == ["NAME", "STATE", "IMAGE", "VCPU", "MEMORY"]


def test_vm_show(world, shared_vm):
    assert set(world.show(shared_vm)) == SHOWN, "what programs rely on, and banger-vm(1) documents"


def test_vm_stats(world, shared_vm):
    rows = json.loads(world.banger("vm", "stats", shared_vm, "--json", check=True).stdout)
    assert [row["name"] for row in rows] == [shared_vm]
    watching = world.start("vm", "stats", shared_vm, "--watch", "--interval", "1")
    assert watching.stdout.readline().startswith("NAME")
    watching.send_signal(signal.SIGINT)
    assert watching.wait(timeout=30) == 130


def test_vm_ssh_exec_cp_logs_ports(world, shared_vm, tmp_path):
    assert world.banger("vm", "ssh", shared_vm, "--", "id", "-un", check=True).stdout == "root\n"
    assert world.banger("vm", "exec", shared_vm, "--", "id", "-un", check=True).stdout == "root\n"
    (tmp_path / "file").write_text("x")
    world.banger("vm", "cp", tmp_path / "file", f"{shared_vm}:/tmp/file", check=True)
    world.banger("vm", "exec", shared_vm, "--", "sh", "-c", "echo to the console >/dev/console", check=True)
    following = world.start("vm", "logs", shared_vm, "-f")
    try:
        assert any("to the console" in line for line in following.stdout)
    finally:
        following.kill()
    assert "sshd" in world.banger("vm", "ports", shared_vm, check=True).stdout


def test_vm_forward(world, shared_vm):
    with socket.create_server(("127.0.0.1", 0)) as free:
        port = free.getsockname()[1]
    world.banger("vm", "forward", shared_vm, f"{port}:22", check=True)
    with socket.create_connection(("127.0.0.1", port), timeout=30) as connection:
        assert connection.recv(8).startswith(b"SSH-2.0")
    assert f"127.0.0.1:{port}" in world.banger("vm", "ports", shared_vm, check=True).stdout
    world.banger("vm", "forward", shared_vm, "--end", str(port), check=True)


def test_vm_stop_start_restart_kill_delete(world, make_vm):
    one, other = make_vm(), make_vm("--no-start")
    names = [one.name, "no-such-vm", other.name]
    assert world.banger("vm", "start", *names, timeout=180).returncode == 3
    assert (one.state(), other.state()) == ("running", "running"), "one failure doesn't stop the rest"
    world.banger("vm", "restart", one.name, check=True, timeout=180)
    world.banger("vm", "stop", one.name, check=True, timeout=60)
    world.banger("vm", "kill", "--signal", "TERM", other.name, check=True)
    other.wait_for_state("stopped")
    world.banger("vm", "start", one.name, check=True, timeout=180)
    refused = world.banger("vm", "delete", one.name, other.name)
    assert refused.returncode == 6 and one.name in world.vms() and other.name not in world.vms(), "no terminal to ask at"
    world.banger("vm", "delete", "-f", one.name, check=True)
    assert one.name not in world.vms()


def test_vm_set(world, make_vm):
    vm = make_vm("--no-start")
    world.banger("vm", "set", vm.name, "--memory", "512", "--vcpu", "1", "--disk-size", "2G", check=True)
    shown = vm.show()
    assert (shown["memory_mib"], shown["disk_bytes"]) == (512, 2 << 30)
    assert world.banger("vm", "set", vm.name, "--disk-size", "1G").returncode == 2, "shrinking is refused"
    world.banger("vm", "set", vm.name, "--no-nat", check=True)


def test_vm_prune_and_workspace(own_world, make_vm, tmp_path):
    vm = make_vm(home=own_world)
    subprocess.run(["git", "init", "-q", tmp_path], check=True)
    (tmp_path / "a").write_text("1\n")
    subprocess.run(["git", "-C", tmp_path, "add", "a"], check=True)
    own_world.banger("vm", "workspace", "prepare", vm.name, tmp_path, check=True)
    vm.exec("echo 2 >> /root/repo/a")
    patch = own_world.banger("vm", "workspace", "export", vm.name, tmp_path, check=True).stdout
    assert "+2" in patch
    subprocess.run(["git", "-C", tmp_path, "apply"], input=patch, text=True, check=True)
    assert (tmp_path / "a").read_text() == "1\n2\n"
    own_world.banger("vm", "stop", vm.name, check=True)
    assert own_world.banger("vm", "prune").returncode == 2 and vm.name in own_world.vms(), "no terminal to ask at"
    own_world.banger("vm", "prune", "-f", check=True)
    assert own_world.vms() == {}


def test_daemon(own_world, make_vm):
    vm = make_vm(home=own_world)
    status = own_world.json("daemon", "status", "--json")
    assert status["running"] and status["pid"] in own_world.agent_pids() and status["vms"] == 1
    assert os.path.exists(status["log"]) and re.match(r"\d+\.\d+\.\d+$", status["version"])
    assert own_world.banger("daemon", "socket", check=True).stdout.strip() == status["address"]
    stopped = own_world.banger("daemon", "stop", check=True)
    assert own_world.banger("daemon", "status").returncode == 3
    assert "1 VM goes on" in stopped.stderr
    assert vm.state() == "running"


def test_ssh_config(world):
    stanza = world.banger("ssh-config", check=True).stdout
    assert "Host *.vm" in stanza
    done = world.banger("ssh-config", "--install", "--uninstall")
    assert done.returncode == 2


def test_doctor_version_completion(world, shared_vm):
    rows = json.loads(world.banger("doctor", "--json").stdout)
    assert {"check", "verdict", "detail", "mend"} <= set(rows[0])
    assert world.banger("version", check=True).stdout.startswith("banger ")
    for shell in ("bash", "zsh", "fish"):
        assert "banger" in world.banger("completion", shell, check=True).stdout
    assert shared_vm in completed(world, "vm", "stop", "")
    assert "forward" in completed(world, "vm", "")


def test_config(world):
    rows = {row["key"]: row for row in json.loads(world.banger("config", "show", "--json", check=True).stdout)}
    assert rows["log_level"]["origin"] == "default"
    world.banger("config", "check", check=True)


def test_internal_nat(world):
    assert "nat" not in world.banger("--help", check=True).stdout
    for verb in ("up", "down"):
        done = world.banger("internal", "nat", verb, "--guest-ip", "192.0.2.1", "--tap-device", "tap0")
        assert done.returncode == 3 and "192.0.2.1" in done.stderr
        assert world.banger("internal", "nat", verb, "--guest-ip", "web", "--tap-device", "tap0").returncode == 2
