# SPDX-License-Identifier: GPL-2.0-or-later
"""`banger vm ports`, `banger vm forward` and `banger vm stats`: what listens in a guest, how it is reached, and what it uses."""

import json
import signal
import socket
import time

import pytest

from harness import wait

pytestmark = pytest.mark.limit(240)

# perl-base is in every Debian. Says hello, then what it was told, until it is told no more.
SERVER = ("use Socket qw(:DEFAULT inet_pton pack_sockaddr_in6); my ($domain, $at) = $ARGV[0] eq '6' ? (AF_INET6, pack_sockaddr_in6($ARGV[1], inet_pton(AF_INET6, '::1'))) :"
          " (AF_INET, pack_sockaddr_in($ARGV[1], inet_aton('127.0.0.1')));"
          " socket(my $s, $domain, SOCK_STREAM, 0) or die; setsockopt($s, SOL_SOCKET, SO_REUSEADDR, 1); bind($s, $at) or die; listen($s, 5);"
          " while (accept(my $c, $s)) { syswrite($c, 'hello '); while (sysread($c, my $b, 65536)) { syswrite($c, $b) } close $c }")


def serve(guest, family, port):
    guest(f"cat > /tmp/server-{port}.pl <<'END'\n{SERVER}\nEND\nsetsid perl /tmp/server-{port}.pl {family} {port} >/dev/null 2>&1 &")


def talk(port, text=b"ping", address="127.0.0.1"):
    with socket.create_connection((address, port), timeout=30) as connection:
        connection.sendall(text)
        connection.shutdown(socket.SHUT_WR)
        answer = b""
        while more := connection.recv(65536):
            answer += more
    return answer


def ports_of(world, vm):
    return {row["port"]: row for row in json.loads(world.banger("vm", "ports", vm, "--json", check=True).stdout) if row["protocol"] == "tcp"}


def opened(done):
    """The port in "127.0.0.1:40123 leads to port 80 of web"."""
    assert done.returncode == 0, done.stderr
    return int(done.stdout.split()[0].rpartition(":")[2])


def test_what_listens_is_told_with_its_program(world, shared_vm):
    ssh = wait.until(lambda: ports_of(world, shared_vm).get(22), 60, "sshd listens")
    assert ssh["program"] == "sshd" and ssh["address"] in ("0.0.0.0", "::")
    table = world.banger("vm", "ports", shared_vm, check=True).stdout
    assert table.splitlines()[0].split() == ["PORT", "PROTO", "LISTENS", "AT", "PROGRAM", "REACHED", "AT"]


def test_a_forward_leads_in_and_ends_by_hand(world, shared_vm, guest):
    serve(guest, 4, 7001)
    wait.until(lambda: 7001 in ports_of(world, shared_vm), 30, "the server listens")
    port = opened(world.banger("vm", "forward", shared_vm, "0:7001"))
    assert talk(port) == b"hello ping"
    big = bytes(range(256)) * 8192  # 2 MiB, more than any window
    assert talk(port, big) == b"hello " + big
    assert ports_of(world, shared_vm)[7001]["reached_at"] == [f"127.0.0.1:{port}"]
    assert f"127.0.0.1:{port}" in world.banger("vm", "forward", shared_vm, check=True).stdout
    world.banger("vm", "forward", shared_vm, "--end", str(port), check=True)
    with pytest.raises(ConnectionRefusedError):
        talk(port)
    again = world.banger("vm", "forward", shared_vm, "--end", str(port))
    assert again.returncode == 3 and "banger vm ports shared" in again.stderr


def test_a_server_at_localhost_of_ipv6_is_reached_too(world, shared_vm, guest):
    serve(guest, 6, 7002)
    wait.until(lambda: 7002 in ports_of(world, shared_vm), 30, "the server listens")
    port = opened(world.banger("vm", "forward", shared_vm, "0:7002"))
    assert talk(port) == b"hello ping"
    world.banger("vm", "forward", shared_vm, "--end", str(port), check=True)


def test_a_port_at_which_nothing_listens_closes_the_connection_and_is_told(world, shared_vm):
    port = opened(world.banger("vm", "forward", shared_vm, "0:7999"))
    with socket.create_connection(("127.0.0.1", port), timeout=30) as connection:
        assert connection.recv(1) == b""  # of bytes that are sent before that, a reset might tell in its place
    row = ports_of(world, shared_vm)[7999]
    assert row["address"] == "" and row["reached_at"] == [f"127.0.0.1:{port}"]
    world.banger("vm", "forward", shared_vm, "--end", str(port), check=True)


def test_a_taken_port_is_refused_and_named(world, shared_vm):
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
        done = world.banger("vm", "forward", shared_vm, f"{port}:22")
    assert done.returncode == 6 and str(port) in done.stderr and "port 0" in done.stderr
    privileged = world.banger("vm", "forward", shared_vm, "80:80")
    assert privileged.returncode == 2 and "root alone" in privileged.stderr
    assert str(port) not in world.banger("vm", "forward", shared_vm, check=True).stdout


def test_forwards_outlive_bangerd_and_a_restart_and_end_with_the_vm(own_world, make_vm):
    vm = make_vm(home=own_world)
    port = opened(own_world.banger("vm", "forward", vm.name, "0:22"))
    greets = lambda: talk(port, b"\n").startswith(b"SSH-2.0")  # noqa: E731
    wait.until(greets, 60, "sshd greets")
    own_world.kill_bangerd()
    own_world.banger("vm", "list", check=True)
    wait.until(greets, 60, "sshd greets through the next bangerd")
    vm.do("restart")
    wait.until(greets, 90, "sshd greets after a restart")
    vm.do("stop")
    with pytest.raises(ConnectionRefusedError):
        talk(port)
    refused = own_world.banger("vm", "forward", vm.name, "0:22")
    assert refused.returncode == 6 and f"banger vm start {vm.name}" in refused.stderr
    vm.do("start")
    assert own_world.banger("vm", "forward", vm.name, "--format", "plain", check=True).stdout == ""


def test_statistics_are_of_the_vm(world, shared_vm, guest):
    guest("dd if=/dev/urandom of=/tmp/stats bs=1M count=16 conv=fsync 2>/dev/null")
    busy = world.start("vm", "exec", shared_vm, "--", "sh", "-c", "exec timeout 20 sh -c 'while :; do :; done'")
    try:
        row, = json.loads(world.banger("vm", "stats", shared_vm, "--json", check=True).stdout)
    finally:
        busy.send_signal(signal.SIGINT)
        busy.wait(timeout=30)
    assert row["name"] == shared_vm and row["state"] == "running"
    assert row["cpu_percent"] > 20  # of one core, on a machine that may do other things, too
    assert 300 << 20 < row["memory_total"] <= 512 << 20 and 0 < row["memory_available"] < row["memory_total"]
    assert row["resident"] > 100 << 20
    assert row["root_total"] > 12 << 30 and 0 < row["work_host"] < row["work_total"] <= 4 << 30
    assert row["block_written"] >= 16 << 20 and row["network_received"] is not None
    uptime = float(guest("cut -d' ' -f1 /proc/uptime"))
    assert 0 < row["uptime_ms"] / 1000 <= uptime
    table = world.banger("vm", "stats", check=True).stdout
    assert table.split()[0] == "NAME" and shared_vm in table


def test_statistics_of_a_stopped_vm_are_its_disks(world, make_vm):
    vm = make_vm("--no-start")
    row, = json.loads(world.banger("vm", "stats", vm.name, "--json", check=True).stdout)
    assert row["state"] == "stopped" and row["cpu_percent"] is None and row["work_host"] > 0 and row["uptime_ms"] is None
    assert vm.name not in world.banger("vm", "stats", check=True).stdout  # without names: those that run
    assert world.banger("vm", "stats", "no-such").returncode == 3


def test_watching_goes_on_until_a_signal_and_over_a_new_bangerd(own_world, make_vm):
    vm = make_vm(home=own_world)
    watching = own_world.start("vm", "stats", "--watch", "--interval", "1", "--format", "plain")
    try:
        assert watching.stdout.readline().startswith(vm.name)
        own_world.kill_bangerd()
        for _ in range(2):
            assert watching.stdout.readline().startswith(vm.name)
    finally:
        watching.send_signal(signal.SIGINT)
    assert watching.wait(timeout=30) == 130


def test_a_frozen_guest_is_shown_without_its_own_numbers(own_world, make_vm):
    vm = make_vm(home=own_world)
    vm.do("kill", "-s", "STOP")
    try:
        begin = time.monotonic()
        row, = json.loads(own_world.banger("vm", "stats", "--json", check=True, timeout=30).stdout)
        assert row["uptime_ms"] is None and row["resident"] > 0
        assert time.monotonic() - begin < 20  # two looks of a second each, not its channel's thirty
    finally:
        vm.do("kill", "-s", "CONT")
