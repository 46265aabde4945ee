# SPDX-License-Identifier: GPL-2.0-or-later
"""`banger runtime` and its members of Manager, with a manifest of the test's own and a server on 127.0.0.1."""

import hashlib
import http.server
import io
import json
import os
import signal
import tarfile
import threading

import dbus
import pytest

from harness import wait
from harness.bus import ROOT, error_of

PROGRAMS = {"firecracker": b"#!/bin/sh\necho fire\n", "jailer": b"#!/bin/sh\necho jail\n"}


def archive(**changed):
    packed = io.BytesIO()
    with tarfile.open(fileobj=packed, mode="w:gz") as tar:
        for name, content in {**PROGRAMS, **changed}.items():
            member = tarfile.TarInfo(f"release/{name}")
            member.size = len(content)
            tar.addfile(member, io.BytesIO(content))
    return packed.getvalue()


class Server:
    """Serves one archive. One that is cut off by `stall` stays open until the test ends."""

    def __init__(self):
        self.content = archive()
        self.stall = None
        self.requests = 0
        self.ended = threading.Event()
        server = self

        class Handler(http.server.BaseHTTPRequestHandler):
            def do_GET(self):
                server.requests += 1
                self.send_response(200)
                self.send_header("Content-Length", str(len(server.content)))
                self.end_headers()
                self.wfile.write(server.content[:server.stall])
                self.wfile.flush()
                if server.stall is not None:
                    server.ended.wait(60)

            def log_message(self, *args):
                pass

        self.http = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.thread = threading.Thread(target=self.http.serve_forever)
        self.thread.start()

    @property
    def url(self):
        return f"http://127.0.0.1:{self.http.server_address[1]}/release.tgz"

    def close(self):
        self.ended.set()
        self.http.shutdown()
        self.thread.join()
        self.http.server_close()


def manifest(url):
    text = 'version = "1.0"\n'
    for name, content in PROGRAMS.items():
        text += f'[[program]]\nname = "{name}"\nversion = "1.0"\narchitecture = "x86_64"\nsha256 = "{hashlib.sha256(content).hexdigest()}"\n'
        text += f'[[program.source]]\nurl = "{url}"\nmember = "release/{name}"\n'
    return text


@pytest.fixture
def server():
    server = Server()
    yield server
    server.close()


@pytest.fixture
def world(home, server):
    """A home whose bangerd has the test's manifest."""
    for variable in ("http_proxy", "HTTP_PROXY", "all_proxy", "ALL_PROXY"):
        home.env.pop(variable, None)
    home.manifest = home.root / "bundle.toml"
    home.manifest.write_text(manifest(server.url))
    home.env["BANGER_RUNTIME_BUNDLE"] = str(home.manifest)
    home.programs = home.cache / "banger" / "runtime" / "1.0"
    yield home
    home.banger("daemon", "stop")


def states(world):
    return {row["name"]: row["state"] for row in world.json("runtime", "show", "--json")}


def test_fetch_puts_checked_programs_there(world, server):
    assert states(world) == {"firecracker": "missing", "jailer": "missing"}
    done = world.banger("runtime", "fetch", check=True)
    assert done.stdout == "fetched and checked: firecracker jailer\n"
    assert "downloading release.tgz" in done.stderr
    for name, content in PROGRAMS.items():
        assert (world.programs / name).read_bytes() == content
        assert (world.programs / name).stat().st_mode & 0o7777 == 0o755
    assert world.programs.stat().st_mode & 0o777 == 0o700
    assert states(world) == {"firecracker": "ok", "jailer": "ok"}
    assert world.banger("runtime", "fetch", check=True).stdout == "nothing was to be fetched\n"
    assert server.requests == 1


def test_verify_sees_what_show_does_not(world):
    world.banger("runtime", "fetch", check=True)
    assert world.banger("runtime", "verify").returncode == 0
    program = world.programs / "firecracker"
    before = program.stat()
    program.write_bytes(PROGRAMS["firecracker"].replace(b"fire", b"evil"))
    os.utime(program, ns=(before.st_atime_ns, before.st_mtime_ns))
    assert states(world)["firecracker"] == "ok", "size, time and inode are the same"
    done = world.banger("runtime", "verify", "--json")
    assert done.returncode == 1
    assert {row["name"]: row["state"] for row in json.loads(done.stdout)} == {"firecracker": "damaged", "jailer": "ok"}
    assert world.banger("runtime", "fetch", check=True).stdout == "fetched and checked: firecracker\n"
    assert world.banger("runtime", "verify").returncode == 0


def test_a_wrong_checksum_is_refused_with_both_digests_and_the_source(world, server):
    server.content = archive(firecracker=b"evil")
    done = world.banger("runtime", "fetch")
    assert done.returncode == 1
    for word in (server.url, hashlib.sha256(b"evil").hexdigest(), hashlib.sha256(PROGRAMS["firecracker"]).hexdigest()):
        assert word in done.stderr
    assert list(world.programs.iterdir()) == []


def test_a_source_that_was_refused_is_told_even_where_the_next_one_is_right(world, server, tmp_path):
    (tmp_path / "evil.tgz").write_bytes(archive(firecracker=b"evil"))
    tmp_path.chmod(0o755)
    source = f'[[program.source]]\nurl = "file://{tmp_path}/evil.tgz"\nmember = "release/firecracker"\n'
    world.manifest.write_text(manifest(server.url).replace("[[program.source]]\n", source + "[[program.source]]\n", 1))
    done = world.banger("runtime", "fetch", check=True)
    assert done.stdout == "fetched and checked: firecracker jailer\n"
    assert f"{tmp_path}/evil.tgz" in done.stderr and hashlib.sha256(b"evil").hexdigest() in done.stderr
    assert (world.programs / "firecracker").read_bytes() == PROGRAMS["firecracker"]
    row = next(row for row in world.json("runtime", "show", "--json") if row["name"] == "firecracker")
    assert row["origin"] == server.url


def test_without_a_network_the_way_by_hand_is_named_and_works(world, server, tmp_path):
    world.manifest.write_text(manifest("http://127.0.0.1:1/release.tgz"))
    done = world.banger("runtime", "fetch")
    assert done.returncode == 1
    assert "http://127.0.0.1:1/release.tgz" in done.stderr and "banger runtime fetch --from FILE" in done.stderr
    (tmp_path / "copied.tgz").write_bytes(archive(jailer=b"evil"))
    tmp_path.chmod(0o755)
    refused = world.banger("runtime", "fetch", "--from", "copied.tgz", cwd=tmp_path)
    assert refused.returncode == 1 and hashlib.sha256(b"evil").hexdigest() in refused.stderr
    assert states(world) == {"firecracker": "ok", "jailer": "missing"}, "what held stays"
    (tmp_path / "jailer").write_bytes(PROGRAMS["jailer"])
    assert world.banger("runtime", "fetch", "--from", "jailer", cwd=tmp_path, check=True).stdout == "fetched and checked: jailer\n"
    assert states(world) == {"firecracker": "ok", "jailer": "ok"}
    assert server.requests == 0


@pytest.mark.parametrize("words, code", [
    (("fetch", "--from", ""), 2), (("fetch", "--from", "/no/such/file"), 3), (("fetch", "--from", "/proc/self/fd"), 3),
    (("fetch", "--frobnicate"), 2), (("frobnicate",), 2), (("show", "extra"), 2), (("show",), 0), (("verify",), 1),
], ids=lambda value: " ".join(value) if isinstance(value, tuple) else str(value))
def test_exit_codes(world, words, code):
    done = world.banger("runtime", *words)
    assert done.returncode == code, done.stderr
    assert "dev.banger.Error" not in done.stderr and "terminate called" not in done.stderr


def test_a_mistake_in_the_manifest_is_named_with_its_line_and_stops_nothing_else(world):
    world.manifest.write_text(manifest("http://127.0.0.1:1/x").replace("sha256", "sha265"))
    for verb in ("show", "verify", "fetch"):
        done = world.banger("runtime", verb)
        assert done.returncode == 2 and f"{world.manifest}:6: unknown key" in done.stderr, done.stderr
    assert world.banger("vm", "list").returncode == 0


def test_doctor_tells_of_it(world):
    def row():
        return next(row for row in json.loads(world.banger("doctor", "--json").stdout) if row["check"] == "runtime bundle")
    assert row()["verdict"] == "warn" and row()["mend"] == "banger runtime fetch"
    world.banger("runtime", "fetch", check=True)
    assert row() == {"check": "runtime bundle", "verdict": "ok", "detail": "firecracker 1.0, jailer 1.0", "mend": ""}


def test_interrupting_the_cli_cancels_the_fetch(world, server):
    server.stall = 10
    fetching = world.start("runtime", "fetch")
    wait.until(lambda: server.requests == 1, 20, "the download runs")
    fetching.send_signal(signal.SIGINT)
    _, errors = fetching.communicate(timeout=20)
    assert fetching.returncode == 128 + signal.SIGINT, errors
    runtime = world.cache / "banger" / "runtime"
    assert not (runtime / ".new").exists() and states(world) == {"firecracker": "missing", "jailer": "missing"}


def test_a_killed_bangerd_leaves_nothing_that_is_taken_for_whole(world, server):
    server.stall = 10
    fetching = world.start("runtime", "fetch")
    draft = world.cache / "banger" / "runtime" / ".new"
    wait.until(lambda: draft.exists() and any(draft.iterdir()), 20, "half a download is there")
    world.kill_bangerd()
    fetching.communicate(timeout=20)
    assert fetching.returncode == 1
    assert draft.exists(), "a killed one clears nothing away"
    assert states(world) == {"firecracker": "missing", "jailer": "missing"}
    server.stall = None
    world.banger("runtime", "fetch", check=True)
    assert states(world) == {"firecracker": "ok", "jailer": "ok"} and not draft.exists()


def test_one_fetch_at_a_time(world, server):
    server.stall = 10
    fetching = world.start("runtime", "fetch")
    wait.until(lambda: server.requests == 1, 20, "the download runs")
    second = world.banger("runtime", "fetch")
    assert second.returncode == 6 and "already" in second.stderr
    fetching.send_signal(signal.SIGINT)
    fetching.communicate(timeout=20)


@pytest.mark.parametrize("path", ["relative", "./x", "x\n"])
def test_fetch_runtime_wants_an_absolute_path(shared, path):
    error, sentence = error_of(shared.manager.FetchRuntime, path)
    assert error == "InvalidArgument" and "absolute" in sentence


def test_list_runtime_has_our_own_bundle(shared):
    rows = shared.manager.ListRuntime()
    assert [str(row[0]) for row in rows] == ["firecracker", "jailer"]
    assert {str(row[3]) for row in rows} == {"missing"}
    assert list(shared.manager.VerifyRuntime()) == list(rows)
    with pytest.raises(dbus.DBusException):
        shared.call(ROOT, "Manager", "ListRuntime", "s", ("x",), timeout=10.0)
