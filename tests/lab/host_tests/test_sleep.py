# SPDX-License-Identifier: GPL-2.0-or-later
"""The workstation sleeps for real (ACPI's S3, as QEMU has it) while a VM runs in it, and is woken."""

import os
import time

import pytest

from lab.harness import snapshots

pytestmark = pytest.mark.skipif(not os.environ.get("LAB_ALL"), reason="a workstation of its own: with scripts/test --all, or LAB_ALL=yes")
SLEEP_SECONDS = 30
CREATE = "banger vm create --image bare --memory 256 --disk-size 1G --name sleeper"
DIFFERENCE = "echo $(($(date +%s) - $(banger vm exec sleeper -- date +%s)))"


@pytest.fixture
def workstation(suite, deb, run_folder, keep_results):
    with snapshots.installed(suite, deb).start(run_folder) as machine:
        yield machine
        keep_results(machine)


@pytest.mark.limit(600)
def test_a_guest_s_clock_is_right_after_a_real_sleep(workstation):
    workstation.text(CREATE, user="alice", seconds=180)
    workstation.run("systemctl --no-block suspend")
    workstation.qmp.wait_for(lambda event: event["event"] == "SUSPEND", 60, "the workstation sleeps")
    time.sleep(SLEEP_SECONDS)  # how long it sleeps is what is tested
    workstation.qmp.do("system_wakeup")
    workstation.qmp.wait_for(lambda event: event["event"] == "WAKEUP", 60, "it wakes")
    assert abs(int(workstation.text(DIFFERENCE, user="alice", seconds=120))) <= 3
    assert "the host has slept" in workstation.text("cat ~/.local/state/banger/bangerd.log", user="alice")
