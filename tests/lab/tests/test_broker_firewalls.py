# SPDX-License-Identifier: GPL-2.0-or-later
"""A VM with NAT beside the host's own firewalls, each real: it reaches the outside when they come, are reloaded, and go."""


import pytest

import broker_world as world
from harness import wait
from test_broker_vm import outside  # noqa: F401: a fixture
from test_network import OUTSIDE, fetch, servers  # noqa: F401: fixtures
from long import only_with_all

pytestmark = [pytest.mark.limit(390), only_with_all("seven minutes")]

# dockerd leaves its rules and its bridge where they are; the broker's own in those tables go with them, and come again where they are needed.
DOCKER_GOES = "systemctl stop docker.socket docker containerd && nft 'delete table ip filter; delete table ip nat' && ip link delete docker0"
FIREWALLS = {
    "docker": ("systemctl start docker", "systemctl restart docker", DOCKER_GOES),
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
