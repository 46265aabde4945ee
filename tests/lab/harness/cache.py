# SPDX-License-Identifier: GPL-2.0-or-later
"""What is slow to make is kept: a folder an entry, named by what it is and a digest of all that it was made from.

    ~/.cache/banger-lab/KIND-KEY/            whole, or not there: made in a draft beside it and renamed
    ~/.cache/banger-lab/KIND-KEY/KIND-KEY/   what builds on it by reference, and so goes with it
    ~/.cache/banger-lab/…/KIND-KEY.log       of a build that failed
    ~/.cache/banger-lab/runs/PID-…/          of a lab that makes or runs a workstation; another one sweeps it away when its owner is gone
    ~/.cache/banger-lab/…/.removed-…         on its way out
    ~/.cache/banger-lab.lock                 held for a moment by who begins a run, and by who destroys all of it
"""

import contextlib
import fcntl
import hashlib
import os
import pathlib
import shutil
import subprocess
import sys
import tempfile
import time
import uuid

from .errors import LabError, disk_full, is_disk_full, says_disk_full

KEEP_OF_A_KIND = 2  # for going back and forth between branches
_used = {}  # the lock of each entry that this process uses, until it ends


def _place():
    base = os.environ.get("XDG_CACHE_HOME") or pathlib.Path.home() / ".cache"
    return pathlib.Path(base).resolve() / "banger-lab"


def folder():
    path = _place()
    path.mkdir(parents=True, exist_ok=True)
    return path


def key_of(*parts):
    """A digest of texts and of files' names and contents (folders: all below them)."""
    digest = hashlib.sha256()
    for part in parts:
        for path in _files(part) if isinstance(part, pathlib.Path) else ():
            digest.update(f"{path.name}\0{path.stat().st_mode & 0o111}\0".encode())
            with open(path, "rb") as file:
                for block in iter(lambda: file.read(1 << 20), b""):
                    digest.update(block)
        if not isinstance(part, pathlib.Path):
            digest.update(str(part).encode() + b"\0")
    return digest.hexdigest()[:16]


def _files(path):
    if path.is_dir():
        return sorted(file for file in path.rglob("*") if file.is_file() and "__pycache__" not in file.parts)
    return [path]


def entry(kind, key, make, parent=None):
    """The entry's folder. When it isn't there yet, make(draft folder, open log) fills it; a second lab that wants the same one waits for the
    first. One that refers to another's files has it as `parent`."""
    place = (parent or folder()) / f"{kind}-{key}"
    _use(place)
    if place.is_dir():
        os.utime(place)
        return place
    with _lock(place.name):
        if not place.is_dir():
            _make(place, make)
    _forget_older(kind, place)
    return place


def _open_lock(name):
    locks = folder() / "locks"
    locks.mkdir(exist_ok=True)
    return open(locks / name, "w")


@contextlib.contextmanager
def _lock(name):
    with _open_lock(name) as file:
        fcntl.flock(file, fcntl.LOCK_EX)
        yield


def _use(place):
    """From here until this process ends, nobody removes it to make room."""
    if place not in _used:
        _used[place] = _open_lock(f"{place.name}.used")
        fcntl.flock(_used[place], fcntl.LOCK_SH)


def _remove_unused(place):
    """Who wants it anew in this moment waits until it is renamed, and then makes it."""
    with _open_lock(f"{place.name}.used") as lock:
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            return
        aside = _put_aside(place)
    _remove_tree(aside)


def _make(place, make):
    for left in place.parent.glob(f".draft-{place.name}-*"):  # of a killed lab, as we have the lock
        remove(left)
    log_path = place.with_name(place.name + ".log")
    draft = None
    kind = place.name.partition("-")[0]
    print(f"== making {kind}", file=sys.stderr, flush=True)
    begin = time.monotonic()
    try:
        draft = pathlib.Path(tempfile.mkdtemp(prefix=f".draft-{place.name}-", dir=place.parent))
        with open(log_path, "wb", buffering=0) as log:
            make(draft, log)
        os.rename(draft, place)
    except BaseException as error:
        if draft:
            remove(draft)
        if is_disk_full(error) or _says_disk_full(log_path):
            raise disk_full(place.parent) from error
        if isinstance(error, (LabError, subprocess.SubprocessError, OSError)):
            raise LabError(f"{error}\n{tail(log_path)}\nthe whole log is {log_path}") from error
        raise
    log_path.unlink()
    print(f"== {kind} took {time.monotonic() - begin:.0f} s", file=sys.stderr, flush=True)


def _says_disk_full(log_path):
    with contextlib.suppress(OSError):
        return says_disk_full(log_path.read_text(errors="replace"))
    return False


def tail(path, lines=30):
    """The end of a log, for a message; never fails."""
    with contextlib.suppress(OSError):
        return "\n".join(pathlib.Path(path).read_text(errors="replace").splitlines()[-lines:])
    return ""


def _forget_older(kind, newest):
    for path in newest.parent.glob(".removed-*"):  # of a killed lab
        _remove_tree(path)
    others = [path for path in newest.parent.glob(f"{kind}-*") if path.is_dir() and path != newest]
    for path in sorted(others, key=_last_used, reverse=True)[KEEP_OF_A_KIND - 1:]:
        _remove_unused(path)


def _last_used(path):
    with contextlib.suppress(FileNotFoundError):  # another lab removes it at this moment
        return path.stat().st_mtime
    return 0


def remove(path):
    """Never half of it under its own name, which would be taken for the whole."""
    _remove_tree(_put_aside(path))


def _put_aside(path):
    aside = path.with_name(f".removed-{path.name}-{uuid.uuid4().hex}")
    with contextlib.suppress(FileNotFoundError):
        os.rename(path, aside)
    return aside


def _remove_tree(path):
    """Also one of mmdebstrap's, whose files belong to this user's subordinate ids."""
    shutil.rmtree(path, ignore_errors=True)
    if path.exists():
        subprocess.run(["unshare", "--map-auto", "--map-root-user", "rm", "-rf", "--", str(path)], check=False)


@contextlib.contextmanager
def _gate():
    """Beside the folder, as that may go: nobody begins a run while another one looks whether there are any."""
    place = _place()
    place.parent.mkdir(parents=True, exist_ok=True)
    with open(place.with_name(place.name + ".lock"), "w") as file:
        fcntl.flock(file, fcntl.LOCK_EX)
        yield


class RunFolder:
    """One run's own files; gone with it. To be taken before anything of the cache is used or made: nothing is destroyed as long as it is there. A
    lock that the kernel drops with its holder says whether that one still lives."""

    def __init__(self):
        with _gate():
            runs = folder() / "runs"
            runs.mkdir(exist_ok=True)
            _sweep(runs)
            self.path = pathlib.Path(tempfile.mkdtemp(prefix=f"{os.getpid()}-", dir=runs))
            self._lock = open(self.path / "lock", "w")
            fcntl.flock(self._lock, fcntl.LOCK_EX)

    def __enter__(self):
        return self

    def __exit__(self, *_):
        shutil.rmtree(self.path, ignore_errors=True)
        self._lock.close()


def _sweep(runs):
    """Within the gate. One without a lock is half made or half gone, and its owner in neither case alive."""
    for path in runs.iterdir():
        if not _is_locked(path / "lock"):
            _remove_tree(path)


def _is_locked(path):
    try:
        with open(path) as file:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        return True
    except (FileNotFoundError, NotADirectoryError):
        return False
    return False


def destroy():
    """Everything, unless a lab makes or runs a workstation."""
    with _gate():
        runs = folder() / "runs"
        if runs.exists():
            _sweep(runs)
            if any(runs.iterdir()):
                raise LabError("a lab makes or runs a workstation; end it first (its runs are in " + str(runs) + ")")
        aside = _put_aside(folder())
    _remove_tree(aside)
