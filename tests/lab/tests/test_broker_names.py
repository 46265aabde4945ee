# SPDX-License-Identifier: GPL-2.0-or-later
"""How programs of this host find VMs by name without systemd-resolved: by libnss_banger, which the package has put into nsswitch.conf."""

import re

import pytest

import broker_world as world
from harness import wait

pytestmark = pytest.mark.limit(600)


@pytest.fixture
def no_resolver():
    """As on a workstation of Debian's; mended when the test ends."""
    world.sh("systemctl mask --runtime --now systemd-resolved")
    yield
    world.sh("systemctl unmask --runtime systemd-resolved; systemctl start systemd-resolved")


@pytest.fixture
def bob_may():
    world.sh("gpasswd --add bob banger")
    yield
    world.sh("gpasswd --delete bob banger")


def found(user, key):
    """What getent(1) says; None when it finds nothing."""
    done = user.run(f"getent hosts {key}", check=False)
    return done.stdout.split() or None


def make_web(user, seconds):
    user.banger("vm", "create", "--name", "web", "--network", "tap", "--image", "bare", "--memory", "256", "--disk-size", "1G", timeout=seconds)
    return user.show("web")["address"]


def test_the_package_has_put_it_behind_files():
    line = re.search(r"(?m)^hosts:.*$", open("/etc/nsswitch.conf", encoding="utf-8").read()).group(0)
    assert re.search(r"\bfiles banger\b", line), line
    assert "libnss_banger.so.2" in world.sh("ldconfig -p")


def test_alice_and_bob_both_have_a_web_and_each_finds_his_own(kvm_for_all, alice, bob, bob_may, no_resolver, faults):
    hers, his = make_web(alice, 180), make_web(bob, 180)
    assert hers != his
    assert found(alice, "web.vm") == [hers, "web.vm"]
    assert found(bob, "web.vm") == [his, "web.vm"]
    assert (found(alice, hers), found(alice, his)) == ([hers, "web.vm"], None)
    assert (found(bob, his), found(bob, hers)) == ([his, "web.vm"], None)
    assert world.sh("getent hosts web.vm", check=False) == "", "root's VMs are not theirs"
    assert alice.run("ping -c 1 -W 5 web.vm", check=False).returncode == 0
    # Nobody need be there to answer.
    faults.kill(alice.processes("bangerd")[0])
    faults.freeze(bob.processes("bangerd")[0])
    assert found(alice, "WEB.vm.") == [hers, "web.vm"]
    assert found(bob, "web.vm") == [his, "web.vm"]
    faults.thaw(bob.processes("bangerd")[0])
    bob.banger("vm", "stop", "web", timeout=60)
    assert found(bob, "web.vm") is None
    assert found(alice, "web.vm") == [hers, "web.vm"]
    alice.banger("vm", "delete", "-f", "web", timeout=60)
    wait.until(lambda: found(alice, "web.vm") is None, 20, "a VM that is deleted has no name")


def test_a_stranger_finds_nothing_and_garbage_is_nothing(alice, mallory, no_resolver):
    address = make_web(alice, 180)
    assert found(mallory, "web.vm") is None
    folder = f"/run/user/{alice.uid}/banger/names"
    assert mallory.run(f"cat {folder}/bangerd", check=False).returncode != 0
    assert world.sh(f"stat -c '%a %U' {folder} {folder}/bangerd").split() == ["700", "alice", "600", "alice"]
    alice.run(f"cp {folder}/bangerd /tmp/kept; head -c 100000 /dev/urandom >{folder}/bangerd")
    assert found(alice, "web.vm") is None
    assert found(alice, "localhost") is not None
    alice.run(f"cat /tmp/kept >{folder}/bangerd")
    assert found(alice, "web.vm") == [address, "web.vm"]
    world.sh(f"chown mallory {folder}/bangerd")
    assert found(alice, "web.vm") is None, "another user's file"


def test_guests_of_one_user_find_each_other_by_name(alice):
    address = make_web(alice, 180)
    alice.banger("vm", "create", "--name", "db", "--network", "tap", "--image", "bare", "--memory", "256", "--disk-size", "1G", timeout=180)
    other = alice.show("db")["address"]
    assert alice.exec("db", "getent ahostsv4 web.vm").split()[0] == address
    wait.until(lambda: other in alice.exec("web", "getent ahostsv4 db.vm || true"), 20, "the first one learns of the second")
    alice.exec("web", "ping -c 1 -W 5 db.vm || bash -c 'exec 3<>/dev/tcp/db.vm/22 || test $? = 1'")
    alice.banger("vm", "stop", "db", timeout=60)
    wait.until(lambda: alice.exec("web", "getent ahostsv4 db.vm || true").strip() == "", 20, "one that is stopped has no name")
