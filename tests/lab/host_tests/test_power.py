# SPDX-License-Identifier: GPL-2.0-or-later
"""The workstation reboots or loses its power while a VM runs."""

import os
import random
import subprocess
import threading
import time

import pytest

from lab.harness import snapshots
from lab.harness.test_run import PLACE, put_tests
from lab.harness.workstation import Workstation

pytestmark = pytest.mark.skipif(not os.environ.get("LAB_ALL"), reason="twelve minutes: with scripts/test --all, or LAB_ALL=yes")
CUTS = 10  # a minute each
BROKER_CUTS = 4
VM_SECONDS = 180
# Tells each number only after its sync.
WRITER = "i=0; while :; do i=$((i + 1)); echo $i >/root/number; echo $i >/number; sync; echo $i; done"
CREATE = "banger vm create --name powered --image bare --memory 256 --disk-size 1G"


class Powered:
    """A workstation on disks that outlive its QEMU."""

    def __init__(self, snapshot, folder):
        self.snapshot = snapshot
        self.folder = folder
        self.disks = snapshot.disks(folder)
        self.workstation = snapshot.start(folder, self.disks, durable=True)

    def cut(self):
        self.workstation.close()

    def boot(self):
        self.workstation = Workstation(self.folder, self.snapshot.base, self.disks, durable=True)
        return self.workstation.wait_until_up()

    def alice(self, command, seconds=VM_SECONDS):
        return self.workstation.text(command, user="alice", seconds=seconds)

    def state(self):
        return self.alice("banger vm list --format plain powered").split("\t")

    def guest(self, line):
        return self.alice(f"banger vm exec powered -- sh -c '{line}'")


@pytest.fixture
def powered(suite, deb, run_folder, keep_results):
    machine = Powered(snapshots.installed(suite, deb), run_folder)
    yield machine
    keep_results(machine.workstation)
    machine.workstation.close()


def check_stopped_and_start(powered):
    assert "stopped" in powered.state(), powered.state()
    powered.alice("banger vm start powered")


@pytest.mark.limit(600)
def test_a_clean_reboot_stops_vms_and_loses_nothing(powered):
    powered.alice(CREATE)
    powered.guest("echo kept >/root/kept; echo kept >/kept")
    powered.workstation.reboot()
    assert powered.alice("cat ~/.local/state/banger/bangerd.log* | grep -c 'the host shuts down; stopping it'") == "1", "before its unit's ExecStop"
    check_stopped_and_start(powered)
    assert powered.guest("cat /root/kept /kept") == "kept\nkept"


@pytest.mark.limit(1500)
def test_power_cuts_lose_nothing_that_was_synced(powered):
    seed = int(os.environ.get("LAB_SEED") or random.randrange(1 << 32))
    print(f"LAB_SEED={seed}")
    moments = random.Random(seed)
    powered.alice(CREATE)
    for number in range(1, CUTS + 1):
        told = cut_while_writing(powered, after=moments.uniform(0, 8))
        powered.boot()
        check_stopped_and_start(powered)
        for path in ("/root/number", "/number"):
            found = int(powered.guest(f"cat {path} || echo 0").split()[-1] or 0)
            assert found >= told, f"cut {number}: {path} has {found}, and {told} was synced"
        powered.guest("rm -f /root/number /number; sync")
        print(f"cut {number}: {told} synced writes, all there")


def cut_while_writing(powered, after):
    """The last number that the writer told."""
    writer = subprocess.Popen([*powered.workstation.ssh_command("alice"), f"exec banger vm exec powered -- sh -c '{WRITER}'"],
                              stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, text=True)
    told = [0]
    reader = threading.Thread(target=lambda: told.extend(int(line) for line in writer.stdout if line.strip()))
    reader.start()
    time.sleep(after)  # the moment itself is what is chosen
    powered.cut()
    writer.wait(30)
    reader.join(30)
    return told[-1]


@pytest.mark.limit(1200)
def test_power_cuts_leave_nothing_of_the_broker(powered, deb):
    seed = int(os.environ.get("LAB_SEED") or random.randrange(1 << 32))
    print(f"LAB_SEED={seed}")
    moments = random.Random(seed)
    put_tests(powered.workstation, deb.parent)
    churn = f"python3 -B {PLACE}/tests/lab/tests/broker_churn.py"
    powered.workstation.run("sync")
    for number in range(1, BROKER_CUTS + 1):
        with subprocess.Popen([*powered.workstation.ssh_command(), f"exec {churn} go"], stdin=subprocess.DEVNULL, stdout=subprocess.PIPE,
                              text=True) as process:
            assert process.stdout.readline()
            time.sleep(moments.uniform(0, 12))  # the moment itself is what is chosen
            powered.cut()
            steps = process.stdout.read().splitlines()
        powered.boot()
        found = powered.workstation.text(f"{churn} clear")
        print(f"cut {number}: after {len(steps)} steps, {found}, nothing left")
        assert steps, "it did something"
