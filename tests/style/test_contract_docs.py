# SPDX-License-Identifier: GPL-2.0-or-later
"""dbus/*.xml of our own: each member is documented, and the errors it names are those of common/error.cpp."""

import pathlib
import re
import xml.etree.ElementTree as ElementTree

import pytest

import tree

OWN = [path for path in tree.all_files() if path.parts[0] == "dbus" and re.fullmatch(r"dev\.banger\.\w+\.xml", path.name)]
# Other people's interfaces that we serve, or use no more of than their XML shows.
FOREIGN = [path for path in tree.all_files() if str(path) in (
    "dbus/org.gnome.Shell.SearchProvider2.xml", "dbus/org.kde.krunner1.xml", "dbus/org.freedesktop.Notifications.xml")]
ASYNC = "org.freedesktop.DBus.Method.Async"
EMITS = "org.freedesktop.DBus.Property.EmitsChangedSignal"
ALLOWED = {ASYNC: {"server", "clientserver"}, EMITS: {"const", "invalidates", "false", "true"}, "org.freedesktop.DBus.Deprecated": {"true"}}


def elements_with_comments(path):
    """(element, comment just before it) for each element; like reviewers, readers of the XML look right above a member."""
    parser = ElementTree.XMLParser(target=ElementTree.TreeBuilder(insert_comments=True))
    root = ElementTree.parse(tree.ROOT / path, parser).getroot()
    found = []

    def walk(node):
        comment = ""
        for child in node:
            if child.tag is ElementTree.Comment:
                comment = child.text
            else:
                found.append((child, comment))
                comment = ""
                walk(child)

    walk(root)
    return found


def members():
    for path in OWN + FOREIGN:
        for element, comment in elements_with_comments(path):
            if element.tag in ("interface", "method", "signal", "property"):
                yield pytest.param(element, comment, id=f"{path.name}-{element.get('name')}")


@pytest.mark.parametrize("element, comment", list(members()))
def test_member_is_documented(element, comment):
    name = element.get("name")
    assert re.match(rf"\s*{re.escape(name)}:\s+\S", comment), f"the comment before {name} begins with `{name}: `"
    assert re.search(r"\bSince: \d+\.", comment), f"{name} says since which version of the interface"
    described = re.findall(r"^\s*@(\w+):\s+\S", comment, re.M)
    arguments = [argument.get("name") for argument in element.findall("arg")]
    assert described == arguments, f"{name}: @ lines {described}, arguments {arguments}"
    assert all(argument.get("name") for argument in element.findall("arg"))


@pytest.mark.parametrize("path", OWN, ids=str)
def test_annotations_have_values_that_both_generators_know(path):
    for element, _ in elements_with_comments(path):
        if element.tag == "annotation":
            assert element.get("name") in ALLOWED, element.get("name")
            assert element.get("value") in ALLOWED[element.get("name")], f"{element.get('name')}={element.get('value')}"


def named_in_xml(path):
    names = set()
    for _, comment in elements_with_comments(path):
        for sentence in re.findall(r"\bErrors:\s+(.*?)(?:\.\s|\.$|\Z)", comment, re.S):
            names |= set(re.findall(r"\b[A-Z]\w+", re.sub(r"\([^)]*\)", "", sentence)))
    return names - {"Since"}


def table():
    source = (tree.ROOT / "common/error.cpp").read_text()
    return re.findall(r'ErrorCode::(\w+), "dev\.banger\.Error\.(\w+)"', source)


def test_error_codes_and_bus_names_are_the_same_words():
    assert table() and all(code == name for code, name in table())
    header = (tree.ROOT / "common/error.hpp").read_text()
    enum = re.search(r"enum class ErrorCode \{(.*?)\};", header, re.S).group(1)
    assert re.findall(r"^\s*(\w+),", enum, re.M) == [code for code, _ in table()], "the table keeps the order of the enum"


def test_each_error_that_the_contract_names_is_in_the_table():
    known = {name for _, name in table()}
    assert len(FOREIGN) == 3
    for path in OWN + FOREIGN:
        assert named_in_xml(path) <= known, f"{path}: {sorted(named_in_xml(path) - known)}"


def test_each_error_of_the_table_is_named_by_a_contract():
    # Any member may answer these two; the contracts say so once, in their first comment.
    everywhere = {"Unavailable", "Internal"}
    # Named by an Operation's failure, not by the method that began it; or the CLI's own.
    elsewhere = {"TimedOut", "Cancelled", "NotAuthorized"}
    named = set().union(*(named_in_xml(path) for path in OWN))
    unnamed = {name for _, name in table()} - named - everywhere - elsewhere
    assert not unnamed, sorted(unnamed)


def test_general_errors_are_explained_at_the_top():
    for path in OWN:
        head = pathlib.Path(tree.ROOT / path).read_text().split("<method", 1)[0]
        for name in ("Unavailable", "Internal"):
            assert name in head, f"{path}: {name}"


def test_names_follow_the_house_style():
    for path in OWN:
        for element, _ in elements_with_comments(path):
            if element.tag in ("method", "signal", "property"):
                assert re.fullmatch(r"[A-Z][A-Za-z0-9]*", element.get("name")), element.get("name")
            if element.tag == "arg":
                assert re.fullmatch(r"[a-z][a-z0-9_]*", element.get("name")), element.get("name")
