# SPDX-License-Identifier: GPL-2.0-or-later
"""`banger ssh-config`: one line into ~/.ssh/config and out again, and what ssh makes of it."""

import os
import pathlib
import shutil
import stat
import subprocess

import pytest


@pytest.fixture
def cli(home):
    yield home
    home.banger("daemon", "stop")


@pytest.fixture
def folder(cli):
    """~/.ssh, not there yet."""
    return pathlib.Path(cli.env["HOME"]) / ".ssh"


@pytest.mark.parametrize("text", [
    b"", b"\n", b"Host x\n  User y\n", b"User y", b"Host x\r\n  User y\r\n", b"\xff\0\n# Include\n", b"Host *\n  ProxyCommand none\n",
], ids=repr)
def test_what_was_there_is_there_again(cli, folder, text):
    folder.mkdir(mode=0o700)
    config = folder / "config"
    config.write_bytes(text)
    config.chmod(0o640)
    cli.banger("ssh-config", "--install", check=True)
    installed = config.read_bytes()
    assert installed.endswith(text) and installed.startswith(b"Include \"") and installed.count(b"Include \"") == 1
    assert stat.S_IMODE(config.stat().st_mode) == 0o640
    again = cli.banger("ssh-config", "--install", check=True)
    assert config.read_bytes() == installed and "nothing to do" in again.stderr
    cli.banger("ssh-config", "--uninstall", check=True)
    assert config.read_bytes() == text and stat.S_IMODE(config.stat().st_mode) == 0o640
    assert [path.name for path in folder.iterdir()] == ["config"]
    assert not (cli.config / "banger" / "ssh_config").exists()
    assert "nothing to do" in cli.banger("ssh-config", "--uninstall", check=True).stderr


def test_what_was_not_there_goes_again(cli, folder):
    for _ in range(2):
        cli.banger("ssh-config", "--install", check=True)
        assert stat.S_IMODE(folder.stat().st_mode) == 0o700 and stat.S_IMODE((folder / "config").stat().st_mode) == 0o600
        cli.banger("ssh-config", "--install", check=True)
        cli.banger("ssh-config", "--uninstall", check=True)
        assert not folder.exists()
    cli.banger("ssh-config", "--install", check=True)
    (folder / "known_hosts").write_text("mine\n")
    with open(folder / "config", "a") as config:
        config.write("Host mine\n")
    cli.banger("ssh-config", "--uninstall", check=True)
    assert (folder / "config").read_text() == "Host mine\n" and (folder / "known_hosts").exists()


def test_a_link_stays_one(cli, folder):
    dotfiles = cli.root / "dotfiles"
    dotfiles.mkdir()
    (dotfiles / "ssh").write_text("Host x\n")
    folder.mkdir(mode=0o700)
    (folder / "config").symlink_to(dotfiles / "ssh")
    cli.banger("ssh-config", "--install", check=True)
    assert (folder / "config").is_symlink() and (dotfiles / "ssh").read_text().startswith("Include")
    cli.banger("ssh-config", "--uninstall", check=True)
    assert (folder / "config").is_symlink() and (dotfiles / "ssh").read_text() == "Host x\n"


@pytest.mark.parametrize("spoil, says", [
    (lambda config: config.chmod(0o400), "chmod u+w"), (lambda config: (config.unlink(), config.mkdir()), "is no file"),
    (lambda config: (config.unlink(), config.symlink_to("nowhere")), "can't be found"),
], ids=["read-only", "folder", "dangling"])
def test_what_can_t_be_edited_is_left_alone_and_told(cli, folder, spoil, says):
    folder.mkdir(mode=0o700)
    (folder / "config").write_text("Host x\n")
    spoil(folder / "config")
    done = cli.banger("ssh-config", "--install")
    assert done.returncode != 0 and says in done.stderr
    assert [path.name for path in folder.iterdir()] == ["config"]


def test_without_an_option_it_only_prints(cli, folder):
    assert cli.banger("ssh-config", check=True).stdout.startswith("Host *.vm\n")
    assert not folder.exists()
    assert cli.banger("ssh-config", "--install", "--uninstall").returncode == 2


@pytest.mark.skipif(shutil.which("ssh") is None, reason="no ssh here")
def test_ssh_reads_it_for_vms_alone(cli, folder):
    folder.mkdir(mode=0o700)
    (folder / "config").write_text("Host other\n  User alice\n")
    os.chmod(folder / "config", 0o600)
    cli.write_config("ssh_key_path = '~/my key'\n")
    cli.banger("ssh-config", "--install", check=True)

    def options(host):
        done = subprocess.run(["ssh", "-T", "-F", folder / "config", "-G", host], capture_output=True, text=True, env=cli.env)
        assert done.returncode == 0 and not done.stderr, done.stderr
        return dict(line.split(" ", 1) for line in done.stdout.splitlines() if " " in line)

    vm = options("calm-otter.vm")
    assert vm["user"] == "root" and vm["proxycommand"].endswith("internal connect '%h' %p") and vm["stricthostkeychecking"] in ("true", "yes")
    assert vm["identityfile"] == f"{cli.env['HOME']}/my key"
    assert options("other")["user"] == "alice" and "proxycommand" not in options("other")
    assert "proxycommand" not in options("calm-otter.vm.example.org")


def test_a_vm_that_is_not_there_says_so_through_ssh_s_commands(cli):
    for words in (("connect", "no-such.vm", "22"), ("known-hosts", "no-such.vm", "no-such.vm")):
        done = cli.banger("internal", *words)
        assert done.returncode == 3 and '"no-such"' in done.stderr
