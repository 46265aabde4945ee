# SPDX-License-Identifier: GPL-2.0-or-later
"""The system bus ends and comes back beneath a VM that has its disk and network from the broker. In a workstation of its own: logind, polkit and
others lose that bus, too."""

import pytest

from lab.harness import snapshots

CREATE = "banger vm create --image bare --memory 256 --disk-size 1G --nat --name"
VM_SECONDS = 180


@pytest.fixture
def workstation(suite, deb, run_folder, keep_results):
    with snapshots.installed(suite, deb).start(run_folder) as machine:
        yield machine
        keep_results(machine)


@pytest.mark.limit(600)
def test_vms_outlive_the_system_bus_and_the_broker_comes_back(workstation):
    def alice(command):
        return workstation.text(command, user="alice", seconds=VM_SECONDS)

    alice(f"{CREATE} before")
    alice("banger vm exec before -- sh -c 'echo kept >/kept'")
    bangerd = alice("pgrep -xu alice bangerd")
    workstation.run("systemctl restart dbus")
    assert alice("banger vm exec before -- cat /kept") == "kept"
    alice("banger vm set before --no-nat")
    assert workstation.text("systemctl is-active banger-broker") == "active"
    alice(f"{CREATE} after")
    assert alice("banger vm exec after -- stat -f -c %T /"), "its disk works"
    alice("banger vm stop before && banger vm start before")
    assert alice("banger vm exec before -- cat /kept") == "kept"
    alice("banger vm delete -f before after")
    workstation.run("while (dmsetup ls; losetup -a; ip -o link; nft list ruleset) | grep -E 'banger|bgr'; do sleep 0.2; done", seconds=20)
    assert alice("pgrep -xu alice bangerd") == bangerd, "it is the same one"
