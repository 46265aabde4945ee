# SPDX-License-Identifier: GPL-2.0-or-later
"""`banger image pull` by an ordinary user: what comes out, and registries and layers that mean no good. No guest is started."""

import gzip
import json
import os
import pathlib
import shutil
import signal
import subprocess
import tarfile

import pytest

from harness import wait
from harness.bus import error_of, typed
from harness.home import Home
from harness.oci import CAP_NET_RAW, INDEX, LAYER, Layout, Registry, hard_link, member, sha256, symlink, tar_of
from harness.scripted_registry import ScriptedRegistry

pytestmark = pytest.mark.limit(180)
SIZE = ("--size", "64M")


def noise(size):
    """Bytes that don't pack."""
    return os.urandom(size)


def simple(*members, **options):
    return Layout(**options).add_layer([member("etc/", mode=0o755), *members])


@pytest.fixture
def pulling(home):
    """A home whose bangerd ends with the test."""
    for variable in ("http_proxy", "HTTP_PROXY", "all_proxy", "ALL_PROXY", "https_proxy", "HTTPS_PROXY"):
        home.env.pop(variable, None)
    home.images = home.cache / "banger" / "images"
    home.blobs = home.cache / "banger" / "oci" / "sha256"
    yield home
    home.banger("daemon", "stop")


@pytest.fixture
def serve():
    """Makes registries that do what the test says."""
    made = []

    def make(layout):
        made.append(ScriptedRegistry(layout))
        return made[-1]

    yield make
    for registry in made:
        registry.close()


@pytest.fixture
def registry(pulling):
    registry = Registry(pulling.root / "registry", pulling.env)
    yield registry
    registry.close()


def images(home):
    return {row["name"]: row for row in home.json("image", "list", "--json")}


def shown(home, name):
    answer = home.json("image", "show", name, "--json")
    return answer[0] if isinstance(answer, list) else answer


def drafts(home):
    return [path for path in home.images.glob(".new-*")] if home.images.exists() else []


def refused(home, *words, code=1):
    done = home.banger("image", "pull", *words, *SIZE, timeout=120)
    assert done.returncode == code, done.stderr
    assert images(home) == {} and drafts(home) == [], "a failure leaves nothing"
    assert "\x1b" not in done.stderr and "dev.banger.Error" not in done.stderr
    return done.stderr


def debugfs(home, name, request):
    disk = pathlib.Path(shown(home, name)["path"]) / "rootfs.ext4"
    return subprocess.run(["/usr/sbin/debugfs", "-R", request, str(disk)], capture_output=True, text=True, timeout=60).stdout


def test_everything_comes_out_right_in_the_ext4(pulling):
    layout = Layout().add_layer([
        member("srv/", mode=0o755), member("srv/own", b"w", mode=0o640, owner=(33, 33)), member("srv/su", b"s", mode=0o4755),
        member("srv/ping", b"p", mode=0o755, xattrs={"security.capability": CAP_NET_RAW}), member("srv/green", b"g", xattrs={"user.colour": b"green"}),
        member("srv/one", b"1"), hard_link("srv/two", "srv/one"), member("srv/gone", b"x"), symlink("srv/out", "/etc/shadow"),
        member("srv/pipe", kind=tarfile.FIFOTYPE), member("srv/disk", kind=tarfile.BLKTYPE, device=(8, 0)), member("srv/ä €", b"name")])
    layout.add_layer([member("srv/.wh.gone"), member("srv/late", b"late")])
    layout.write(pulling.root / "image")
    pulling.banger("image", "pull", f"oci:{pulling.root}/image", "--name", "x", *SIZE, check=True)

    def stat(path):
        return debugfs(pulling, "x", f"stat /srv/{path}")
    assert "Mode:  0640" in stat("own") and "User:    33   Group:    33" in stat("own")
    assert "Mode:  04755" in stat("su") and "User:     0   Group:     0" in stat("su")
    capability = debugfs(pulling, "x", "ea_get -x /srv/ping security.capability")
    assert CAP_NET_RAW.hex(" ") in capability, f"format 2, with no namespace's root in it: {capability}"
    assert "green" in debugfs(pulling, "x", "ea_get /srv/green user.colour")
    assert "Links: 2" in stat("one") and debugfs(pulling, "x", "cat /srv/two") == "1"
    listing = debugfs(pulling, "x", "ls /srv")
    assert "gone" not in listing and ".wh." not in listing and "late" in listing
    assert "/etc/shadow" in stat("out")
    assert "Type: FIFO" in stat("pipe")
    assert "Type: block" not in stat("disk"), "no device of the host's"


def test_image_show_tells_what_the_image_says(pulling):
    layout = simple().run_as(Entrypoint=["/bin/serve"], Cmd=["--port", "80"], Env=["A=b"], User="app", WorkingDir="/srv/app", StopSignal="SIGQUIT",
                             ExposedPorts={"80/tcp": {}})
    layout.write(pulling.root / "image")
    done = pulling.json("image", "pull", f"oci:{pulling.root}/image:latest", "--json", *SIZE)
    assert done["name"] == "image" and done["built"] is True
    row = shown(pulling, "image")
    assert row["origin"] == f"oci:{pulling.root}/image:latest@{layout.manifest_digest}" == done["origin"]
    assert row["manifest"] == layout.manifest_digest
    for key, value in {"entrypoint": ["/bin/serve"], "command": ["--port", "80"], "environment": ["A=b"], "user": "app", "working_dir": "/srv/app",
                       "stop_signal": "SIGQUIT", "exposed_ports": ["80/tcp"], "systemd": False}.items():
        assert row[key] == value, key
    assert row["size"] == 64 << 20 and row["used"] < 16 << 20
    assert "Type: directory" in debugfs(pulling, "image", "stat /srv/app")


def test_what_the_bus_does_not_carry_hides_no_image(pulling):
    """sd-bus refuses code points that are no characters, and one in an answer would cost all of it."""
    simple().run_as(Env=["A=\uffff\ufdd0"], Cmd=["\U0001fffe"], User="a\ufffe").write(pulling.root / "image")
    pulling.banger("image", "pull", f"oci:{pulling.root}/image", "--name", "odd", *SIZE, check=True)
    assert shown(pulling, "odd")["environment"] == ["A=??????"] and "odd" in images(pulling)


def test_from_a_real_registry_again_costs_nothing_and_a_change_costs_its_layer(pulling, registry):
    base = noise(300_000)
    first = simple(member("base", base)).add_layer([member("v", b"1")])
    reference = registry.push(first.write(pulling.root / "first"), "team/app:1")
    pulling.banger("image", "pull", reference, *SIZE, check=True)
    assert images(pulling)["app"]["origin"] == f"{reference}@{first.manifest_digest}"
    assert debugfs(pulling, "app", "cat /v") == "1"
    blobs = len(registry.requests("GET /v2/team/app/blobs/"))
    done = pulling.banger("image", "pull", reference, check=True)
    assert "was there already" in done.stdout
    assert len(registry.requests("GET /v2/team/app/blobs/")) == blobs, "nothing is downloaded"
    second = simple(member("base", base)).add_layer([member("v", b"2")])
    registry.push(second.write(pulling.root / "second"), "team/app:1")
    before = len(registry.requests(f"GET /v2/team/app/blobs/{first.layers[0]['digest']}"))
    pulling.banger("image", "pull", reference, check=True)
    assert images(pulling)["app"]["origin"] == f"{reference}@{second.manifest_digest}"
    assert images(pulling)["app"]["size"] == 64 << 20, "as large as it was"
    assert debugfs(pulling, "app", "cat /v") == "2"
    assert len(registry.requests(f"GET /v2/team/app/blobs/{first.layers[0]['digest']}")) == before, "the layer below was there"


def test_an_image_that_was_damaged_is_pulled_again(pulling, serve):
    registry = serve(simple(member("a", b"whole")))
    pulling.banger("image", "pull", registry.reference, *SIZE, check=True)
    disk = pathlib.Path(shown(pulling, "app")["path"]) / "rootfs.ext4"
    disk.unlink()
    assert "is pulled" in pulling.banger("image", "pull", registry.reference, check=True).stdout
    assert debugfs(pulling, "app", "cat /a") == "whole"


def test_a_digest_in_the_reference_is_held_against_what_comes(pulling, serve):
    registry = serve(simple())
    pinned = f"{registry.reference}@{registry.layout.manifest_digest}"
    pulling.banger("image", "pull", pinned, *SIZE, check=True)
    assert images(pulling)["app"]["origin"] == pinned
    pulling.banger("image", "delete", "app", check=True)
    assert f"is not that of sha256:{'0' * 64}" in refused(pulling, f"{registry.reference}@sha256:{'0' * 64}")


def test_a_name_that_is_taken_by_another_image_is_kept(pulling):
    for name in ("one", "two"):
        simple(member("which", name.encode())).write(pulling.root / name)
    pulling.banger("image", "pull", f"oci:{pulling.root}/one", "--name", "x", *SIZE, check=True)
    done = pulling.banger("image", "pull", f"oci:{pulling.root}/two", "--name", "x", *SIZE)
    assert done.returncode == 6 and f"oci:{pulling.root}/one@" in done.stderr and "--force" in done.stderr
    pulling.banger("image", "pull", f"oci:{pulling.root}/two", "--name", "x", "--force", *SIZE, check=True)
    assert debugfs(pulling, "x", "cat /which") == "two"


@pytest.mark.parametrize("what, way, code, word", [
    ("manifest", "circle", 1, "redirect"), ("manifest", "lie", 1, ""), ("manifest", "missing", 3, "unknown"), ("manifest", "forbidden", 5, "skopeo login"),
    ("manifest", "reset", 1, ""), ("layer", "circle", 1, "redirect"), ("layer", "lie", 1, ""), ("layer", "reset", 1, ""), ("layer", "cut", 1, ""),
    ("layer", "endless", 1, "more than its manifest says"), ("config", "lie", 1, ""), ("config", "missing", 1, ""),
])
def test_a_registry_that_means_no_good(pulling, serve, what, way, code, word):
    registry = serve(simple(member("noise", noise(500_000))))
    digest = {"manifest": "manifest", "layer": registry.layout.layers[0]["digest"], "config": registry.layout.config_digest}[what]
    registry.ways[digest] = way
    # A manifest with other bytes is only another image, until a digest says what is meant.
    pinned = f"@{registry.layout.manifest_digest}" if (what, way) == ("manifest", "lie") else ""
    assert word in refused(pulling, registry.reference + pinned, code=code)
    leftovers = sum(path.stat().st_size for path in pulling.blobs.glob("*")) if pulling.blobs.exists() else 0
    assert leftovers < 1 << 20
    registry.ways.clear()
    pulling.banger("image", "pull", registry.reference, *SIZE, check=True)


@pytest.mark.parametrize("what", ["manifest", "layer"])
def test_a_registry_that_stalls(pulling, serve, what):
    registry = serve(simple(member("noise", noise(500_000))))
    registry.ways["manifest" if what == "manifest" else registry.layout.layers[0]["digest"]] = "stall"
    refused(pulling, registry.reference, code=7)


def test_what_came_whole_is_not_asked_for_again(pulling, serve):
    layout = simple(member("a", noise(200_000))).add_layer([member("b", noise(200_000))])
    registry = serve(layout)
    lower, upper = (layer["digest"] for layer in layout.layers)
    registry.ways[upper] = "hold"
    pulling_now = pulling.start("image", "pull", registry.reference, *SIZE)
    wait.until(lambda: registry.count(upper) and (pulling.blobs / lower.removeprefix("sha256:")).exists(), 30, "one layer is whole, the other is not")
    pulling_now.send_signal(signal.SIGINT)
    pulling_now.communicate(timeout=30)
    assert pulling_now.returncode == 128 + signal.SIGINT
    wait.until(lambda: not drafts(pulling), 10, "a cancel leaves no draft")
    registry.ways.clear()
    pulling.banger("image", "pull", registry.reference, *SIZE, check=True)
    assert registry.count(lower) == 1 and registry.count(upper) == 2


def test_two_who_ask_get_one_download(pulling, serve):
    registry = serve(simple(member("a", noise(200_000))))
    layer = registry.layout.layers[0]["digest"]
    registry.ways[layer] = "hold"
    askers = [pulling.start("image", "pull", registry.reference, *SIZE)]
    wait.until(lambda: registry.count(layer), 30, "the download runs")
    askers += [pulling.start("image", "pull", registry.reference, *SIZE) for _ in range(2)]
    wait.until(lambda: pulling.log().count("pull-image app begins") == 3, 30, "all have asked")
    registry.released.set()
    outputs = [asker.communicate(timeout=60) for asker in askers]
    assert [asker.returncode for asker in askers] == [0, 0, 0], outputs
    assert sorted("was there already" in out for out, _ in outputs) == [False, True, True]
    assert registry.count(layer) == 1


def test_one_who_waits_goes_on_when_the_first_gives_up(pulling, serve):
    registry = serve(simple(member("a", noise(200_000))))
    layer = registry.layout.layers[0]["digest"]
    registry.ways[layer] = "hold"
    first = pulling.start("image", "pull", registry.reference, *SIZE)
    wait.until(lambda: registry.count(layer), 30, "the download runs")
    second = pulling.start("image", "pull", registry.reference, *SIZE)
    wait.until(lambda: pulling.log().count("pull-image app begins") == 2, 30, "both have asked")
    registry.ways.clear()
    first.send_signal(signal.SIGINT)
    first.communicate(timeout=30)
    _, errors = second.communicate(timeout=60)
    assert second.returncode == 0, errors


def test_another_image_of_that_name_waits_for_its_user(pulling, serve):
    registry = serve(simple(member("a", noise(200_000))))
    registry.ways[registry.layout.layers[0]["digest"]] = "hold"
    first = pulling.start("image", "pull", registry.reference, *SIZE)
    wait.until(lambda: registry.count(registry.layout.layers[0]["digest"]), 30, "the download runs")
    for words in (("image", "pull", "oci:/somewhere", "--name", "app"), ("image", "build", "--name", "app"), ("image", "cache", "prune")):
        done = pulling.banger(*words)
        assert done.returncode == 6, (words, done.stderr)
    registry.released.set()
    first.communicate(timeout=60)
    assert first.returncode == 0


def test_an_image_that_is_pulled_anew_is_not_deleted_meanwhile(pulling, serve):
    registry = serve(simple(member("a", noise(100_000))))
    layer = registry.layout.layers[0]["digest"]
    pulling.banger("image", "pull", registry.reference, *SIZE, check=True)
    pulling.banger("image", "cache", "prune", "--all", check=True)
    registry.ways[layer] = "hold"
    again = pulling.start("image", "pull", registry.reference, "--force", *SIZE)
    wait.until(lambda: registry.count(layer) == 2, 30, "the download runs")
    done = pulling.banger("image", "delete", "app")
    assert done.returncode == 6 and "is being made anew" in done.stderr, done.stderr
    registry.released.set()
    _, errors = again.communicate(timeout=60)
    assert again.returncode == 0, errors
    assert list(images(pulling)) == ["app"]


def test_a_killed_bangerd_leaves_nothing_that_the_next_one_does_not_clear(pulling, serve):
    registry = serve(simple(member("a", noise(200_000))))
    registry.ways[registry.layout.layers[0]["digest"]] = "hold"
    pulled = pulling.start("image", "pull", registry.reference, *SIZE)
    wait.until(lambda: registry.count(registry.layout.layers[0]["digest"]), 30, "the download runs")
    pulling.kill_bangerd()
    pulled.communicate(timeout=30)
    assert pulled.returncode == 1
    wait.until(lambda: not any(process.name == "skopeo" for process in pulling.processes()), 10, "skopeo dies with bangerd")
    registry.ways.clear()
    pulling.banger("image", "pull", registry.reference, *SIZE, check=True)
    assert list(images(pulling)) == ["app"] and drafts(pulling) == []


ZEROS = bytes(16 << 20)
HOSTILE = {
    "dots": [member("../../escaped", b"x")],
    "hard-link-out": [hard_link("passwd", "../../../../etc/passwd")],
    "whiteout-of-the-root": [member(".wh..")],
    "whiteout-of-what-is-above": [member("etc/.wh...")],
    "whiteout-of-nothing": [member("etc/.wh.")],
    "long-name": [member("a" * 5000, b"x")],
    "bomb": [member(f"zeros-{number}", ZEROS) for number in range(6)],
    "many-files": [member(f"f{number}") for number in range(5000)],
    "no-tar": b"hello",
}


@pytest.mark.parametrize("name", HOSTILE)
def test_a_hostile_layer_is_refused_and_stays_inside(pulling, name):
    (pulling.root / "canary").write_text("alive")
    Layout().add_layer([member("etc/", mode=0o755)]).add_layer(HOSTILE[name]).write(pulling.root / "image")
    assert "layer" in refused(pulling, f"oci:{pulling.root}/image", "--name", "x")
    assert (pulling.root / "canary").read_text() == "alive"
    assert not list(pulling.root.rglob("escaped"))


@pytest.mark.parametrize("layer, path", [
    ([symlink("out", "/tmp"), member("out/banger-escaped", b"x")], "/tmp/banger-escaped"),
    ([symlink("up", "../../.."), member("up/banger-escaped", b"x")], "/banger-escaped"),
    ([symlink("etc", "/"), member("etc/banger-escaped", b"x")], "/banger-escaped"),
], ids=["absolute", "up", "folder-becomes-link"])
def test_links_of_a_layer_lead_to_places_in_the_image(pulling, layer, path):
    Layout().add_layer([member("etc/", mode=0o755), member("tmp/", mode=0o755)]).add_layer(layer).write(pulling.root / "image")
    pulling.banger("image", "pull", f"oci:{pulling.root}/image", "--name", "x", *SIZE, check=True)
    assert not pathlib.Path(path).exists()
    assert not list(pulling.root.rglob("banger-escaped"))


@pytest.mark.parametrize("make, word", [
    (lambda: simple(architecture="arm64"), "linux/arm64"), (lambda: simple(system="windows"), "windows/amd64"), (lambda: Layout(), "no layers"),
    (lambda: Layout().add_layer([member("a")], media_type=LAYER + "+gzip+encrypted"), "encrypted"),
    (lambda: Layout().add_layer([member("a")], media_type="application/x-what"), "application/x-what"),
    (lambda: simple().run_as(Cmd="sh"), "Cmd"), (lambda: simple().run_as(Cmd=["a\0b"]), "NUL"),
], ids=["architecture", "system", "no-layers", "encrypted", "media-type", "config-type", "config-nul"])
def test_an_image_that_can_not_be_used_is_named(pulling, make, word):
    make().write(pulling.root / "image")
    assert word in refused(pulling, f"oci:{pulling.root}/image", "--name", "x")


def test_without_tls_only_loopback_addresses_are_spoken_to(pulling, registry):
    reference = registry.push(simple().write(pulling.root / "image"), "team/app:1")
    error = refused(pulling, reference.replace("127.0.0.1", "localhost"))
    assert "127.0.0.1 or [::1] may do without TLS" in error


def test_an_archive_and_one_that_is_cut_off(pulling):
    folder = simple(member("a", b"in it")).write(pulling.root / "image")
    archive = pulling.root / "image.tar"
    with tarfile.open(archive, "w") as tar:
        for path in ("oci-layout", "index.json", "blobs"):
            tar.add(folder / path, path)
    pulling.banger("image", "pull", "oci-archive:image.tar", "--name", "x", *SIZE, check=True, cwd=pulling.root)
    assert debugfs(pulling, "x", "cat /a") == "in it"
    assert "was there already" in pulling.banger("image", "pull", f"oci-archive:{archive}", "--name", "x", check=True).stdout
    pulling.banger("image", "delete", "x", check=True)
    packed = pulling.root / "image.tar.gz"
    packed.write_bytes(gzip.compress(archive.read_bytes()))
    pulling.banger("image", "pull", f"oci-archive:{packed}", *SIZE, check=True)
    pulling.banger("image", "delete", "image", check=True)
    archive.write_bytes(archive.read_bytes()[:1500])
    refused(pulling, f"oci-archive:{archive}", "--name", "x")


def test_an_archive_with_links_in_it_touches_nothing(pulling):
    """skopeo unpacks an archive through its links, to anywhere."""
    victim = pulling.root / "victim"
    (victim / "Documents").mkdir(parents=True)
    (victim / "Documents" / "thesis").write_text("precious")
    sound = [member("oci-layout", b'{"imageLayoutVersion": "1.0.0"}'), member("index.json", b'{"schemaVersion": 2, "manifests": []}')]
    archive = pulling.root / "evil.tar"
    for link in (symlink("x", str(victim)), symlink("x", "/proc/self/root" + str(victim)), hard_link("blobs/sha256/" + "a" * 64, str(victim / "Documents" / "thesis"))):
        archive.write_bytes(tar_of([*sound, link, member("x/.bashrc", b"evil"), member("x/Documents", b"evil")]))
        assert "is a link" in refused(pulling, f"oci-archive:{archive}", "--name", "x")
    assert [path.name for path in victim.iterdir()] == ["Documents"] and (victim / "Documents" / "thesis").read_text() == "precious"


def test_a_manifest_that_is_nested_deeply_ends_no_bangerd(pulling):
    folder = simple().write(pulling.root / "image")
    deep = b'{"schemaVersion": 2, "mediaType": "%s", "manifests": [{"platform": %s%s}]}' % (INDEX.encode(), b"[" * 200_000, b"]" * 200_000)
    (folder / "blobs" / "sha256" / sha256(deep).removeprefix("sha256:")).write_bytes(deep)
    entry = {"mediaType": INDEX, "digest": sha256(deep), "size": len(deep)}
    (folder / "index.json").write_text(json.dumps({"schemaVersion": 2, "manifests": [entry]}))
    assert images(pulling) == {}
    before = {process.pid for process in pulling.processes() if process.name == "bangerd"}
    assert "64 deep" in refused(pulling, f"oci:{folder}", "--name", "x")
    assert before and before <= {process.pid for process in pulling.processes()}


def test_layers_packed_with_zstd(pulling):
    zstd = shutil.which("zstd")
    if not zstd:
        pytest.skip("no zstd to pack one with")
    stream = tar_of([member("a", b"in it")])
    layout = Layout()
    packed = subprocess.run([zstd, "-c"], input=stream, capture_output=True, check=True).stdout
    layout.layers.append({"mediaType": LAYER + "+zstd", "digest": layout.put(packed), "size": len(packed)})
    layout.config["rootfs"]["diff_ids"].append(sha256(stream))
    layout.write(pulling.root / "image")
    pulling.banger("image", "pull", f"oci:{pulling.root}/image", "--name", "x", *SIZE, check=True)
    assert debugfs(pulling, "x", "cat /a") == "in it"


def test_a_prune_leaves_what_a_bangerd_of_another_state_folder_pulls(pulling, serve):
    layout = simple(member("a", noise(200_000))).add_layer([member("b", noise(200_000))])
    registry = serve(layout)
    lower, upper = (layer["digest"] for layer in layout.layers)
    registry.ways[upper] = "hold"
    pull = pulling.start("image", "pull", registry.reference, *SIZE)
    wait.until(lambda: registry.count(upper) and (pulling.blobs / lower.removeprefix("sha256:")).exists(), 30, "one layer is whole, the other is not")
    second = Home("second", cache=pulling.cache)
    try:
        done = second.banger("image", "cache", "prune")
        assert done.returncode == 6 and "shares the cache" in done.stderr, done.stderr
        registry.released.set()
        _, errors = pull.communicate(timeout=60)
        assert pull.returncode == 0, errors
        assert registry.count(lower) == 1
        second.banger("image", "cache", "prune", check=True)
        assert list(images(second)) == ["app"]
    finally:
        second.banger("daemon", "stop")
        second.close()


def test_prune_takes_what_no_image_has(pulling, serve):
    registry = serve(simple(member("a", noise(100_000))))
    pulling.banger("image", "pull", registry.reference, *SIZE, check=True)
    assert pulling.banger("image", "cache", "prune", check=True).stdout.startswith("removed 0 blobs")
    pulling.banger("image", "delete", "app", check=True)
    draft = pulling.images / ".new-left"
    draft.mkdir()
    done = json.loads(pulling.banger("image", "cache", "prune", "--json", check=True).stdout)
    assert done["blobs"] == 3 and done["bytes"] > 100_000 and done["drafts"] == 1
    assert not draft.exists() and list(pulling.blobs.iterdir()) == []
    pulling.banger("image", "pull", registry.reference, *SIZE, check=True)
    assert json.loads(pulling.banger("image", "cache", "prune", "--all", "--json", check=True).stdout)["blobs"] == 3
    assert list(images(pulling)) == ["app"], "an image needs no blob"


@pytest.mark.parametrize("words, code", [
    (("alpine",), 2), (("docker://",), 2), (("docker://a b",), 2), (("oci:/no/such/folder",), 3), (("oci-archive:/no/such/file",), 3), ((), 2),
    (("docker://x", "--size", "1M"), 2), (("docker://x", "--size", "much"), 2), (("docker://x", "--name", "A B"), 2), (("oci:/x/Ä",), 2),
    (("docker://127.0.0.1:1/x",), 1),
], ids=lambda value: " ".join(value) if isinstance(value, tuple) else str(value))
def test_exit_codes(pulling, words, code):
    done = pulling.banger("image", "pull", *words)
    assert done.returncode == code, done.stderr
    assert "dev.banger.Error" not in done.stderr and "terminate called" not in done.stderr


def test_doctor_says_whether_it_works(pulling):
    rows = {row["check"]: row for row in json.loads(pulling.banger("doctor", "--json").stdout)}
    assert rows["OCI images"]["verdict"] == "ok"
    empty = pulling.root / "empty"
    empty.mkdir()
    (empty / "dbus-daemon").symlink_to(shutil.which("dbus-daemon"))  # which bangerd itself needs
    pulling.banger("daemon", "stop")
    rows = {row["check"]: row for row in json.loads(pulling.banger("doctor", "--json", env={"PATH": str(empty)}).stdout)}
    assert rows["OCI images"]["verdict"] == "warn" and rows["OCI images"]["mend"] == "apt install skopeo umoci"


def test_the_contract_refuses_what_it_does_not_know(shared):
    for options in ({"source": "oci:relative"}, {"source": "oci:/x", "surprise": "x"}, {}, {"source": "oci:/x", "name": ".."}):
        error, _ = error_of(shared.manager.PullImage, typed(options))
        assert error == "InvalidArgument", options
    assert error_of(shared.manager.PruneImageCache, typed({"surprise": "x"}))[0] == "InvalidArgument"
