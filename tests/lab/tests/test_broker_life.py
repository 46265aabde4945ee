# SPDX-License-Identifier: GPL-2.0-or-later
"""Sandboxes of banger-broker from their beginning to their end, on a real kernel, bus, udev and polkit."""

import os
import pathlib
import re
import subprocess
import time

import pytest

import broker_world as world
from broker_fixtures import alice, base, bob, callers, mallory  # noqa: F401: fixtures
from broker_user import BrokerUser, Refused, wait_until

pytestmark = pytest.mark.limit(300)
MIB = 1 << 20


def write(user, disk, offset_mib, count_mib, pattern="/dev/urandom"):
    """Past the page cache, to its end."""
    done = user.run("dd", f"if={pattern}", f"of={disk}", "bs=1M", f"seek={offset_mib}", f"count={count_mib}", "oflag=direct", "conv=notrunc,fsync")
    assert done.returncode == 0, done.stderr


def read(user, disk, offset=0, count=16):
    done = user.run("python3", "-c", f"import os,sys; f=os.open('{disk}',os.O_RDONLY); os.write(1,os.pread(f,{count},{offset}))")
    assert done.returncode == 0, done.stderr
    return done.stdout


def test_a_sandbox_leaves_the_machine_as_it_was(alice, base):
    alice.list()
    before = world.state()
    alice.create("web")
    disk, tap, guest, gateway, prefix, mac = alice.start("web", base)
    alice.nat("web", True)
    during = world.state()
    assert during["dm"] != before["dm"] and during["rules"] != before["rules"] and tap in during["links"]
    assert (prefix, re.fullmatch(r"([0-9a-f]{2}:){5}[0-9a-f]{2}", mac) is not None) == (30, True)
    assert gateway in during["addresses"] and guest != gateway
    assert alice.list()["web"]["state"] == "running" and alice.list()["web"]["nat"]
    alice.stop("web")
    alice.destroy("web")
    assert world.differences(before, world.state()) == {}


def test_a_disk_is_its_users_alone_and_keeps_what_was_written(alice, mallory, base):
    alice.create("data")
    disk, *_ = alice.start("data", base, flags=0)
    status = os.stat(disk)
    assert (status.st_uid, oct(status.st_mode & 0o777)) == (alice.uid, "0o600")
    assert read(alice, disk) == "base" * 4
    assert mallory.run("dd", f"if={disk}", "of=/dev/null", "count=1").returncode != 0
    assert alice.run("sh", "-c", f"printf changed | dd of={disk} conv=notrunc,fsync").returncode == 0
    alice.stop("data")
    assert not os.path.exists(disk)
    disk, *_ = alice.start("data", base, flags=0)
    assert read(alice, disk, count=7) == "changed"
    assert base.read_bytes()[:4] == b"base"


def test_R20_udev_looks_again_into_the_loop_devices_of_a_stopped_one(alice, base):
    marks = "/run/banger-broker/loops"
    alice.create("web")
    alice.start("web", base, flags=0)
    assert len(os.listdir(marks)) == 2
    alice.stop("web")
    assert os.listdir(marks) == []


def test_R30_a_disk_that_is_written_at_full_speed_never_overflows(alice, base):
    alice.create("fast", size=2 << 30)
    disk, *_ = alice.start("fast", base, flags=0)
    before = alice.list()["fast"]
    write(alice, disk, 0, 500, "/dev/zero")
    after = alice.list()["fast"]
    assert after["state"] == "running" and after["used"] > 500 * MIB and after["allocated"] > before["allocated"]
    file = world.STATE / f"disks/{alice.uid}-fast.cow"
    assert file.stat().st_blocks * 512 >= file.stat().st_size, "it has no holes"
    assert file.stat().st_uid == 0
    assert " PO " in world.sh("dmsetup table --target snapshot")


def test_a_disk_at_its_limit_is_held_and_goes_on_when_it_may_grow(alice, base):
    alice.signals(0)
    alice.create("small", size=128 * MIB)
    disk, *_ = alice.start("small", base, flags=0)
    writer = alice.begin("dd", "if=/dev/zero", f"of={disk}", "bs=1M", "count=200", "oflag=direct", "conv=notrunc,fsync")
    wait_until(lambda: alice.list()["small"]["state"] == "held", 60, "it is not held")
    assert any(signal[:2] == ["small", "held"] for signal in alice.signals(10))
    assert writer.poll() is None, "its writes wait"
    alice.grow("small", 1 << 30)
    assert writer.wait(120) == 0
    assert alice.list()["small"]["state"] == "running"


def test_a_stop_waits_for_the_vmm(alice, base):
    alice.create("open")
    disk, *_ = alice.start("open", base, flags=0)
    holder = os.open(disk, os.O_RDONLY)
    with pytest.raises(Refused, match="InUse"):
        alice.stop("open")
    assert alice.list()["open"]["state"] == "running"
    os.close(holder)
    alice.stop("open")


def test_a_clone_has_its_own_disk(alice, base):
    alice.create("one")
    disk, *_ = alice.start("one", base, flags=0)
    alice.run("sh", "-c", f"printf first | dd of={disk} conv=notrunc,fsync")
    alice.call("CloneSandbox", "ss", "one", "two")
    alice.run("sh", "-c", f"printf other | dd of={disk} conv=notrunc,fsync")
    second, *_ = alice.start("two", base, flags=0)
    assert read(alice, second, count=5) == "first"
    assert read(alice, disk, count=5) == "other"


def test_the_broker_stays_while_a_sandbox_runs_and_leaves_30_s_after_it(alice, base):
    alice.create("stay", size=0)
    alice.start("stay")
    pid = world.pid()
    alice.stop("stay")
    alice.destroy("stay")
    assert world.pid() == pid
    wait_until(lambda: not world.is_there(), 45, "it is still there")
    assert alice.list() == {}, "and comes again when it is called"


def test_a_killed_broker_is_back_and_its_sandboxes_never_left(alice, base, journal):
    alice.create("live")
    disk, tap, *_ = alice.start("live", base)
    before = world.state()
    os.kill(world.pid(), 9)
    wait_until(world.is_there, 20, "systemd did not start it again")
    assert alice.list()["live"]["state"] == "running"
    assert read(alice, disk) == "base" * 4
    assert world.differences(before, world.state()) == {}


def test_R25_a_call_is_an_entry_of_the_journal_with_fields(alice, journal):
    """Ids and fields as banger-broker(8) has them; an entry of the unit's, though it is sent past its stderr."""
    alice.create("told", size=0)
    alice.destroy("told")
    entries = [entry for entry in journal.entries(f"--unit={world.UNIT}", "MESSAGE_ID=6955cc9ff9aa4febad015b83e3ce459f")
               if entry["BANGER_OBJECT"] == "told"]
    assert [entry["BANGER_METHOD"] for entry in entries] == ["CreateSandbox", "DestroySandbox"]
    for entry in entries:
        assert (entry["BANGER_UID"], entry["BANGER_VERDICT"], entry["BANGER_RESULT"], entry["PRIORITY"]) == (str(alice.uid), "allowed", "ok", "6")
        assert entry["SYSLOG_IDENTIFIER"] == "banger-broker" and entry["BANGER_SENDER"].startswith(":") and entry["BANGER_MS"].isdigit()
        assert entry["MESSAGE"].startswith(f"call uid={alice.uid} ")


def test_R31_the_port_of_a_name_is_nobody_else_s_when_who_answers_has_ended(alice, mallory):
    alice.create("web", size=0)
    _, _, _, gateway, *_ = alice.start("web")
    publisher = BrokerUser("alice")
    publisher.call("PublishName", "ssh", "web", "web", {"special": f"udp {gateway} 45353"})
    publisher.close()
    bind = f"import socket; socket.socket(type=socket.SOCK_DGRAM).bind(('{gateway}', 45353))"
    assert "Address already in use" in mallory.run("python3", "-c", bind).stderr
    alice.call("WithdrawName", "s", "web")
    assert mallory.run("python3", "-c", bind).returncode == 0


def test_R29_rules_that_somebody_flushes_are_back(alice, base, journal):
    alice.create("net", size=0)
    alice.start("net")
    rules = world.state()["rules"]
    assert "bgr" in rules
    world.sh("nft flush ruleset")
    wait_until(lambda: world.state()["rules"] == rules, 5, "they are not back")


def test_R29_rules_that_somebody_changes_one_by_one_hold_up_no_call(alice):
    alice.create("net", size=0)
    alice.start("net")
    churn = subprocess.Popen(["sh", "-c", "while nft add table inet somebody && nft delete table inet somebody; do :; done"])
    try:
        for _ in range(20):
            begun = time.monotonic()
            alice.list()
            assert time.monotonic() - begun < 2
        assert churn.poll() is None
    finally:
        churn.terminate()
        churn.wait()
        world.sh("nft delete table inet somebody", check=False)


def test_R29_rules_that_are_flushed_while_a_sandbox_starts_are_back_for_all(alice):
    for number in range(6):
        alice.create(f"n{number}", size=0)
        alice.send(method="StartSandbox", signature="sahayu", args=[f"n{number}", [], [], 2])
        world.sh("nft flush ruleset")
        alice.receive()
        taps = [row["tap"] for row in alice.list().values()]
        wait_until(lambda: all(f'"{tap}"' in world.sh("nft list set inet banger taps", check=False) for tap in taps), 5, f"not all of {taps} are back")  # pylint: disable=cell-var-from-loop


def test_R28_the_broker_has_two_capabilities_and_no_more(alice):
    alice.list()
    status = dict(line.split(":", 1) for line in pathlib.Path(f"/proc/{world.pid()}/status").read_text().splitlines())
    two = (1 << 21) | (1 << 12)  # CAP_SYS_ADMIN, CAP_NET_ADMIN: linux/capability.h
    assert {key: int(status[key], 16) for key in ("CapPrm", "CapEff", "CapBnd")} == dict.fromkeys(("CapPrm", "CapEff", "CapBnd"), two)
    assert {key: int(status[key], 16) for key in ("CapInh", "CapAmb")} == {"CapInh": 0, "CapAmb": 0}
    assert (status["NoNewPrivs"].strip(), status["Seccomp"].strip(), status["Umask"].strip()) == ("1", "2", "0077")
    assert os.readlink(f"/proc/{world.pid()}/cwd") == "/"


def test_R28_it_is_as_small_when_the_bus_alone_starts_it(alice, tmp_path):
    """dbus-daemon's helper gives it all capabilities; so does this shell."""
    world.sh(f"systemctl stop {world.UNIT}")
    world.sh("systemd-run --unit=broker-by-hand --service-type=dbus -p BusName=dev.banger.Broker1 /usr/libexec/banger/banger-broker")
    try:
        pid = int(world.sh("systemctl show --value -p MainPID broker-by-hand"))
        status = pathlib.Path(f"/proc/{pid}/status").read_text()
        assert re.search(r"CapEff:\s+0000000000201000\n", status) and re.search(r"CapBnd:\s+0000000000201000\n", status)
        assert re.search(r"NoNewPrivs:\s+1\n", status) and re.search(r"Seccomp:\s+2\n", status)
    finally:
        world.sh("systemctl stop broker-by-hand")
