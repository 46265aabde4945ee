# SPDX-License-Identifier: GPL-2.0-or-later
"""A VM with NAT beside the host's own firewalls, each real: it reaches the outside when they come, are reloaded, and go."""

import os

import pytest

import broker_world as world
from harness import wait
from test_broker_vm import outside  # noqa: F401: a fixture
from test_network import OUTSIDE, fetch, servers  # noqa: F401: fixtures

pytestmark = [pytest.mark.limit(390), pytest.mark.skipif(not os.environ.get("LAB_ALL"), reason="seven minutes: with scripts/test --all, or LAB_ALL=yes")]

# Docker's, as `iptables-save` shows them after dockerd (docker.io 20.10 of Debian 12) has started; a restart puts its jumps first again.
DOCKER_RULES = """-j DOCKER-USER
-j DOCKER-ISOLATION-STAGE-1
-o docker0 -m conntrack --ctstate RELATED,ESTABLISHED -j ACCEPT
-o docker0 -j DOCKER
-i docker0 ! -o docker0 -j ACCEPT
-i docker0 -o docker0 -j ACCEPT""".splitlines()
DOCKER_CHAINS = ("DOCKER", "DOCKER-USER", "DOCKER-ISOLATION-STAGE-1")
DOCKER_JUMPS = " && ".join(f"iptables -I FORWARD {rule}" for rule in reversed(DOCKER_RULES))
DOCKER_LEAVES = " && ".join(f"iptables -D FORWARD {rule}" for rule in DOCKER_RULES)
DOCKER_STARTS = " && ".join(["iptables -P FORWARD DROP", *(f"iptables -N {chain} && iptables -A {chain} -j RETURN" for chain in DOCKER_CHAINS), DOCKER_JUMPS])
# In one transaction: between two, the broker may put an accept of its own into DOCKER-USER, which then can't go.
DOCKER_GOES = f"{DOCKER_LEAVES} && nft '" + "; ".join(f"flush chain ip filter {chain}; delete chain ip filter {chain}" for chain in DOCKER_CHAINS) + \
    "' && iptables -P FORWARD ACCEPT"
FIREWALLS = {
    "docker's rules": (DOCKER_STARTS, f"{DOCKER_LEAVES} && {DOCKER_JUMPS}", DOCKER_GOES),
    "ufw": ("ufw allow 22/tcp; ufw --force enable", "ufw reload", "ufw --force disable"),
    "firewalld": ("systemctl start firewalld", "firewall-cmd --reload", "systemctl stop firewalld"),
}


@pytest.fixture
def firewall(request):
    start, reload, stop = FIREWALLS[request.param]
    world.sh(start)
    yield lambda: world.sh(reload)
    world.sh(stop)


@pytest.fixture
def web(alice):
    alice.banger("vm", "create", "--name", "web", "--nat", "--image", "bare", "--memory", "256", "--disk-size", "1G", timeout=180)
    return "web"


def reaches(alice, vm):
    return "200 OK" in fetch(alice, vm, OUTSIDE).stdout


@pytest.mark.parametrize("firewall", FIREWALLS, indirect=True)
def test_R33_a_vm_reaches_the_outside_under_a_firewall_that_is_reloaded(alice, firewall, outside, web):  # noqa: F811
    assert "drop" in world.sh("nft list ruleset | grep -v banger") or "reject" in world.sh("nft list ruleset")
    assert reaches(alice, web)
    firewall()
    wait.until(lambda: reaches(alice, web), 60, "what the reload took away is back")
    world.sh("iptables -S")


def test_a_firewall_that_comes_while_a_vm_runs_is_seen(alice, outside, web):  # noqa: F811
    for start, _, stop in FIREWALLS.values():
        world.sh(start)
        try:
            wait.until(lambda: reaches(alice, web), 60, "the way out under it")
        finally:
            world.sh(stop)
        wait.until(lambda: reaches(alice, web), 60, "the way out after it")


def test_iptables_legacy_that_drops_is_named_with_what_mends_it(alice, outside):  # noqa: F811
    """Its rules come before nftables' in their own hook, so no accept of banger's counts."""
    world.sh("iptables-legacy -P FORWARD DROP")
    try:
        create = ("vm", "create", "--name", "web", "--nat", "--image", "bare", "--memory", "256", "--disk-size", "1G")
        done = alice.banger(*create, check=False, timeout=180)
        assert done.returncode == 4, done.stderr
        assert "iptables-legacy -I FORWARD -i bgr+ -j ACCEPT; iptables-legacy -I FORWARD -o bgr+ -j ACCEPT" in done.stderr
        world.sh("iptables-legacy -I FORWARD -i bgr+ -j ACCEPT; iptables-legacy -I FORWARD -o bgr+ -j ACCEPT")
        alice.banger(*create, timeout=180)
        assert reaches(alice, "web")
    finally:
        world.sh("iptables-legacy -P FORWARD ACCEPT; iptables-legacy -F; rmmod iptable_filter", check=False)
