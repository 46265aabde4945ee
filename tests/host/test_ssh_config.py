# SPDX-License-Identifier: GPL-2.0-or-later
"""`ssh NAME.vm` and what builds on it, as `banger ssh-config --install` makes them."""

import pathlib
import subprocess

import pytest

pytestmark = pytest.mark.limit(300)


@pytest.fixture
def config(world):
    """Installed; ssh itself looks below the home that the passwd file has, so it is given by -F."""
    world.banger("ssh-config", "--install", check=True)
    yield pathlib.Path(world.env["HOME"]) / ".ssh" / "config"
    world.banger("ssh-config", "--uninstall", check=True)


def run(world, *words, **options):
    return subprocess.run([str(word) for word in words], capture_output=True, text=True, timeout=120, env=world.env, cwd=world.root,
                          stdin=subprocess.DEVNULL, **options)


def test_a_vm_is_reached_by_its_name(world, shared_vm, config):
    done = run(world, "ssh", "-F", config, f"{shared_vm}.vm", "hostname; exit 7")
    assert done.stdout.strip() == shared_vm and done.returncode == 7 and done.stderr == ""
    assert [path.name for path in config.parent.iterdir()] == ["config"], "no known_hosts file was written"


def test_files_go_by_scp_and_sftp(world, shared_vm, config, guest):
    source = world.root / "source"
    source.write_text("by scp")
    done = run(world, "scp", "-F", config, source, f"{shared_vm}.vm:/tmp/scp")
    assert done.returncode == 0, done.stderr
    assert guest("cat /tmp/scp") == "by scp"
    batch = world.root / "batch"
    batch.write_text("get /tmp/scp got\n")
    done = run(world, "sftp", "-F", config, "-b", batch, f"{shared_vm}.vm")
    assert done.returncode == 0 and (world.root / "got").read_text() == "by scp", done.stderr


def test_git_goes_over_it(world, shared_vm, config, guest):
    guest("command -v git >/dev/null && rm -rf /tmp/repo && git init -q --bare /tmp/repo")
    folder = world.root / "work"
    git = ("git", "-c", "user.name=x", "-c", "user.email=x@y", "-c", f"core.sshCommand=ssh -F {config}")
    assert run(world, *git, "init", "-q", folder).returncode == 0
    assert run(world, *git, "-C", folder, "commit", "-q", "--allow-empty", "-m", "one").returncode == 0
    done = run(world, *git, "-C", folder, "push", "-q", f"{shared_vm}.vm:/tmp/repo", "HEAD:refs/heads/main")
    assert done.returncode == 0, done.stderr
    assert guest("git -C /tmp/repo log --format=%s main") == "one"


def test_a_vm_made_anew_under_its_name_meets_no_old_key(world, make_vm, config):
    keys = set()
    for _ in range(2):
        make_vm(name="reborn")
        done = run(world, "ssh", "-F", config, "reborn.vm", "cat /etc/ssh/ssh_host_ed25519_key.pub")
        assert done.returncode == 0 and done.stderr == "", done.stderr
        keys.add(done.stdout)
        world.banger("vm", "delete", "-f", "reborn", check=True)
    assert len(keys) == 2, "the second VM has keys of its own, so that an old one would have been seen"


def test_another_guest_s_key_is_refused(world, shared_vm, config):
    """The check sees what it looks for: keys of some other machine in place of the guest's."""
    other = world.root / "other"
    done = run(world, "ssh-keygen", "-q", "-t", "ed25519", "-N", "", "-f", other)
    assert done.returncode == 0
    command = world.root / "keys"
    command.write_text(f"#!/bin/sh\necho \"$1 $(cut -d' ' -f1,2 {other}.pub)\"\n")
    command.chmod(0o700)
    done = run(world, "ssh", "-F", config, "-o", f"KnownHostsCommand={command} %H", f"{shared_vm}.vm", "true")
    assert done.returncode == 255 and "Host key verification failed" in done.stderr, done.stderr
