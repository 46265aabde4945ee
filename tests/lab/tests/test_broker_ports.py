# SPDX-License-Identifier: GPL-2.0-or-later
"""The broker's ports on a real kernel: each case of broker_port_tests (tests/lab/ports/) in a process of its own."""

import pathlib
import subprocess

import pytest

from harness import wait

PROGRAM = pathlib.Path(__file__).resolve().parents[3] / "bin/broker_port_tests"
CASE_SECONDS = 300


def cases():
    """What the program lists: a suite's name with a dot, its cases indented below."""
    if not PROGRAM.exists():
        return ["missing"]
    suite, found = "", []
    for line in subprocess.run([PROGRAM, "--gtest_list_tests"], check=True, capture_output=True, text=True).stdout.splitlines():
        if line.startswith(" "):
            found.append(suite + line.split()[0])
        else:
            suite = line.split()[0]
    return found


@pytest.fixture(autouse=True, scope="module")
def no_broker():
    """One that still runs would take the tests' TAPs and rules for strangers' work."""
    # A bangerd of the test before may start it once more, which cancels the stop.
    wait.until(lambda: subprocess.run(["systemctl", "stop", "banger-broker.service"], check=False).returncode == 0, 30, "no broker runs")


@pytest.mark.parametrize("case", cases())
def test_port(case):
    assert PROGRAM.exists(), "there is no broker_port_tests: `cmake --preset release -DBANGER_LAB_TESTS=ON` and a build make it"
    done = subprocess.run([PROGRAM, f"--gtest_filter={case}", "--gtest_color=no"], timeout=CASE_SECONDS, check=False, stdout=subprocess.PIPE,
                          stderr=subprocess.STDOUT, text=True)
    print(done.stdout)
    assert done.returncode == 0 and "[  PASSED  ] 1 test" in done.stdout, done.stdout
