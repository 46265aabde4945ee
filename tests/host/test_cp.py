# SPDX-License-Identifier: GPL-2.0-or-later
"""`banger vm cp`: files and folders both ways, with what belongs to them."""

import hashlib
import io
import os
import socket
import stat
import tarfile

import dbus
import pytest

from harness.bus import error_of

pytestmark = pytest.mark.limit(180)


@pytest.fixture
def cp(world, shared_vm):
    def copy(source, target, check=True):
        return world.banger("vm", "cp", source, target, check=check, timeout=150)
    return copy


def digest(path):
    return hashlib.sha256(path.read_bytes()).hexdigest()


def test_a_file_there_and_back(cp, guest, tmp_path):
    (tmp_path / "a").write_bytes(os.urandom(100_000))
    os.chmod(tmp_path / "a", 0o640)
    os.utime(tmp_path / "a", (1_000_000_000, 1_000_000_000))
    cp(tmp_path / "a", "shared:/tmp/cp-a")
    assert guest("stat -c '%a %u:%g %Y' /tmp/cp-a") == "640 0:0 1000000000"
    cp("shared:/tmp/cp-a", tmp_path / "b")
    assert digest(tmp_path / "b") == digest(tmp_path / "a")
    assert stat.S_IMODE((tmp_path / "b").stat().st_mode) == 0o640
    assert int((tmp_path / "b").stat().st_mtime) == 1_000_000_000


def test_into_a_folder_and_under_a_new_name(cp, guest, tmp_path):
    (tmp_path / "a").write_text("x")
    guest("rm -rf /tmp/cp-dir; mkdir /tmp/cp-dir")
    cp(tmp_path / "a", "shared:/tmp/cp-dir/")
    cp(tmp_path / "a", "shared:/tmp/cp-dir")
    cp(tmp_path / "a", "shared:/tmp/cp-dir/new-name")
    assert guest("ls /tmp/cp-dir").split() == ["a", "new-name"]


def test_a_tree_with_links_xattrs_and_holes(cp, guest, tmp_path):
    tree = tmp_path / "tree"
    (tree / "sub" / "empty").mkdir(parents=True)
    (tree / "file").write_text("content")
    os.chmod(tree / "file", 0o751)
    os.link(tree / "file", tree / "sub" / "hard")
    os.symlink("../file", tree / "sub" / "soft")
    os.symlink("/no/such", tree / "dangling")
    os.symlink("sub", tree / "to-folder")
    has_xattrs = True
    try:
        os.setxattr(tree / "file", "user.note", b"\x00\xff note")
    except OSError:
        has_xattrs = False
    with open(tree / "sparse", "wb") as file:
        file.truncate(64 << 20)
        file.seek(32 << 20)
        file.write(b"middle")
    (tree / "n\nl ä").write_text("odd name")
    guest("rm -rf /tmp/cp-tree")
    cp(tree, "shared:/tmp/cp-tree")
    assert guest("readlink /tmp/cp-tree/sub/soft /tmp/cp-tree/dangling /tmp/cp-tree/to-folder").split() == ["../file", "/no/such", "sub"]
    assert guest("stat -c %a /tmp/cp-tree/file") == "751"
    assert guest("test /tmp/cp-tree/file -ef /tmp/cp-tree/sub/hard && echo same") == "same"
    assert int(guest("stat -c %b /tmp/cp-tree/sparse")) * 512 < 1 << 20
    cp("shared:/tmp/cp-tree", tmp_path / "back")
    back = tmp_path / "back"
    assert (back / "file").read_text() == "content"
    assert os.readlink(back / "sub" / "soft") == "../file"
    assert (back / "file").samefile(back / "sub" / "hard")
    assert (back / "sub" / "empty").is_dir()
    assert (back / "n\nl ä").read_text() == "odd name"
    assert (back / "sparse").stat().st_size == 64 << 20
    assert (back / "sparse").stat().st_blocks * 512 < 1 << 20
    assert digest(back / "sparse") == digest(tree / "sparse")
    if has_xattrs:
        assert os.getxattr(back / "file", "user.note") == b"\x00\xff note"


def test_a_big_file_keeps_its_sum(cp, guest, tmp_path):
    block = os.urandom(1 << 20)
    with open(tmp_path / "big", "wb") as file:
        for _ in range(48):
            file.write(block)
    cp(tmp_path / "big", "shared:/root/cp-big")
    assert guest("sha256sum < /root/cp-big").split()[0] == digest(tmp_path / "big")
    cp("shared:/root/cp-big", tmp_path / "big-back")
    assert digest(tmp_path / "big-back") == digest(tmp_path / "big")
    guest("rm /root/cp-big")


@pytest.mark.parametrize("source, target", [
    ("shared:/no/such", "{tmp}/x"), ("{tmp}/no-such", "shared:/tmp/"), ("{tmp}/f", "shared:/no/such/folder/f"), ("shared:/etc/hostname", "{tmp}/no/such/f"),
], ids=["from the guest", "from the host", "folder in the guest", "folder on the host"])
def test_what_is_not_there_is_named(cp, tmp_path, source, target):
    (tmp_path / "f").write_text("x")
    done = cp(source.format(tmp=tmp_path), target.format(tmp=tmp_path), check=False)
    assert done.returncode == 3, done.stderr
    assert "no" in done.stderr and "such" in done.stderr


def test_a_full_guest_is_an_error_and_the_next_copy_works(cp, guest, tmp_path):
    guest("mkdir -p /tmp/cp-small && (mountpoint -q /tmp/cp-small || mount -t tmpfs -o size=1m tmpfs /tmp/cp-small)")
    (tmp_path / "big").write_bytes(os.urandom(4 << 20))
    done = cp(tmp_path / "big", "shared:/tmp/cp-small/big", check=False)
    assert done.returncode == 1 and "space" in done.stderr.lower(), done.stderr
    (tmp_path / "small").write_text("x")
    guest("rm -f /tmp/cp-small/*")
    cp(tmp_path / "small", "shared:/tmp/cp-small/small")
    guest("umount /tmp/cp-small")


def hostile_archive():
    """Members that would land outside the folder if the unpacker believed them."""
    buffer = io.BytesIO()
    with tarfile.open(fileobj=buffer, mode="w", format=tarfile.PAX_FORMAT) as archive:
        def add(name, kind=tarfile.REGTYPE, link="", data=b"evil"):
            member = tarfile.TarInfo(name)
            member.type, member.linkname = kind, link
            member.size = len(data) if kind == tarfile.REGTYPE else 0
            archive.addfile(member, io.BytesIO(data) if kind == tarfile.REGTYPE else None)
        add("../escaped-1")
        add("/tmp/cp-outside/escaped-2")
        add("way", tarfile.SYMTYPE, "/tmp/cp-outside")
        add("way/escaped-3")
        add("up", tarfile.SYMTYPE, "..")
        add("up/escaped-4")
        add("hard", tarfile.LNKTYPE, "/etc/hostname")
        add("a/../../escaped-5")
    return buffer.getvalue()


def copy_in(client, vm, folder, data):
    """The last control packet of a CopyIn of these bytes."""
    stream, control = client.call(vm, "Vm", "CopyIn", "ay", (dbus.ByteArray(folder.encode()),))
    with socket.socket(fileno=stream.take()) as stream, socket.socket(fileno=control.take()) as control:
        try:
            stream.sendall(data)
            stream.shutdown(socket.SHUT_WR)
        except OSError:
            pass  # it gave up on the archive early; the answer says why
        control.settimeout(60)
        return control.recv(65536).decode()


def test_an_archive_can_not_leave_its_folder(client, guest, shared_vm):
    guest("rm -rf /tmp/cp-outside /tmp/cp-jail; mkdir -p /tmp/cp-outside /tmp/cp-jail/in; cp /etc/hostname /tmp/hostname.before")
    vm = client.manager.FindVm(shared_vm)
    copy_in(client, vm, "/tmp/cp-jail/in", hostile_archive())
    assert guest("find /tmp/cp-outside /tmp/cp-jail /tmp /etc -maxdepth 2 -name 'escaped-*' -not -path '/tmp/cp-jail/in/*'") == ""
    assert guest("cmp /etc/hostname /tmp/hostname.before && echo same") == "same"


@pytest.mark.parametrize("data", [b"", b"\xff" * 100_000, hostile_archive()[:700]], ids=["empty", "garbage", "cut off"])
def test_a_damaged_archive_gets_an_answer(client, guest, shared_vm, data):
    guest("mkdir -p /tmp/cp-damaged")
    answer = copy_in(client, client.manager.FindVm(shared_vm), "/tmp/cp-damaged", data)
    assert '"exit"' in answer or '"error"' in answer
    assert guest("echo alive") == "alive"


def test_copy_in_to_no_folder_is_not_found(client, shared_vm):
    vm = client.manager.FindVm(shared_vm)
    try:
        answer = copy_in(client, vm, "/no/such", b"")
        assert "NotFound" in answer
    except dbus.DBusException as error:
        assert error.get_dbus_name().endswith("NotFound")
    assert error_of(client.call, vm, "Vm", "CopyOut", "ay", (dbus.ByteArray(b"/no/such"),))[0] == "NotFound"


def test_several_sources_go_into_a_folder_named_relatively(world, shared_vm, guest, tmp_path):
    guest("echo a > /tmp/cp-one; echo b > /tmp/cp-two")
    (tmp_path / "out").mkdir()
    world.banger("vm", "cp", f"{shared_vm}:/tmp/cp-one", f"{shared_vm}:/tmp/cp-two", "out/", check=True, cwd=tmp_path)
    assert sorted(path.name for path in (tmp_path / "out").iterdir()) == ["cp-one", "cp-two"]


def test_a_link_that_an_earlier_copy_brought_is_replaced_and_not_followed(world, shared_vm, guest, tmp_path):
    victim = tmp_path / "victim"
    victim.write_text("mine")
    guest(f"rm -f /tmp/cp-report; ln -s {victim} /tmp/cp-report")
    world.banger("vm", "cp", f"{shared_vm}:/tmp/cp-report", "report", check=True, cwd=tmp_path)
    guest("rm /tmp/cp-report; echo pwned > /tmp/cp-report")
    world.banger("vm", "cp", f"{shared_vm}:/tmp/cp-report", "report", check=True, cwd=tmp_path)
    assert victim.read_text() == "mine"
    assert (tmp_path / "report").read_text() == "pwned\n"
