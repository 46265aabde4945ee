# SPDX-License-Identifier: GPL-2.0-or-later
"""`banger vm export` and `vm import`: a VM that goes from one home to another, as a file and through a pipe, and archives that mean harm. No guest runs;
tests/host/test_transfer.py has one that moves."""

import hashlib
import io
import json
import os
import signal
import stat
import subprocess
import tarfile

import pytest

from harness import archives, bundle, wait
from harness.home import Home

NAME = "traveller"


@pytest.fixture
def source(home):
    archives.put_vm(home)
    yield home
    home.banger("daemon", "stop")


@pytest.fixture
def target():
    """Another user's world, as far as one user can have one: a kernel, no image, no VM."""
    home = Home("target")
    try:
        bundle.put_kernel(home)
        yield home
        home.banger("daemon", "stop")
    finally:
        home.close()


@pytest.fixture
def archive(source):
    source.banger("vm", "export", NAME, "--plain", "-o", "a.vm.tar", check=True)
    return source.root / "a.vm.tar"


def is_empty(home):
    return not home.vms() and (not home.vms_folder.exists() or not list(home.vms_folder.iterdir()))


def test_a_vm_moves_by_a_file(source, target):
    line = source.banger("vm", "export", NAME, check=True).stdout
    path = source.root / f"{NAME}.vm.tar.gz"
    assert line == f"{hashlib.sha256(path.read_bytes()).hexdigest()}  {path.name}\n"
    assert subprocess.run(["sha256sum", "--check"], input=line, text=True, cwd=source.root, capture_output=True).returncode == 0
    assert stat.S_IMODE(path.stat().st_mode) == 0o600, "who has it has the VM"
    assert path.stat().st_size < 100_000, "holes cost nothing"
    with tarfile.open(path) as opened:
        assert [member.name for member in opened] == ["vm.json", "root.img", "work.img"]
    done = target.banger("vm", "import", path, "--sha256", line.split()[0], check=True)
    assert done.stdout == f"{NAME}\n" and "boots with debian" in done.stderr
    before, after = source.show(NAME), target.show(NAME)
    assert after["id"] != before["id"] and after["state"] == "stopped"
    assert {key: after[key] for key in ("image", "image_digest", "vcpus", "memory_mib", "disk_bytes", "storage")} == \
        {key: before[key] for key in ("image", "image_digest", "vcpus", "memory_mib", "disk_bytes", "storage")}
    described = json.loads((target.vms_folder / after["id"] / "vm.json").read_text())
    assert (described["allow_host_loopback"], described["vmm"], described["network"]) == (False, "auto", "none")
    for disk, path in archives.disks_of(target, NAME).items():
        assert archives.is_same(path, archives.disks_of(source, NAME)[disk]), disk
        assert path.stat().st_blocks * 512 < 4 << 20, "sparse stays sparse"
        assert stat.S_IMODE(path.stat().st_mode) == 0o600
    target.banger("vm", "delete", NAME, check=True)
    assert is_empty(target)


def test_a_vm_moves_through_a_pipe(source, target):
    exporting = source.start("vm", "export", NAME, "-o", "-", text=False)
    imported = subprocess.run(target.command("vm", "import", "-", "--name", "arrived", "--json"), env=target.env, stdin=exporting.stdout,
                              capture_output=True, text=True, timeout=120)
    exporting.stdout.close()
    told = exporting.stderr.read().decode()
    exporting.stderr.close()
    assert (exporting.wait(60), imported.returncode) == (0, 0), imported.stderr + told
    result = json.loads(imported.stdout)
    assert result["name"] == "arrived" and result["other_kernel"] is True
    assert f"sha256 {result['sha256']}" in told
    assert archives.is_same(archives.disks_of(source, NAME)["root.img"], archives.disks_of(target, "arrived")["root.img"])


def test_an_image_goes_along_when_it_is_asked_for_on_both_sides(home, target):
    digest = bundle.put_image(home, name="mine")
    archives.put_vm(home, image_digest=digest, image="mine")
    home.banger("vm", "export", NAME, "--with-image", check=True)
    path = home.root / f"{NAME}.vm.tar.gz"
    target.banger("vm", "import", path, check=True)
    assert target.json("image", "list", "--json") == []
    done = target.banger("vm", "import", path, "--with-image", "--name", "second", check=True)
    assert "mine" in done.stderr
    row, = target.json("image", "list", "--json")
    assert (row["name"], row["digest"], sorted(row["users"])) == ("mine", digest, ["second", NAME])
    target.banger("image", "verify", "mine", check=True)
    home.banger("daemon", "stop")


def test_an_image_that_comes_takes_the_place_of_the_same_one_that_is_damaged(home, target):
    digest = bundle.put_image(home, name="mine")
    archives.put_vm(home, image_digest=digest, image="mine")
    home.banger("vm", "export", NAME, "--with-image", check=True)
    path = home.root / f"{NAME}.vm.tar.gz"
    target.banger("vm", "import", path, "--with-image", check=True)
    archives.rot(target.cache / "banger" / "images" / digest / "rootfs.ext4")
    assert target.banger("image", "verify", "mine").returncode == 1
    target.banger("vm", "import", path, "--with-image", "--name", "second", check=True)
    target.banger("image", "verify", "mine", check=True)
    home.banger("daemon", "stop")


def test_an_image_that_comes_takes_nobody_s_name(home, target):
    digest = bundle.put_image(home, name="debian", data=b"a stranger's system")
    archives.put_vm(home, image_digest=digest)
    home.banger("vm", "export", NAME, "--with-image", check=True)
    own = bundle.put_image(target)
    target.banger("vm", "import", home.root / f"{NAME}.vm.tar.gz", "--with-image", check=True)
    assert {row["name"]: row["digest"] for row in target.json("image", "list", "--json")} == {"debian": own, f"debian-{digest[:12]}": digest}
    home.banger("daemon", "stop")


def test_a_name_that_is_taken_is_refused(archive, target):
    target.banger("vm", "import", archive, check=True)
    done = target.banger("vm", "import", archive)
    assert done.returncode == 6 and "--name" in done.stderr
    target.banger("vm", "import", archive, "--name", "second", "--kernel", "debian", check=True)
    assert set(target.vms()) == {NAME, "second"}
    assert target.banger("vm", "import", archive, "--name", "third", "--kernel", "no-such").returncode == 3
    assert set(target.vms()) == {NAME, "second"}


def test_an_export_does_not_take_a_file_s_place(source):
    path = source.root / "mine"
    path.write_text("mine")
    done = source.banger("vm", "export", NAME, "-o", "mine")
    assert done.returncode == 6 and path.read_text() == "mine"
    source.banger("vm", "export", NAME, "-f", "-o", "mine", check=True)
    assert tarfile.is_tarfile(path)
    assert source.banger("vm", "export", NAME, "-o", "/dev/null").returncode == 2
    assert source.banger("vm", "export", "no-such", "-o", "x").returncode == 3
    assert sorted(entry.name for entry in source.root.iterdir() if entry.is_file()) == ["mine"]


def test_a_vm_that_goes_when_it_stops_is_not_exported(home):
    archives.put_vm(home, remove_on_stop=True)
    done = home.banger("vm", "export", NAME)
    assert done.returncode == 2 and "--rm" in done.stderr
    home.banger("daemon", "stop")


def test_another_archive_than_the_one_that_is_meant_leaves_nothing(archive, target):
    done = target.banger("vm", "import", archive, "--sha256", "0" * 64)
    assert done.returncode == 1 and "0" * 64 in done.stderr
    assert is_empty(target)
    assert target.banger("vm", "import", archive, "--sha256", "short").returncode == 2


def link(name, kind):
    entry = tarfile.TarInfo(name)
    entry.type = kind
    entry.linkname = "/etc/passwd"
    return entry


def with_description(change):
    """Alters vm.json."""
    def alter(members, archive):
        entry, data = members["vm.json"]
        described = json.loads(data)
        change(described)
        members["vm.json"] = (entry, json.dumps(described).encode())
    return alter


def description_first(members, archive, *others):
    """Writes vm.json, then these; what is left comes behind."""
    entry = tarfile.TarInfo("vm.json")
    data = members.pop("vm.json")[1]
    entry.size = len(data)
    archive.addfile(entry, io.BytesIO(data))
    for other in others:
        archive.addfile(other)


@pytest.mark.parametrize("change, words", [
    (lambda members, archive: members.pop("vm.json"), "does not begin with vm.json"),
    (lambda members, archive: description_first(members, archive, link("root.img", tarfile.SYMTYPE)), "is a link"),
    (lambda members, archive: description_first(members, archive, link("root.img", tarfile.LNKTYPE)), "is a link"),
    (lambda members, archive: description_first(members, archive, link("root.img", tarfile.CHRTYPE)), "is a device"),
    (lambda members, archive: description_first(members, archive, tarfile.TarInfo("../root.img")), "is nothing that vm.json names"),
    (lambda members, archive: description_first(members, archive, tarfile.TarInfo("/etc/cron.d/x")), "is nothing that vm.json names"),
    (lambda members, archive: None, "has 1 bytes, and"),
    (with_description(lambda described: described["disks"][0].update(file="../root.img")), "there is no disk"),
    (with_description(lambda described: described.update(format=9)), "a newer one wrote it"),
    (with_description(lambda described: described["vm"].update(name="../../x")), "vm.json: "),
    (with_description(lambda described: described["disks"][0].update(size=1 << 62)), "size is no number of bytes"),
], ids=["no description", "symlink", "hard link", "device", "dotdot", "absolute", "other size", "name", "format", "VM's name", "size"])
def test_a_hostile_archive_leaves_nothing(archive, target, change, words):
    hostile = archives.rewritten(archive, target.root / "hostile.tar", change)
    done = target.banger("vm", "import", hostile)
    assert done.returncode == 1 and words in done.stderr, done.stderr
    assert "dev.banger.Error" not in done.stderr
    assert is_empty(target)
    assert not (target.vms_folder.parent / "root.img").exists()


def test_more_than_there_is_room_for_is_refused_before_it_comes(archive, target):
    huge = archives.rewritten(archive, target.root / "huge.tar",
                              with_description(lambda described: described["disks"][0].update(size=15 << 40, data=15 << 40)))
    done = target.banger("vm", "import", huge)
    assert done.returncode == 1 and "come to 15" in done.stderr and "is free" in done.stderr
    assert is_empty(target)


def test_a_changed_byte_is_found(archive, target):
    changed = bytearray(archive.read_bytes())
    at = changed.index(b"in the middle")
    changed[at] ^= 1
    (target.root / "changed").write_bytes(changed)
    done = target.banger("vm", "import", "changed")
    assert done.returncode == 1 and "root.img in it has the digest" in done.stderr
    assert is_empty(target)


@pytest.fixture
def half(archive, target):
    """An import that has half of its archive and waits for the rest."""
    reader, writer = os.pipe()
    importing = target.start("vm", "import", "-", stdin=reader)
    os.close(reader)
    data = archive.read_bytes()
    os.write(writer, data[:len(data) // 2][:60_000])
    wait.until(lambda: target.vms_folder.exists() and list(target.vms_folder.glob("*/root.img")), 30, "the root disk begins to come")
    yield importing
    os.close(writer)
    if importing.poll() is None:
        importing.kill()
    importing.communicate(timeout=20)


def test_an_interrupted_import_leaves_nothing(half, target):
    half.send_signal(signal.SIGINT)
    assert half.wait(30) == 128 + signal.SIGINT
    assert is_empty(target)


def test_a_killed_bangerd_leaves_nothing_of_an_import(half, target):
    target.kill_bangerd()
    assert half.wait(30) == 1
    assert is_empty(target), "the next bangerd has cleared up"


def test_each_transfer_has_a_thread_or_is_refused(archive, target):
    """With a queue, the two ends of a pipe between two VMs of one user could wait for each other."""
    head = archive.read_bytes()[:60_000]
    running, writers = [], []
    try:
        for number in range(16):
            reader, writer = os.pipe()
            writers.append(writer)
            os.write(writer, head)
            running.append(target.start("vm", "import", "-", "--name", f"copy-{number}", stdin=reader))
            os.close(reader)
        wait.until(lambda: len(list(target.vms_folder.glob("*/root.img"))) == 16, 60, "all of them read")
        done = target.banger("vm", "import", archive, "--name", "one-more")
        assert done.returncode == 6 and "16 exports and imports" in done.stderr
    finally:
        for writer in writers:
            os.close(writer)
        for each in running:
            each.communicate(timeout=60)
    target.banger("vm", "import", archive, "--name", "one-more", check=True)


def test_an_export_that_nobody_reads_ends_with_a_signal_and_leaves_nothing(source):
    reader, writer = os.pipe()
    with open(archives.disks_of(source, NAME)["root.img"], "r+b") as disk:
        disk.write(os.urandom(4 << 20))
    exporting = source.start("vm", "export", NAME, "-o", "-", stdout=writer)
    os.close(writer)
    wait.until(lambda: os.read(reader, 1), 30, "the archive begins")
    exporting.send_signal(signal.SIGINT)
    assert exporting.wait(30) == 128 + signal.SIGINT
    os.close(reader)
    exporting.communicate(timeout=20)


def is_open_without_a_name(pid):
    links = [os.readlink(entry.path) for entry in os.scandir(f"/proc/{pid}/fd")]
    return any(link.endswith("(deleted)") or link.endswith(".new") for link in links)


def test_a_killed_export_to_a_file_leaves_no_file(source):
    before = {entry.name for entry in source.root.iterdir()}
    with open(archives.disks_of(source, NAME)["root.img"], "r+b") as disk:
        for _ in range(16):
            disk.write(os.urandom(4 << 20))
    exporting = source.start("vm", "export", NAME)
    wait.until(lambda: exporting.poll() is not None or is_open_without_a_name(exporting.pid), 30, "the file is open")
    exporting.kill()
    exporting.communicate(timeout=20)
    source.kill_bangerd()
    assert {entry.name for entry in source.root.iterdir()} <= before | {f"{NAME}.vm.tar.gz"}, "whole, or not at all"
    path = source.root / f"{NAME}.vm.tar.gz"
    assert not path.exists() or tarfile.is_tarfile(path)


def test_marked_vms_are_started_and_no_others(home):
    archives.put_vm(home, "marked", autostart=True)
    archives.put_vm(home, "unmarked-one")
    assert home.show("marked")["autostart"] is True
    done = home.banger("vm", "start", "--marked")
    assert done.returncode != 0 and "marked did not start: " in done.stderr, "it has no kernel here"
    assert "unmarked-one" not in done.stderr
    home.banger("vm", "set", "--no-autostart", "marked", check=True)
    done = home.banger("vm", "start", "--marked", check=True)
    assert "none" in done.stderr
    done = home.banger("vm", "set", "--autostart", "unmarked-one", check=True)
    assert "banger daemon enable" in done.stderr
    home.banger("daemon", "stop")
    assert {name: home.show(name)["autostart"] for name in ("marked", "unmarked-one")} == {"marked": False, "unmarked-one": True}
    home.banger("daemon", "stop")
