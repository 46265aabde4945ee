# SPDX-License-Identifier: GPL-2.0-or-later
"""What `banger vm show --json` tells is what its manual says. That bangerd tells just this: tests/host/test_commands.py, whose list this reads."""

import ast
import pathlib
import re

REPO = pathlib.Path(__file__).resolve().parents[2]


def test_the_manual_has_each_member_and_no_other():
    tree = ast.parse((REPO / "tests/host/test_commands.py").read_text())
    shown = next(ast.literal_eval(node.value) for node in tree.body if isinstance(node, ast.Assign) and node.targets[0].id == "SHOWN")
    section = re.search(r"(?s)\.Sh WHAT VM SHOW TELLS\n(.*?)\n\.Sh ", (REPO / "man/banger-vm.1").read_text()).group(1)
    documented = {name for line in re.findall(r"(?m)^\.It Li (.*)$", section) for name in line.split(" , ")}
    assert documented == shown
