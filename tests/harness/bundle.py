# SPDX-License-Identifier: GPL-2.0-or-later
"""Images and kernels of a few bytes in a home's cache, for what needs some to be there and boots none; and a server for archives."""

import hashlib
import http.server
import json
import struct
import threading

BLOCK = 64 << 10


def content_digest(data):
    """As agent/system/image/content_digest.hpp has it."""
    digest = hashlib.sha256(struct.pack("<Q", len(data)))
    for index in range(0, len(data), BLOCK):
        block = data[index:index + BLOCK].ljust(BLOCK, b"\0")
        if block.strip(b"\0"):
            digest.update(struct.pack("<Q", index // BLOCK) + block)
    return digest.hexdigest()


def _put(folder, description, files, details):
    folder.mkdir(parents=True)
    for name, data in files.items():
        (folder / name).write_bytes(data)
        (folder / name).chmod(0o444)
    (folder / description).write_text(json.dumps(details))


def put_image(home, name="debian", data=b"a root disk" + b"\0" * 300_000 + b"its end"):
    digest = content_digest(data)
    _put(home.cache / "banger" / "images" / digest, "image.json", {"rootfs.ext4": data},
         {"name": name, "digest": digest, "size": len(data), "origin": "debian bookworm", "created": 1})
    return digest


def put_kernel(home, name="debian"):
    files = {"vmlinux": b"a kernel", "boot-modules.cpio": b"its first modules", "modules.ext4": b"all modules" + b"\0" * 200_000}
    digest = hashlib.sha256("".join(content_digest(data) for data in files.values()).encode()).hexdigest()
    _put(home.cache / "banger" / "kernels" / digest, "kernel.json", {**files, "initrd": b"an initrd"},
         {"name": name, "digest": digest, "version": "6.1.0-test", "origin": "debian bookworm", "created": 1})
    return digest


def write_manifest(path, url, sha256):
    path.write_text(f'version = "1"\n[bundle]\nurl = "{url}"\nsha256 = "{sha256}"\n')
    return path


class ArchiveServer:
    """Serves one archive on 127.0.0.1, with ranges. After `cut` bytes of the first answer the connection stays silent until the test ends."""

    def __init__(self, content):
        self.content = content
        self.cut = None
        self.ranges = []  # the Range header of each request, or None
        self.ended = threading.Event()
        server = self

        class Handler(http.server.BaseHTTPRequestHandler):
            def do_GET(self):
                wanted = self.headers.get("Range")
                server.ranges.append(wanted)
                begin = int(wanted.removeprefix("bytes=").removesuffix("-")) if wanted else 0
                self.send_response(206 if wanted else 200)
                if wanted:
                    self.send_header("Content-Range", f"bytes {begin}-{len(server.content) - 1}/{len(server.content)}")
                self.send_header("ETag", '"one"')
                self.send_header("Content-Length", str(len(server.content) - begin))
                self.end_headers()
                cut, server.cut = server.cut, None
                self.wfile.write(server.content[begin:cut])
                self.wfile.flush()
                if cut is not None:
                    server.ended.wait(60)

            def log_message(self, *args):
                pass

        self.http = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.thread = threading.Thread(target=self.http.serve_forever)
        self.thread.start()

    @property
    def url(self):
        return f"http://127.0.0.1:{self.http.server_address[1]}/banger-runtime.tar.gz"

    def close(self):
        self.ended.set()
        self.http.shutdown()
        self.thread.join()
        self.http.server_close()
