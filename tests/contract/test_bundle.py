# SPDX-License-Identifier: GPL-2.0-or-later
"""`banger runtime package` and `fetch --manifest`: a bundle made in one home and used in another. Its image and kernel boot nothing."""

import hashlib
import io
import json
import shutil
import signal
import subprocess
import tarfile

import pytest

from harness import bundle, bus, wait
from harness.bus import error_of
from harness.home import PREFIX, Home

PARTS = {"kernel", "boot-modules", "initrd", "modules", "rootfs", "packages"}


@pytest.fixture(scope="module")
def made():
    """(archive, sha256, digest of the image, digest of the kernel) of a home that goes with the module."""
    home = Home("packager")
    try:
        image, kernel = bundle.put_image(home), bundle.put_kernel(home)
        line = home.banger("runtime", "package", check=True).stdout
        archive = home.root / "dist" / "banger-runtime.tar.gz"
        assert line == f"{hashlib.sha256(archive.read_bytes()).hexdigest()}  {archive}\n"
        home.root.chmod(0o755)
        yield archive, line.split()[0], image, kernel
        home.banger("daemon", "stop")
    finally:
        home.close()


@pytest.fixture
def server(made):
    server = bundle.ArchiveServer(made[0].read_bytes())
    yield server
    server.close()


@pytest.fixture
def world(home):
    """A fresh home with no image, no kernel and no proxy."""
    for variable in ("http_proxy", "HTTP_PROXY", "all_proxy", "ALL_PROXY"):
        home.env.pop(variable, None)
    home.runtime_folder = home.cache / "banger" / "runtime"
    yield home
    home.banger("daemon", "stop")


def fetch(world, url, sha256, folder=None, **options):
    manifest = bundle.write_manifest((folder or world.root) / "bundle.toml", url, sha256)
    return world.banger("runtime", "fetch", "--manifest", manifest, **options)


def names(world, noun):
    return {row["name"]: row["digest"] for row in world.json(noun, "list", "--json")}


def states(world):
    return {row["name"]: row["state"] for row in world.json("runtime", "show", "--json") if row["name"] in PARTS}


def test_packaging_twice_gives_the_same_bytes(home):
    bundle.put_image(home)
    bundle.put_kernel(home)
    first = home.json("runtime", "package", "--json")
    again = home.json("runtime", "package", "--output", "other.tar.gz", "--json")
    home.banger("daemon", "stop")
    assert first["sha256"] == again["sha256"] and set(first["parts"].split()) == PARTS
    assert (home.root / "other.tar.gz").read_bytes() == (home.root / "dist" / "banger-runtime.tar.gz").read_bytes()
    dated = home.json("runtime", "package", "--output", "dated.tar.gz", "--json", env={"SOURCE_DATE_EPOCH": "1000000000"})
    assert dated["sha256"] != first["sha256"]
    with tarfile.open(home.root / "dated.tar.gz") as archive:
        members = archive.getmembers()
        assert [member.name for member in members] == sorted(member.name for member in members)
        assert {(member.uid, member.gid, int(member.mtime), oct(member.mode)) for member in members} == {(0, 0, 1000000000, "0o644")}
        described = json.load(archive.extractfile("bundle.json"))
    for part in described["parts"]:
        assert part["version"] and len(part["sha256"]) == 64, part
    home.banger("daemon", "stop")


def test_there_must_be_something_to_package(world):
    done = world.banger("runtime", "package")
    assert done.returncode == 3 and "banger kernel import" in done.stderr
    bundle.put_kernel(world)
    world.banger("daemon", "stop")
    done = world.banger("runtime", "package")
    assert done.returncode == 3 and "banger image build" in done.stderr
    done = world.banger("runtime", "package", "--image", "nothing")
    assert done.returncode == 3 and '"nothing"' in done.stderr
    assert world.banger("runtime", "package", env={"SOURCE_DATE_EPOCH": "soon"}).returncode == 2
    assert not (world.root / "dist").exists()


def test_a_kernel_with_an_initrd_of_the_user_s_goes_into_no_bundle(world):
    bundle.put_image(world)
    digest = bundle.put_kernel(world)
    (world.cache / "banger" / "kernels" / digest / "first.cpio").write_bytes(b"070701 the user's")
    done = world.banger("runtime", "package")
    assert done.returncode == 2 and "was imported with an initrd" in done.stderr and "--kernel" in done.stderr
    assert not (world.root / "dist").exists()


def test_a_folder_with_other_things_in_it_is_left_alone(world):
    bundle.put_image(world)
    bundle.put_kernel(world)
    page = world.root / "project" / ".next" / "page"
    page.parent.mkdir(parents=True)
    page.write_text("the user's")
    for output in ("project", "project/"):
        done = world.banger("runtime", "package", "--output", output)
        assert done.returncode == 2 and "has other things in it" in done.stderr, done.stderr
    assert page.read_text() == "the user's" and [path.name for path in page.parent.parent.iterdir()] == [".next"]


def test_an_image_keeps_a_name_of_the_user_s_when_a_bundle_has_the_same(world, made):
    own = bundle.put_image(world, name="mine")  # byte for byte the bundle's
    assert own == made[2]
    fetch(world, made[0], made[1], check=True)
    assert names(world, "image") == {"mine": own} and names(world, "kernel") == {"debian": made[3]}


@pytest.mark.parametrize("kind", ["relative", "absolute", "file", "http"])
def test_a_bundle_is_fetched_and_taken_into_use(world, made, server, kind):
    archive, sha256, image, kernel = made
    shutil.copy(archive, world.root / "copied.tar.gz")
    url = {"relative": "./copied.tar.gz", "absolute": str(archive), "file": f"file://{archive}", "http": server.url}[kind]
    done = fetch(world, url, sha256, check=True)
    assert "kernel debian" in done.stdout and "image debian" in done.stdout
    assert names(world, "image") == {"debian": image} and names(world, "kernel") == {"debian": kernel}
    assert states(world) == dict.fromkeys(PARTS, "ok")
    read = {row["name"]: row["state"] for row in json.loads(world.banger("runtime", "verify", "--json").stdout)}
    assert {name: read[name] for name in PARTS} == dict.fromkeys(PARTS, "ok")
    assert {path.name for path in world.runtime_folder.iterdir()} == \
        {".lock", "bundle.json", "vmlinux", "boot-modules.cpio", "initrd", "modules.ext4", "rootfs.ext4", "packages.apt"}
    assert (world.runtime_folder / "rootfs.ext4").read_bytes() == b"a root disk" + b"\0" * 300_000 + b"its end"
    assert fetch(world, url, sha256, check=True).stdout == "nothing was to be fetched\n"
    assert len(server.ranges) == (1 if kind == "http" else 0)
    planned = world.banger("vm", "create", "--dry-run", check=True)
    assert "image debian, kernel debian" in planned.stdout


def test_a_wrong_checksum_unpacks_nothing(world, made):
    done = fetch(world, made[0], "0" * 64)
    assert done.returncode == 1
    assert str(made[0]) in done.stderr and made[1] in done.stderr and "0" * 64 in done.stderr
    assert {path.name for path in world.runtime_folder.iterdir()} == {".lock"}
    assert names(world, "image") == {}


@pytest.mark.parametrize("text, word, code", [
    ('url = "../x"\nsha256 = "{sum}"', 'a relative url must not have ".."', 2),
    ('url = "x"\nsha256 = ""', "go together", 2),
    ('url = ""\nsha256 = ""', '"program" is missing', 2),
    ('url = "x"\nsha256 = "{sum}"\nsize = 9999999999999999999999', "bundle.toml:5", 2),
    ('url = "x"\nsha256 = "{sum}"\nsha265 = ""', 'unknown key "sha265"', 2),
    ('url = "ftp://x/y"\nsha256 = "{sum}"', "url must be a path, or begin with", 2),
    ('url = "no-such.tar.gz"\nsha256 = "{sum}"', "no-such.tar.gz", 3),
    ('url = "http://127.0.0.1:1/x"\nsha256 = "{sum}"', "http://127.0.0.1:1/x", 1),
], ids=lambda value: value if isinstance(value, str) and len(value) < 30 else None)
def test_bad_manifests_are_refused_by_name(world, text, word, code):
    manifest = world.root / "bundle.toml"
    manifest.write_text('version = "1"\n[bundle]\n' + text.replace("{sum}", "a" * 64) + "\n")
    done = world.banger("runtime", "fetch", "--manifest", manifest)
    assert done.returncode == code and word in done.stderr, done.stderr
    assert "dev.banger.Error" not in done.stderr


def test_exit_codes_of_the_command_line(world, made):
    for words in (("fetch", "--manifest", ""), ("fetch", "--manifest", "x", "--from", "y"), ("package", "--output", ""), ("package", "x")):
        assert world.banger("runtime", *words).returncode == 2, words
    assert world.banger("runtime", "fetch", "--manifest", "/no/such/file").returncode == 3


def hostile(world, made, change):
    """The archive with its members changed, and its manifest."""
    members = {}
    with tarfile.open(made[0]) as archive:
        for member in archive.getmembers():
            members[member.name] = archive.extractfile(member).read()
    path = world.root / "hostile.tar.gz"
    with tarfile.open(path, "w:gz") as archive:
        change(archive, members)
        for name, data in members.items():
            entry = tarfile.TarInfo(name)
            entry.size = len(data)
            archive.addfile(entry, io.BytesIO(data))
    return fetch(world, path, hashlib.sha256(path.read_bytes()).hexdigest())


@pytest.mark.parametrize("change, word", [
    (lambda archive, members: members.pop("vmlinux"), "bundle.json names vmlinux"),
    (lambda archive, members: members.pop("bundle.json"), "there is no bundle.json"),
    (lambda archive, members: members.update({"../evil": b"x"}), "leads out of the bundle"),
    (lambda archive, members: members.update({"/evil": b"x"}), "leads out of the bundle"),
    (lambda archive, members: members.update(extra=b"x"), '"extra" in it is nothing that bundle.json names'),
    (lambda archive, members: members.update(vmlinux=b"evil one"), "vmlinux in it has the digest"),
    (lambda archive, members: archive.addfile(link("vmlinux2", tarfile.SYMTYPE)), "is a link"),
    (lambda archive, members: archive.addfile(link("vmlinux2", tarfile.CHRTYPE)), "is a device"),
    (lambda archive, members: members.update({"bundle.json": members["bundle.json"].replace(b'"vmlinux"', b'"../vmlinux"')}),
     "file must be a plain name"),
], ids=["half", "no description", "dotdot", "absolute", "extra", "changed", "link", "device", "dotdot in the description"])
def test_a_hostile_archive_leaves_nothing(world, made, change, word):
    done = hostile(world, made, change)
    assert done.returncode == 1 and word in done.stderr, done.stderr
    assert {path.name for path in world.runtime_folder.iterdir()} == {".lock"}
    assert not (world.cache / "banger" / "evil").exists()


def link(name, kind):
    entry = tarfile.TarInfo(name)
    entry.type = kind
    entry.linkname = "/etc/passwd"
    return entry


def test_a_killed_bangerd_goes_on_with_the_download(world, made, server):
    server.cut = 1000
    manifest = bundle.write_manifest(world.root / "bundle.toml", server.url, made[1])
    fetching = world.start("runtime", "fetch", "--manifest", manifest)
    part = world.runtime_folder / ".part" / made[1]
    wait.until(lambda: part.exists() and part.stat().st_size == 1000, 20, "half a download is there")
    world.kill_bangerd()
    fetching.communicate(timeout=20)
    assert fetching.returncode == 1
    world.banger("runtime", "fetch", "--manifest", manifest, check=True)
    assert server.ranges == [None, "bytes=1000-"]
    assert states(world) == dict.fromkeys(PARTS, "ok") and not part.exists()


def test_an_interrupt_cancels_and_keeps_what_came(world, made, server):
    server.cut = 1000
    manifest = bundle.write_manifest(world.root / "bundle.toml", server.url, made[1])
    fetching = world.start("runtime", "fetch", "--manifest", manifest)
    part = world.runtime_folder / ".part" / made[1]
    wait.until(lambda: part.exists() and part.stat().st_size == 1000, 20, "half a download is there")
    second = world.banger("runtime", "fetch", "--manifest", manifest)
    assert second.returncode == 6 and "already" in second.stderr
    fetching.send_signal(signal.SIGINT)
    _, errors = fetching.communicate(timeout=20)
    assert fetching.returncode == 128 + signal.SIGINT, errors
    assert not (world.runtime_folder / ".new").exists() and not (world.runtime_folder / "bundle.json").exists()
    world.banger("runtime", "fetch", "--manifest", manifest, check=True)
    assert server.ranges[-1] == "bytes=1000-"


def test_a_folder_that_is_given_needs_no_fetch(world, made):
    folder = world.root / "unpacked"
    folder.mkdir(mode=0o755)
    subprocess.run(["tar", "-xzf", str(made[0]), "-C", str(folder), "--no-same-owner"], check=True)
    env = {"BANGER_RUNTIME_DIR": str(folder)}
    planned = world.banger("vm", "create", "--dry-run", env=env, check=True)
    assert "image debian, kernel debian" in planned.stdout
    rows = {row["name"]: row for row in json.loads(world.banger("runtime", "show", "--json", env=env, check=True).stdout)}
    assert rows["kernel"]["path"] == str(folder / "vmlinux") and rows["kernel"]["state"] in ("unchecked", "ok")
    assert rows["kernel"]["version"] == "6.1.0-test" and rows["kernel"]["origin"] == "found in its place"
    (folder / "vmlinux").unlink()  # the image may share its bytes
    (folder / "vmlinux").write_bytes(b"A KERNEL")
    done = world.banger("runtime", "verify", "--json", env=env)
    assert done.returncode == 1
    assert {row["name"]: row["state"] for row in json.loads(done.stdout)}["kernel"] == "damaged"
    (folder / "bundle.json").write_text("{}")
    done = world.banger("runtime", "show", env=env)
    assert done.returncode == 1 and f"{folder}/bundle.json" in done.stderr


def test_an_installed_bundle_is_found_beside_the_program(world, made):
    prefix = world.root / "opt"
    helpers = next(path for path in PREFIX.rglob("bangerd") if path.is_file()).parent
    shutil.copytree(helpers, prefix / helpers.relative_to(PREFIX))
    (prefix / "bin").mkdir()
    shutil.copy(PREFIX / "bin" / "banger", prefix / "bin" / "banger")
    folder = prefix / "lib" / "banger"
    folder.mkdir(mode=0o755, parents=True, exist_ok=True)
    subprocess.run(["tar", "-xzf", str(made[0]), "-C", str(folder), "--no-same-owner"], check=True)

    def banger(*words):
        done = subprocess.run([str(prefix / "bin" / "banger"), *words], env=world.env, capture_output=True, text=True, timeout=60,
                              stdin=subprocess.DEVNULL)
        assert done.returncode == 0, done.stderr
        return done.stdout
    assert "image debian, kernel debian" in banger("vm", "create", "--dry-run")
    rows = {row["name"]: row for row in json.loads(banger("runtime", "show", "--json"))}
    assert rows["rootfs"]["path"] == str(folder / "rootfs.ext4")
    fetch(world, made[0], made[1], check=True)
    rows = {row["name"]: row for row in json.loads(banger("runtime", "show", "--json"))}
    assert rows["rootfs"]["path"] == str(world.runtime_folder / "rootfs.ext4"), "the user's own goes before"


def test_a_user_s_own_image_stays(world, made):
    own = bundle.put_image(world, data=b"the user's own")
    fetch(world, made[0], made[1], check=True)
    assert names(world, "image") == {"debian": own} and names(world, "kernel") == {"debian": made[3]}


def test_a_newer_bundle_replaces_an_older_one_s_image(world, made):
    fetch(world, made[0], made[1], check=True)
    other = Home("packager")
    try:
        newer = bundle.put_image(other, data=b"a newer image")
        bundle.put_kernel(other)
        packed = other.json("runtime", "package", "--json")
        other.root.chmod(0o755)
        fetch(world, packed["path"], packed["sha256"], check=True)
        other.banger("daemon", "stop")
    finally:
        other.close()
    assert names(world, "image") == {"debian": newer}


def test_a_build_begins_with_the_docker_image_of_a_bundle_that_has_no_other(world):
    packager = Home("packager")
    try:
        digest = bundle.put_image(packager, name="with-docker")
        bundle.put_kernel(packager)
        packed = packager.json("runtime", "package", "--docker-image", "with-docker", "--json")
        assert set(packed["parts"].split()) == PARTS - {"rootfs"} | {"rootfs-docker"}
        packager.root.chmod(0o755)
        fetch(world, packed["path"], packed["sha256"], check=True)
        packager.banger("daemon", "stop")
    finally:
        packager.close()
    assert names(world, "image") == {"debian": digest}
    done = world.banger("image", "build", "--name", "mine")
    assert done.returncode == 2 and f"{world.runtime_folder}/rootfs-docker.ext4" in done.stderr, f"it is no ext4, here: {done.stderr}"


def test_an_ssh_key_in_a_bundle_is_used_only_when_named_and_then_warned_of(world, made):
    folder = world.root / "unpacked"
    folder.mkdir(mode=0o755)
    subprocess.run(["tar", "-xzf", str(made[0]), "-C", str(folder), "--no-same-owner"], check=True)
    key = folder / "id_ed25519"
    subprocess.run(["ssh-keygen", "-q", "-t", "ed25519", "-N", "", "-f", str(key)], check=True)
    world.write_config(f"runtime_dir = '{folder}'\n")
    world.banger("vm", "create", "--dry-run", check=True)
    assert str(key) not in world.log()
    world.banger("daemon", "stop")
    world.write_config(f"runtime_dir = '{folder}'\nssh_key_path = '{key}'\n")
    world.banger("vm", "create", "--dry-run", check=True)
    assert f"ssh_key_path, {key}, is in a runtime bundle" in world.log()


def test_a_bundle_as_a_folder(world):
    bundle.put_image(world)
    bundle.put_kernel(world)
    line = world.banger("runtime", "package", "--output", "folder/", check=True).stdout
    assert line == f"{world.root}/folder\n"
    assert {path.name for path in (world.root / "folder").iterdir()} >= {"bundle.json", "vmlinux", "rootfs.ext4"}


@pytest.mark.parametrize("options", [{}, {"output": ""}, {"output": "relative"}, {"output": "/x", "colour": "red"},
                                     {"output": "/x", "modified": -1}, {"output": 7}], ids=str)
def test_package_runtime_refuses_bad_options(shared, options):
    error, sentence = error_of(shared.manager.PackageRuntime, bus.typed(options))
    assert error == "InvalidArgument" and sentence


@pytest.mark.parametrize("manifest", ["", "relative"])
def test_fetch_bundle_wants_an_absolute_path(shared, manifest):
    error, sentence = error_of(shared.manager.FetchBundle, manifest)
    assert error == "InvalidArgument" and "absolute" in sentence
