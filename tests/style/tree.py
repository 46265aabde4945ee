# SPDX-License-Identifier: GPL-2.0-or-later
"""The source tree as the style tests see it."""

import functools
import pathlib
import re
import subprocess

ROOT = pathlib.Path(__file__).resolve().parents[2]
PROGRAM_FOLDERS = ("agent", "broker", "cli", "common", "dbus", "guest")
SCRIPT_FOLDERS = ("scripts", ".ci", "bench", "package", "tests")


@functools.cache
def all_files():
    """Every file that git tracks or would track, relative to ROOT, sorted."""
    command = ["git", "-C", str(ROOT), "ls-files", "--cached", "--others", "--exclude-standard"]
    listed = subprocess.run(command, capture_output=True, text=True)
    if listed.returncode == 0:
        names = listed.stdout.splitlines()
    else:  # an unpacked archive
        names = [str(path.relative_to(ROOT)) for path in ROOT.rglob("*") if path.is_file()]
        names = [name for name in names if not name.startswith(("build/", ".git/")) and "__pycache__" not in name]
    return sorted(pathlib.PurePath(name) for name in names if (ROOT / name).is_file())


def sources(*folders, suffixes=(".cpp", ".hpp", ".h", ".c")):
    return [path for path in all_files() if path.parts[0] in folders and path.suffix in suffixes]


@functools.cache
def text(path):
    return (ROOT / path).read_text(encoding="utf-8")


def lines(path):
    """(number, line) pairs, from 1."""
    return list(enumerate(text(path).splitlines(), 1))


def includes(path):
    """(line number, what stands between the brackets or quotes) of each #include."""
    pattern = re.compile(r'\s*#\s*include\s*[<"]([^>"]+)[>"]')
    return [(number, match.group(1)) for number, line in lines(path) if (match := pattern.match(line))]


def code_lines(path):
    """(number, line) without comments and without the contents of string literals."""
    stripped = re.sub(r"/\*.*?\*/", lambda match: "\n" * match.group(0).count("\n"), text(path), flags=re.S)
    for number, line in enumerate(stripped.splitlines(), 1):
        line = re.sub(r'"(?:[^"\\]|\\.)*"', '""', line)
        yield number, line.split("//", 1)[0]


def scripts():
    """Shell scripts: by their first line, plus what they source."""
    found = []
    for path in all_files():
        if path.parts[0] not in SCRIPT_FOLDERS or path.suffix in (".py", ".md", ".cpp"):
            continue
        with open(ROOT / path, "rb") as file:
            head = file.read(200)
        if re.match(rb"#!\s*/(usr/)?bin/(env )?(ba|da)?sh", head) or b"shellcheck shell" in head:
            found.append(path)
    return found
