# SPDX-License-Identifier: GPL-2.0-or-later
"""The broker's requirements, R01 to R33: each has tests of its name, and a row in broker/README.md."""

import re

import tree

REQUIREMENTS = [f"R{number:02}" for number in range(1, 34)]


def numbered():
    """{requirement: tests that have its number in their name}"""
    found = {}
    for path in tree.sources("tests", suffixes=(".cpp", ".py")):
        names = re.findall(r"(?m)^TEST(?:_F|_P)?\(\w+, (\w+)\)|^def test_(\w+)\(", tree.text(path))
        for name in (cpp or python for cpp, python in names):
            for number in re.findall(r"(?:^|_)[Rr](\d\d)(?=_|[A-Z])", name):
                found.setdefault(f"R{number}", []).append(f"{path}: {name}")
    return found


def test_each_requirement_of_the_broker_has_a_test_of_its_name():
    found = numbered()
    assert sum(map(len, found.values())) > 60, "the check sees what it looks for"
    assert sorted(found) == REQUIREMENTS


def test_each_requirement_of_the_broker_has_a_row_that_says_where_it_is_met():
    rows = re.findall(r"(?m)^\| (R\d\d(?:, R\d\d)*) \|", tree.text(tree.pathlib.PurePath("broker/README.md")))
    assert sorted(number for row in rows for number in row.split(", ")) == REQUIREMENTS
