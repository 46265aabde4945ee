# SPDX-License-Identifier: GPL-2.0-or-later
"""Processes of this user, found by what they were started with. Never by name alone: the machine may run others' VMs."""

import contextlib
import dataclasses
import os
import pathlib
import select
import signal
import time


@dataclasses.dataclass(frozen=True)
class Process:
    pid: int
    name: str
    start: str  # in clock ticks since boot: with pid, for ever unique

    def alive(self):
        now = _read(self.pid)
        return now is not None and now.start == self.start


def _read(pid):
    """None when it is gone or a zombie."""
    try:
        stat = pathlib.Path(f"/proc/{pid}/stat").read_text()
    except OSError:
        return None
    name, fields = stat[stat.index("(") + 1:stat.rindex(")")], stat[stat.rindex(")") + 2:].split()
    return None if fields[0] in "ZX" else Process(pid, name, fields[19])


def _all():
    me = os.getpid()
    for entry in os.scandir("/proc"):
        if entry.name.isdigit() and int(entry.name) != me:
            process = _read(int(entry.name))
            if process:
                yield process


def with_environment(name, value):
    wanted = f"{name}={value}".encode()
    found = []
    for process in _all():
        try:
            environment = pathlib.Path(f"/proc/{process.pid}/environ").read_bytes()
        except OSError:
            continue
        if wanted in environment.split(b"\0"):
            found.append(process)
    return found


def below_folder(folder):
    """Those that work in it or name it on their command line."""
    wanted = str(folder)
    found = []
    for process in _all():
        where = words = ""
        with contextlib.suppress(OSError):
            words = pathlib.Path(f"/proc/{process.pid}/cmdline").read_bytes().decode(errors="replace")
        with contextlib.suppress(OSError):  # passt hides this, but not its command line
            where = os.readlink(f"/proc/{process.pid}/cwd")
        if (where + "/").startswith(wanted + "/") or wanted + "/" in words:
            found.append(process)
    return found


def command_line(process):
    """Its words with spaces between them; empty when it is gone."""
    with contextlib.suppress(OSError):
        return pathlib.Path(f"/proc/{process.pid}/cmdline").read_bytes().decode(errors="replace").replace("\0", " ")
    return ""


def find(pid):
    return _read(pid)


def end(found, seconds=10):
    """SIGKILL, and waits until they are gone with all their threads: the first one is a zombie while another still writes and holds the files and locks."""
    with contextlib.ExitStack() as opened:
        ended = []
        for process in set(found):
            with contextlib.suppress(ProcessLookupError):
                ended.append(os.pidfd_open(process.pid))
                opened.callback(os.close, ended[-1])
                if process.alive():
                    signal.pidfd_send_signal(ended[-1], signal.SIGKILL)
                else:
                    ended.pop()  # another by now, or a zombie that nobody has waited for
        deadline = time.monotonic() + seconds
        for fd in ended:
            left = max(0.0, deadline - time.monotonic())
            assert select.select([fd], [], [], left)[0], "killed processes go away"


def cpu_seconds(pid):
    """User and system time so far, its ended children left out."""
    fields = pathlib.Path(f"/proc/{pid}/stat").read_text().rsplit(")", 1)[1].split()
    return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")


def private_dirty_kib(pid):
    for line in pathlib.Path(f"/proc/{pid}/smaps_rollup").read_text().splitlines():
        if line.startswith("Private_Dirty:"):
            return int(line.split()[1])
    raise AssertionError("no Private_Dirty in smaps_rollup")
