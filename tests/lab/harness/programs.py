# SPDX-License-Identifier: GPL-2.0-or-later
"""Programs of the host that make what the lab keeps: slow, and with children of their own."""

import contextlib
import os
import signal
import subprocess
import threading

from .errors import LabError

_lock = threading.Lock()
_running = set()
_stopped = False


def run(log, words, seconds, environment):
    """Its output goes to the log, whose end is shown when it fails. It has a session of its own, and all of that ends with it: mmdebstrap's
    children would go on when it alone is killed."""
    words = [str(word) for word in words]
    name = " ".join(words[:3])
    try:
        process = _start(words, stdin=subprocess.DEVNULL, stdout=log, stderr=log, env=environment, start_new_session=True)
    except FileNotFoundError as error:
        raise LabError(f"{error.filename} is missing; `scripts/deps test` installs it") from None
    try:
        code = process.wait(seconds)
    except subprocess.TimeoutExpired:
        raise LabError(f"`{name}` took longer than {seconds} s") from None
    finally:
        _end(process)
    if code != 0:
        raise LabError(f"`{name}` failed with code {code}")


@contextlib.contextmanager
def together():
    """When the block ends by an exception, SIGTERM's or Ctrl-C's too, so do all programs of this process, in any thread, and none begins:
    otherwise who leaves waits for a thread, and that one for its programs."""
    global _stopped
    _stopped = False
    try:
        yield
    except BaseException:
        with _lock:
            _stopped = True
            for process in _running:
                _kill(process)
        raise


def _start(words, **options):
    with _lock:
        if _stopped:
            raise LabError(f"{words[0]} was not begun, as the lab ends")
        process = subprocess.Popen(words, **options)
        _running.add(process)
    return process


def _end(process):
    with _lock:
        _kill(process)
        _running.discard(process)
    process.wait()


def _kill(process):
    """With its group; one that has ended by itself has left nothing behind."""
    if process.returncode is None:
        with contextlib.suppress(ProcessLookupError):
            os.killpg(process.pid, signal.SIGKILL)
