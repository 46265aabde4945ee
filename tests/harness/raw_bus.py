# SPDX-License-Identifier: GPL-2.0-or-later
"""A connection to a bus that sends what no library would: descriptors' numbers that name none. The wire is the D-Bus specification's."""

import os
import socket
import struct


def reply_serial(header):
    """Which call a message answers."""
    at = 0
    while at < len(header):
        at += -at % 8
        code, kind = header[at], header[at + 2:at + 3]
        at += 4
        if kind == b"g":
            at += header[at] + 2
            continue
        value, = struct.unpack_from("<I", header, at)
        if code == 5:
            return value
        at += 4 if kind == b"u" else 4 + value + 1
    return None


class RawConnection:
    def __init__(self, address):
        """`address`: unix:path=…"""
        self.socket = socket.socket(socket.AF_UNIX)
        self.socket.settimeout(20)
        self.socket.connect(address.partition("path=")[2].split(",")[0])
        self.socket.sendall(b"\0AUTH EXTERNAL " + str(os.geteuid()).encode().hex().encode() + b"\r\nNEGOTIATE_UNIX_FD\r\nBEGIN\r\n")
        self.buffer = b""
        self.take_until(b"\r\n")
        assert self.take_until(b"\r\n").startswith(b"AGREE_UNIX_FD")
        self.serial = 0
        self.call("org.freedesktop.DBus", "/org/freedesktop/DBus", "org.freedesktop.DBus", "Hello", "", b"")

    def close(self):
        self.socket.close()

    def receive(self):
        got = self.socket.recv(4096)
        assert got, "the bus has closed the connection"
        self.buffer += got

    def take_until(self, end):
        while end not in self.buffer:
            self.receive()
        line, _, self.buffer = self.buffer.partition(end)
        return line

    def take(self, count):
        while len(self.buffer) < count:
            self.receive()
        taken, self.buffer = self.buffer[:count], self.buffer[count:]
        return taken

    def call(self, destination, path, interface, member, signature, body, files=()):
        """The type of the answer, 2 for what it was asked for and 3 for an error, and its body."""
        self.serial += 1
        fields = b""
        for code, kind, value in ((1, "o", path), (2, "s", interface), (3, "s", member), (6, "s", destination), (8, "g", signature), (9, "u", len(files))):
            fields += bytes(-len(fields) % 8) + bytes([code, 1]) + kind.encode() + b"\0"
            if kind == "u":
                fields += struct.pack("<I", value)
            elif kind == "g":
                fields += bytes([len(value)]) + value.encode() + b"\0"
            else:
                fields += struct.pack("<I", len(value)) + value.encode() + b"\0"
        head = struct.pack("<cBBBIII", b"l", 1, 0, 1, len(body), self.serial, len(fields)) + fields
        message = head + bytes(-len(head) % 8) + body
        ancillary = [(socket.SOL_SOCKET, socket.SCM_RIGHTS, struct.pack(f"{len(files)}i", *files))] if files else []
        self.socket.sendmsg([message], ancillary)
        return self.answer()

    def answer(self):
        while True:
            order, kind, _, _, length, _, fields = struct.unpack("<cBBBIII", self.take(16))
            assert order == b"l"
            header = self.take(fields + -fields % 8)
            body = self.take(length)
            if kind in (2, 3) and reply_serial(header[:fields]) == self.serial:
                return kind, body
