# SPDX-License-Identifier: GPL-2.0-or-later
"""The pages of man/ against the programs' own --help, both ways; and what they and README.md show that needs no guest, as it stands."""

import dataclasses
import re
import subprocess

import pytest

from harness import documented, manual
from harness.home import PREFIX


@dataclasses.dataclass
class Help:
    """What a --help lists."""
    verbs: list      # names alone, without aliases
    arguments: set
    options: dict    # {frozenset of spellings: [words of its value]}


def words_of_value(text):
    """`NAME[=VALUE]` as ["name", "value"]."""
    return [word.lower().replace("_", "-") for word in re.findall(r"[A-Z][A-Z_]*", text.removesuffix(":POSITIVE"))]


def read_help(text):
    found, section = Help([], set(), {}), ""
    for line in text.splitlines():
        if re.match(r"\w+:$", line):
            section = line
        elif not line.startswith("  "):
            section = ""
        elif match := re.match(r"  (\S+)(?: (\S+))?(?:  | ?$)", line):
            first, value = match.groups()
            if section == "Options:" and "--help" not in first:
                names = re.sub(r"\{.*?\}", "", first).split(",")
                found.options[frozenset(names)] = words_of_value(value or "")
            elif section == "Positionals:":
                found.arguments |= set(words_of_value(first))
        if section == "Subcommands:" and (match := re.match(r"  ([a-z][a-z-]*)[, ]", line)):
            found.verbs.append(match.group(1))
    return found


def run(*words):
    return subprocess.run([str(word) for word in words], capture_output=True, text=True, stdin=subprocess.DEVNULL, timeout=30)


@pytest.fixture(scope="module")
def helps():
    """{"vm run": Help} of all commands that do something."""
    found = {}

    def walk(path):
        done = run(PREFIX / "bin" / "banger", *path, "--help")
        assert done.returncode == 0, done.stderr
        own = read_help(done.stdout)
        for verb in own.verbs:
            walk([*path, verb])
        if not own.verbs:
            found[" ".join(path)] = own

    walk([])
    assert len(found) > 40, "the check sees what it looks for"
    return found


def program(name):
    return next(path for path in PREFIX.rglob(name) if path.is_file())


def differences(shown, documented_ones):
    spell = lambda row: f"{'/'.join(sorted(row[0]))} {' '.join(row[1])}".strip()  # noqa: E731
    shown, paged = ({spell(row) for row in options.items()} for options in (shown, documented_ones))
    return sorted(f"no page has {option}" for option in shown - paged) + sorted(f"--help has no {option}" for option in paged - shown)


def test_the_pages_have_each_command_and_no_other(helps):
    assert sorted(manual.commands()) == sorted(helps)


def test_the_pages_have_each_option_of_a_command_and_no_other(helps):
    found = [f"{name} ({manual.commands()[name].page}): {difference}" for name, own in helps.items() if name in manual.commands()
             for difference in differences(own.options, manual.commands()[name].options)]
    assert not found, "\n".join(found)


def test_banger_1_has_what_stands_before_a_command():
    assert differences(read_help(run(PREFIX / "bin" / "banger", "--help").stdout).options, manual.root_options()) == []


def test_the_pages_name_each_argument(helps):
    found = [f"{name}: {word}" for name, own in helps.items() if name in manual.commands()
             for word in own.arguments - manual.commands()[name].arguments]
    assert not found, "\n".join(found)


def test_bangerd_has_the_options_of_its_page():
    shown = read_help(run(program("bangerd"), "--help").stdout).options
    assert len(shown) > 2 and differences(shown, manual.options_in(manual.pages()["bangerd.8"])) == []


def test_the_broker_has_the_options_of_its_page():
    usage = run(program("banger-broker"), "--help").stdout
    shown = {frozenset({name}): words_of_value(value) for name, value in re.findall(r"(--[a-z-]+)(?: ([A-Z]+))?", usage)}
    assert len(shown) > 5 and differences(shown, manual.options_in(manual.pages()["banger-broker.8"])) == []


def test_the_check_of_options_sees_what_it_looks_for():
    own = read_help("What it does\n\nOptions:\n  -h,--help    print this\n  -q,--quiet   less\n  --nat,--no-nat{false}  a long\n"
                    "               line\n  -u,--user USER[:GROUP]\n               who\n\nPositionals:\n  PATH...      where\n")
    assert own.options == {frozenset({"-q", "--quiet"}): [], frozenset({"--nat", "--no-nat"}): [], frozenset({"-u", "--user"}): ["user", "group"]}
    assert own.arguments == {"path"}
    paged = dict(manual.option_of(line) for line in (".It Fl q , -quiet", ".It Fl -nat , -no-nat", ".It Fl u , -user Ar user Ns Oo : Ns Ar group Oc"))
    assert differences(own.options, paged) == []
    assert differences(own.options, {frozenset({"-q"}): []})[0].startswith("no page has")


def test_what_needs_no_guest_does_what_it_says(home):
    environment = {**home.env, "PATH": f"{PREFIX / 'bin'}:{home.env['PATH']}"}
    try:
        for line, codes in documented.WITHOUT_GUEST.items():
            done = subprocess.run(["sh", "-c", line], env=environment, cwd=home.root, stdin=subprocess.DEVNULL, capture_output=True, text=True, timeout=60)
            assert done.returncode in codes, f"{line}: exit {done.returncode}\n{done.stdout}\n{done.stderr}"
            assert "dev.banger.Error" not in done.stderr, line
    finally:
        home.banger("daemon", "stop")
