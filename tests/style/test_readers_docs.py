# SPDX-License-Identifier: GPL-2.0-or-later
"""README.md and its neighbours: what they name is there, and the version that they speak of is this one."""

import re

import pytest

import tree

DOCUMENTS = ["README.md", "CONTRIBUTING.md", "CHANGELOG.md", "SECURITY.md"]
FOLDERS = "agent|bench|broker|cli|common|dbus|desktop|guest|man|package|polkit|scripts|systemd|tests"


def paths_in(text):
    """Of this tree, with stars or without an ending where they stand for several."""
    found = re.findall(rf"(?<![\w/.~-])((?:{FOLDERS})/[\w./*+-]*)", text)
    found += re.findall(r"(?<![\w/.-])([A-Z]+\.md)\b", text)
    return [path.rstrip(".-") for path in found]


def is_there(path):
    return any(tree.ROOT.glob(path)) or any(tree.ROOT.glob(f"{path.rstrip('/')}*"))


@pytest.mark.parametrize("document", DOCUMENTS)
def test_each_path_that_is_named_exists(document):
    named = paths_in((tree.ROOT / document).read_text())
    assert named, "the check sees what it looks for"
    assert not [path for path in named if not is_there(path)]


def test_the_check_of_paths_sees_what_it_looks_for():
    assert paths_in("see `agent/core/task.hpp`, broker/README.md. and CONTRIBUTING.md, ~/cli/x, a/cli/y") == \
        ["agent/core/task.hpp", "broker/README.md", "CONTRIBUTING.md"]
    assert not is_there("agent/core/no-such.cpp") and is_there("agent/system/unix_socket") and is_there("dbus/*.xml")


def test_each_test_that_another_one_names_exists():
    named = {(path, name) for path in tree.all_files() if path.parts[0] == "tests" and path.suffix in (".py", ".hpp", ".cpp")
             for name in re.findall(r"(?<![\w/])tests/[\w/]+\.py\b", tree.text(path))}
    assert len(named) > 10, "the check sees what it looks for"
    assert not sorted(f"{path}: {name}" for path, name in named if not (tree.ROOT / name).exists())


def test_the_lab_s_test_in_ten_lines_is_one_that_runs():
    example = re.search(r"(?s)\n```python\n(.+?)```\n", (tree.ROOT / "tests/lab/README.md").read_text()).group(1)
    assert len(example.splitlines()) <= 10
    assert any("\n\n\n" + example + "\n" in tree.text(path) for path in tree.all_files() if path.match("tests/lab/tests/test_*.py"))


def test_the_newest_change_is_of_this_version():
    version = re.search(r"project\(banger VERSION (\S+)", (tree.ROOT / "CMakeLists.txt").read_text()).group(1)
    assert re.search(r"(?m)^## (\S+)", (tree.ROOT / "CHANGELOG.md").read_text()).group(1) == version


def test_one_address_takes_reports():
    address = re.search(r"PACKAGE_MAINTAINER \"[^<]*<(\S+)>", (tree.ROOT / "package/CMakeLists.txt").read_text()).group(1)
    assert address in (tree.ROOT / "SECURITY.md").read_text()


def test_the_readme_says_what_it_is_in_one_picture_and_how_it_works_on_one_screen():
    readme = (tree.ROOT / "README.md").read_text()
    assert "│" in readme.partition("\n## ")[0] and "│" not in readme.partition("\n## ")[2]
    works = readme.partition("\n## How it works\n")[2].partition("\n## ")[0]
    wrapped = sum(max(1, -(-len(line) // 160)) for line in works.strip().splitlines())
    assert 20 < wrapped <= 40, wrapped


def test_the_readme_compares_by_sources():
    readme = (tree.ROOT / "README.md").read_text()
    table = readme.partition("\n## Or something else\n")[2].partition("\n## ")[0]
    for name in ("Multipass", "Lima", "Incus", "Firecracker"):
        assert f"**{name}**" in table, f"when to take {name} instead"
    used, given = set(re.findall(r"\[(\d)\](?! \[)", table.partition("\n\nAs seen")[0])), set(re.findall(r"\[(\d)\] \[", table))
    assert used == given and len(given) > 5
