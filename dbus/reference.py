#!/usr/bin/python3
# SPDX-License-Identifier: GPL-2.0-or-later
"""reference.py XML WHAT DATE: a manual page (mdoc) of the interfaces in XML, from the comments before their members.

gdbus-codegen was tried for this: it prints nothing of a result's comment, and of an argument's only the first line. The grammar of the comments is
the one that tests/style/test_contract_docs.py demands:

    <!-- Name: text, or
         @argument: text, whose further lines
                    are indented deeper
         text of the member itself -->
"""

import re
import sys
import textwrap
import xml.etree.ElementTree as ElementTree

WIDTH = 100
EMITS = "org.freedesktop.DBus.Property.EmitsChangedSignal"
CHANGES = {"const": "It never changes.", "invalidates": "PropertiesChanged tells of a change, without the value.",
           "false": "Changes are not told.", "true": "PropertiesChanged tells each change, with the value."}
KINDS = (("method", "Methods"), ("signal", "Signals"), ("property", "Properties"))


class Comment:
    """What stands before an element: text of its own, and of each argument."""

    def __init__(self, name, comment):
        lines = comment.expandtabs().strip("\n").splitlines()
        head, _, first = lines[0].partition(":")
        if head.strip() != name:
            raise ValueError(f"the comment before {name} begins with {head.strip()!r}")
        self.arguments = {}
        own = [first.strip()] if first.strip() else []
        current, indent = None, 0
        for line in lines[1:]:
            depth = len(line) - len(line.lstrip())
            begins = re.match(r"@(\w+):\s+(.*)", line.strip())
            if begins:
                current, indent = begins[1], depth
                self.arguments[current] = begins[2]
            elif current and line.strip() and depth > indent:
                self.arguments[current] += " " + line.strip()
            else:
                current = None
                own.append(line.strip())
        self.paragraphs = [" ".join(paragraph.split()) for paragraph in re.split(r"\n\s*\n", "\n".join(own)) if paragraph.strip()]


def interfaces_of(text):
    """The file's own comment without its licence line, and (interface, comment, [(member, comment)…]) of each interface."""
    parser = ElementTree.XMLParser(target=ElementTree.TreeBuilder(insert_comments=True))
    root = ElementTree.fromstring(text, parser)
    head = re.search(r"<!--(.*?)-->", text[:text.index("<node")], re.S)
    found = []
    for interface, comment in _with_comments(root):
        if interface.tag == "interface":
            members = [(member, Comment(member.get("name"), words)) for member, words in _with_comments(interface) if member.tag != "annotation"]
            found.append((interface, Comment(interface.get("name"), comment), members))
    return head[1] if head else "", found


def _with_comments(node):
    comment = ""
    for child in node:
        if child.tag is ElementTree.Comment:
            comment = child.text
        else:
            yield child, comment
            comment = ""


def escaped(text):
    """One line of plain text for roff; what is in backticks becomes bold, with real minus signs. Names are not hyphenated."""
    def piece(part, code):
        part = part.replace("\\", "\\e").replace("^", "\\(ha").replace("~", "\\(ti")
        part = re.sub(r"(?<![^\s(])(?=\S*(?:[a-z][A-Z]|\w_\w|\w\.\w|\w/\w))", r"\\%", part)
        return part.replace("-", "\\-") if code else part

    parts = text.split("`")
    line = "".join(f"\\fB{piece(part, True)}\\fR" if number % 2 else piece(part, False) for number, part in enumerate(parts))
    return "\\&" + line if line[:1] in (".", "'") else line


def flow(text):
    """A paragraph as lines. A `code` that a line's end would cut stays in one."""
    tied = re.sub(r"`[^`]*`", lambda code: code[0].replace(" ", "\0"), text)
    lines = textwrap.wrap(tied, WIDTH, break_long_words=False, break_on_hyphens=False)
    return [escaped(line.replace("\0", " ")) for line in lines]


def head_of(comment):
    """The file's comment: paragraphs; one with columns is left as it is, and the one with the licence is for the file's readers alone."""
    lines = []
    for block in re.split(r"\n\s*\n", textwrap.dedent(comment.strip("\n"))):
        rows = [row for row in block.splitlines() if row.strip()]
        if not rows or "SPDX-License-Identifier" in block:
            continue
        lines.append(".Pp")
        if any(re.search(r"\S {2,}\S", row) for row in rows):
            lines += [".Bd -literal", *(escaped(row.replace("`", "")) for row in rows), ".Ed"]
        else:
            lines += flow(" ".join(" ".join(rows).split()))
    return lines


def signature_of(member):
    def listed(direction):
        default = "out" if member.tag == "signal" else "in"
        return ", ".join(f"{arg.get('name')} {arg.get('type')}" for arg in member.findall("arg") if arg.get("direction", default) == direction)

    if member.tag == "property":
        return f"{member.get('name')} {member.get('type')}"
    if member.tag == "signal":
        return f"{member.get('name')}({listed('out')})"
    results = listed("out")
    return f"{member.get('name')}({listed('in')})" + (f" -> ({results})" if results else "")


def change_of(member):
    for annotation in member.findall("annotation"):
        if annotation.get("name") == EMITS:
            return CHANGES[annotation.get("value")]
    return CHANGES["true"]


def member_page(member, comment):
    yield f".It Ic {member.get('name')}"
    yield ".Bd -literal -compact"
    yield from textwrap.wrap(signature_of(member), WIDTH - 20, subsequent_indent="    ", break_on_hyphens=False)
    yield ".Ed"
    for paragraph in comment.paragraphs:
        yield from flow(paragraph)
        yield ".Pp"
    if member.tag == "property":
        yield change_of(member)
    arguments = member.findall("arg")
    if arguments:
        yield ".Bl -tag -width Ds -compact"
        for argument in arguments:
            yield f".It Va {argument.get('name')}"
            yield from flow(comment.arguments[argument.get("name")])
        yield ".El"


def page(text, what, date):
    head, interfaces = interfaces_of(text)
    name = ".".join(interfaces[0][0].get("name").split(".")[:3])
    yield '.\\" SPDX-License-Identifier: GPL-2.0-or-later'
    yield f'.\\" Made by dbus/reference.py from {name}.xml: changes belong there.'
    yield from (f".Dd {date}", f".Dt {name.upper()} 7", ".Os", ".Sh NAME", f".Nm {name}", f".Nd {what}", ".Sh DESCRIPTION")
    yield from (line for number, line in enumerate(head_of(head)) if number or line != ".Pp")
    for interface, comment, members in interfaces:
        yield f".Sh {interface.get('name')}"
        for number, paragraph in enumerate(comment.paragraphs):
            yield from ([".Pp"] if number else [])
            yield from flow(paragraph)
        for tag, title in KINDS:
            of_kind = [pair for pair in members if pair[0].tag == tag]
            if of_kind:
                yield f".Ss {title}"
                yield ".Bl -tag -width Ds"
                for pair in of_kind:
                    yield from member_page(*pair)
                yield ".El"
    yield from (".Sh SEE ALSO", ".Xr banger 1 ,", ".Xr busctl 1 ,", ".Xr gdbus 1")


def main():
    if len(sys.argv) != 4:
        sys.exit(__doc__)
    with open(sys.argv[1], encoding="utf-8") as file:
        print("\n".join(page(file.read(), *sys.argv[2:])))


if __name__ == "__main__":
    main()
