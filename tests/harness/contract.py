# SPDX-License-Identifier: GPL-2.0-or-later
"""dbus/dev.banger.*.xml and introspection answers in one comparable form."""

import xml.etree.ElementTree as ElementTree

from .home import STAGE

EMITS = "org.freedesktop.DBus.Property.EmitsChangedSignal"


def _annotation(element, name, default):
    for annotation in element.findall("annotation"):
        if annotation.get("name") == name:
            return annotation.get("value")
    return default


def _members(interface):
    members = {}
    for element in interface:
        if element.tag in ("method", "signal"):
            default = "in" if element.tag == "method" else "out"
            members[element.get("name")] = (element.tag, [(arg.get("type"), arg.get("direction", default)) for arg in element.findall("arg")])
        elif element.tag == "property":
            members[element.get("name")] = ("property", element.get("type"), element.get("access"), _annotation(element, EMITS, "true"))
    return members


def read_interface(xml, name):
    """{member: what a caller sees of it}"""
    for interface in ElementTree.fromstring(xml).iter("interface"):
        if interface.get("name") == name:
            return _members(interface)
    raise AssertionError(f"{name} is not exported")


def interface_of_xml(name):
    """Of dev.banger.X.Y the file is dev.banger.X.xml."""
    file = ".".join(name.split(".")[:3]) + ".xml"
    return read_interface((STAGE / "dbus" / file).read_text(), name)
