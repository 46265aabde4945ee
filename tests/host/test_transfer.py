# SPDX-License-Identifier: GPL-2.0-or-later
"""`banger vm export` and `vm import` of a guest that runs: what was written in it is there on the other side."""

import json
import subprocess

import pytest

from conftest import BOOT_SECONDS, world_of
from harness.long import only_with_all

pytestmark = pytest.mark.limit(600)


def test_a_vm_moves_with_all_that_is_in_it(cache, make_vm):
    vm = make_vm()
    vm.exec("echo kept >/root/kept; echo kept >/kept")
    identity = vm.exec("cat /etc/machine-id")
    refused = vm.home.banger("vm", "export", vm.name)
    assert refused.returncode == 6 and "banger vm stop" in refused.stderr
    with world_of(cache, "target") as target:
        exporting = vm.home.start("vm", "export", "--stop", vm.name, "-o", "-", text=False)
        imported = subprocess.run(target.command("vm", "import", "-", "--name", "moved", "--json"), env=target.env, stdin=exporting.stdout,
                                  capture_output=True, text=True, timeout=300)
        exporting.stdout.close()
        exporting.stderr.close()
        assert (exporting.wait(60), imported.returncode) == (0, 0), imported.stderr
        assert json.loads(imported.stdout)["other_kernel"] is False
        assert target.show("moved")["root_used_bytes"] < vm.show()["root_used_bytes"] + (64 << 20), "sparse stays sparse"
        target.banger("vm", "start", "moved", check=True, timeout=BOOT_SECONDS)
        done = target.banger("vm", "exec", "moved", "--", "cat", "/root/kept", "/kept", "/etc/machine-id", check=True)
        assert done.stdout == f"kept\nkept\n{identity}\n", "and it is the same machine"
        target.banger("vm", "delete", "-f", "moved", check=True)
    assert vm.state() == "stopped"
    vm.do("start")
    assert vm.exec("cat /kept") == "kept", "an export takes nothing away"


@only_with_all("half a minute, and the other import is as long")
def test_a_copy_may_be_another_machine(make_vm):
    vm = make_vm("--no-start")
    home = vm.home
    vm.do("start")
    identity = vm.exec("cat /etc/machine-id")
    home.banger("vm", "export", "--stop", vm.name, "-f", "-o", "copy.tar.gz", check=True, timeout=300)
    copy = f"{vm.name}-copy"
    home.banger("vm", "import", "copy.tar.gz", "--name", copy, "--new-identity", check=True, timeout=300)
    try:
        home.banger("vm", "start", copy, check=True, timeout=BOOT_SECONDS)
        assert home.banger("vm", "exec", copy, "--", "cat", "/etc/machine-id", check=True).stdout.strip() != identity
    finally:
        home.banger("vm", "delete", "-f", copy)
        (home.root / "copy.tar.gz").unlink()
