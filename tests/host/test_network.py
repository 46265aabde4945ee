# SPDX-License-Identifier: GPL-2.0-or-later
"""What a guest reaches, and what it must not. In a network of the tests' own, so that it shows the same everywhere."""

import subprocess
import sys

import pytest

from harness import namespaces, network_lab, wait
from harness.home import Home
from harness.network_lab import GREETINGS, NAME, PORT

pytestmark = pytest.mark.limit(300)


@pytest.fixture(scope="module")
def networked(cache):
    home = namespaces.InsideHome("net", cache=cache)
    try:
        home.banger("vm", "create", "--name", "net", "--network", "user", "--memory", "256", "--disk-size", "1G", check=True, timeout=240)
        yield home
        home.banger("vm", "delete", "-f", "net")
        home.banger("daemon", "stop")
    finally:
        home.close()


def greeting(home, address, vm="net", seconds=5):
    """What a server says to the guest, "" when the guest can't reach it."""
    line = f"timeout {seconds} bash -c 'exec 3<>/dev/tcp/{address}/{PORT} && head -1 <&3' 2>/dev/null || true"
    return home.banger("vm", "exec", vm, "--", "sh", "-c", line, check=True).stdout.strip()


def greeting_of_host(lab, address):
    """The same for the host itself."""
    line = f"exec 3<>/dev/tcp/{address}/{PORT} && head -1 <&3"
    return subprocess.run(lab.command(["bash", "-c", line]), capture_output=True, text=True, timeout=20).stdout.strip()


def test_the_servers_answer_their_own_side(networked):
    """Else the tests below would pass for the wrong reason."""
    for address in GREETINGS:
        assert greeting_of_host(networked.lab, address) == GREETINGS[address]


def test_the_guest_reaches_the_world(networked):
    # The first thing that this guest does, while its services still start: on a busy host that takes seconds.
    assert greeting(networked, "198.51.100.7", seconds=60) == "the-world"


def test_the_guest_asks_the_hosts_nameserver(networked):
    assert networked.banger("vm", "exec", "net", "--", "getent", "ahostsv4", NAME, check=True).stdout.startswith("198.51.100.7 ")


@pytest.mark.parametrize("address", [
    "127.0.0.1", "192.0.2.2", "203.0.113.5", "169.254.169.254", "169.254.77.1", "10.0.2.2", "10.0.2.15", "192.0.2.1"])
def test_the_guest_reaches_neither_the_host_nor_metadata(networked, address):
    said = greeting(networked, address)
    # The gateway's own address belongs to the outside; that it answers as the gateway is right, as the host is not.
    assert said == "" or (address == "192.0.2.1" and said == "gateway"), said


SERVER = """
import socket, sys
server = socket.create_server((sys.argv[1], int(sys.argv[2])))
print("ready", flush=True)
while True:
    connection, _ = server.accept()
    connection.sendall(b"host-new-address\\n")
    connection.close()
"""


@pytest.mark.skipif(not network_lab.has_ipv6(), reason="no IPv6 here")
def test_the_same_holds_for_ipv6(networked):
    """The address that the guest makes up shows that router solicitation gets to passt, the world's answer that neighbour discovery does."""
    wait.until(lambda: "2001:db8:1:" in networked.banger("vm", "exec", "net", "--", "ip", "-6", "addr", check=True).stdout, 30,
               "the guest has an IPv6 address")
    said = {address: greeting(networked, address, seconds=30 if address == "2001:db8:7::7" else 5) for address in network_lab.GREETINGS_V6}
    assert said.pop("2001:db8:1::1") in ("", "gateway")
    assert said == {address: "the-world" if address == "2001:db8:7::7" else "" for address in said}


def test_an_address_that_the_host_gets_later_is_shielded_as_long_as_it_has_it(networked):
    address = "198.51.100.7"
    lab = networked.lab
    assert greeting(networked, address, seconds=30) == "the-world"
    lab.ip(f"addr add {address}/32 dev lan")
    server = subprocess.Popen(lab.command([sys.executable, "-c", SERVER, address, PORT]), stdout=subprocess.PIPE, text=True)
    try:
        assert server.stdout.readline() == "ready\n"
        assert greeting_of_host(lab, address) == "host-new-address"
        assert greeting(networked, address) == ""
    finally:
        server.kill()
        server.wait()
        lab.ip(f"addr del {address}/32 dev lan")
    assert greeting(networked, address, seconds=30) == "the-world"


def network_processes(home):
    # passt becomes passt.avx2 where the CPU has it
    return sorted(process.name.split(".")[0] for process in set(home.processes()) if process.name.startswith(("passt", "banger-netguard")))


@pytest.fixture
def second(networked):
    yield "second"
    networked.banger("vm", "delete", "-f", "second")


def test_a_guest_that_may_reaches_the_host_but_no_metadata(networked, second):
    networked.banger("vm", "create", "--name", second, "--network", "user", "--allow-host-loopback", "--memory", "256", "--disk-size", "1G",
                     check=True, timeout=240)
    said = {address: greeting(networked, address, vm=second, seconds=20)
            for address in ("169.254.77.1", "203.0.113.5", "169.254.169.254", "198.51.100.7")}
    assert said == {"169.254.77.1": "host-loopback", "203.0.113.5": "host-other-address", "169.254.169.254": "",
                    "198.51.100.7": "the-world"}
    assert network_processes(networked) == ["banger-netguard"] * 2 + ["passt"] * 2
    networked.banger("vm", "stop", second, check=True)
    wait.until(lambda: network_processes(networked) == ["banger-netguard", "passt"], 20, "the second network's processes are gone")


def test_a_killed_vmm_leaves_nothing_of_its_network(networked, second):
    networked.banger("vm", "create", "--name", second, "--network", "user", "--memory", "256", "--disk-size", "1G", check=True, timeout=240)
    networked.banger("vm", "kill", second, check=True)
    wait.until(lambda: network_processes(networked) == ["banger-netguard", "passt"], 20, "the second network's processes are gone")


def test_a_vmm_that_does_not_start_leaves_nothing_of_its_network(cache, tmp_path):
    home = Home("no-vmm", cache=cache)
    home.env["PATH"] = namespaces.clean_path_without(tmp_path / "bin", {"qemu-system-x86_64"})
    broken = tmp_path / "bin" / "qemu-system-x86_64"
    broken.write_text("#!/bin/sh\nexit 1\n")
    broken.chmod(0o755)
    try:
        done = home.banger("vm", "create", "--name", "poor", "--network", "user", "--vmm", "qemu-tcg", timeout=240)
        assert done.returncode != 0
        assert list(home.vms_folder.glob("*/net.log")), f"it did not come to the network: {done.stderr}"
        wait.until(lambda: network_processes(home) == [], 20, "the network's processes are gone")
        home.banger("vm", "delete", "-f", "poor")
        home.banger("daemon", "stop")
    finally:
        home.close()


def test_a_guest_without_network_has_loopback_alone(make_vm):
    vm = make_vm("--network", "none")
    assert vm.exec("ls /sys/class/net") == "lo"
    assert vm.exec("cat /proc/net/route | tail -n +2") == ""
