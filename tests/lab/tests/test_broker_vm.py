# SPDX-License-Identifier: GPL-2.0-or-later
"""alice's VMs on what banger-broker gives them: disk, TAP, NAT and name. There is no sudo in this workstation."""

import contextlib
import pathlib
import shlex
import subprocess
import sys

import pytest

import broker_world as world
from harness import wait
from test_network import FETCH, INSIDE, OUTSIDE, PORT, fetch, servers  # noqa: F401: a fixture

pytestmark = pytest.mark.limit(390)


@pytest.fixture
def docker_like():
    """What Docker does to forwarded packets, and its default route leads outside."""
    world.sh("iptables -P FORWARD DROP")
    yield
    world.sh("iptables -P FORWARD ACCEPT; iptables -S >/dev/null")


@pytest.fixture
def outside(servers):  # noqa: F811
    world.sh(f"ip route add default via {OUTSIDE} dev inner metric 1")
    yield
    world.sh(f"ip route delete default via {OUTSIDE} dev inner metric 1", check=False)


@contextlib.contextmanager
def another_default_route():
    """Behind the one that is used."""
    world.sh("ip link add other0 type dummy && ip address add 192.0.2.9/24 dev other0 && ip link set other0 up && "
             "ip route add default via 192.0.2.1 dev other0 metric 5000")
    try:
        yield
    finally:
        world.sh("ip link delete other0")


def uplinks():
    return world.sh("nft list table inet banger", check=False)


RECEIVER = """import socket
server = socket.socket(type=socket.SOCK_DGRAM)
server.bind(("", 9))
print("bound", flush=True)
server.recv(1)
"""
SENDER_OF_DATAGRAMS = """import socket, sys, time
client = socket.socket(type=socket.SOCK_DGRAM)
for _ in range(15):
    client.sendto(b"?", (sys.argv[1], 9))
    time.sleep(0.2)
"""


@pytest.fixture
def crosses(outside):
    """Whether what stands outside gets a datagram through this host to another of its networks."""
    beyond, gateway = "203.0.113.2", "203.0.113.1"  # RFC 5737
    world.sh(f"ip netns add beyond && ip link add far0 type veth peer name far1 netns beyond && ip address add {gateway}/24 dev far0 && "
             f"ip link set far0 up && ip -n beyond address add {beyond}/24 dev far1 && ip -n beyond link set far1 up && "
             f"ip -n beyond route add default via {gateway} && ip -n outside route add {beyond} via {INSIDE}")

    def comes_through():
        with subprocess.Popen(["ip", "netns", "exec", "beyond", sys.executable, "-c", RECEIVER], stdout=subprocess.PIPE, stderr=subprocess.DEVNULL,
                              text=True) as receiver:
            assert receiver.stdout.readline() == "bound\n"
            subprocess.run(["ip", "netns", "exec", "outside", sys.executable, "-c", SENDER_OF_DATAGRAMS, beyond], check=True)
            with contextlib.suppress(subprocess.TimeoutExpired):
                receiver.wait(2)
            receiver.kill()
            return receiver.wait() == 0
    yield comes_through
    world.sh("ip netns delete beyond")


def test_nobody_has_sudo_here():
    assert subprocess.run(["sh", "-c", "command -v sudo"], check=False, capture_output=True).returncode != 0


def test_a_vm_with_nat_reaches_the_outside_by_disk_tap_and_name_of_the_brokers(alice, docker_like, outside, journal):
    alice.banger("vm", "list")
    before = world.state()
    alice.banger("vm", "create", "--name", "web", "--nat", "--image", "bare", "--memory", "256", "--disk-size", "1G", timeout=180)
    shown = alice.show("web")
    assert (shown["vmm"], shown["network"], shown["storage"]) == ("firecracker", "tap", "dm-snapshot"), shown
    assert "200 OK" in fetch(alice, "web", OUTSIDE).stdout
    host = fetch(alice, "web", INSIDE)
    assert host.returncode != 0 and "200" not in host.stdout, "an address of the host's own"
    assert alice.run("getent ahostsv4 web.vm").stdout.split()[0] == shown["address"]
    assert alice.run("ping -c 1 -W 5 web.vm", check=False).returncode == 0
    free = int(alice.exec("web", "df --output=avail -B1 / | tail -n 1"))
    assert free >= 12 << 30, free
    alice.banger("vm", "set", "web", "--no-nat")
    assert "200" not in fetch(alice, "web", OUTSIDE).stdout
    alice.banger("vm", "set", "web", "--nat")
    assert "200 OK" in fetch(alice, "web", OUTSIDE).stdout
    world.sh("iptables -S")
    with another_default_route():
        wait.until(lambda: "other0" in uplinks(), 20, "a default route that comes is an uplink")
        assert "200 OK" in fetch(alice, "web", OUTSIDE).stdout
    wait.until(lambda: "other0" not in uplinks(), 20, "one that goes is none")
    assert "200 OK" in fetch(alice, "web", OUTSIDE).stdout
    world.sh("systemctl restart systemd-resolved")
    assert alice.run("getent ahostsv4 web.vm").stdout.split()[0] == shown["address"], "the name outlives the resolver's restart"
    alice.banger("vm", "delete", "-f", "web")
    wait.until(lambda: world.differences(before, world.state()) == {}, 20, "all is as it was")


# Sends 256 KiB for each line on its standard input to the one who has connected, and says when they are there.
SENDER = """import fcntl, socket, struct, sys, termios, time
server = socket.create_server((sys.argv[1], 8081))
print("listening", flush=True)
peer, _ = server.accept()
print("connected", flush=True)
for _ in sys.stdin:
    peer.sendall(bytes(256 << 10))
    while struct.unpack("i", fcntl.ioctl(peer, termios.TIOCOUTQ, bytes(4))) != (0,):
        time.sleep(0.01)
    print("there", flush=True)
peer.close()
"""


@pytest.fixture
def sender(outside):
    with subprocess.Popen(["ip", "netns", "exec", "outside", sys.executable, "-u", "-c", SENDER, OUTSIDE], stdin=subprocess.PIPE, stdout=subprocess.PIPE,
                          text=True) as process:
        assert process.stdout.readline() == "listening\n"
        yield process
        process.kill()


def test_R29_a_transfer_outlives_what_happens_to_rules_and_routes(alice, docker_like, sender):
    alice.banger("vm", "create", "--name", "busy", "--nat", "--image", "bare", "--memory", "256", "--disk-size", "1G", timeout=180)
    receiver = alice.start(f"banger vm exec busy -- bash -c 'timeout 120 cat </dev/tcp/{OUTSIDE}/8081 | wc -c'", stdin=subprocess.DEVNULL,
                           stdout=subprocess.PIPE, text=True)
    assert sender.stdout.readline() == "connected\n"

    def send():
        print("more", file=sender.stdin, flush=True)
        assert sender.stdout.readline() == "there\n"

    send()
    world.sh("nft flush ruleset && iptables -P FORWARD DROP")
    # A packet that came before the rules are back would have nobody who knows it, and the host would answer it with a reset.
    wait.until(lambda: "masquerade" in world.sh("nft list ruleset"), 20, "the rules are back")
    send()
    with another_default_route():
        send()
        wait.until(lambda: "other0" in uplinks(), 20, "a default route that comes is an uplink")
        send()
    sender.stdin.close()
    out, _ = receiver.communicate(timeout=150)
    assert out.strip() == str(4 * (256 << 10))
    world.sh(f"ip link delete {the_tap()}")
    assert alice.exec("busy", "echo lives") == "lives"
    alice.banger("vm", "stop", "busy")
    alice.banger("vm", "start", "busy", timeout=180)
    assert "200 OK" in fetch(alice, "busy", OUTSIDE).stdout, "it has a TAP again"
    alice.banger("vm", "delete", "-f", "busy")
    world.sh("iptables -S")


def test_R29_a_host_with_nat_is_no_router_for_its_neighbours_whatever_ends(alice, crosses):
    """Its uplink's forwarding is on. The rule against that outlives the broker that made it, and the last TAP."""
    switch = pathlib.Path("/proc/sys/net/ipv4/conf/inner/forwarding")
    switch.write_text("1")
    assert crosses(), "a neighbour's datagram is seen"
    switch.write_text("0")
    alice.banger("vm", "create", "--name", "web", "--nat", "--image", "bare", "--memory", "256", "--disk-size", "1G", timeout=180)
    assert switch.read_text() == "1\n" and not crosses()
    world.sh("systemctl restart banger-broker")
    assert "inner" in uplinks() and switch.read_text() == "1\n"
    assert not crosses()
    world.sh(f"ip link delete {the_tap()} && nft add table inet somebody && nft delete table inet somebody")
    assert not crosses()
    assert "inner" in uplinks() and switch.read_text() == "1\n", "its disk runs on, and it has NAT still"
    alice.banger("vm", "delete", "-f", "web")
    wait.until(lambda: switch.read_text() == "0\n", 20, "all is as it was")


def the_tap():
    """The one of banger's that there is."""
    taps = [line.split(":")[1].strip() for line in world.sh("ip -o link").splitlines() if ": bgr" in line]
    assert len(taps) == 1, taps
    return taps[0]


def test_what_a_guest_wrote_is_there_after_each_end_also_of_the_broker(alice):
    alice.banger("vm", "create", "--name", "kept", "--image", "bare", "--memory", "256", "--disk-size", "1G", timeout=180)
    assert alice.show("kept")["storage"] == "dm-snapshot"
    alice.exec("kept", "echo there >/kept && sync")
    alice.banger("vm", "stop", "kept")
    alice.banger("vm", "start", "kept", timeout=180)
    assert alice.exec("kept", "cat /kept") == "there"
    alice.banger("vm", "kill", "kept")
    wait.until(lambda: alice.vms()["kept"]["state"] in ("stopped", "failed"), 30, "it ends")
    alice.banger("vm", "start", "kept", timeout=180)
    assert alice.exec("kept", "cat /kept") == "there"
    world.sh(f"kill -9 {world.pid()}")
    assert alice.exec("kept", "echo written >/later && sync && cat /later") == "written", "the VM lives on"
    alice.banger("vm", "stop", "kept")
    alice.banger("vm", "start", "kept", timeout=180)
    assert alice.exec("kept", "cat /kept /later") == "there\nwritten"


def test_who_may_not_ask_for_a_password_is_told_the_group(bob):
    """Over ssh nobody can answer polkit: exit 5 at once, and nothing is left."""
    done = bob.banger("vm", "create", "--name", "no", "--nat", "--image", "bare", "--no-start", check=False, timeout=60)
    assert done.returncode == 5, done.stderr
    assert "group banger" in done.stderr
    assert "no" not in bob.vms()


def test_without_nat_bob_needs_no_group(bob):
    bob.banger("vm", "create", "--name", "plain", "--image", "bare", "--memory", "256", "--disk-size", "1G", "--no-start", timeout=120)
    assert bob.show("plain")["storage"] == "file"


def test_R19_the_broker_starts_no_program(alice):
    """strace sees each execve of it and its threads, over the whole life of a VM."""
    alice.banger("vm", "list")
    world.sh("busctl --system call dev.banger.Broker1 /dev/banger/Broker1 dev.banger.Broker1 List")
    log = "/tmp/broker.strace"
    tracer = subprocess.Popen(["strace", "-f", "-qq", "-e", "trace=execve,execveat,fork,vfork,fsync", "-o", log, "-p", str(world.pid())])
    try:
        alice.banger("vm", "create", "--name", "traced", "--nat", "--image", "bare", "--memory", "256", "--disk-size", "1G", timeout=240)
        alice.banger("vm", "delete", "-f", "traced")
    finally:
        tracer.terminate()
        tracer.wait(30)
    calls = open(log).read()
    assert "fsync(" in calls, "it was seen"
    assert "exec" not in calls and "fork" not in calls, calls


def test_the_original_s_nat_command_switches_a_vm_of_one_s_own_and_no_other(alice, bob):
    alice.banger("vm", "create", "--name", "web", "--network", "tap", "--image", "bare", "--memory", "256", "--disk-size", "1G", timeout=180)
    address = alice.show("web")["address"]
    device = world.sh(f"ip -o route get {address}").split(" dev ")[1].split()[0]
    for verb, nat in (("up", True), ("down", False)):
        words = ("internal", "nat", verb, "--guest-ip", address, "--tap-device")
        assert alice.banger(*words, "lo", check=False).returncode == 3
        assert bob.banger(*words, device, check=False).returncode == 3, "another user's"
        alice.banger(*words, device)
        assert alice.show("web")["nat"] is nat
