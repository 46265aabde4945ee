# SPDX-License-Identifier: GPL-2.0-or-later
"""The manual pages that dbus/reference.py makes of the interfaces: nothing of what the XML says is lost, and groff takes them."""

import importlib.util
import re
import shutil
import subprocess
import xml.etree.ElementTree as ElementTree

import pytest

import tree

NAMES = ["dev.banger.Agent1", "dev.banger.Broker1"]
_spec = importlib.util.spec_from_file_location("reference", tree.ROOT / "dbus" / "reference.py")
reference = importlib.util.module_from_spec(_spec)
_spec.loader.exec_module(reference)

SMALL = """<!-- SPDX-License-Identifier: GPL-2.0-or-later
     For the file's readers. -->
<node>
  <!-- dev.banger.Small1.Thing: .begins oddly. -->
  <interface name="dev.banger.Small1.Thing">
    <!-- Do:
         @what: the first line,
                its second line
         @done: `qemu-kvm` or ""
         What it does. Since: 1. -->
    <method name="Do">
      <arg name="what" type="s" direction="in"/>
      <arg name="done" type="b" direction="out"/>
    </method>
    <!-- Size: a number. Since: 1. -->
    <property name="Size" type="t" access="read">
      <annotation name="org.freedesktop.DBus.Property.EmitsChangedSignal" value="invalidates"/>
    </property>
  </interface>
</node>
"""


def xml_of(name):
    return (tree.ROOT / "dbus" / f"{name}.xml").read_text()


def page_of(text):
    return "\n".join(reference.page(text, "what it is", "July 1, 2026"))


def words_of(text):
    """Without roff's marks; in order."""
    text = re.sub(r"(?m)^\.(\w+) ?", "", text)
    for mark, character in (("\\%", ""), ("\\fB", ""), ("\\fR", ""), ("\\&", ""), ("\\-", "-"), ("\\(ha", "^"), ("\\(ti", "~"), ("\\e", "\\")):
        text = text.replace(mark, character)
    return text.split()


def is_within(words, page):
    """`words` come in `page` one after the other, with nothing between them."""
    return any(page[at:at + len(words)] == words for at, word in enumerate(page) if word == words[0])


def test_a_page_has_all_of_a_small_interface():
    page = page_of(SMALL)
    assert "For the file's readers" not in page
    assert "\n\\&.begins oddly." in page, "roff would take a line that begins with a full stop for a request"
    assert "Do(what s) -> (done b)" in page
    assert "the first line, its second line" in page
    assert "\\fBqemu\\-kvm\\fR" in page, "a name that is copied from the page is the name"
    assert "without the value" in page


@pytest.mark.parametrize("name", NAMES)
def test_every_member_and_argument_is_named_with_its_types(name):
    lines = page_of(xml_of(name)).splitlines()
    flat = " ".join(lines)
    for interface in ElementTree.fromstring(xml_of(name)).findall("interface"):
        assert f".Sh {interface.get('name')}" in lines
        for member in interface:
            if member.tag == "annotation":
                continue
            assert f".It Ic {member.get('name')}" in lines
            for argument in member.findall("arg"):
                assert f".It Va {argument.get('name')}" in lines
                assert f"{argument.get('name')} {argument.get('type')}" in flat


@pytest.mark.parametrize("name", NAMES)
def test_no_word_of_a_comment_is_lost(name):
    page = words_of(page_of(xml_of(name)))
    _, interfaces = reference.interfaces_of(xml_of(name))
    seen = 0
    for _, comment, members in interfaces:
        for own in [comment, *(words for _, words in members)]:
            for text in [*own.paragraphs, *own.arguments.values()]:
                assert is_within(text.replace("`", "").split(), page), text
                seen += 1
    assert seen > 40


@pytest.mark.parametrize("name", NAMES)
def test_what_the_reader_of_the_comments_keeps_is_what_is_written_there(name):
    """The other half: nothing is lost between the XML and reference.Comment, either."""
    kept = []
    head, interfaces = reference.interfaces_of(xml_of(name))
    kept += re.sub(r"\s+", " ", head).split()
    for interface, comment, members in interfaces:
        for element, own in [(interface, comment), *members]:
            kept.append(f"{element.get('name')}:")
            for argument, text in own.arguments.items():
                kept += [f"@{argument}:", *text.split()]
            kept += " ".join(own.paragraphs).split()
    written = " ".join(re.findall(r"<!--(.*?)-->", xml_of(name), re.S)).split()
    assert kept == written


def test_what_is_written_differently_is_refused():
    with pytest.raises(ValueError, match="Size"):
        page_of(SMALL.replace("Size: a number", "A number"))


def test_each_error_is_explained():
    codes = re.findall(r'ErrorCode::\w+, "dev\.banger\.Error\.(\w+)"', (tree.ROOT / "common/error.cpp").read_text())
    head = xml_of("dev.banger.Agent1").split("<node", 1)[0]
    assert re.findall(r"(?m)^  ([A-Z]\w+) {2,}\S", head) == codes


@pytest.mark.parametrize("name", NAMES)
def test_the_same_xml_gives_the_same_page(name):
    program = ["/usr/bin/python3", "-B", tree.ROOT / "dbus" / "reference.py", tree.ROOT / "dbus" / f"{name}.xml", "what it is", "July 1, 2026"]
    made = subprocess.run(program, capture_output=True, text=True, check=True).stdout
    assert made == page_of(xml_of(name)) + "\n"
    made.encode("ascii")


@pytest.mark.skipif(shutil.which("groff") is None, reason="no groff here")
@pytest.mark.parametrize("name", NAMES)
def test_groff_has_nothing_to_say(name):
    done = subprocess.run(["groff", "-mdoc", "-Tutf8", "-ww", "-z"], input=page_of(xml_of(name)), capture_output=True, text=True)
    assert (done.returncode, done.stderr) == (0, "")
