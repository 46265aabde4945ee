# SPDX-License-Identifier: GPL-2.0-or-later
"""The inside of namespaces.NetworkLab: runs in a fresh user, mount and network namespace, sets up both networks, serves until its
standard input ends. Lines there are arguments of ip(8) for the inside. The gateway is the nameserver, too: one address for every name.

    inside:  lo 127.0.0.1                 outside:  eth0 192.0.2.1 (inside's gateway)
             eth0 192.0.2.2/24   <---veth--->       lo   198.51.100.7    a server in the world
             lan  203.0.113.5/24                     lo   169.254.169.254 a cloud's metadata
    and where the kernel has IPv6 the same with 2001:db8:1::2/64, 2001:db8:2::5, 2001:db8:1::1, 2001:db8:7::7, fd00:ec2::254.
"""

import ctypes
import os
import signal
import socket
import subprocess
import sys
import tempfile
import threading

PORT = 8000
NAME = "the-world.example"
NAMESERVER = "192.0.2.1"
GREETINGS = {
    "127.0.0.1": "host-loopback",
    "192.0.2.2": "host-uplink",
    "203.0.113.5": "host-other-address",
    "192.0.2.1": "gateway",
    "198.51.100.7": "the-world",
    "169.254.169.254": "metadata",
}
GREETINGS_V6 = {
    "::1": "host-loopback",
    "2001:db8:1::2": "host-uplink",
    "2001:db8:2::5": "host-other-address",
    "2001:db8:1::1": "gateway",
    "2001:db8:7::7": "the-world",
    "fd00:ec2::254": "metadata",
}
INSIDE = ("127.0.0.1", "192.0.2.2", "203.0.113.5", "::1", "2001:db8:1::2", "2001:db8:2::5")
CLONE_NEWNET = 0x40000000
MS_BIND = 4096


def has_ipv6():
    try:
        with open("/proc/sys/net/ipv6/conf/all/disable_ipv6") as file:
            return file.read().strip() == "0"
    except OSError:
        return False


if has_ipv6():
    GREETINGS.update(GREETINGS_V6)


def ip(words):
    subprocess.run(["ip", *words.split()], check=True)


def serve(address):
    server = socket.create_server((address, PORT), family=socket.AF_INET6 if ":" in address else socket.AF_INET)

    def loop():
        while True:
            connection, _ = server.accept()
            with connection:
                connection.sendall(GREETINGS[address].encode() + b"\n")

    threading.Thread(target=loop, daemon=True).start()


def serve_names():
    """DNS (RFC 1035) as far as getaddrinfo needs it: an A record for each question of that type, nothing for others."""
    server = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
    server.bind((NAMESERVER, 53))

    def loop():
        while True:
            query, client = server.recvfrom(512)
            end = query.index(b"\0", 12) + 5
            question = query[12:end]
            answer = b"\xc0\x0c\0\1\0\1\0\0\0\x3c\0\4" + socket.inet_aton("198.51.100.7") if question[-4:-2] == b"\0\1" else b""
            server.sendto(query[:2] + b"\x81\x80\0\1" + (b"\0\1" if answer else b"\0\0") + b"\0\0\0\0" + question + answer, client)

    threading.Thread(target=loop, daemon=True).start()


def use_nameserver():
    with tempfile.NamedTemporaryFile("w") as file:
        file.write(f"nameserver {NAMESERVER}\n")
        file.flush()
        os.chmod(file.name, 0o644)
        if ctypes.CDLL(None, use_errno=True).mount(file.name.encode(), os.path.realpath("/etc/resolv.conf").encode(), None, MS_BIND, None) != 0:
            sys.exit("mount: no resolv.conf of the lab's own")


def outside(parent_ready, child_ready):
    if ctypes.CDLL(None, use_errno=True).unshare(CLONE_NEWNET) != 0:
        sys.exit("unshare: no second network namespace")
    os.write(child_ready, b"x")
    os.read(parent_ready, 1)
    for command in ("link set lo up", "link set outside name eth0", "addr add 192.0.2.1/24 dev eth0", "link set eth0 up",
                    "addr add 198.51.100.7/32 dev lo", "addr add 169.254.169.254/32 dev lo"):
        ip(command)
    if has_ipv6():
        for command in ("addr add 2001:db8:1::1/64 dev eth0 nodad", "addr add 2001:db8:7::7/128 dev lo nodad", "addr add fd00:ec2::254/128 dev lo nodad"):
            ip(command)
    for address in GREETINGS:
        if address not in INSIDE:
            serve(address)
    serve_names()
    os.write(child_ready, b"x")
    signal.pause()


def main():
    parent_read, parent_write = os.pipe()
    child_read, child_write = os.pipe()
    child = os.fork()
    if child == 0:
        os.close(parent_write)
        ctypes.CDLL(None).prctl(1, signal.SIGKILL)  # PR_SET_PDEATHSIG
        outside(parent_read, child_write)
    os.close(child_write)
    if not os.read(child_read, 1):
        sys.exit(1)
    for command in ("link set lo up", "link add inside type veth peer name outside", f"link set outside netns {child}",
                    "link set inside name eth0", "addr add 192.0.2.2/24 dev eth0", "link set eth0 up",
                    "link add lan type veth peer name lan-peer", "addr add 203.0.113.5/24 dev lan", "link set lan up", "link set lan-peer up"):
        ip(command)
    if has_ipv6():
        ip("addr add 2001:db8:1::2/64 dev eth0 nodad")
        ip("addr add 2001:db8:2::5/64 dev lan nodad")
    os.write(parent_write, b"x")
    if not os.read(child_read, 1):
        sys.exit(1)
    ip("route add default via 192.0.2.1")
    if has_ipv6():
        ip("route add default via 2001:db8:1::1 dev eth0")
    for address in INSIDE:
        serve(address)
    use_nameserver()
    print("ready", flush=True)
    for line in sys.stdin:  # what needs the namespace's capabilities, which no command has that enters later
        ip(line)
        print("done", flush=True)
    os.kill(child, signal.SIGKILL)


if __name__ == "__main__":
    main()
