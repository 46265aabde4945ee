# SPDX-License-Identifier: GPL-2.0-or-later
"""dev.banger.Broker1 on a bus, with polkit in all its moods. What is below its decisions is in memory; names begin with the requirement
of the broker that they hold."""

import os
import signal
import socket
import struct
import subprocess
import time
import xml.etree.ElementTree as ElementTree

import dbus
import pytest

from harness import wait
from harness.broker import ADMINISTER, AUTHORITY, DIGEST, GIB, MANAGE, MIB, MOCK, NAME, NETWORK, PATH, POLKIT, error_of
from harness.contract import interface_of_xml, read_interface
from harness.raw_bus import RawConnection

# What needs no action of polkit's, as it is to the caller's own things alone; the rest is refused when polkit refuses.
OWN = {"StopSandbox", "GrowSandbox", "PublishName", "WithdrawName", "DestroySandbox", "List"}
METHODS = {name: member for name, member in interface_of_xml(NAME).items() if member[0] == "method"}


def inputs(member):
    return [kind for kind, direction, _ in METHODS[member][1] if direction == "in"]


def sound(kind, fd):
    """A value that a member may well take."""
    return {"s": "box", "ay": DIGEST, "t": dbus.UInt64(GIB), "u": dbus.UInt32(0), "b": True, "h": dbus.types.UnixFd(fd),
            "ah": dbus.Array([dbus.types.UnixFd(fd)], signature="h")}[kind]


# The contract.


def test_broker_is_exported_as_the_contract_says(client):
    assert read_interface(client.introspect(), NAME) == interface_of_xml(NAME)


def test_r23_nothing_lists_objects_to_everybody(client):
    names = {each.get("name") for each in ElementTree.fromstring(client.introspect()).findall("interface")}
    assert {name for name in names if not name.startswith("org.freedesktop.DBus.")} == {NAME}
    assert "org.freedesktop.DBus.ObjectManager" not in names
    client_calls = client.bus.call_blocking
    for path in ("/", "/dev", "/dev/banger"):
        assert error_of(client_calls, NAME, path, "org.freedesktop.DBus.ObjectManager", "GetManagedObjects", "", ())[0]
        assert error_of(client_calls, NAME, path, NAME, "List", "", ())[0], "no other path has members"


def test_a_sandbox_lives_from_create_to_destroy(client, polkit, base):
    polkit.allow(MANAGE, NETWORK)
    client.create("box")
    assert client.list() == {"box": ["stopped", "", "", "", "", False, "", 0, 256 * MIB, GIB]}
    started = client.start("box", base)
    assert started == (f"/dev/mapper/banger-{os.geteuid()}-box", "bgr0", "10.213.0.2", "10.213.0.1", 30, "06:ba:0a:d5:00:02")
    client.call("SetNat", "sbu", "box", True, dbus.UInt32(0))
    client.call("GrowSandbox", "st", "box", dbus.UInt64(2 * GIB))
    client.call("CloneSandbox", "ss", "box", "copy")
    rows = client.list()
    assert rows["box"][0] == "running" and rows["box"][5] and rows["box"][9] == 2 * GIB
    assert rows["copy"][0] == "stopped" and not rows["copy"][5]
    client.call("StopSandbox", "s", "box")
    for name in ("box", "copy"):
        client.call("DestroySandbox", "s", name)
    assert client.list() == {}


def test_an_administrator_sees_and_ends_every_sandbox(client, polkit):
    polkit.allow(MANAGE)
    client.create("box")
    polkit.allow(ADMINISTER)
    assert client.call("AdminList", "u", dbus.UInt32(0)) == [(os.geteuid(), "tester", "box", "stopped", 256 * MIB, GIB)]
    assert error_of(client.call, "AdminDestroy", "usu", dbus.UInt32(4711), "box", dbus.UInt32(0))[0] == "NotFound"
    client.call("AdminDestroy", "usu", dbus.UInt32(os.geteuid()), "box", dbus.UInt32(0))
    assert client.list() == {}


def test_r31_a_name_needs_the_callers_socket_on_its_gateway(client, polkit, base):
    polkit.allow(MANAGE)
    client.create("box")
    client.start("box", base)
    publish = lambda sock: error_of(client.call, "PublishName", "ssh", "box", "web", dbus.types.UnixFd(sock))[0]
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as good, socket.socket(socket.AF_INET, socket.SOCK_STREAM) as tcp, \
            socket.socket(socket.AF_INET6, socket.SOCK_DGRAM) as six, socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as unbound, \
            socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as elsewhere, socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as local, \
            open("/dev/null", "rb") as device:
        good.bind(("127.0.0.1", 0))
        tcp.bind(("127.0.0.1", 0))
        elsewhere.bind(("127.0.0.2", 0))
        others = [os.open("/", os.O_RDONLY), os.open("/", os.O_PATH), os.memfd_create("x"), *os.pipe()]
        for bad in (tcp.fileno(), six.fileno(), unbound.fileno(), elsewhere.fileno(), local.fileno(), device.fileno(), base, *others):
            assert publish(bad) == "InvalidArgument", os.readlink(f"/proc/self/fd/{bad}")
        for fd in others:
            os.close(fd)
        assert publish(good.fileno()) is None
    assert client.list()["box"][6] == "web"
    client.call("WithdrawName", "s", "box")
    assert client.list()["box"][6] == ""


# Everything denied.


@pytest.mark.parametrize("member", METHODS)
def test_r03_a_stranger_whom_polkit_refuses_gets_nothing(client, base, member):
    """The members are those that the broker exports: a new one without a rule fails here."""
    kinds = inputs(member)
    exported = read_interface(client.introspect(), NAME)
    assert set(METHODS) == {name for name, each in exported.items() if each[0] == "method"}
    error, sentence = error_of(client.call, member, "".join(kinds), *[sound(kind, base) for kind in kinds])
    if member == "List":
        assert error is None and client.list() == {}
    else:
        assert error == ("NotFound" if member in OWN else "NotAuthorized"), sentence
    assert client.list() == {}


def test_r03_less_network_is_no_action_and_more_is(client, polkit):
    polkit.allow(MANAGE)
    client.create("box", cow=0)
    assert error_of(client.call, "SetNat", "sbu", "box", True, dbus.UInt32(0))[0] == "NotAuthorized"
    client.call("SetNat", "sbu", "box", False, dbus.UInt32(0))


# Polkit's moods.


def create_error(client, flags=0):
    begun = time.monotonic()
    error, sentence = error_of(client.create, "box", GIB, flags)
    return error, sentence, time.monotonic() - begun


def test_r04_without_polkit_nothing_is_allowed(world):
    client = world.start()
    error, sentence, seconds = create_error(client)
    assert error == "NotAuthorized" and "polkit" in sentence
    assert seconds < 8
    assert client.list() == {}


def test_r04_a_polkit_that_is_killed_while_it_is_asked_allows_nothing(world, client, polkit):
    polkit.tell("SimulateHang", "b", True)
    polkit.allow(MANAGE)
    pending = subprocess.Popen(["dbus-send", f"--bus={world.address}", "--print-reply", "--reply-timeout=20000", f"--dest={NAME}", PATH,
                                f"{NAME}.CloneSandbox", "string:a", "string:b"], stdout=subprocess.DEVNULL, stderr=subprocess.PIPE, text=True)
    wait.until(lambda: polkit.bus.call_blocking(POLKIT, AUTHORITY, MOCK, "HaveHangingCalls", "", ()), 10,
               "polkit is asked")
    polkit.kill()
    assert "NotAuthorized" in pending.communicate(timeout=15)[1]


def test_r04_a_hanging_polkit_allows_nothing_and_holds_up_nobody(client, polkit):
    polkit.allow(MANAGE)
    polkit.tell("SimulateHang", "b", True)
    error, sentence, seconds = create_error(client)
    assert error == "NotAuthorized" and "no answer" in sentence
    assert 9 < seconds < 20
    polkit.tell("ReleaseHangingCalls", "")
    assert client.list() == {}, "a yes that comes late allows nothing"
    polkit.tell("SimulateHang", "b", False)
    client.create("box")


def test_r04_a_slow_polkit_is_waited_for(client, polkit):
    polkit.allow(MANAGE)
    polkit.tell("SetDelay", "d", 1.5)
    error, sentence, seconds = create_error(client)
    assert error is None, sentence
    assert seconds >= 1.5


@pytest.mark.parametrize("signature, reply", [
    ("s", "ret = 'yes'"),
    ("b", "ret = True"),
    ("(bb)", "ret = (True, True)"),
    ("", ""),
    ("(sba{ss})", "ret = ('true', False, {})"),
    ("(bba{ss})", "raise dbus.exceptions.DBusException('no', name='org.freedesktop.PolicyKit1.Error.Failed')"),
], ids=["a word", "a bare yes", "too short", "nothing", "a word for a truth", "an error"])
def test_r04_an_answer_that_is_none_of_polkits_allows_nothing(world, signature, reply):
    polkit = world.start_polkit(POLKIT, AUTHORITY, f"{POLKIT}.Authority")
    polkit.tell("AddMethod", "sssss", f"{POLKIT}.Authority", "CheckAuthorization", "(sa{sv})sa{ss}us", signature, reply)
    client = world.start()
    error, _, seconds = create_error(client)
    assert error == "NotAuthorized"
    assert seconds < 8
    assert client.list() == {}


def test_r01_polkit_is_asked_for_the_bus_name_alone(world, base):
    polkit = world.start_polkit(POLKIT, AUTHORITY, f"{POLKIT}.Authority")
    polkit.tell("AddMethod", "sssss", f"{POLKIT}.Authority", "CheckAuthorization", "(sa{sv})sa{ss}us", "(bba{ss})", "ret = (True, False, {})")
    client = world.start()
    client.create("box")
    client.create("other", flags=1)
    calls = polkit.bus.call_blocking(POLKIT, AUTHORITY, MOCK, "GetCalls", "", ())
    asked = [arguments for _, name, arguments in calls if name == "CheckAuthorization"]
    assert [(tuple(each[0]), str(each[1]), int(each[3])) for each in asked] == [
        (("system-bus-name", {"name": client.name}), MANAGE, 0), (("system-bus-name", {"name": client.name}), MANAGE, 1)]
    assert [dict(each[2]) for each in asked] == [{}, {"user": "tester"}], "a question that a person reads names who asks"


def test_r26_starting_asks_for_no_password_and_obeys_a_plain_no(world, base):
    polkit = world.start_polkit(POLKIT, AUTHORITY, f"{POLKIT}.Authority")
    reply = lambda code: polkit.tell("AddMethod", "sssss", f"{POLKIT}.Authority", "CheckAuthorization", "(sa{sv})sa{ss}us", "(bba{ss})", code)
    reply("ret = (True, False, {})")
    client = world.start()
    client.create("box")
    reply("ret = (False, False, {})")
    assert error_of(client.start, "box", base)[0] == "NotAuthorized"
    reply("ret = (False, True, {})")
    assert error_of(client.create, "other")[0] == "NotAuthorized"
    client.start("box", base)


def test_r26_a_sandbox_with_nat_is_one_question(world, base):
    polkit = world.start_polkit(POLKIT, AUTHORITY, f"{POLKIT}.Authority")
    polkit.tell("AddMethod", "sssss", f"{POLKIT}.Authority", "CheckAuthorization", "(sa{sv})sa{ss}us", "(bba{ss})",
                "ret = (args[3] == 1, args[3] == 0, {})")
    client = world.start()
    assert error_of(client.create, "box", GIB, 4)[0] == "NotAuthorized", "nobody may be asked"
    client.create("box", flags=5)
    assert client.list()["box"][5], "it has NAT"
    calls = polkit.bus.call_blocking(POLKIT, AUTHORITY, MOCK, "GetCalls", "", ())
    asked = [(str(arguments[1]), int(arguments[3])) for _, name, arguments in calls if name == "CheckAuthorization"]
    assert asked == [(MANAGE, 0), (NETWORK, 0), (MANAGE, 0), (NETWORK, 0), ("dev.banger.create-with-network", 1)]


def test_r03_nat_at_creation_needs_the_network_s_action(client, polkit):
    polkit.allow(MANAGE)
    error, sentence = error_of(client.create, "box", 0, 4)
    assert error == "NotAuthorized" and NETWORK in sentence
    assert client.list() == {}
    polkit.allow(MANAGE, NETWORK)
    client.create("box", cow=0, flags=4)
    assert client.list()["box"][5]


def test_r12_a_caller_who_is_gone_by_the_answer_gets_nothing(world, client, polkit):
    polkit.allow(MANAGE)
    polkit.tell("SimulateHang", "b", True)
    caller = subprocess.Popen(["dbus-send", f"--bus={world.address}", "--print-reply", f"--dest={NAME}", PATH, f"{NAME}.CreateSandbox",
                               "string:gone", "array:byte:", "uint64:0", "uint32:0"], stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    wait.until(lambda: polkit.bus.call_blocking(POLKIT, AUTHORITY, MOCK, "HaveHangingCalls", "", ()), 10,
               "polkit is asked")
    caller.kill()
    caller.wait()
    polkit.tell("ReleaseHangingCalls", "")
    wait.until(lambda: "the caller is gone" in world.log(), 10, "the call is refused")
    assert client.list() == {}


# Arguments.


def other_kinds(kinds):
    """Signatures that are not the member's."""
    swap = {"s": "u", "u": "s", "t": "s", "b": "s", "h": "s", "ay": "as", "ah": "au"}
    yield kinds + ["s"]
    if kinds:
        yield kinds[:-1]
        yield ["v"] * len(kinds)
    for at in range(len(kinds)):
        yield kinds[:at] + [swap[kinds[at]]] + kinds[at + 1:]


def of_kind(kind, fd):
    return {"as": dbus.Array(["x"], signature="s"), "au": dbus.Array([dbus.UInt32(1)], signature="u"),
            "v": dbus.String("x", variant_level=1)}.get(kind) or sound(kind, fd)


@pytest.mark.parametrize("member", METHODS)
def test_r11_arguments_of_other_types_are_refused(world, client, polkit, base, member):
    polkit.allow(MANAGE, NETWORK, ADMINISTER)
    before = world.open_descriptors()
    for kinds in other_kinds(inputs(member)):
        error, sentence = error_of(client.call, member, "".join(kinds), *[of_kind(kind, base) for kind in kinds])
        assert error is not None and "NoReply" not in error, f"{member}({''.join(kinds)}): {error} {sentence}"
    assert client.list() == {}
    wait.until(lambda: world.open_descriptors() <= before, 5, "no descriptor stays")


def test_r11_members_that_do_not_exist_are_refused(client):
    for member in ("createSandbox", "Create", "Get", "Quit"):
        assert error_of(client.call, member)[0] == "org.freedesktop.DBus.Error.UnknownMethod"


@pytest.mark.parametrize("name", ["", "A", "a b", "../x", "a/b", "x" * 33, "x" * 4096, "ä", "a\nb", "$(x)"])
def test_r11_an_id_that_is_none_is_refused(client, polkit, name):
    polkit.allow(MANAGE, NETWORK, ADMINISTER)
    assert error_of(client.create, name)[0] == "InvalidArgument"
    assert error_of(client.start, name)[0] == "InvalidArgument"
    for member, signature, arguments in (("StopSandbox", "s", (name,)), ("CloneSandbox", "ss", (name, "b")), ("CloneSandbox", "ss", ("b", name)),
                                         ("WithdrawName", "s", (name,)), ("DestroySandbox", "s", (name,)),
                                         ("AdminDestroy", "usu", (dbus.UInt32(0), name, dbus.UInt32(0)))):
        assert error_of(client.call, member, signature, *arguments)[0] == "InvalidArgument"


@pytest.mark.parametrize("name", ["", "-", "a-", "A", "a.b", "a.vm", "../x", "x" * 64, "x" * 4096, "ä", "a\nb"])
def test_r11_a_name_that_is_none_is_refused(client, polkit, base, name):
    polkit.allow(MANAGE)
    client.create("box")
    client.start("box", base)
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as server:
        server.bind(("127.0.0.1", 0))
        assert error_of(client.call, "PublishName", "ssh", "box", name, dbus.types.UnixFd(server.fileno()))[0] == "InvalidArgument"
    assert client.list()["box"][6] == ""


@pytest.mark.parametrize("flags", [2, 8, 0x80000000, 0xffffffff])
def test_r11_flags_that_are_not_known_are_refused(client, polkit, flags):
    polkit.allow(MANAGE, NETWORK, ADMINISTER)
    assert error_of(client.create, "box", GIB, flags)[0] == "InvalidArgument"
    for bits in (flags, 4):  # which is CreateSandbox's alone
        assert error_of(client.call, "AdminList", "u", dbus.UInt32(bits))[0] == "InvalidArgument"
        assert error_of(client.call, "SetNat", "sbu", "box", True, dbus.UInt32(bits))[0] == "InvalidArgument"


@pytest.mark.parametrize("length", [1, 31, 33, 64, 100_000])
def test_r11_a_digest_has_32_bytes(client, polkit, length):
    polkit.allow(MANAGE)
    digest = dbus.ByteArray(b"x" * length)
    assert error_of(client.call, "CreateSandbox", "saytu", "box", digest, dbus.UInt64(GIB), dbus.UInt32(0))[0] == "InvalidArgument"


def test_r16_what_is_longer_than_any_call_is_not_kept_while_polkit_hangs(world, client, polkit, base):
    polkit.allow(MANAGE)
    client.create("box")
    before = world.open_descriptors()
    polkit.tell("SimulateHang", "b", True)
    long, begun = 16 << 20, time.monotonic()
    for _ in range(4):
        assert error_of(client.create, "a" * long, GIB, 1)[0] == "InvalidArgument"
    digest = dbus.ByteArray(bytes(long))
    assert error_of(client.call, "CreateSandbox", "saytu", "x", digest, dbus.UInt64(GIB), dbus.UInt32(1))[0] == "InvalidArgument"
    raw = RawConnection(world.address)  # one descriptor, named again and again
    numbers = 5000
    start = struct.pack("<I", 3) + b"box\0" + struct.pack("<I", 4 * numbers) + bytes(4 * numbers) + struct.pack("<I", 32) + bytes(DIGEST) + struct.pack("<I", 0)
    assert raw.call(NAME, PATH, NAME, "StartSandbox", "sahayu", start, [base])[0] == 3
    raw.close()
    assert time.monotonic() - begun < 9, "none has waited for polkit"
    wait.until(lambda: world.open_descriptors() <= before, 5, "no descriptor stays")


def test_r09_more_than_one_descriptor_is_refused_and_none_stays(world, client, polkit, base):
    polkit.allow(MANAGE)
    client.create("box")
    before = world.open_descriptors()
    for count in (2, 3, 16):
        assert error_of(client.start, "box", *[base] * count)[0] == "InvalidArgument"
    assert error_of(client.start, "box")[0] == "InvalidArgument"
    wait.until(lambda: world.open_descriptors() <= before, 5, "no descriptor stays")
    client.start("box", base)


@pytest.mark.parametrize("sent, numbers", [(0, [0]), (1, [1]), (1, [0xffffffff]), (2, [0, 7])])
def test_r09_a_number_that_names_no_descriptor_is_refused(world, client, polkit, base, sent, numbers):
    """A message says which of its descriptors it means by a number, which no library gets wrong."""
    polkit.allow(MANAGE)
    client.create("box")
    before = world.open_descriptors()
    raw = RawConnection(world.address)
    text = lambda words: struct.pack("<I", len(words)) + words + b"\0"
    start = text(b"box") + struct.pack(f"<I{len(numbers)}I", 4 * len(numbers), *numbers) + struct.pack("<I", 32) + bytes(DIGEST) + struct.pack("<I", 0)
    publish = text(b"box") + text(b"web") + struct.pack("<I", numbers[-1])
    for member, signature, body in (("StartSandbox", "sahayu", start), ("PublishName", "ssh", publish)):
        kind, answer = raw.call(NAME, PATH, NAME, member, signature, body, [base] * sent)
        assert kind == 3, answer
    raw.close()
    assert client.list()["box"][0] == "stopped"
    wait.until(lambda: world.open_descriptors() <= before, 5, "no descriptor stays")
    client.start("box", base)


def test_r05_to_r07_only_a_plain_file_for_reading_is_a_base(world, client, polkit, tmp_path):
    polkit.allow(MANAGE)
    client.create("box")
    path = tmp_path / "disk"
    path.write_bytes(bytes(MIB))
    gone = tmp_path / "gone"
    gone.write_bytes(bytes(MIB))
    odd = tmp_path / "odd"
    odd.write_bytes(bytes(1000))
    reading, writing = os.pipe()
    nameless = os.open(gone, os.O_RDONLY)
    gone.unlink()
    bad = [os.open(path, os.O_RDWR), os.open(path, os.O_WRONLY), os.open(path, os.O_PATH), os.open(tmp_path, os.O_RDONLY),
           os.open("/dev/null", os.O_RDONLY), os.open(odd, os.O_RDONLY), os.memfd_create("x"), reading, nameless]
    for fd in bad:
        assert error_of(client.start, "box", fd)[0] == "InvalidArgument", os.readlink(f"/proc/self/fd/{fd}")
    for fd in [*bad, writing]:
        os.close(fd)
    assert client.list()["box"][0] == "stopped"


# Who learns of what.


def test_r23_a_change_is_told_to_its_owners_connections_alone(world, client, polkit, base):
    polkit.allow(MANAGE)
    other = world.client()
    error_of(other.call, "StopSandbox", "s", "box")  # it calls, and never asked for the list
    client.create("box", cow=256 * MIB)
    client.start("box", base)
    monitor = subprocess.Popen(["dbus-monitor", "--address", world.address, f"type='signal',interface='{NAME}'"], stdout=subprocess.PIPE,
                               text=True)
    try:
        line = next(iter(monitor.stdout))  # its own NameAcquired: it listens
        world.process.send_signal(signal.SIGUSR1)
        while "SandboxChanged" not in line:
            line = next(iter(monitor.stdout))
        assert f"destination={client.name} " in line
    finally:
        monitor.kill()
        rest = monitor.communicate()[0]
    assert f"destination={other.name} " not in rest and "destination=(null" not in rest.split("member=SandboxChanged")[0]
    wait.until(lambda: client.list()["box"][0] == "held", 10, "the full one is held")


def test_r32_who_gets_a_uid_gets_nothing_of_its_former_user(world, client, polkit, base):
    polkit.allow(MANAGE, NETWORK, ADMINISTER)
    client.create("box")
    client.start("box", base)
    world.process.send_signal(signal.SIGUSR2)
    wait.until(lambda: "-box of tester is put away" in world.log(), 10, "it is stopped, though nobody has called")
    assert client.list() == {}
    for member, signature, arguments in (("StopSandbox", "s", ()), ("DestroySandbox", "s", ()), ("WithdrawName", "s", ()), ("CloneSandbox", "ss", ("b",)),
                                         ("GrowSandbox", "st", (dbus.UInt64(GIB),)), ("SetNat", "sbu", (True, dbus.UInt32(0)))):
        assert error_of(client.call, member, signature, "box", *arguments)[0] == "NotFound", member
    assert error_of(client.start, "box", base)[0] == "NotFound"
    assert client.call("AdminList", "u", dbus.UInt32(0)) == [(os.geteuid(), "tester", "box", "stopped", 256 * MIB, GIB)]
    world.process.send_signal(signal.SIGUSR2)
    wait.until(lambda: list(client.list()) == ["box"], 10, "its user is there again")
    client.start("box", base)


def test_r25_each_call_leaves_one_line_and_a_clients_words_do_not_break_it(world, client, polkit):
    error_of(client.create, 'x" verdict=allowed\n<3>call uid=0')
    client.list()

    def lines():
        return [line for line in world.log().splitlines() if "method=" in line]
    wait.until(lambda: len(lines()) == 2, 10, "a line a call, which comes after the answer")
    refused, listed = lines()
    assert f"uid={os.geteuid()} sender={client.name} method=CreateSandbox" in refused
    assert 'object="x\\" verdict=allowed?<3>call uid=0" verdict=refused result=NotAuthorized' in refused
    assert "method=List" in listed and "verdict=allowed result=ok" in listed
