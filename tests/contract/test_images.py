# SPDX-License-Identifier: GPL-2.0-or-later
"""Images and kernels of files, through the real bangerd: no guest, no network, no namespaces but what mke2fs needs."""

import json
import pathlib
import shutil
import socket
import subprocess

import dbus
import pytest

from harness import archives, bundle, bus, wait
from harness.bus import error_of
from harness.home import Home

MKE2FS = shutil.which("mke2fs", path="/usr/sbin:/sbin:/usr/bin")


@pytest.fixture
def disk(tmp_path):
    """A small, clean ext4 with a file in it."""
    (tmp_path / "tree" / "etc").mkdir(parents=True)
    (tmp_path / "tree" / "etc" / "hello").write_text("hello")
    path = tmp_path / "root.ext4"
    subprocess.run([MKE2FS, "-q", "-F", "-t", "ext4", "-d", tmp_path / "tree", path, "64M"], check=True)
    return path


def finish(agent, operation):
    return agent.call(operation, "Operation", "Wait", "", (), timeout=60.0)


def register(agent, path, **options):
    return finish(agent, agent.manager.RegisterImage(str(path), bus.typed(options)))


def images(agent):
    return {str(row[0]): row for row in agent.manager.ListImages()}


def test_a_file_becomes_an_image_and_stays_as_it_is(agent, disk):
    before = disk.read_bytes()
    result = register(agent, disk, name="mine")
    assert result["built"]
    row = images(agent)["mine"]
    assert (row[1], row[2], list(row[6])) == (result["digest"], 64 << 20, [])
    assert "root.ext4" in row[4]
    assert row[3] < row[2], "holes stay holes"
    assert disk.read_bytes() == before
    image = agent.manager.FindImage("mine")
    details = agent.get(image, "Image", "Details")
    assert (pathlib.Path(details["path"]) / "rootfs.ext4").read_bytes() == before


def test_the_same_file_is_there_already_and_another_needs_force(agent, disk):
    first = register(agent, disk, name="mine")
    assert not register(agent, disk, name="mine")["built"]
    with open(disk, "r+b") as file:
        file.seek(40 << 20)
        file.write(b"more")
    error, sentence = error_of(register, agent, disk, name="mine")
    assert error == "AlreadyExists" and "--force" in sentence
    second = register(agent, disk, name="mine", force=True)
    assert second["digest"] != first["digest"]
    assert list(images(agent)) == ["mine"], "the older one, which nobody uses, is gone"


def test_the_same_file_from_elsewhere_needs_force_once(agent, disk, tmp_path):
    register(agent, disk, name="mine")
    copy = tmp_path / "copy.ext4"
    shutil.copy(disk, copy)
    assert error_of(register, agent, copy, name="mine")[0] == "AlreadyExists"
    assert register(agent, copy, name="mine", force=True)["built"]
    assert not register(agent, copy, name="mine")["built"]
    assert "copy.ext4" in images(agent)["mine"][4]
    assert "copy.ext4" in agent.get(agent.manager.FindImage("mine"), "Image", "Details")["origin"]


def test_the_same_content_under_a_second_name_is_refused_and_the_first_name_stays(agent, disk):
    first = register(agent, disk, name="mine")
    error, sentence = error_of(register, agent, disk, name="other")
    assert error == "AlreadyExists" and "mine" in sentence
    assert {name: row[1] for name, row in images(agent).items()} == {"mine": first["digest"]}


@pytest.mark.parametrize("content, words", [
    (b"QFI\xfb" + bytes(1000), ["qcow2", "qemu-img convert -O raw"]), (b"\x1f\x8b" + bytes(1000), ["gzip", "gzip -dk"]),
    (b"text\n" * 1000, ["no ext4"]), (b"", ["no ext4"]),
], ids=["qcow2", "gzip", "text", "empty"])
def test_what_is_no_ext4_is_named_with_its_mend(agent, tmp_path, content, words):
    (tmp_path / "disk").write_bytes(content)
    error, sentence = error_of(register, agent, tmp_path / "disk", name="mine")
    assert error == "InvalidArgument"
    assert all(word in sentence for word in words), sentence
    assert images(agent) == {}


def test_a_file_that_is_not_there_a_folder_and_a_cut_off_one(agent, disk, tmp_path):
    assert error_of(register, agent, tmp_path / "gone", name="mine")[0] == "NotFound"
    assert error_of(register, agent, tmp_path, name="mine")[0] == "InvalidArgument"
    with open(disk, "r+b") as file:
        file.truncate(10 << 20)
    assert error_of(register, agent, disk, name="mine")[0] == "CorruptData"


@pytest.mark.parametrize("options", [{}, {"name": "../x"}, {"name": ""}, {"name": "x", "colour": "red"}], ids=str)
def test_register_refuses_bad_options(agent, disk, options):
    assert error_of(agent.manager.RegisterImage, str(disk), bus.typed(options))[0] == "InvalidArgument"
    assert error_of(agent.manager.RegisterImage, "relative", bus.typed({"name": "x"}))[0] == "InvalidArgument"
    assert error_of(agent.manager.RegisterImage, "", bus.typed({"name": "x"}))[0] == "InvalidArgument"


def test_promoting_what_is_not_there(agent):
    assert error_of(agent.manager.PromoteVm, "no-such", bus.typed({"name": "x"}))[0] == "NotFound"


def damage(agent, name):
    path = pathlib.Path(agent.get(agent.manager.FindImage(name), "Image", "Details")["path"]) / "rootfs.ext4"
    path.chmod(0o644)
    with open(path, "r+b") as file:
        file.seek(1 << 20)
        file.write(b"damage")
    return path


def test_a_damaged_image_is_found_by_a_glance_and_by_a_look(bangerd, home, disk):
    bundle.put_kernel(home)
    agent = bangerd.start()
    register(agent, disk, name="mine")
    image = agent.manager.FindImage("mine")
    finish(agent, agent.call(image, "Image", "Verify", "", ()))
    damage(agent, "mine")
    error, sentence = error_of(agent.create_vm, name="calm-otter", image="mine", start=False)
    assert error == "CorruptData" and "banger image verify mine" in sentence
    assert list(agent.manager.ListVms({})) == []
    error, sentence = error_of(lambda: finish(agent, agent.call(image, "Image", "Verify", "", ())))
    assert error == "CorruptData" and "mine" in sentence


def test_an_image_that_rots_is_made_again_from_the_same_file(bangerd, home, disk):
    bundle.put_kernel(home)
    agent = bangerd.start()
    digest = register(agent, disk, name="mine")["digest"]
    image = agent.manager.FindImage("mine")

    def verify():
        return finish(agent, agent.call(image, "Image", "Verify", "", ()))
    for _ in range(2):
        archives.rot(pathlib.Path(agent.get(image, "Image", "Details")["path"]) / "rootfs.ext4")
        error, sentence = error_of(verify)
        assert error == "CorruptData" and "--force" in sentence
        assert error_of(agent.create_vm, name="calm-otter", image="mine", start=False)[0] == "CorruptData"
        again = register(agent, disk, name="mine", force=True)
        assert again["built"] and again["digest"] == digest
        verify()
    agent.create_vm(name="calm-otter", image="mine", start=False)


def test_an_image_that_was_only_copied_is_whole_and_taken_as_it_is(agent, disk):
    register(agent, disk, name="mine")
    image = agent.manager.FindImage("mine")
    path = pathlib.Path(agent.get(image, "Image", "Details")["path"]) / "rootfs.ext4"
    shutil.copy(path, path.with_suffix(".new"))
    path.with_suffix(".new").rename(path)
    finish(agent, agent.call(image, "Image", "Verify", "", ()))
    stamp = json.loads((path.parent / "image.json").read_text())["stamp"]
    assert stamp.split()[2] == str(path.stat().st_ino)


def test_a_deleted_image_takes_its_files_with_it(agent, disk, home):
    register(agent, disk, name="mine")
    folder = home.cache / "banger" / "images"
    agent.call(agent.manager.FindImage("mine"), "Image", "Delete", "", ())
    wait.until(lambda: list(folder.iterdir()) == [], 10, "nothing of it is left")
    assert images(agent) == {}


def test_what_a_killed_bangerd_left_half_made_goes_with_the_next_start(bangerd, disk):
    agent = bangerd.start()
    folder = bangerd.home.cache / "banger" / "images"
    (folder / ".new-half" / "scratch").mkdir(parents=True)
    (folder / ".new-half" / "rootfs.ext4").write_bytes(b"half")
    register(agent, disk, name="mine")
    bangerd.kill()
    agent = bangerd.start()
    assert list(images(agent)) == ["mine"]
    wait.until(lambda: not (folder / ".new-half").exists(), 10, "the draft is gone")


def test_a_sparse_file_costs_what_is_in_it(agent, tmp_path):
    """Of 64 GiB some megabytes are written to. Full disks are in test_making_faults.py."""
    big = tmp_path / "big.ext4"
    subprocess.run([MKE2FS, "-q", "-F", "-t", "ext4", "-E", "lazy_itable_init=1,lazy_journal_init=1,nodiscard", big, "64G"], check=True)
    assert big.stat().st_blocks * 512 < 64 << 20, "the file itself is sparse here"
    register(agent, big, name="big")
    assert images(agent)["big"][2] == 64 << 30 and images(agent)["big"][3] < 64 << 20


@pytest.mark.parametrize("options", [
    {"flavour": "server"}, {"flavour": "cloud", "package": "linux-image-x"}, {"package": "-o"}, {"package": "a b"},
    {"modules": "/lib/modules/x"}, {"initrd": "/boot/initrd"}, {"vmlinuz": "/boot/vmlinuz", "flavour": "cloud"}, {"suite": "hardy"},
], ids=str)
def test_import_kernel_refuses_what_does_not_go_together(agent, options):
    assert error_of(agent.manager.ImportKernel, bus.typed(options))[0] == "InvalidArgument"


def elf(text):
    head = bytearray(64)
    head[:5] = b"\x7fELF\x02"
    head[18] = 62
    return bytes(head) + text


@pytest.mark.parametrize("content, words", [
    (elf(b"Linux version 6.9.0 (x)\0ext4\0"), ["virtio_mmio", "virtio_blk", "--modules /lib/modules/6.9.0"]),
    (bytes(56) + b"ARM\x64" + bytes(1000), ["another architecture"]), (b"text", ["no boot header"]),
], ids=["no virtio", "arm64", "text"])
def test_what_no_vm_could_boot_is_said_at_the_import(agent, tmp_path, content, words):
    (tmp_path / "vmlinux").write_bytes(content)
    error, sentence = error_of(lambda: finish(agent, agent.manager.ImportKernel(bus.typed({"name": "mine", "vmlinuz": str(tmp_path / "vmlinux")}))))
    assert error == "CorruptData"
    assert all(word in sentence for word in words), sentence
    assert list(agent.manager.ListKernels()) == []


def test_modules_of_another_version_are_refused(agent, tmp_path):
    (tmp_path / "vmlinux").write_bytes(elf(b"Linux version 6.9.0 (x)\0"))
    modules = tmp_path / "6.9.1"
    modules.mkdir()
    (modules / "modules.dep").write_text("")
    options = bus.typed({"name": "mine", "vmlinuz": str(tmp_path / "vmlinux"), "modules": str(modules)})
    error, sentence = error_of(lambda: finish(agent, agent.manager.ImportKernel(options)))
    assert error == "CorruptData" and "6.9.0" in sentence and "6.9.1" in sentence


@pytest.mark.parametrize("options, words", [
    ({"base": "no-such"}, ["no-such", "banger image list", "./no-such"]), ({"base": "relative/x"}, ["relative/x"]),
], ids=str)
def test_a_base_that_is_not_there(agent, options, words):
    error, sentence = error_of(agent.manager.BuildImage, bus.typed(options))
    assert error == "NotFound" and all(word in sentence for word in words)


def test_a_wrong_word_in_a_list_is_named_with_its_line_before_anything_is_made(agent, tmp_path, home):
    (tmp_path / "list").write_text("udev\n\n--option\n")
    operation = agent.manager.BuildImage(bus.typed({"name": "x", "more_packages_files": dbus.Array([str(tmp_path / "list")], signature="s")}))
    error, sentence = error_of(finish, agent, operation)
    assert error == "InvalidArgument" and f"{tmp_path / 'list'}:3" in sentence
    assert images(agent) == {}


def test_the_command_line_registers_lists_verifies_and_deletes(home, disk):
    home.banger("image", "register", disk, "--name", "mine", check=True)
    row = home.json("image", "list", "--json")[0]
    assert (row["name"], row["users"], row["vms"]) == ("mine", [], 0)
    assert "mine is whole" in home.banger("image", "verify", check=True).stdout
    assert home.banger("image", "register", disk, "--name", "mine").returncode == 0
    assert home.banger("image", "verify", "no-such").returncode == 3
    assert home.banger("image", "edit", "mine", "--", "true").returncode == 2, "without a terminal it must be said what is to become of it"
    home.banger("image", "rm", "mine", check=True)
    assert home.json("image", "list", "--json") == []
    home.banger("daemon", "stop")


@pytest.mark.parametrize("words", [
    ("kernel", "import", ""), ("kernel", "import", "--vmlinuz", ""), ("kernel", "import", "x", "--modules", ""), ("kernel", "import", "x", "--initrd", ""),
    ("image", "build", "--base", ""), ("image", "build", "--customize", ""), ("image", "build", "--packages-file", ""), ("image", "register", "", "--name", "x"),
], ids=" ".join)
def test_a_path_that_is_empty_is_a_mistake_and_not_left_out(home, words):
    """An unset variable of a script: without its kernel, `kernel import` would fetch the distribution's."""
    done = home.banger(*words)
    assert done.returncode == 2, done.stderr
    assert not home.agent_pids(), "nobody was asked"


def test_an_edit_whose_result_could_have_no_name_is_refused_before_anybody_types_in_it(home, disk, tmp_path):
    home.banger("image", "register", disk, "--name", "mine", check=True)
    shutil.copy(disk, tmp_path / "other.ext4")
    with open(tmp_path / "other.ext4", "r+b") as file:
        file.seek(40 << 20)
        file.write(b"more")
    home.banger("image", "register", tmp_path / "other.ext4", "--name", "other", check=True)
    for name, code, word in (("other", 6, "exists already"), ("A B", 2, "is not a name"), ("../x", 2, "is not a name")):
        done = home.banger("image", "edit", "mine", "--name", name, "--commit", "--", "true")
        assert done.returncode == code and word in done.stderr, done.stderr
    assert home.banger("image", "edit", "no-such", "--name", "x", "--commit", "--", "true").returncode == 3
    home.banger("daemon", "stop")


@pytest.mark.parametrize("keep", [True, False], ids=["keep", "leave"])
def test_a_vm_whose_promotion_is_refused_is_kept_where_its_client_wants_that(home, bangerd, disk, keep):
    """`image edit` ends with a refusal, and its VM would end with it; what somebody typed into that is nowhere else."""
    bundle.put_kernel(home)
    agent = bangerd.start()
    register(agent, disk, name="mine")
    ours, theirs = socket.socketpair()
    with ours, theirs:
        _, operation = agent.create_vm(name="edited", image="mine", disk_bytes=64 << 20, storage="file", start=False, remove_on_stop=True,
                                       lease=dbus.types.UnixFd(theirs))
        finish(agent, operation)
        options = bus.typed({"name": "mine", "stop": True, "keep": keep})
        error, sentence = error_of(lambda: finish(agent, agent.manager.PromoteVm("edited", options)))
    assert error == "AlreadyExists" and "mine" in sentence
    assert ("edited is kept: banger image promote edited --name NAME" in sentence) == keep
    if keep:
        description = next(home.vms_folder.glob("*/vm.json"))
        assert not json.loads(description.read_text())["remove_on_stop"], "so it outlives its client, which is gone by now"
    else:
        wait.until(lambda: not agent.manager.ListVms({}), 20, "it goes with its client")


def test_what_vms_of_another_state_folder_use_stays_in_the_cache_that_they_share(home, disk):
    bundle.put_kernel(home)
    home.banger("image", "register", disk, "--name", "mine", check=True)
    home.banger("vm", "create", "--no-start", "--name", "first", "--image", "mine", "--storage", "file", "--disk-size", "64M", check=True)
    digest = home.json("image", "list", "--json")[0]["digest"]
    home.banger("daemon", "stop")
    second = Home("second", cache=home.cache)
    try:
        done = second.banger("image", "delete", "mine")
        assert done.returncode != 0 and str(home.state / "banger") in done.stderr, done.stderr
        with open(disk, "r+b") as file:
            file.seek(40 << 20)
            file.write(b"more")
        second.banger("image", "register", disk, "--name", "mine", "--force", check=True)
        second.banger("daemon", "stop")
        assert (home.cache / "banger" / "images" / digest / "rootfs.ext4").exists(), "it lost its name, and not its user"
        home.banger("vm", "delete", "-f", "first", check=True)
        wait.until(lambda: not (home.cache / "banger" / "images" / digest).exists(), 20, "it goes with its last user")
    finally:
        second.banger("daemon", "stop")
        second.close()
        home.banger("daemon", "stop")


def test_a_use_of_the_cache_that_could_not_be_written_is_written_with_the_next_chance(home, disk):
    bundle.put_kernel(home)
    home.banger("image", "register", disk, "--name", "mine", check=True)
    users = home.cache / "banger" / "users"
    users.write_text("in the way")

    def create(name):
        home.banger("vm", "create", "--no-start", "--name", name, "--image", "mine", "--storage", "file", "--disk-size", "64M", check=True)
    create("first")
    wait.until(lambda: "what VMs use of the cache" in home.log(), 20, "it is told")
    users.unlink()
    create("second")
    wait.until(lambda: list(users.glob("*.json")), 20, "both use the same, and that is written")
    home.banger("daemon", "stop")


def test_of_two_bangerds_that_share_a_cache_each_sees_what_the_other_does(home, disk, tmp_path):
    bundle.put_kernel(home)
    second = Home("second", cache=home.cache)

    def names(user):
        return {row["name"]: row["digest"] for row in user.json("image", "list", "--json")}
    try:
        assert names(home) == names(second) == {}, "both run from now on"
        home.banger("image", "register", disk, "--name", "mine", check=True)
        digest = names(home)["mine"]
        assert names(second) == {"mine": digest}
        second.banger("image", "show", "mine", check=True)
        home.banger("vm", "create", "--no-start", "--name", "first", "--image", "mine", "--storage", "file", "--disk-size", "64M", check=True)
        shutil.copy(disk, tmp_path / "old.ext4")
        with open(disk, "r+b") as file:
            file.seek(40 << 20)
            file.write(b"more")
        home.banger("image", "register", disk, "--name", "mine", "--force", check=True)
        second.banger("image", "register", tmp_path / "old.ext4", "--name", "orig", check=True)
        home.banger("vm", "delete", "-f", "first", check=True)
        assert names(home) == names(second) and names(home)["orig"] == digest, "it has a name again, and so stays without a user"
        second.banger("image", "verify", "orig", check=True)
        wait.until(lambda: second.banger("image", "rm", "orig").returncode == 0, 20, "the last user is written down as gone")
        assert set(names(home)) == {"mine"}
    finally:
        second.banger("daemon", "stop")
        second.close()
        home.banger("daemon", "stop")


def test_default_rootfs_is_the_default_image(home, disk):
    home.write_config(f"default_rootfs = '{disk}'\ndefault_image = 'house'\n")
    home.banger("image", "build", check=True)
    assert home.json("image", "list", "--json")[0]["name"] == "house"
    assert "was there already" in home.banger("image", "build", check=True).stdout
    home.banger("image", "rm", "house", check=True)
    home.banger("image", "build", env={"BANGER_DEFAULT_IMAGE": "yard"}, check=True)
    assert [image["name"] for image in home.json("image", "list", "--json")] == ["yard"]
    home.banger("daemon", "stop")


def test_a_default_kernel_that_is_a_file_is_what_the_default_kernel_is_made_of(home, tmp_path):
    """As in the settings of the original."""
    file = tmp_path / "vmlinuz"
    bundle.put_image(home)
    home.write_config(f"default_kernel = '{file}'\n")
    shown = {row["key"]: row["value"] for row in home.json("config", "show", "--json")}
    assert shown["default_kernel"] == f'"{file}"'
    for words in (("kernel", "import"), ("vm", "create", "--no-start")):
        for wanted, env in ((file, {}), (tmp_path / "other", {"BANGER_DEFAULT_KERNEL": str(tmp_path / "other")})):
            done = home.banger(*words, env=env)
            assert done.returncode == 3 and str(wanted) in done.stderr, done.stderr
    assert "banger kernel import" in home.banger("vm", "create", "--no-start", "--no-build").stderr
    file.write_bytes(b"text")
    assert "no boot header" in home.banger("vm", "create", "--no-start").stderr
    assert home.vms() == {}
    home.banger("daemon", "stop")


def test_two_hundred_images_are_listed_in_no_time(home, disk):
    home.banger("image", "register", disk, "--name", "first", check=True)
    home.banger("daemon", "stop")
    folder = home.cache / "banger" / "images"
    model = next(folder.iterdir())
    for number in range(199):
        digest = f"{number:064x}"
        (folder / digest).mkdir()
        description = {**json.loads((model / "image.json").read_text()), "name": f"image-{number}", "digest": digest}
        (folder / digest / "image.json").write_text(json.dumps(description))
    assert len(home.json("image", "list", "--json")) == 200
    home.banger("daemon", "stop")
