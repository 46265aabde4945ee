# SPDX-License-Identifier: GPL-2.0-or-later
"""`banger vm ssh`: OpenSSH through the channel, with keys of banger's own."""

import os
import pathlib
import stat

import pytest

pytestmark = pytest.mark.limit(180)


def test_a_command_with_its_code_and_streams(world, shared_vm):
    done = world.banger("vm", "ssh", shared_vm, "--", "sh", "-c", "'echo out; echo err >&2; exit 9'")
    assert done.stdout == "out\n" and "err" in done.stderr and done.returncode == 9


def test_standard_input_passes(world, shared_vm):
    assert world.banger("vm", "ssh", shared_vm, "--", "wc", "-c", input="x" * 100_000).stdout.strip() == "100000"


def test_nothing_is_asked_and_nothing_is_written_to_the_user_s_own_files(world, shared_vm):
    done = world.banger("vm", "ssh", shared_vm, "--", "true")
    assert done.returncode == 0 and "authenticity" not in done.stderr and "Warning" not in done.stderr
    assert not (pathlib.Path(world.env["HOME"]) / ".ssh").exists()


def test_the_private_key_is_the_user_s_alone(world, shared_vm):
    world.banger("vm", "ssh", shared_vm, "--", "true", check=True)
    keys = [path for folder in (world.state, world.config) for path in folder.rglob("*ed25519*") if path.suffix != ".pub"]
    assert keys
    for key in keys:
        assert stat.S_IMODE(os.stat(key).st_mode) == 0o600


def test_it_works_without_any_network(make_vm):
    vm = make_vm("--network", "none")
    assert vm.home.banger("vm", "ssh", vm.name, "--", "hostname").stdout.strip() == vm.name


def test_a_stopped_vm_says_how_to_start(world, make_vm):
    vm = make_vm("--no-start")
    done = world.banger("vm", "ssh", vm.name, "--", "true")
    assert done.returncode != 0 and f"banger vm start {vm.name}" in done.stderr


def test_no_connection_is_shared_with_a_real_host_of_the_vm_s_name(world, shared_vm, tmp_path):
    config = tmp_path / "config"
    config.write_text(f"Host *\n ControlMaster auto\n ControlPersist 60\n ControlPath {tmp_path}/cm-%r@%h:%p\n ForwardAgent yes\n")
    own = world.banger("vm", "ssh", shared_vm, "--", "-F", str(config), "-G").stdout.splitlines()
    assert "controlmaster auto" in own, "the configuration was read"
    assert not [line for line in own if line.startswith("controlpath")] and "forwardagent no" in own
    asked = world.banger("vm", "ssh", shared_vm, "--", "-F", str(config), "-A", "-G").stdout
    assert "forwardagent yes" in asked.splitlines()
    world.banger("vm", "ssh", shared_vm, "--", "-F", str(config), "true", check=True)
    assert not list(tmp_path.glob("cm-*"))
