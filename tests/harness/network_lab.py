# SPDX-License-Identifier: GPL-2.0-or-later
"""The inside of namespaces.NetworkLab: runs in a fresh user and network namespace, sets up both networks, serves until its standard
input ends.

    inside:  lo 127.0.0.1                 outside:  eth0 192.0.2.1 (inside's gateway)
             eth0 192.0.2.2/24   <---veth--->       lo   198.51.100.7    a server in the world
             lan  203.0.113.5/24                     lo   169.254.169.254 a cloud's metadata
"""

import ctypes
import os
import signal
import socket
import subprocess
import sys
import threading

PORT = 8000
GREETINGS = {
    "127.0.0.1": "host-loopback",
    "192.0.2.2": "host-uplink",
    "203.0.113.5": "host-other-address",
    "192.0.2.1": "gateway",
    "198.51.100.7": "the-world",
    "169.254.169.254": "metadata",
}
INSIDE = ("127.0.0.1", "192.0.2.2", "203.0.113.5")
CLONE_NEWNET = 0x40000000


def ip(words):
    subprocess.run(["ip", *words.split()], check=True)


def serve(address):
    server = socket.create_server((address, PORT))

    def loop():
        while True:
            connection, _ = server.accept()
            with connection:
                connection.sendall(GREETINGS[address].encode() + b"\n")

    threading.Thread(target=loop, daemon=True).start()


def outside(parent_ready, child_ready):
    if ctypes.CDLL(None, use_errno=True).unshare(CLONE_NEWNET) != 0:
        sys.exit("unshare: no second network namespace")
    os.write(child_ready, b"x")
    os.read(parent_ready, 1)
    for command in ("link set lo up", "link set outside name eth0", "addr add 192.0.2.1/24 dev eth0", "link set eth0 up",
                    "addr add 198.51.100.7/32 dev lo", "addr add 169.254.169.254/32 dev lo"):
        ip(command)
    for address in GREETINGS:
        if address not in INSIDE:
            serve(address)
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
    os.write(parent_write, b"x")
    if not os.read(child_read, 1):
        sys.exit(1)
    ip("route add default via 192.0.2.1")
    for address in INSIDE:
        serve(address)
    print("ready", flush=True)
    sys.stdin.read()
    os.kill(child, signal.SIGKILL)


if __name__ == "__main__":
    main()
