# SPDX-License-Identifier: GPL-2.0-or-later
"""verify.sh --nat as alice, on a workstation without sudo; and what only root sees of it: the host's rules come and go."""

import pathlib
import shutil

import pytest

import broker_world as world
from harness import wait
from long import only_with_all

SCRIPT = pathlib.Path(__file__).resolve().parents[3] / "verify.sh"


def rules():
    return world.sh("nft list ruleset") + world.sh("dmsetup ls") + world.sh("losetup -a") + world.sh("sysctl net.ipv4.conf.all.forwarding")


@pytest.mark.limit(900)
@only_with_all("five minutes, and the same without NAT is among the host's tests")
def test_the_whole_workflow_goes_well_with_nat_and_the_host_is_as_before(alice):
    assert shutil.which("sudo") is None
    before = rules()
    script = "/home/alice/verify.sh"
    shutil.copy(SCRIPT, script)
    running = alice.start(f"sh -c 'chmod u+x verify.sh 2>/dev/null; bash {script} --nat >verify.log 2>&1'")
    try:
        wait.until(lambda: "banger" in world.sh("nft list tables") or running.poll() is not None, 300, "its NAT stands in nftables")
        assert running.poll() is None, alice.run("cat verify.log").stdout
        assert running.wait(timeout=600) == 0, alice.run("cat verify.log").stdout
    finally:
        running.kill()
        running.wait()
    wait.until(lambda: rules() == before, 40, "the host is as it was before")
