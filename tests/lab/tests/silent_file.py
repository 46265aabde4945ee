# SPDX-License-Identifier: GPL-2.0-or-later
"""silent_file.py: a file on an overlay over a FUSE mount, both of an ordinary user's, in namespaces of this process's own (unshare -Urm). Prints a number:
as /proc/PID/fd/NUMBER the file can be opened. From the line on stdin that follows, nobody is told of it any more: who asks what it is, waits.

FUSE itself refuses root to ask; an overlay asks in the name of who mounted it (overlayfs, ovl_getattr). The wire is linux/fuse.h's."""

import ctypes
import errno
import os
import stat
import struct
import sys
import tempfile
import threading

LOOKUP, FORGET, GETATTR, STATFS, INIT, INTERRUPT, BATCH_FORGET = 1, 2, 3, 17, 26, 36, 42
ROOT = 1
silent = threading.Event()


def attributes(node):
    mode = stat.S_IFDIR | 0o755 if node == ROOT else stat.S_IFREG | 0o644
    return struct.pack("<6Q10I", node, 1 << 20, 0, 0, 0, 0, 0, 0, 0, mode, 1, 0, 0, 0, 4096, 0)


def answer_to(kind, node):
    """None: ENOSYS, which is an answer to all that is not needed here."""
    if kind == INIT:
        return struct.pack("<4I2H2I2H8I", 7, 31, 0, 0, 16, 12, 4096, 1, 0, 0, *[0] * 8)
    if kind == STATFS:
        return struct.pack("<5Q10I", 1, 1, 1, 1, 1, 4096, 255, 4096, *[0] * 7)
    if kind == LOOKUP:
        return struct.pack("<4Q2I", ROOT + 1, 0, 0, 0, 0, 0) + attributes(ROOT + 1)
    return struct.pack("<QII", 0, 0, 0) + attributes(node) if kind == GETATTR else None


def serve(device):
    while True:
        _, kind, unique, node = struct.unpack_from("<IIQQ", os.read(device, 1 << 20))
        if kind in (FORGET, BATCH_FORGET, INTERRUPT) or (kind == GETATTR and silent.is_set()):
            continue
        body = answer_to(kind, node)
        os.write(device, struct.pack("<IiQ", 16 + len(body or b""), 0 if body else -errno.ENOSYS, unique) + (body or b""))


def mount(kind, place, options):
    libc = ctypes.CDLL(None, use_errno=True)
    if libc.mount(b"silent", place.encode(), kind, 0, options.encode()) < 0:
        raise OSError(ctypes.get_errno(), f"{kind} at {place}")


def main():
    folder = tempfile.mkdtemp(prefix="silent-")
    below, beside, over = (os.path.join(folder, name) for name in ("below", "beside", "over"))
    for place in (below, beside, over):
        os.mkdir(place)
    device = os.open("/dev/fuse", os.O_RDWR)
    mount(b"fuse", below, f"fd={device},rootmode=40000,user_id=0,group_id=0")
    threading.Thread(target=serve, args=(device,), daemon=True).start()
    mount(b"overlay", over, f"lowerdir={below}:{beside},userxattr")
    print(os.open(os.path.join(over, "file"), os.O_PATH), flush=True)
    sys.stdin.readline()
    silent.set()
    print("silent", flush=True)
    sys.stdin.readline()
    os._exit(0)  # whoever waits gets an error


main()
