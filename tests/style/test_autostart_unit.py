# SPDX-License-Identifier: GPL-2.0-or-later
"""banger-autostart.service: systemd takes it, its command is one of banger's, and its lines have their reasons."""

import re
import shutil
import subprocess

import pytest

import tree

UNIT = tree.ROOT / "systemd" / "banger-autostart.service.in"


@pytest.mark.skipif(shutil.which("systemd-analyze") is None, reason="no systemd-analyze here")
def test_systemd_takes_the_unit(tmp_path):
    unit = tmp_path / "banger-autostart.service"

    def verify(text):
        unit.write_text(text.replace("@BANGER@", "/bin/true"))
        done = subprocess.run(["systemd-analyze", "verify", "--user", "--man=no", unit], capture_output=True, text=True, env={"XDG_RUNTIME_DIR": str(tmp_path), "PATH": "/usr/bin:/bin"})
        return [line for line in done.stderr.splitlines() if "banger" in line]

    assert verify(UNIT.read_text()) == []
    assert verify(UNIT.read_text().replace("Restart=on-failure", "Restart=always")), "the check sees what it looks for"


def test_it_is_enabled_by_the_name_that_the_cli_enables():
    constant = re.search(r'autostart_unit = "(.*?)"', (tree.ROOT / "cli/connect/boot.hpp").read_text()).group(1)
    assert constant == UNIT.name.removesuffix(".in")
    assert re.search(r"(?m)^WantedBy=default\.target$", UNIT.read_text())
    link = re.search(r'"systemd/user/(\S+)\.wants"', (tree.ROOT / "cli/connect/boot.cpp").read_text()).group(1)
    assert link == "default.target"


def test_its_command_is_documented():
    words = re.search(r"(?m)^ExecStart=@BANGER@ (.*)$", UNIT.read_text()).group(1).split()
    manual = (tree.ROOT / "man/banger-vm.1").read_text()
    assert words[:2] == ["vm", "start"] and "--marked" in words
    assert "-marked" in manual


def test_each_line_has_its_reason():
    told = (tree.ROOT / "systemd/README.md").read_text().partition("## VMs that start by themselves")[2].partition("\n## ")[0]
    for key in re.findall(r"(?m)^(\w+)=", UNIT.read_text()):
        if key not in ("Description", "Documentation", "ExecStart"):
            assert f"`{key}=" in told, key
