# SPDX-License-Identifier: GPL-2.0-or-later
"""A registry on 127.0.0.1 that does what a test says, also what no registry should."""

import http.server
import socket
import struct
import threading

from .oci import MANIFEST


class ScriptedRegistry:
    """Serves one image. `ways` maps a digest, or `manifest`, to what is done in place of an answer: stall, reset, circle, endless, cut, lie, hold, missing, forbidden."""

    def __init__(self, layout):
        self.manifest = layout.finish()
        self.layout = layout
        self.ways = {}
        self.asked = []
        self.released = threading.Event()
        registry = self

        class Handler(http.server.BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"

            def do_GET(self):
                registry.answer(self)

            def do_HEAD(self):
                registry.answer(self)

            def log_message(self, *args):
                pass

        self.http = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.http.daemon_threads = True
        self.thread = threading.Thread(target=self.http.serve_forever)
        self.thread.start()

    @property
    def reference(self):
        return f"docker://127.0.0.1:{self.http.server_address[1]}/team/app:1"

    def change(self, layout):
        """From now on the reference stands for another image."""
        self.manifest, self.layout = layout.finish(), layout

    def count(self, digest):
        return sum(path.endswith(digest) for path in self.asked)

    def answer(self, handler):
        self.asked.append(handler.path)
        if handler.path.rstrip("/") == "/v2":
            return self.send(handler, b"{}", "application/json")
        what = handler.path.split("?")[0].rsplit("/", 1)[1]
        is_manifest = "/manifests/" in handler.path
        content = self.manifest if is_manifest else self.layout.blobs.get(what, b"")
        way = self.ways.get("manifest" if is_manifest else what)
        if way:
            return getattr(self, way)(handler, content, what)
        return self.send(handler, content, MANIFEST if is_manifest else "application/octet-stream")

    def head(self, handler, length, kind="application/octet-stream", status=200):
        handler.send_response(status)
        handler.send_header("Content-Type", kind)
        if length is not None:
            handler.send_header("Content-Length", str(length))
        handler.end_headers()

    def send(self, handler, content, kind="application/octet-stream", status=200):
        self.head(handler, len(content), kind, status)
        if handler.command != "HEAD":
            handler.wfile.write(content)

    def stall(self, handler, content, _):
        self.head(handler, len(content))
        handler.wfile.write(content[:100])
        handler.wfile.flush()
        self.released.wait(120)

    def hold(self, handler, content, _):
        """Half of it, and the rest when the test lets it go."""
        self.head(handler, len(content))
        half = len(content) // 2
        handler.wfile.write(content[:half])
        handler.wfile.flush()
        self.released.wait(120)
        handler.wfile.write(content[half:])

    def reset(self, handler, content, _):
        self.head(handler, len(content))
        handler.wfile.write(content[:len(content) // 2])
        handler.wfile.flush()
        handler.connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        handler.close_connection = True
        handler.connection.close()

    def circle(self, handler, _, what):
        handler.send_response(302)
        handler.send_header("Location", handler.path.split("?")[0] + f"?n={len(self.asked)}")
        handler.send_header("Content-Length", "0")
        handler.end_headers()

    def endless(self, handler, content, _):
        """More than was said, without an end."""
        handler.close_connection = True
        self.head(handler, None)
        try:
            while not self.released.is_set():
                handler.wfile.write(content + bytes(1 << 20))
        except OSError:
            pass

    def cut(self, handler, content, _):
        handler.close_connection = True
        self.head(handler, None)
        handler.wfile.write(content[:len(content) // 2])

    def lie(self, handler, content, _):
        self.send(handler, content[:-1] + bytes([content[-1] ^ 1]), MANIFEST if b"schemaVersion" in content else "application/octet-stream")

    def missing(self, handler, _, what):
        self.send(handler, b'{"errors":[{"code":"MANIFEST_UNKNOWN","message":"manifest unknown \\u001b[31m \\uffff"}]}', "application/json", 404)

    def forbidden(self, handler, _, what):
        handler.send_response(401)
        handler.send_header("Www-Authenticate", 'Basic realm="x"')
        handler.send_header("Content-Length", "0")
        handler.end_headers()

    def close(self):
        self.released.set()
        self.http.shutdown()
        self.thread.join()
        self.http.server_close()
