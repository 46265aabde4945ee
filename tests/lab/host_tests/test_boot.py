# SPDX-License-Identifier: GPL-2.0-or-later
"""A workstation comes up, and nobody logs in: marked VMs run all the same."""

import json
import os

import pytest

from lab.harness import snapshots

pytestmark = pytest.mark.skipif(not os.environ.get("LAB_ALL"), reason="boots twice, minutes: with scripts/test --all, or LAB_ALL=yes")

CREATE = "banger vm create --no-start --image bare --memory 256 --disk-size 1G --name"
VM_SECONDS = 240


@pytest.fixture
def workstation(suite, deb, run_folder, keep_results):
    snapshot = snapshots.installed(suite, deb)
    with snapshot.start(run_folder, snapshot.disks(run_folder), durable=True) as machine:  # which a reboot does not end
        yield machine
        keep_results(machine)


@pytest.mark.limit(900)
def test_marked_vms_come_up_with_the_machine(workstation):
    def alice(command):
        return workstation.text(command, user="alice", seconds=VM_SECONDS)

    def wait_for(condition):
        """As root: a login of alice's would start what is to start without one."""
        workstation.run(f"until {condition}; do sleep 1; done", seconds=VM_SECONDS)

    for name in ("marked", "unmarked"):
        alice(f"{CREATE} {name}")
    alice("banger vm set --autostart marked")
    assert "start with this machine" in alice("banger daemon enable --at-boot"), "polkit lets a user do that for himself"
    assert "at boot" in alice("banger daemon status")
    workstation.text("loginctl show-user alice -P Linger | grep yes")
    workstation.reboot()
    wait_for("[ \"$(systemctl --user -M alice@ is-active banger-autostart.service)\" = active ]")
    states = workstation.text("systemctl --user -M alice@ list-units --plain --no-legend 'banger-*-vmm.service' | wc -l")
    assert states == "1", "one runs, and nobody has logged in"
    rows = alice("banger vm list --format plain").splitlines()
    assert {row.split("\t")[0]: row.split("\t")[1] for row in rows} == {"marked": "running", "unmarked": "stopped"}
    assert alice("banger vm exec marked -- echo up") == "up"
    shown = json.loads(alice("banger vm show marked --json"))
    shown = shown[0] if isinstance(shown, list) else shown
    assert shown["network"] == "user", shown

    alice("banger daemon disable")
    assert workstation.text("test -e /var/lib/systemd/linger/alice; echo $?") == "1"
    workstation.reboot()
    assert alice("banger vm list --format plain marked").split("\t")[1] == "stopped"
