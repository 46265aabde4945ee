# SPDX-License-Identifier: GPL-2.0-or-later
"""libnss_banger in programs that know nothing of it, and what bangerd leaves for it."""

import http.server
import pathlib
import socket
import tempfile
import threading

import pytest

from harness.name_service import ALICE, BOB, HEAD, ROOT, NameService

pytestmark = pytest.mark.limit(120)


@pytest.fixture
def names():
    # Where bob may look, too; ours may be a home.
    with tempfile.TemporaryDirectory(prefix="bt-", dir="/tmp") as folder:
        pathlib.Path(folder).chmod(0o755)
        service = NameService(pathlib.Path(folder))
        service.files = {ALICE: HEAD + "10.77.0.2 web.vm\n127.0.0.1 local.vm\n", BOB: HEAD + "10.77.0.6 web.vm\n"}
        yield service


def test_getent_finds_a_vm_by_name_and_by_address(names):
    assert names.getent(ALICE, "hosts", "web.vm") == ["10.77.0.2", "web.vm"]
    assert names.getent(ALICE, "hosts", "WEB.VM.") == ["10.77.0.2", "web.vm"]
    assert names.getent(ALICE, "ahosts", "web.vm")[:3] == ["10.77.0.2", "STREAM", "web.vm"]
    assert names.getent(ALICE, "ahostsv4", "web.vm")[0] == "10.77.0.2"
    assert names.getent(ALICE, "hosts", "10.77.0.2") == ["10.77.0.2", "web.vm"]


def test_other_names_stay_as_they_are(names):
    for name in ("other.vm", "web", "web.vm.vm", "x.web.vm"):
        assert names.getent(ALICE, "hosts", name) is None
    assert names.getent(ALICE, "hosts", "10.77.0.3") is None
    assert names.getent(ALICE, "ahostsv4", "localhost")[0] == "127.0.0.1"


def test_each_user_finds_his_own(names):
    """alice and bob both have a `web`."""
    assert names.getent(ALICE, "hosts", "web.vm") == ["10.77.0.2", "web.vm"]
    assert names.getent(BOB, "hosts", "web.vm") == ["10.77.0.6", "web.vm"]
    assert names.getent(BOB, "hosts", "local.vm") is None
    assert names.getent(BOB, "hosts", "10.77.0.2") is None
    assert names.getent(ROOT, "hosts", "web.vm") is None, "nor does root look into their folders"


SETUID = """
import os, socket
os.setresuid({real}, {effective}, {effective})
os.environ["XDG_RUNTIME_DIR"] = "/run/user/{real}"
print(socket.getaddrinfo("web.vm", 22, type=socket.SOCK_STREAM)[0][4][0])
"""


def test_a_program_with_a_setuid_bit_does_not_take_its_caller_s_word(names):
    names.files[ROOT] = HEAD + "10.77.0.10 web.vm\n"
    assert names.python(ROOT, SETUID.format(real=ALICE, effective=ROOT)) == "10.77.0.10\n"
    assert names.python(ROOT, SETUID.format(real=ALICE, effective=BOB)) == "10.77.0.6\n"
    assert names.python(ROOT, SETUID.format(real=ALICE, effective=ALICE)) == "10.77.0.2\n"


@pytest.mark.parametrize("prepare", [
    f"chown {BOB} /run/user/{ALICE}/banger/names/bangerd",
    f"chown {BOB} /run/user/{ALICE}/banger/names; chmod 0755 /run/user/{ALICE}/banger/names",
    f"chmod 0666 /run/user/{ALICE}/banger/names/bangerd",
    f"chmod 0777 /run/user/{ALICE}/banger/names",
    f"cd /run/user/{ALICE}/banger/names; mv bangerd real; ln -s real bangerd",
    f"cd /run/user/{ALICE}/banger/names; rm bangerd; mkfifo bangerd; chown {ALICE} bangerd",
    f"cd /run/user/{ALICE}/banger/names; rm bangerd; ln -s /dev/zero bangerd",
    f"cd /run/user/{ALICE}/banger/names; rm bangerd; mkdir bangerd; chown {ALICE} bangerd",
    f"chmod 0 /run/user/{ALICE}/banger/names/bangerd",
    f"rm -r /run/user/{ALICE}",
], ids=["another's file", "another's folder", "a file for all", "a folder for all", "a symlink", "a pipe", "a device", "a folder", "no right", "nothing"])
def test_what_is_not_to_be_believed_is_as_if_it_was_not_there(names, prepare):
    names.prepare = prepare
    assert names.getent(ALICE, "hosts", "web.vm") is None
    assert names.getent(ALICE, "ahostsv4", "localhost")[0] == "127.0.0.1"


GOOD = HEAD + "10.77.0.2 web.vm\n"


@pytest.mark.parametrize("garbage", [
    b"", b"\0" * 4096, b"\n" * 4096, b"\xff" * 300_000, b"a" * 300_000, GOOD.encode() + b"x", GOOD.encode() + b"10.77.0.6 DB.vm\n",
    b"10.77.0.2 web.vm\n", GOOD.encode()[:-1], GOOD.encode() * 2, (HEAD + "10.77.0.2 web.vm\n" * 20_000).encode(), b"# banger names 2\n10.77.0.2 web.vm\n",
    (HEAD + "10.77.0.2 " + "a" * 5000 + ".vm\n10.77.0.2 web.vm\n").encode(), (HEAD + "10.77.0.2 %s%n.vm\n10.77.0.2 web.vm\n").encode(),
], ids=range(14))
def test_garbage_in_its_file_is_nothing(names, garbage):
    names.files[ALICE] = garbage
    assert names.getent(ALICE, "hosts", "web.vm") is None
    assert names.getent(ALICE, "hosts", "10.77.0.2") is None
    assert names.getent(ALICE, "ahostsv4", "localhost")[0] == "127.0.0.1"


class Hello(http.server.BaseHTTPRequestHandler):
    def do_GET(self):
        self.send_response(200)
        self.end_headers()
        self.wfile.write(b"hello to " + self.headers["Host"].encode())

    def log_message(self, *_):
        pass


def test_curl_fetches_from_a_vm_by_its_name(names):
    with http.server.HTTPServer(("127.0.0.1", 0), Hello) as server:
        thread = threading.Thread(target=server.serve_forever)
        thread.start()
        done = names.run(ALICE, "curl", "--silent", "--show-error", "--noproxy", "*", "--max-time", "20", f"http://local.vm:{server.server_port}/")
        server.shutdown()
        thread.join()
    assert done.returncode == 0, done.stderr
    assert done.stdout == f"hello to local.vm:{server.server_port}"
    refused = names.run(ALICE, "curl", "--silent", "--show-error", "--noproxy", "*", "--max-time", "20", "http://other.vm/")
    assert (refused.returncode, "resolve host: other.vm" in refused.stderr) == (6, True), refused.stderr


def test_ssh_connects_to_a_vm_by_its_name(names):
    """ssh is the one that asks for all families at once, and by a name that it has first made canonical."""
    with socket.create_server(("127.0.0.1", 0)) as server:
        server.settimeout(30)
        heard = []

        def answer():
            peer, _ = server.accept()
            with peer:
                peer.sendall(b"SSH-2.0-test\r\n")
                heard.append(peer.recv(100))
        thread = threading.Thread(target=answer)
        thread.start()
        done = names.run(ALICE, "ssh", "-F", "none", "-o", "BatchMode=yes", "-o", "CanonicalizeHostname=yes", "-p", server.getsockname()[1],
                         "local.vm", "true")
        thread.join()
    assert done.returncode == 255 and heard and heard[0].startswith(b"SSH-2.0-"), done.stderr


MANY = """
import os, socket, threading
before = len(os.listdir("/proc/self/fd"))
wrong = []

def ask():
    for _ in range(200):
        if socket.getaddrinfo("web.vm", 80, type=socket.SOCK_STREAM)[0][4][0] != "10.77.0.2" or socket.gethostbyaddr("10.77.0.2")[0] != "web.vm":
            wrong.append(1)
        try:
            socket.gethostbyname("other.vm")
            wrong.append(2)
        except socket.gaierror:
            pass

threads = [threading.Thread(target=ask) for _ in range(16)]
for thread in threads: thread.start()
for thread in threads: thread.join()
print(wrong, len(os.listdir("/proc/self/fd")) - before)
"""


def test_many_threads_ask_at_once(names):
    assert names.python(ALICE, MANY) == "[] 0\n"


def test_a_program_without_descriptors_goes_on(names):
    program = """
import resource, socket
socket.getaddrinfo("web.vm", 80)
resource.setrlimit(resource.RLIMIT_NOFILE, (0, 0))
try:
    socket.getaddrinfo("web.vm", 80)
except OSError as error:
    print("no answer")
"""
    assert names.python(ALICE, program) == "no answer\n"


def test_bangerd_takes_away_what_the_last_one_left_when_nothing_runs(bangerd):
    folder = bangerd.home.runtime / "banger" / "names"
    instance = f"bangerd-{fnv(str(bangerd.home.state / 'banger'))}"
    folder.mkdir(parents=True)
    (folder / instance).write_text(GOOD)
    (folder / "bangerd").write_text(GOOD)
    bangerd.start()
    assert not (folder / instance).exists()
    assert (folder / "bangerd").exists(), "that is the one's of another state folder"


def fnv(text):
    """As common/paths.cpp has it: FNV-1a, 32 bit."""
    value = 2166136261
    for byte in text.encode():
        value = (value ^ byte) * 16777619 & 0xffffffff
    return f"{value:08x}"
