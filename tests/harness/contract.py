# SPDX-License-Identifier: GPL-2.0-or-later
"""dbus/dev.banger.*.xml and introspection answers in one comparable form."""

import xml.etree.ElementTree as ElementTree

from .home import STAGE

EMITS = "org.freedesktop.DBus.Property.EmitsChangedSignal"
ASYNC = "org.freedesktop.DBus.Method.Async"  # for sdbus-c++'s generator alone; it isn't exported


def _annotations(element):
    found = {annotation.get("name"): annotation.get("value") for annotation in element.findall("annotation") if annotation.get("name") != ASYNC}
    if element.tag == "property":
        found.setdefault(EMITS, "true")
    return found


def _members(interface):
    members = {}
    for element in interface:
        if element.tag in ("method", "signal"):
            default = "in" if element.tag == "method" else "out"
            arguments = [(arg.get("type"), arg.get("direction", default), arg.get("name")) for arg in element.findall("arg")]
            members[element.get("name")] = (element.tag, arguments, _annotations(element))
        elif element.tag == "property":
            members[element.get("name")] = ("property", element.get("type"), element.get("access"), _annotations(element))
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
