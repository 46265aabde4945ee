# SPDX-License-Identifier: GPL-2.0-or-later
"""`lab test`: pytest inside a workstation, its lines shown as they come, then the tests that need workstations of their own. One after the
other: an emulated workstation keeps two cores busy."""

import os
import pathlib
import shlex
import subprocess
import sys
import time

from . import cache, results, snapshots
from .errors import LabError
from .workstation import SSH_LOST

LAB = pathlib.Path(__file__).resolve().parents[1]
REPO = LAB.parents[1]
SILENCE_SECONDS = 700  # longer than any one test may take
TOTAL_SECONDS = 3600 if os.environ.get("LAB_ALL") else 2400
PLACE = "/var/tmp/lab"
PORT_TESTS = "bin/broker_port_tests"  # beside the package
NOTHING_CHOSEN = 5  # pytest's exit code


def run(suite, deb, words, folder):
    """The exit code for both: 0 all passed, 1 some failed, 5 no test has these words."""
    folder.mkdir(parents=True, exist_ok=True)
    for old in folder.glob("lab*.xml"):
        old.unlink()
    inside = _run_inside(suite, deb, words, folder)
    outside = _run_outside(suite, deb, words, folder)
    codes = {inside, outside} - {NOTHING_CHOSEN}
    return max(codes) if codes else NOTHING_CHOSEN


def _run_inside(suite, deb, words, folder):
    begin = time.monotonic()
    with cache.RunFolder() as run_folder, snapshots.installed(suite, deb).start(run_folder.path) as workstation:
        try:
            put_tests(workstation, deb.parent)
            print(f"== the workstation is there after {time.monotonic() - begin:.1f} s", flush=True)
            return _pytest(workstation, words)
        finally:
            results.bring_back(workstation, folder / "lab")
            xml = folder / "lab" / "lab.xml"
            if xml.exists():
                xml.rename(folder / "lab.xml")


def put_tests(workstation, build):
    """The tests, what all suites share, and the program that tries the broker's ports, where the build has it."""
    programs = ["-C", build, PORT_TESTS] if (build / PORT_TESTS).exists() else []
    tar = subprocess.run(["tar", "-C", REPO, "--exclude=__pycache__", "--owner=0", "--group=0", "-c", "tests/conftest.py", "tests/harness",
                          "tests/lab/tests", "verify.sh", *programs], check=True, capture_output=True).stdout
    workstation.run(f"mkdir -p {PLACE} {results.PLACE} && tar -C {PLACE} -xf -", input=tar)


def start_pytest(workstation, words):
    """pytest inside, as a process of ssh's whose output is its own."""
    command = ["/usr/bin/python3", "-B", "-u", "-m", "pytest", *_options(words), f"--junitxml={results.PLACE}/lab.xml", "tests/lab/tests"]
    settings = [f"{name}={os.environ[name]}" for name in ("LAB_ALL", "LAB_EVERY_STEP", "LAB_SEED") if name in os.environ]
    return subprocess.Popen([*workstation.ssh_command(), f"cd {PLACE} && exec {shlex.join(['env', *settings, *command])} 2>&1"],
                            stdin=subprocess.DEVNULL, stdout=subprocess.PIPE)


def _pytest(workstation, words):
    process = start_pytest(workstation, words)
    try:
        _show(workstation, process.stdout)
        code = process.wait(30)
    finally:
        process.kill()
        process.wait()
    if code == SSH_LOST:
        workstation.check_after_loss()
        raise LabError(f"the connection to the tests was lost; the workstation's console ends with:\n{workstation.console_tail()}")
    return code


def _options(words):
    return ["-v", "--tb=short", "-rs", "--durations=20", "-p", "no:cacheprovider", "--color=no", *(["-k", words] if words else [])]


def _show(workstation, output):
    deadline = time.monotonic() + TOTAL_SECONDS
    while time.monotonic() < deadline:
        workstation.wait_for(output, SILENCE_SECONDS, "the next line of the tests")
        block = os.read(output.fileno(), 65536)
        if not block:
            return
        sys.stdout.buffer.write(block)
        sys.stdout.buffer.flush()
    raise LabError(f"the tests took longer than {TOTAL_SECONDS} s")


def _run_outside(suite, deb, words, folder):
    environment = {**os.environ, "LAB_SUITE": suite, "LAB_DEB": str(deb), "LAB_RESULTS": str(folder / "lab-around")}
    command = ["/usr/bin/python3", "-B", "-u", "-m", "pytest", *_options(words), f"--junitxml={folder}/lab-around.xml", LAB / "host_tests"]
    return subprocess.run([str(word) for word in command], cwd=REPO, env=environment, stdin=subprocess.DEVNULL, check=False).returncode
