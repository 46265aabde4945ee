# SPDX-License-Identifier: GPL-2.0-or-later
"""A program in QEMU's place, started by bangerd as QEMU is: it tries to read its user's ssh key and what else is none of its VM's."""

import json
import os

import pytest

from harness import spy, wait

pytestmark = pytest.mark.limit(400)


def test_what_stands_in_qemu_s_place_sees_its_own_vm_alone(own_world, make_vm):
    home = own_world
    rows = json.loads(home.banger("doctor", "--json").stdout)
    view = next(row for row in rows if row["check"] == "VMM's view")
    if view["verdict"] != "ok":
        pytest.skip(view["detail"])
    key = home.root / "home" / ".ssh" / "id_ed25519"
    key.parent.mkdir(mode=0o700)
    key.write_text("secret")
    key.chmod(0o600)
    other = make_vm(home=home)
    shown = other.show()
    other_disk = home.vms_folder / shown["id"] / "root.img"
    folder = home.root / "stand-in"
    folder.mkdir()
    socket = next(path for path in home.runtime.rglob("*") if path.is_socket())
    spy.put(folder / "qemu-system-x86_64", {"key": key, "disk": other_disk, "database": home.database, "bus": socket, "process": shown["pid"]})
    home.banger("vm", "create", "--name", "spied", "--no-start", "--vmm", "qemu-tcg", "--memory", "256", check=True, timeout=120)
    home.kill_bangerd()
    home.env["PATH"] = f"{folder}:{home.env['PATH']}"
    assert home.banger("vm", "start", "spied", timeout=120).returncode != 0, "a spy boots nothing"
    log = home.vms_folder / home.show("spied")["id"] / "qemu.log"
    wait.until(lambda: log.exists() and "spy: " in log.read_text(), 10, "the spy has tried")
    found = spy.report(log.read_text())
    assert spy.got(found) == spy.ITS_OWN, found
    assert oct(os.stat(key).st_mode & 0o777) == oct(0o600)
    home.banger("vm", "delete", "-f", "spied", check=True)


def test_a_real_qemu_is_confined_and_has_no_capability(world, shared_vm):
    pid = world.show(shared_vm)["pid"]
    status = dict(line.split(":\t", 1) for line in open(f"/proc/{pid}/status").read().splitlines() if ":\t" in line)
    assert status["NoNewPrivs"] == "1" and int(status["Seccomp_filters"]) >= 2, "banger-confine's filter and QEMU's own"
    assert int(status["CapEff"], 16) == 0
