# SPDX-License-Identifier: GPL-2.0-or-later
"""banger-broker against a hostile user, on a real bus with real polkit: whatever she sends is refused, logged, and leaves nothing."""

import errno
import os
import pathlib
import subprocess
import time

import pytest

import broker_world as world
from broker_fixtures import alice, base, bob, callers, mallory  # noqa: F401: fixtures
from broker_user import DIGEST, BrokerUser, Refused, wait_until

pytestmark = pytest.mark.limit(300)
GIB = 1 << 30
CALLS = {
    "CreateSandbox": ("saytu", ["x", DIGEST, GIB, 0]),
    "StartSandbox": ("sahayu", ["x", [], DIGEST, 0]),
    "StopSandbox": ("s", ["x"]),
    "GrowSandbox": ("st", ["x", GIB]),
    "CloneSandbox": ("ss", ["x", "y"]),
    "SetNat": ("sbu", ["x", True, 0]),
    "PublishName": ("ssh", ["x", "web", {"special": "memfd"}]),
    "WithdrawName": ("s", ["x"]),
    "DestroySandbox": ("s", ["x"]),
    "AdminList": ("u", [0]),
    "AdminDestroy": ("usu", [1000, "x", 0]),
}


@pytest.mark.parametrize("method", CALLS)
def test_R03_who_may_nothing_gets_nothing(mallory, journal, method):
    before = world.state()
    signature, arguments = CALLS[method]
    with pytest.raises(Refused) as refused:
        mallory.call(method, signature, *arguments)
    assert refused.value.name in ("NotAuthorized", "NotFound")
    assert world.differences(before, world.state()) == {}
    line = next(line for line in reversed(journal(unit=world.UNIT)) if f"method={method}" in line)
    assert f"uid={mallory.uid}" in line and "result=ok" not in line


def test_without_a_prompt_the_error_names_what_would_mend_it(mallory):
    with pytest.raises(Refused, match="NotAuthorized.*group banger"):
        mallory.create("x")


@pytest.mark.parametrize("sandbox", ["", "../x", "a/b", "A", "ä", "a" * 33, "a" * 4096, "a b", "a\nb", ".", "x;y"])
def test_R11_an_id_is_nothing_but_letters_digits_and_dashes(alice, sandbox):
    before = world.state()
    with pytest.raises(Refused, match="InvalidArgument"):
        alice.create(sandbox)
    assert world.differences(before, world.state()) == {}


@pytest.fixture
def started(alice):
    """A sandbox that is only created."""
    alice.create("x")
    return "x"


BAD_DISKS = {
    "for writing alone": {"path": "/home/alice/mine.img", "flags": os.O_WRONLY},
    "for reading and writing": {"path": "/home/alice/mine.img", "flags": os.O_RDWR},
    "O_PATH": {"path": "/home/alice/mine.img", "flags": os.O_PATH},
    "a folder": {"path": "/home/alice", "flags": os.O_RDONLY},
    "a device": {"path": "/dev/null", "flags": os.O_RDONLY},
    "a pipe": {"special": "pipe"},
    "a socket": {"special": "socket"},
    "a memfd": {"special": "memfd"},
    "on tmpfs": {"path": "/dev/shm/alice.img", "flags": os.O_RDONLY},
    "in proc": {"path": "/proc/self/maps", "flags": os.O_RDONLY},
    "without a name": {"special": "deleted /home/alice/gone.img"},
    "of no whole sector": {"path": "/home/alice/odd.img", "flags": os.O_RDONLY},
    "empty": {"path": "/home/alice/empty.img", "flags": os.O_RDONLY},
}


@pytest.mark.parametrize("what", BAD_DISKS)
def test_R05_R06_R07_a_descriptor_that_is_no_disk_is_refused(alice, started, what):
    for name, size in (("/home/alice/mine.img", 1 << 20), ("/home/alice/odd.img", 1000), ("/home/alice/empty.img", 0), ("/dev/shm/alice.img", 1 << 20)):
        assert alice.run("truncate", "-s", str(size), name).returncode == 0
    before = world.state()
    with pytest.raises(Refused, match="InvalidArgument"):
        alice.start(started, BAD_DISKS[what])
    wait_until(lambda: world.differences(before, world.state()) == {}, 10, "all is as it was")


@pytest.fixture
def silent_file(alice):
    """The path of a file of hers that opens, and of which nobody tells what it is."""
    program = pathlib.Path(__file__).with_name("silent_file.py")
    process = alice.begin("unshare", "-Urm", "/usr/bin/python3", "-B", str(program), stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
    number = process.stdout.readline().strip()
    process.stdin.write("\n")
    process.stdin.flush()
    assert process.stdout.readline() == "silent\n"
    yield f"/proc/{process.pid}/fd/{number}"
    process.kill()  # with which whoever waits gets an error
    process.wait()


@pytest.mark.parametrize("flags", [os.O_PATH, os.O_RDONLY])
def test_R07_a_file_that_never_says_what_it_is_holds_up_nobody(alice, bob, silent_file, flags):
    """Also one of who has a sandbox that runs, and so gets as far as the file."""
    alice.create("x", size=0)
    alice.start("x")
    file = {"path": silent_file, "flags": flags}
    for method, signature, arguments in (("StartSandbox", "sahayu", ["x", [file], DIGEST, 0]), ("PublishName", "ssh", ["x", "web", file])):
        alice.send(method=method, signature=signature, args=arguments)
        begun = time.monotonic()
        bob.list()
        assert time.monotonic() - begun < 5, method
        with pytest.raises(Refused, match="InvalidArgument"):
            alice.receive()


def test_R09_more_descriptors_than_one_are_refused(alice, started, base):
    disk = {"path": str(base)}
    with pytest.raises(Refused, match="InvalidArgument"):
        alice.call("StartSandbox", "sahayu", started, [disk] * 16, DIGEST, 0)


def test_R30_another_disk_than_at_creation_is_refused(alice, started, base):
    with pytest.raises(Refused, match="InvalidArgument.*digest"):
        alice.start(started, base, digest=[8] * 32)


@pytest.mark.parametrize("method, signature, arguments", [
    ("CreateSandbox", "saytu", ["y", DIGEST[:5], GIB, 0]), ("CreateSandbox", "saytu", ["y", [], GIB, 0]), ("CreateSandbox", "saytu", ["y", DIGEST, 0, 0]),
    ("CreateSandbox", "saytu", ["y", DIGEST, 1, 0]), ("CreateSandbox", "saytu", ["y", DIGEST, GIB, 2]), ("CreateSandbox", "saytu", ["y", DIGEST, GIB, 1 << 31]),
    ("StartSandbox", "sahayu", ["x", [], [], 4]), ("GrowSandbox", "st", ["x", 1]), ("CloneSandbox", "ss", ["x", "../y"]), ("SetNat", "sbu", ["x", True, 6]),
])
def test_wrong_values_are_refused(alice, started, method, signature, arguments):
    before = world.state()
    with pytest.raises(Refused, match="InvalidArgument"):
        alice.call(method, signature, *arguments)
    assert world.differences(before, world.state()) == {}


@pytest.mark.parametrize("method", CALLS)
def test_wrong_types_are_refused(alice, method):
    for signature, arguments in (("v", ["x"]), ("aaay", [[[1]]]), ("a{sv}", [{}])):
        with pytest.raises(Refused):
            alice.call(method, signature, *arguments)
    assert world.is_there() or alice.list() == {}


def test_R16_quotas_are_counted_before_anything_is_made(alice):
    for number in range(64):
        alice.create(f"n-{number}", size=0)
    with pytest.raises(Refused, match="QuotaExceeded.*64 sandboxes"):
        alice.create("more", size=0)


def test_R10_R13_R23_nobody_sees_or_touches_what_is_anothers(alice, mallory, bob, base):
    alice.create("secret")
    disk, tap, *_ = alice.start("secret", base)
    for stranger in (mallory, bob):
        assert stranger.list() == {}
        for method, signature, arguments in (("StopSandbox", "s", ["secret"]), ("DestroySandbox", "s", ["secret"]), ("GrowSandbox", "st", ["secret", GIB])):
            with pytest.raises(Refused, match="NotFound"):
                stranger.call(method, signature, *arguments)
        assert stranger.run("sh", "-c", f"exec 3<{disk}").returncode != 0
        with pytest.raises(Refused, match="NotAuthorized"):
            stranger.call("AdminDestroy", "usu", alice.uid, "secret", 0)
    assert alice.list()["secret"]["state"] == "running"


def test_R14_R15_a_tap_that_its_owner_gave_away_is_still_the_brokers(alice, base):
    alice.create("given", size=0)
    _, tap, *_ = alice.start("given")
    give = ("import fcntl,os,struct; t=os.open('/dev/net/tun',os.O_RDWR); "
            f"fcntl.ioctl(t,0x400454ca,struct.pack('16sH22x',b'{tap}',0x1002|0x4000)); fcntl.ioctl(t,0x400454cc,12345); fcntl.ioctl(t,0x400454cb,0)")
    assert alice.run("python3", "-c", give).returncode == 0
    assert f"{tap}:" not in world.sh("ip -o link")
    alice.stop("given")
    assert tap not in world.sh("nft list ruleset")


def test_R18_things_of_strangers_with_our_names_are_not_touched(alice, base):
    uid = alice.uid
    world.sh(f"dmsetup create banger-{uid}-mine --table '0 8 zero'")
    world.sh("ip link add bgr0 type dummy")
    try:
        alice.create("mine")
        with pytest.raises(Refused, match="AlreadyExists"):
            alice.start("mine", base)
        alice.destroy("mine")
        assert f"banger-{uid}-mine" in world.sh("dmsetup ls")
        alice.create("net", size=0)
        _, tap, *_ = alice.start("net")
        assert tap != "bgr0"
        alice.destroy("net")
        assert "bgr0:" in world.sh("ip -o link")
    finally:
        world.sh(f"dmsetup remove banger-{uid}-mine; ip link delete bgr0")


def test_R21_a_base_that_is_truncated_harms_its_owner_alone(alice, base):
    victim = pathlib.Path("/home/alice/victim.img")
    assert alice.run("cp", "--sparse=always", str(base), str(victim)).returncode == 0
    alice.create("torn")
    alice.create("whole", size=0)
    disk, *_ = alice.start("torn", victim, flags=0)
    alice.start("whole")
    os.truncate(victim, 0)
    alice.run("dd", f"if={disk}", "of=/dev/null", "bs=1M", "iflag=direct")  # zeros or an error: it comes to its end
    assert alice.list()["whole"]["state"] == "running"
    alice.stop("torn")
    alice.destroy("torn")
    victim.unlink()


def test_R20_what_a_disk_says_of_itself_makes_no_link(alice):
    label = pathlib.Path("/home/alice/label.img")
    assert alice.run("sh", "-c", f"truncate -s 64M {label} && /sbin/mke2fs -q -t ext4 -L rootfs-of-mallory {label}").returncode == 0
    alice.create("label")
    alice.start("label", label, flags=0)
    world.sh("udevadm settle")
    assert not os.path.exists("/dev/disk/by-label/rootfs-of-mallory")
    alice.destroy("label")


def test_R04_without_polkit_nothing_is_allowed(alice):
    world.sh("systemctl stop polkit; systemctl mask --runtime polkit")
    try:
        with pytest.raises(Refused, match="NotAuthorized"):
            alice.create("x")
        assert alice.list() == {}, "what needs no answer goes on"
    finally:
        world.sh("systemctl unmask --runtime polkit; systemctl start polkit")


@pytest.fixture
def passing_users():
    """Users of a test's own, and what they leave: gone however it ends."""
    yield
    for uid, sandbox in ((4242, "left"), (4243, "kept")):
        world.sh(f"busctl call dev.banger.Broker1 /dev/banger/Broker1 dev.banger.Broker1 AdminDestroy usu {uid} {sandbox} 0", check=False)
    for name in ("temp", "other", "renamed"):
        world.sh(f"pkill -KILL -u {name}; userdel -f {name}; groupdel {name}", check=False)


def is_cut_off(disk):
    os.posix_fadvise(disk, 0, 4096, os.POSIX_FADV_DONTNEED)
    try:
        os.pread(disk, 512, 0)
    except OSError as error:
        return error.errno == errno.EIO
    return False


def test_R32_a_uid_that_is_used_again_inherits_nothing(alice, base, passing_users):
    world.sh("useradd --uid 4242 --groups banger temp")
    user = BrokerUser("temp")
    try:
        user.create("left")
        node, *_ = user.start("left", base)
    finally:
        user.close()
    holder = os.open(node, os.O_RDONLY)  # as a VMM of the former user's that nobody has ended
    os.pread(holder, 512, 1 << 20)  # the page cache has it from now on
    world.sh("pkill -u temp; userdel temp; useradd --uid 4242 --groups banger other", check=False)
    try:
        try:
            wait_until(lambda: is_cut_off(holder), 20, "what is held open can still be read")
            assert os.pread(holder, 512, 1 << 20) == b"", "nor is there anything in the page cache"
        finally:
            os.close(holder)
        wait_until(lambda: not os.path.exists(node), 20, "the node, which is the heir's by its owner, is there")
        heir = BrokerUser("other")
        assert heir.list() == {}
        for call in (lambda: heir.start("left", base), lambda: heir.destroy("left")):
            with pytest.raises(Refused, match="NotFound"):
                call()
        heir.close()
        assert list(world.STATE.glob("disks/4242-*")), "it may have been a mistake"
        world.sh(f"systemctl stop {world.UNIT}; grep -q '^left = ' {world.STATE}/sandboxes/4242-left.toml")
        world.sh(f"sed -i 's/^left = .*/left = 1/' {world.STATE}/sandboxes/4242-left.toml; /usr/libexec/banger/banger-broker --reconcile")
        assert not list(world.STATE.glob("*/4242-*")), "a day later it is gone"
    finally:
        world.sh("userdel other", check=False)


def test_R32_a_user_with_another_name_has_everything_again_with_the_old_one(passing_users):
    world.sh("useradd --uid 4243 --groups banger temp")

    def as_user(name, work):
        user = BrokerUser(name)
        try:
            return work(user)
        finally:
            user.close()  # usermod wants none of its processes

    try:
        as_user("temp", lambda user: user.create("kept", size=0))
        world.sh("usermod -l renamed temp && groupmod -n renamed temp")
        assert as_user("renamed", lambda user: user.list()) == {}
        world.sh("usermod -l temp renamed && groupmod -n temp renamed")
        assert list(as_user("temp", lambda user: user.list())) == ["kept"]
        as_user("temp", lambda user: user.destroy("kept"))
    finally:
        world.sh("userdel temp || userdel renamed", check=False)
