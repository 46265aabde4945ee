# SPDX-License-Identifier: GPL-2.0-or-later
"""OCI images made by hand, member by member, sound and hostile ones; and a registry on 127.0.0.1 that holds them."""

import gzip
import hashlib
import io
import json
import pathlib
import socket
import stat
import subprocess
import tarfile

from . import wait

MANIFEST = "application/vnd.oci.image.manifest.v1+json"
INDEX = "application/vnd.oci.image.index.v1+json"
CONFIG = "application/vnd.oci.image.config.v1+json"
LAYER = "application/vnd.oci.image.layer.v1.tar"

# Format 2 of a file capability, capability(7): effective, cap_net_raw permitted. Python's tarfile keeps bytes as surrogates.
CAP_NET_RAW = bytes.fromhex("01000002" "00200000" "00000000" "00000000" "00000000")


def sha256(data):
    return "sha256:" + hashlib.sha256(data).hexdigest()


def member(name, content=b"", mode=0o644, owner=(0, 0), kind=tarfile.REGTYPE, link="", xattrs=None, device=(0, 0)):
    """One member of a layer. A folder's name ends with /."""
    info = tarfile.TarInfo(name)
    info.type = tarfile.DIRTYPE if name.endswith("/") else kind
    info.mode = mode | (0o111 if name.endswith("/") else 0)
    info.uid, info.gid = owner
    info.linkname = link
    info.size = len(content) if info.isreg() else 0
    info.devmajor, info.devminor = device
    info.pax_headers = {f"SCHILY.xattr.{key}": value.decode("utf-8", "surrogateescape") for key, value in (xattrs or {}).items()}
    return info, content


def symlink(name, target):
    return member(name, kind=tarfile.SYMTYPE, link=target, mode=0o777)


def hard_link(name, target):
    return member(name, kind=tarfile.LNKTYPE, link=target)


def tar_of(members):
    packed = io.BytesIO()
    with tarfile.open(fileobj=packed, mode="w", format=tarfile.PAX_FORMAT, encoding="utf-8", errors="surrogateescape") as tar:
        for info, content in members:
            tar.addfile(info, io.BytesIO(content))
    return packed.getvalue()


class Layout:
    """An image in a folder, as of the OCI image layout. What a test gets wrong on purpose, it does to `blobs` before write()."""

    def __init__(self, architecture="amd64", system="linux"):
        self.blobs = {}
        self.layers = []
        self.config = {"architecture": architecture, "os": system, "config": {}, "rootfs": {"type": "layers", "diff_ids": []}}
        self.manifest_digest = None

    def put(self, data):
        digest = sha256(data)
        self.blobs[digest] = data
        return digest

    def add_layer(self, members, packed=True, media_type=None):
        """`members`: of member() and its like, or a tar stream."""
        stream = members if isinstance(members, bytes) else tar_of(members)
        data = gzip.compress(stream, 1, mtime=0) if packed else stream
        self.layers.append({"mediaType": media_type or LAYER + ("+gzip" if packed else ""), "digest": self.put(data), "size": len(data)})
        self.config["rootfs"]["diff_ids"].append(sha256(stream))
        return self

    def run_as(self, **config):
        """Entrypoint, Cmd, Env, User, WorkingDir, StopSignal, ExposedPorts."""
        self.config["config"].update(config)
        return self

    def finish(self):
        """The manifest's bytes; its digest is kept."""
        config = json.dumps(self.config).encode()
        self.config_digest = self.put(config)
        manifest = json.dumps({"schemaVersion": 2, "mediaType": MANIFEST,
                               "config": {"mediaType": CONFIG, "digest": self.config_digest, "size": len(config)}, "layers": self.layers}).encode()
        self.manifest_digest = self.put(manifest)
        return manifest

    def write(self, folder, tag="latest"):
        folder = pathlib.Path(folder)
        manifest = self.finish()
        (folder / "blobs" / "sha256").mkdir(parents=True, exist_ok=True)
        for digest, data in self.blobs.items():
            (folder / "blobs" / "sha256" / digest.removeprefix("sha256:")).write_bytes(data)
        (folder / "oci-layout").write_text('{"imageLayoutVersion": "1.0.0"}')
        (folder / "index.json").write_text(json.dumps({"schemaVersion": 2, "manifests": [
            {"mediaType": MANIFEST, "digest": self.manifest_digest, "size": len(manifest),
             "annotations": {"org.opencontainers.image.ref.name": tag}}]}))
        return folder


def small_tree():
    """An alpine-like root: one static busybox with links to it, and an account that is no number."""
    busybox = pathlib.Path("/bin/busybox").read_bytes()
    folders = [member(name, mode=0o755) for name in ("bin/", "sbin/", "usr/", "usr/bin/", "etc/", "root/", "srv/", "tmp/", "var/", "home/")]
    applets = [symlink(f"bin/{name}", "busybox") for name in
               ("sh", "cat", "echo", "ls", "id", "env", "sleep", "ps", "stat", "touch", "mount", "true", "hostname", "kill", "test", "pwd", "sync", "grep", "wc")]
    accounts = [member("etc/passwd", b"root:x:0:0:root:/root:/bin/sh\napp:x:33:33:app:/srv:/bin/sh\n"),
                member("etc/group", b"root:x:0:\napp:x:33:\nwheel:x:10:app\n")]
    return folders + [member("bin/busybox", busybox, mode=0o755)] + applets + accounts


class Registry:
    """Debian's docker-registry as an ordinary process, plain http on 127.0.0.1, its store in `folder`."""

    def __init__(self, folder, env):
        self.folder = pathlib.Path(folder)
        self.folder.mkdir(parents=True, exist_ok=True)
        self.env = env
        with socket.create_server(("127.0.0.1", 0)) as free:
            self.port = free.getsockname()[1]
        config = self.folder / "config.yml"
        config.write_text(f"version: 0.1\nstorage:\n  filesystem:\n    rootdirectory: {self.folder}/store\n  delete:\n    enabled: true\n"
                          f"http:\n  addr: 127.0.0.1:{self.port}\n")
        self.log = self.folder / "log"
        with open(self.log, "wb") as log:
            self.process = subprocess.Popen(["docker-registry", "serve", str(config)], env=env, stdin=subprocess.DEVNULL, stdout=log, stderr=log)
        wait.until(self.answers, 30, "the registry listens")

    def answers(self):
        assert self.process.poll() is None, self.log.read_text(errors="replace")
        with socket.socket() as probe:
            return probe.connect_ex(("127.0.0.1", self.port)) == 0

    def reference(self, name):
        return f"docker://127.0.0.1:{self.port}/{name}"

    def push(self, folder, name):
        subprocess.run(["skopeo", "copy", "--quiet", "--dest-tls-verify=false", f"oci:{folder}:latest", self.reference(name)], env=self.env, check=True,
                       stdin=subprocess.DEVNULL, timeout=300)
        return self.reference(name)

    def requests(self, words):
        """Lines of its log with these words."""
        return [line for line in self.log.read_text(errors="replace").splitlines() if words in line]

    def close(self):
        self.process.kill()
        self.process.wait()


def mode_of(info):
    return stat.S_IMODE(info.mode)
