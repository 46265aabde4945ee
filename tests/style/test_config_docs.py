# SPDX-License-Identifier: GPL-2.0-or-later
"""The settings: each key of config.toml, and the variable that wins over it, stands in banger.toml(5), and the other way round."""

import re

import tree

SOURCE = (tree.ROOT / "agent/core/config_keys.cpp").read_text()
MANUAL = (tree.ROOT / "man/banger.toml.5").read_text()
ROW = r'(?:\{|path_key\()("\w+"|file_sync_key), "(\w*)"'


def section(title):
    """Of the manual, from its heading to the next."""
    return MANUAL.partition(f".Ss {title}\n")[2].partition("\n.S")[0]


def keys_of(function):
    body = SOURCE.partition(f"& {function}()\n")[2].partition("\n}\n")[0]
    return [(name.strip('"').replace("file_sync_key", "file_sync"), variable) for name, variable in re.findall(ROW, body)]


def items(text):
    """{key: its head}, as `.It Li key Pq type; default value`."""
    return dict(re.findall(r"(?m)^\.It Li (\w+)\s*(.*)$", text))


def test_keys_of_code_and_manual_are_the_same():
    top, vm, desktop = (keys_of(f"{table}_config_keys") for table in ("top", "vm", "desktop"))
    assert len(top) > 10 and len(vm) > 5 and desktop, "the check sees what it looks for"
    assert [name for name, _ in top] == list(items(section("Keys")))
    assert [name for name, _ in vm] == list(items(section("[vm_defaults]")))
    assert [name for name, _ in desktop] == list(items(section("[desktop]")))
    known = re.search(r"known\{(.*?)\};", (tree.ROOT / "agent/core/config_values.cpp").read_text()).group(1)
    assert re.findall(r'"(\w+)"', known) == list(items(section("[[file_sync]]")))


def test_each_key_has_a_type_a_meaning_and_a_default():
    for title in ("Keys", "[vm_defaults]", "[desktop]", "[[file_sync]]"):
        text = section(title)
        for name, head in items(text).items():
            assert re.match(r"Pq .+; (default|always there)", head), f"{name}: {head}"
            meaning = text.partition(f".It Li {name} ")[2].partition("\n")[2]
            assert meaning and not meaning.startswith(".It"), f"{name} says what it means"


def test_each_variable_is_in_the_manual():
    listed = [name for line in re.findall(r"(?m)^\.It Ev (.*)$", MANUAL) for name in re.findall(r"BANGER_\w+", line)]
    coded = [variable for function in ("top_config_keys", "vm_config_keys", "desktop_config_keys") for _, variable in keys_of(function) if variable]
    assert sorted(listed) == sorted(coded) and len(coded) == len(set(coded))


def test_what_the_manual_says_of_keys_without_effect_is_so():
    """A key that nothing reads but the file's reader says so, and no other does."""
    used = "\n".join((tree.ROOT / path).read_text() for path in tree.sources("agent", suffixes=(".cpp",))
                     if not str(path).startswith("agent/core/config"))
    text = section("Keys")
    for name in items(text):
        entry = text.partition(f".It Li {name} ")[2].partition("\n.It")[0]
        assert (re.search(rf"(->|\.){name}\b", used) is None) == ("Not in effect yet." in entry), name
