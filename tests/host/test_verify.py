# SPDX-License-Identifier: GPL-2.0-or-later
"""verify.sh, as its user runs it: on a bare host, without the broker. With --nat: tests/lab."""

import pathlib
import shlex
import subprocess

import pytest

SCRIPT = pathlib.Path(__file__).resolve().parents[2] / "verify.sh"


@pytest.mark.limit(420)
def test_the_whole_workflow_goes_well_and_leaves_nothing(world, nothing_left, tmp_path):
    banger = tmp_path / "banger"
    banger.write_text(f"#!/bin/sh\nexec {shlex.join(map(str, world.command()))} \"$@\"\n")
    banger.chmod(0o755)
    done = subprocess.run([SCRIPT], env={**world.env, "BANGER": str(banger)}, stdin=subprocess.DEVNULL, capture_output=True, text=True, timeout=400)
    assert done.returncode == 0, done.stdout + done.stderr
    assert done.stdout.endswith("all well\n") and "FAILED" not in done.stdout


def test_a_banger_that_is_not_there_is_told(world):
    done = subprocess.run([SCRIPT], env={**world.env, "BANGER": "/no/such/banger"}, stdin=subprocess.DEVNULL, capture_output=True, text=True, timeout=20)
    assert done.returncode == 1 and "scripts/quickstart" in done.stderr
    assert subprocess.run([SCRIPT, "--nta"], env=world.env, capture_output=True, timeout=20).returncode == 2
