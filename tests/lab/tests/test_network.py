# SPDX-License-Identifier: GPL-2.0-or-later
"""The user network of a VM on Firecracker, which has a TAP in a namespace of the user's own (agent/tap/README.md)."""

import contextlib
import shlex
import subprocess
import sys

import pytest

from harness import wait

pytestmark = pytest.mark.limit(390)
OUTSIDE, INSIDE = "198.51.100.2", "198.51.100.1"  # RFC 5737
PORT = 8080
FETCH = "exec 3<>/dev/tcp/{}/{} && printf 'GET / HTTP/1.0\\r\\n\\r\\n' >&3 && head -n 1 <&3"


def ip(*words):
    subprocess.run(["ip", *words], check=True)


@contextlib.contextmanager
def server(address, *prefix):
    command = [*prefix, sys.executable, "-u", "-m", "http.server", "--bind", address, str(PORT)]
    process = subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL)
    try:
        assert b"Serving" in process.stdout.readline()
        yield
    finally:
        process.kill()
        process.wait()


@pytest.fixture
def servers():
    """One outside of the workstation, and one on an address of its own."""
    ip("netns", "add", "outside")
    try:
        ip("link", "add", "inner", "type", "veth", "peer", "name", "outer", "netns", "outside")
        ip("address", "add", f"{INSIDE}/24", "dev", "inner")
        ip("link", "set", "inner", "up")
        ip("-n", "outside", "address", "add", f"{OUTSIDE}/24", "dev", "outer")
        ip("-n", "outside", "link", "set", "outer", "up")
        with server(OUTSIDE, "ip", "netns", "exec", "outside"), server(INSIDE):
            yield
    finally:
        ip("netns", "delete", "outside")


def fetch(user, vm, address):
    return user.banger("vm", "exec", vm, "--", "timeout", "20", "bash", "-c", FETCH.format(address, PORT), check=False, timeout=60)


def test_a_guest_on_firecracker_reaches_the_outside_and_not_the_host(alice, make_vm, servers):
    for address in (OUTSIDE, INSIDE):  # both are there to be found
        assert "200 OK" in alice.run("bash -c " + shlex.quote(FETCH.format(address, PORT))).stdout
    vm = make_vm(alice)
    shown = alice.show(vm)
    assert (shown["vmm"], shown["network"]) == ("firecracker", "user")
    outside = fetch(alice, vm, OUTSIDE)
    assert "200 OK" in outside.stdout, outside.stderr
    host = fetch(alice, vm, INSIDE)
    assert host.returncode != 0 and "200" not in host.stdout
    helpers = [process for name in ("banger-tap", "banger-netguard", "passt", "passt.avx2") for process in alice.processes(name)]
    assert len(helpers) == 3, helpers
    alice.banger("vm", "stop", vm)
    wait.until(lambda: not any(process.alive() for process in helpers), 20, "what carried its network is gone")


# Answers each datagram with 4,000 bytes: more than a frame of the usual MTU holds.
ANSWERER = """import socket, sys
server = socket.socket(type=socket.SOCK_DGRAM)
server.bind((sys.argv[1], 8082))
print("bound", flush=True)
while True:
    server.sendto(bytes(4000), server.recvfrom(64)[1])
"""
# perl-base is in every Debian. Asks again, as a datagram may be lost.
ASKER = ("use Socket; socket(my $s, PF_INET, SOCK_DGRAM, 17) or die; connect($s, pack_sockaddr_in(8082, inet_aton($ARGV[0]))) or die; "
         "for (1 .. 20) { syswrite($s, '?'); my $r = ''; vec($r, fileno($s), 1) = 1; "
         "if (select($r, undef, undef, 1)) { print sysread($s, my $b, 65536); exit } }")


@pytest.mark.parametrize("vmm", ["firecracker", "qemu-kvm"])
def test_a_datagram_that_is_longer_than_a_frame_of_the_usual_mtu_comes(alice, make_vm, servers, vmm):
    vm = make_vm(alice, "--vmm", vmm)
    command = ["ip", "netns", "exec", "outside", sys.executable, "-c", ANSWERER, OUTSIDE]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as answerer:
        try:
            assert answerer.stdout.readline() == "bound\n"
            done = alice.banger("vm", "exec", vm, "--", "perl", "-e", ASKER, OUTSIDE, timeout=60)
            assert done.stdout == "4000"
        finally:
            answerer.kill()
