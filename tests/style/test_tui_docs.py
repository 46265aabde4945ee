# SPDX-License-Identifier: GPL-2.0-or-later
"""The keys of `banger tui`: the tables in the code are what the manual lists, pane by pane."""

import re

import tree

TABLES = {"vm_keys": "Virtual machines:", "image_keys": "Images:", "operation_keys": "Operations:", "host_keys": "The host:"}


def keys_in_code(table):
    source = (tree.ROOT / "cli/tui/keys.cpp").read_text()
    body = re.search(rf"constexpr std::array {table}\{{(.*?)\}};\n", source, re.S).group(1)
    return re.findall(r"KeyInfo\{'(.)'", body)


def keys_in_manual(title):
    screen = re.search(r"(?s)\.Sh THE SCREEN\n(.*?)\n\.Sh ", (tree.ROOT / "man/banger-tui.1").read_text()).group(1)
    listed = re.search(rf"(?s)^{re.escape(title)}\n\.Bl .*?\n(.*?)\n\.El", screen, re.M).group(1)
    return re.findall(r"(?m)^\.It Ic (\S)$", listed)


def test_each_pane_s_keys_are_in_the_manual_and_no_others():
    # What only changes how the list looks is no row of the table.
    looks = {"vm_keys": ["l", "o"]}
    for table, title in TABLES.items():
        found = keys_in_code(table)
        assert found, "the check sees what it looks for"
        assert found + looks.get(table, []) == keys_in_manual(title), table
