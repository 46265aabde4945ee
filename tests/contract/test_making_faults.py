# SPDX-License-Identifier: GPL-2.0-or-later
"""SIGKILL of bangerd, and a full disk, at the steps of making images, kernels and bundles: what was there stays, nothing half-made does, and the same
command works afterwards. Programs that a step calls are held there by stand-ins; mmdebstrap is one, so nothing is fetched."""

import json
import os
import shutil
import subprocess

import pytest

from harness import bundle, namespaces, wait
from harness.oci import Layout, member
from harness.stand_ins import StandIns

pytestmark = pytest.mark.limit(300)

MKE2FS = shutil.which("mke2fs", path="/usr/sbin:/sbin:/usr/bin")
ALL_BUILT_IN = b"virtio-mmio\0virtio_blk\0ext4\0virtio_console\0virtio_net\0"
SIZE = ("--size", "64M")


def kernel(version):
    head = bytearray(64)
    head[:5] = b"\x7fELF\x02"
    head[18] = 62
    return bytes(head) + f"Linux version {version} (x) #1\0".encode() + ALL_BUILT_IN


def make_disk(path, content):
    """A small, clean ext4 with some noise in it."""
    tree = path.parent / f"{path.name}.tree"
    tree.mkdir()
    (tree / "noise").write_bytes(content)
    subprocess.run([MKE2FS, "-q", "-F", "-t", "ext4", "-d", tree, path, "32M"], check=True, capture_output=True)
    return path


class Maker:
    """How something is made twice: each call of command() after change() makes another of the same name."""

    noun = "image"

    def __init__(self, home):
        self.home = home
        self.round = 0
        self.change()

    def change(self):
        self.round += 1

    def catalog(self):
        return {row["name"]: row["digest"] for row in self.home.json(self.noun, "list", "--json")}

    def drafts(self):
        folder = self.home.cache / "banger" / f"{self.noun}s"
        return list(folder.glob(".new-*")) if folder.exists() else []


class Build(Maker):
    def command(self):
        return ("image", "build", "--name", "mine", "--suite", "bookworm", "--size", f"{self.round}G")


class Pull(Maker):
    def change(self):
        super().change()
        shutil.rmtree(self.home.root / "oci", ignore_errors=True)
        Layout().add_layer([member("etc/", mode=0o755), member("etc/round", str(self.round).encode())]).write(self.home.root / "oci")

    def command(self):
        return ("image", "pull", f"oci:{self.home.root}/oci", "--name", "mine", *SIZE)


class Register(Maker):
    def change(self):
        super().change()
        self.disk = make_disk(self.home.root / f"disk-{self.round}.ext4", os.urandom(4 << 20))

    def command(self):
        return ("image", "register", str(self.disk), "--name", "mine", "--force")


class Promote(Maker):
    def change(self):
        super().change()
        if self.round == 1:
            disk = make_disk(self.home.root / "base.ext4", os.urandom(4 << 20))
            bundle.put_kernel(self.home)
            self.home.banger("image", "register", disk, "--name", "base", check=True)
            self.home.banger("vm", "create", "--no-start", "--name", "origin", "--image", "base", "--storage", "file", "--disk-size", "64M", check=True)
        else:
            root = next(self.home.vms_folder.glob("*/root.img"))
            subprocess.run(["/usr/sbin/debugfs", "-w", "-R", "ssv state 0", str(root)], check=True, capture_output=True)  # as of a guest that was cut off

    def command(self):
        return ("image", "promote", "origin", "--name", "mine", "--force")


class Import(Maker):
    noun = "kernel"

    def change(self):
        super().change()
        (self.home.root / "vmlinux").write_bytes(kernel(f"6.9.{self.round}"))

    def command(self):
        return ("kernel", "import", str(self.home.root / "vmlinux"), "--name", "mine")


@pytest.fixture
def stand_ins(home):
    for variable in ("http_proxy", "HTTP_PROXY", "all_proxy", "ALL_PROXY"):
        home.env.pop(variable, None)
    stand_ins = StandIns(home)
    stand_ins.make_trees()
    yield stand_ins
    home.banger("daemon", "stop")


KILLED_AT = [
    (Build, "mmdebstrap", ""), (Build, "mke2fs", "-L root"), (Pull, "skopeo", "inspect"), (Pull, "skopeo", " copy "), (Pull, "umoci", "unpack"),
    (Pull, "mke2fs", "-L root"), (Promote, "e2fsck", ""), (Promote, "e2image", ""), (Import, "mke2fs", "-L modules"),
]


@pytest.mark.parametrize("kind, program, words", KILLED_AT, ids=lambda value: getattr(value, "__name__", value))
def test_a_sigkill_leaves_what_was_there_and_nothing_else(home, stand_ins, kind, program, words):
    maker = kind(home)
    home.banger(*maker.command(), check=True)
    before = maker.catalog()
    assert "mine" in before
    maker.change()
    stand_ins.hold(program, words)
    making = home.start(*maker.command())
    stand_ins.wait_until_reached()
    assert maker.drafts(), "there is something that could be left"
    home.kill_bangerd()
    making.communicate(timeout=30)
    assert making.returncode == 1
    wait.until(lambda: not stand_ins.running(), 20, f"{program} dies with bangerd")
    stand_ins.release()
    assert maker.catalog() == before, "the older one is whole, and has its name"
    wait.until(lambda: not maker.drafts(), 20, "the next bangerd clears up")
    home.banger(*maker.command(), check=True)
    after = maker.catalog()
    assert set(after) == set(before) and after["mine"] != before["mine"]


@pytest.mark.parametrize("kind, program, words", [(Build, "mmdebstrap", ""), (Pull, "skopeo", " copy "), (Pull, "umoci", "unpack")],
                         ids=lambda value: getattr(value, "__name__", value))
def test_what_takes_long_gives_way_to_everything_else(home, stand_ins, kind, program, words):
    """So that no VM's making waits for it where processors are short."""
    usual = os.getpriority(os.PRIO_PROCESS, 0)
    stand_ins.hold(program, words)
    making = home.start(*kind(home).command())
    stand_ins.wait_until_reached()
    assert {os.getpriority(os.PRIO_PROCESS, process.pid) for process in stand_ins.running()} == {max(usual, 10)}
    assert {os.getpriority(os.PRIO_PROCESS, pid) for pid in home.agent_pids()} == {usual}
    home.kill_bangerd()
    making.communicate(timeout=30)
    wait.until(lambda: not stand_ins.running(), 20, f"{program} dies with bangerd")


def test_a_sigkill_between_two_of_one_name_leaves_the_newer_one(home, stand_ins):
    """As adopting leaves it: both have the name. Nothing of it is removed but what nobody uses and has no name."""
    maker = Build(home)
    home.banger(*maker.command(), check=True)
    old = maker.catalog()["mine"]
    maker.change()
    home.banger("daemon", "stop")
    images = home.cache / "banger" / "images"
    twin = images / ("f" * 64)
    shutil.copytree(images / old, twin)
    description = json.loads((twin / "image.json").read_text())
    (twin / "image.json").unlink()
    (twin / "image.json").write_text(json.dumps({**description, "digest": "f" * 64, "created": description["created"] + 1}))
    assert maker.catalog() == {"mine": "f" * 64}
    wait.until(lambda: [path.name for path in images.iterdir()] == ["f" * 64], 20, "the older one goes, as nobody uses it")


FULL = "No space left on device"
FULL_AT = [
    (Build, "mmdebstrap", "", f"dpkg: error processing archive x.deb: {FULL}"), (Build, "mke2fs", "-L root", f"mke2fs: {FULL} while writing out and closing file system"),
    (Pull, "skopeo", " copy ", f'time="x" level=fatal msg="writing blob: write layout/oci-put-blob1: {FULL.lower()}"'),
    (Pull, "umoci", "unpack", f"unpack layer: write: {FULL.lower()}"), (Pull, "mke2fs", "-L root", f"mke2fs: {FULL} while allocating"),
    (Promote, "e2image", "", f"e2image: {FULL} while writing block"), (Import, "mke2fs", "-L modules", f"mke2fs: {FULL} while allocating"),
]


@pytest.mark.parametrize("kind, program, words, sentence", FULL_AT, ids=lambda value: getattr(value, "__name__", value if len(str(value)) < 12 else ""))
def test_a_program_that_finds_the_disk_full_leaves_what_was_there(home, stand_ins, kind, program, words, sentence):
    """A small file system is no place for these: their namespaces need ids that a namespace of the test's own has not. So the program says it."""
    maker = kind(home)
    home.banger(*maker.command(), check=True)
    before = maker.catalog()
    if kind is not Promote:
        maker.change()
    stand_ins.fail(program, sentence, words)
    done = home.banger(*maker.command())
    assert done.returncode == 1, done.stderr
    assert "no space left" in done.stderr.lower() or "disk is full" in done.stderr, done.stderr
    assert "df -h" in done.stderr, "what mends it"
    assert maker.catalog() == before and maker.drafts() == []
    stand_ins.release()
    home.banger(*maker.command(), check=True)


def on_small_cache(home, size, command):
    """(exit code, standard error, images and kernels there, what lies in their folders) of one command, with a bangerd whose cache has so much room."""
    script = 'banger=$1; shift; cache=$1; shift; "$banger" "$@" >/dev/null; echo "exit $?"; "$banger" image list --json; echo; "$banger" kernel list --json; echo; ' \
             'ls -A "$cache/banger/images" "$cache/banger/kernels" "$cache/banger/runtime" 2>/dev/null | grep -v -e "^/" -e "^.lock$" -e "^$" | tr "\\n" " "; "$banger" daemon stop; exit 0'
    words = ["sh", "-c", script, "sh", *home.command(), str(home.cache), *command]
    done = subprocess.run(namespaces.with_small_folder(home.cache, size, words), env=home.env, capture_output=True, text=True, timeout=200,
                          stdin=subprocess.DEVNULL, cwd=home.root)
    code = int(done.stdout.split("exit ", 1)[1].split()[0])
    return code, done.stderr, done.stdout


@pytest.mark.parametrize("kind, enough", [(Register, "40m"), (Import, "40m")], ids=lambda value: getattr(value, "__name__", value))
def test_a_small_file_system_at_each_size_takes_all_or_nothing(home, kind, enough):
    """In steps, so that the space ends at each part of the work; and with enough of it, to see that it would be seen."""
    maker = kind(home)
    codes = []
    for size in ("64k", "128k", "256k", "1m", "3m", enough):
        code, errors, output = on_small_cache(home, size, maker.command())
        codes.append(code)
        if code != 0:
            assert code == 1 and ("space" in errors.lower() or "disk is full" in errors), errors
            assert '"mine"' not in output, output
        else:
            assert '"mine"' in output
        assert ".new-" not in output, f"{size}: {output}"
    assert codes[-1] == 0, "with enough room it works"
    assert codes[0] == 1, "and with too little it can't"


def test_a_bundle_that_does_not_fit_leaves_nothing(home):
    """Its archive comes from elsewhere; packed, unpacked and registered it needs room of three kinds."""
    bundle.put_image(home, data=os.urandom(2 << 20))
    bundle.put_kernel(home)
    packed = home.json("runtime", "package", "--json")
    home.banger("daemon", "stop")
    manifest = bundle.write_manifest(home.root / "bundle.toml", packed["path"], packed["sha256"])
    codes = []
    for size in ("256k", "1m", "2m", "3m", "40m"):
        code, errors, output = on_small_cache(home, size, ("runtime", "fetch", "--manifest", str(manifest)))
        codes.append(code)
        assert code == 0 or ".new" not in output, f"{size}: {output}"
        if code != 0:
            assert "space" in errors.lower() or "disk is full" in errors, errors
    assert codes[0] == 1 and codes[-1] == 0


def test_packaging_onto_a_full_disk_leaves_nothing_there(home):
    bundle.put_image(home, data=os.urandom(2 << 20))
    bundle.put_kernel(home)
    place = home.root / "small"
    place.mkdir()
    script = '"$1" runtime package --output "$2/bundle.tar.gz"; echo "exit $?"; "$1" runtime package --output "$2/folder/"; echo "exit $?"; find "$2" -type f; "$1" daemon stop; exit 0'
    done = subprocess.run(namespaces.with_small_folder(place, "1m", ["sh", "-c", script, "sh", *home.command(), str(place)]), env=home.env,
                          capture_output=True, text=True, timeout=120, stdin=subprocess.DEVNULL, cwd=home.root)
    assert done.stdout.count("exit 1") == 2, f"{done.stdout}\n{done.stderr}"
    left = [line for line in done.stdout.splitlines() if line.startswith(str(place)) and not line.endswith("/.lock")]
    assert left == [] and "space" in done.stderr.lower()
