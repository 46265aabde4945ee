# SPDX-License-Identifier: GPL-2.0-or-later
"""README.md and man/ as tests read them: which commands and options they name, and which command lines they show."""

import dataclasses
import functools
import pathlib
import re

ROOT = pathlib.Path(__file__).resolve().parents[2]
MACROS = {"Ar", "Cm", "Fl", "Ic", "Li", "No", "Ns", "Oc", "Oo", "Op", "Pa", "Pq", "Ql", "Sx", "Xr"}
PUNCTUATION = {",", "|", ".", ":", ";", "=", "/", ")", "("}
# What a line of a code block begins with when it is a command.
PROGRAMS = ("banger", "apt", "busctl", "cmake", "git", "journalctl", "scp", "scripts/quickstart", "scripts/test", "ssh", "systemctl", "tar", "usermod",
            "/usr/libexec/banger/banger-broker")


@dataclasses.dataclass
class Command:
    """One of banger's, as a page has it."""
    page: str
    arguments: set  # words of its synopsis
    options: dict   # {frozenset of spellings: [words of its value]}


@functools.cache
def pages():
    """{"banger-vm.1": its text}"""
    return {path.name: path.read_text() for path in sorted((ROOT / "man").glob("*.[1-9]"))}


def readme():
    return (ROOT / "README.md").read_text()


def sections(text, macro="Sh"):
    """{heading: what is below it}"""
    parts = re.split(rf"(?m)^\.{macro} (.*)\n", text)
    return dict(zip(parts[1::2], parts[2::2]))


def words_of(line):
    """Of a macro's line, as roff takes them."""
    return [(quoted or word).replace("\\&", "").replace("\\-", "-") for quoted, word in re.findall(r'"([^"]*)"|(\S+)', line)]


def option_of(line):
    """`.It Fl q , -quiet Ar word` as ({"-q", "--quiet"}, ["word"])."""
    names, values, macro = set(), [], None
    for word in words_of(line)[1:]:
        if word in MACROS:
            macro = word
        elif word in PUNCTUATION:
            pass
        elif macro == "Fl":
            names.add(f"-{word}")
        elif macro == "Ar":
            values.append(word)
    return frozenset(names), values


def options_in(text):
    return dict(option_of(line) for line in re.findall(r"(?m)^\.It Fl .*$", text))


def _shared(body, page):
    """Options of the lists that a command's text names by .Sx, in this page or, with `No of`, in banger(1)."""
    found = {}
    for title, elsewhere in re.findall(r"(?m)^\.Sx ([A-Z ]+?)( No of)?(?: \.)?$", body):
        found |= options_in(sections(pages()["banger.1" if elsewhere else page])[title])
    return found


@functools.cache
def commands():
    """{"vm run": Command}, of all pages."""
    found = {}
    for page, text in pages().items():
        for name, body in sections(sections(text).get("COMMANDS", ""), "Ss").items():
            assert name not in found, f"{name} is in {found[name].page} and in {page}"
            synopsis = body.partition("\n.Pp\n")[0]
            arguments = set()
            for line in synopsis.splitlines():
                if ".Op Fl - " not in line:
                    arguments |= set(re.findall(r"[\w-]+", line.partition("Ar ")[2]))
            found[name] = Command(page, arguments, options_in(body) | _shared(body, page))
    return found


def root_options():
    """What stands before a command."""
    return options_in(sections(pages()["banger.1"])["OPTIONS"])


def groups():
    """"vm", "vm workspace": what other commands begin with."""
    return {" ".join(words[:count]) for words in map(str.split, commands()) for count in range(1, len(words))}


def _code_blocks(markdown):
    """Lines that are indented as code."""
    return [match.group(1) for match in re.finditer(r"(?m)^ {4,}(\S.*)$", markdown)]


def _is_command(line):
    return line.startswith("$ ") or (line.split(" ", 1)[0] in PROGRAMS and "---" not in line)


def examples():
    """(page or README.md, section, the line) of each command line that is shown by itself."""
    found = []
    for title, body in [("", readme().partition("\n## ")[0]), *_markdown_sections(readme())]:
        found += [("README.md", title, re.split(r"\s{2,}#", line)[0].strip()) for line in _code_blocks(body) if _is_command(line)]
    for page, text in pages().items():
        for title, body in sections(text).items():
            shown = [" ".join(words_of(line)) for line in re.findall(r"(?m)^\.Dl (.*)$", body)]
            for block in re.findall(r"(?ms)^\.Bd -literal.*?\n(.*?)^\.Ed$", body):
                shown += [line.removeprefix("$ ") for line in block.splitlines() if _is_command(line)]
            found += [(page, title, line) for line in shown]
    return found


def _markdown_sections(text):
    parts = re.split(r"(?m)^## (.*)\n", text)
    return list(zip(parts[1::2], parts[2::2]))


def mentions():
    """(where, words) of each `banger …` within a sentence; words without banger."""
    found = []
    for line in re.findall(r"`banger ([^`]*)`", readme()):
        found.append(("README.md", line.split()))
    for page, text in pages().items():
        for line in re.findall(r"(?m)^\.(?:Pq )?(?:Ic|Ql) banger (.*)$", text) + re.findall(r"(?m)^\.It Ic banger (.*)$", text):
            words = []
            for word in words_of(line):
                if word in PUNCTUATION or word in MACROS:
                    break
                words.append(word)
            if words:
                found.append((page, words))
    return found


def calls_in(line):
    """Words of each `banger` in a shell line, without banger itself."""
    parts = re.split(r"\s(?:\||&&|;)\s", line)
    return [part.split()[1:] for part in parts if part.split()[0] == "banger"]


def problem_of(words):
    """What is wrong with the words of a call; "" when there is nothing."""
    known, path = commands(), []
    aliases = {"ls": "list", "rm": "delete"}
    rest = list(words)
    while rest and rest[0].startswith("-"):
        values = {spelling: value for names, value in root_options().items() for spelling in names}
        if rest[0] == "--help":
            return ""
        if rest[0].split("=", 1)[0] not in values:
            return f"banger has no {rest[0]}"
        taken = 2 if values[rest[0].split("=", 1)[0]] and "=" not in rest[0] else 1
        rest = rest[taken:]
        if not rest:
            return ""
    while rest and (" ".join([*path, aliases.get(rest[0], rest[0])]) in known.keys() | groups()):
        path.append(aliases.get(rest[0], rest[0]))
        rest.pop(0)
    name = " ".join(path)
    if not path or (name in groups() and rest and not rest[0].startswith("-")):
        return f"there is no command {' '.join(words)}"
    options = set().union(*known[name].options) if name in known else set()
    for word in rest[:rest.index("--")] if "--" in rest else rest:
        spelling = word.split("=", 1)[0]
        if word.startswith("-") and word != "-" and spelling not in options | {"--help"}:
            return f"banger {name} has no {spelling}"
    return ""


def path_of(words):
    """Of a call that is right: "vm run"."""
    line = f" {' '.join(words)} "
    return max((name for name in commands() if f" {name} " in line.partition(" -- ")[0] + " "), key=len, default="")
