# SPDX-License-Identifier: GPL-2.0-or-later
"""`banger -H` over a real sshd, from another network: alice sits in a namespace whose only way out leads to the workstation, on which the VMs are bob's."""

import pathlib
import pwd
import shlex
import subprocess

import pytest

from harness import wait

pytestmark = pytest.mark.limit(600)
SPACE = "far"
HERE, THERE = "10.77.0.2", "10.77.0.1"
VM_SECONDS = 300


def root(line):
    subprocess.run(line, shell=True, check=True, capture_output=True)


@pytest.fixture
def far(kvm_for_all, bob):
    """Runs alice's banger in the other network, as bob on the workstation: run(words, **options of subprocess.run)."""
    entry = pwd.getpwnam("alice")
    folder = pathlib.Path(entry.pw_dir) / ".ssh"
    known, authorized = folder / "config", pathlib.Path(pwd.getpwnam("bob").pw_dir) / ".ssh" / "authorized_keys"
    kept = {path: path.read_bytes() if path.exists() else None for path in (known, authorized)}
    root(f"runuser -u alice -- mkdir -pm700 {folder}; rm -f {folder}/far*; runuser -u alice -- ssh-keygen -qt ed25519 -N '' -f {folder}/far")
    root(f"runuser -u bob -- mkdir -pm700 {authorized.parent}; cat {folder}/far.pub >>{authorized}; chown bob: {authorized}; chmod 600 {authorized}")
    known.write_text(f"Host {THERE}\n  IdentityFile {folder}/far\n  IdentitiesOnly yes\n  StrictHostKeyChecking accept-new\n  UserKnownHostsFile {folder}/far-known\n"
                     f"Host stranger\n  HostName {THERE}\n  StrictHostKeyChecking yes\n  UserKnownHostsFile /dev/null\n")
    root(f"chown alice: {known}")
    root(f"ip netns add {SPACE}; ip link add far0 type veth peer name far1 netns {SPACE}; ip addr add {THERE}/24 dev far0; ip link set far0 up")
    root(f"ip -n {SPACE} addr add {HERE}/24 dev far1; ip -n {SPACE} link set far1 up; ip -n {SPACE} link set lo up")

    # Each of these becomes the next one, and banger becomes ssh: who kills the process cuts the connection.
    def command(*words):
        return ["ip", "netns", "exec", SPACE, "setpriv", "--reuid=alice", "--regid=alice", "--init-groups", "env", f"HOME={entry.pw_dir}", "banger", "-H", f"ssh://bob@{THERE}", *words]

    def run(*words, check=True, **options):
        done = subprocess.run(command(*words), capture_output=True, timeout=VM_SECONDS, **{"stdin": subprocess.DEVNULL, "text": True, **options})
        assert not check or done.returncode == 0, f"{words}: {done.returncode}\n{done.stdout}\n{done.stderr}"
        return done

    run.command = command
    yield run
    root(f"ip link del far0; ip netns del {SPACE}; rm -f {folder}/far*")
    for path, content in kept.items():
        path.unlink() if content is None else path.write_bytes(content)


def test_the_whole_cli_works_from_another_network(far, bob, alice):
    assert far("version").stdout == bob.banger("version").stdout
    far("vm", "create", "--name", "far-one", "--image", "bare", "--memory", "256", "--disk-size", "1G")
    assert "far-one" in far("vm", "list").stdout and "far-one" in bob.vms() and "far-one" not in alice.vms()
    assert far("vm", "exec", "far-one", "--", "sh", "-c", "cat; echo $0; exit 7", "it's $1", input="through", check=False, stdin=None).returncode == 7
    tar = subprocess.run(["tar", "-C", "/etc", "-c", "hostname"], check=True, capture_output=True).stdout
    far("vm", "cp", "-", "far-one:/root", input=tar, text=False, stdin=None)
    assert far("vm", "exec", "far-one", "--", "cat", "/root/hostname").stdout == pathlib.Path("/etc/hostname").read_text()
    assert far("vm", "show", "no-such", check=False).returncode == 3
    assert far("vm", "cp", "notes", "far-one:", check=False).returncode == 2
    far("vm", "delete", "-f", "far-one")


def test_a_lost_connection_deletes_what_was_to_go(far, bob):
    running = subprocess.Popen(far.command("vm", "run", "--rm", "--name", "fleeting", "--image", "bare", "--memory", "256", "--", "sleep", "1000"),
                               stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.PIPE)
    wait.until(lambda: bob.vms().get("fleeting", {}).get("state") == "running", VM_SECONDS, "the VM runs")
    running.kill()
    running.communicate()
    wait.until(lambda: "fleeting" not in bob.vms(), 60, "it is gone with its client")


def test_a_host_that_does_not_answer_is_ssh_s_to_tell(far):
    words = far.command("vm", "list")
    words[words.index("-H") + 1] = "ssh://bob@10.77.0.9:23"
    done = subprocess.run(words, stdin=subprocess.DEVNULL, capture_output=True, text=True, timeout=200)
    assert done.returncode == 255 and "10.77.0.9" in done.stderr, shlex.join(words)


def test_a_host_key_that_is_unknown_is_ssh_s_to_tell(far):
    words = far.command("vm", "list")
    words[words.index("-H") + 1] = "ssh://bob@stranger"
    done = subprocess.run(words, stdin=subprocess.DEVNULL, capture_output=True, text=True, timeout=60)
    assert done.returncode == 255 and "Host key verification failed" in done.stderr
