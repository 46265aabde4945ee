# SPDX-License-Identifier: GPL-2.0-or-later
"""README.md and man/: each command line that they show is one that exists, and is run by a test. That the pages' options are those of --help is
shown by tests/contract/test_documented.py, which has the programs."""

import ast
import re

import pytest

from harness import documented, manual


def test_each_command_has_a_test_that_runs_it():
    assert len(manual.commands()) > 40, "the check sees what it looks for"
    assert sorted(documented.COMMANDS) == sorted(manual.commands())


@pytest.mark.parametrize("command", sorted(documented.COMMANDS))
def test_the_test_of_a_command_is_there_and_runs_it(command):
    test = documented.COMMANDS[command]
    _, body = documented.source_of(test)
    assert body, f"there is no {test}"
    lines = {"contract/test_documented.py": documented.WITHOUT_GUEST,
             "host/test_documented.py": [line for source in documented.WITH_GUEST for line in documented.lines_with_guest(source)]}
    literal = [manual.path_of(words) for line in lines.get(test.partition("::")[0], []) for words in manual.calls_in(line)]
    assert command in literal or re.search(rf'"{command.split()[-1]}"', body), f"{test} does not run banger {command}"


def test_what_is_shown_is_run():
    """By one of three: as it stands with or without a guest, or by a test of its own."""
    shown = manual.examples()
    assert len({page for page, _, _ in shown}) > 8 and len(shown) > 50, "the check sees what it looks for"
    unknown = [f"{page}: {line}" for page, title, line in shown
               if line not in documented.ELSEWHERE and line not in documented.WITHOUT_GUEST and (page, title) not in documented.WITH_GUEST
               and not any(line in documented.lines_with_guest(source) for source in documented.WITH_GUEST)]
    assert not unknown, "\n".join(["no test runs:", *unknown])


def test_no_row_is_of_a_line_that_nobody_shows():
    shown = {line for _, _, line in manual.examples()} | {" ".join(["banger", *words]) for _, words in manual.mentions()}
    assert not set(documented.ELSEWHERE) - shown
    for source in documented.WITH_GUEST:
        assert documented.lines_with_guest(source), source


def test_what_a_line_must_print_is_of_a_line_that_is_run():
    """Else it is looked for nowhere."""
    run = {line for source in documented.WITH_GUEST for line in documented.lines_with_guest(source)}
    tables = {node.targets[0].id: ast.literal_eval(node.value) for node in ast.parse(documented.source_of("host/test_documented.py")[0]).body
              if isinstance(node, ast.Assign) and node.targets[0].id in ("PRINTED", "MEANWHILE")}
    assert len(tables["PRINTED"]) > 4 and tables["MEANWHILE"]
    assert not set(tables["PRINTED"]) - run
    assert not {line for _, line in tables["MEANWHILE"]} - run


@pytest.mark.parametrize("line", sorted(documented.ELSEWHERE))
def test_what_is_run_elsewhere_is_run_with_its_options(line):
    file, body = documented.source_of(documented.ELSEWHERE[line])
    assert body, f"there is no {documented.ELSEWHERE[line]}"
    if "test_broker_manual.py" in documented.ELSEWHERE[line]:
        assert f'"{line}"' in file, "an administrator's line is typed as it stands"
    for words in manual.calls_in(line):
        assert f'"{manual.path_of(words).split()[-1]}"' in file, f"{documented.ELSEWHERE[line]} runs no banger {manual.path_of(words)}"
        for word in words[:words.index("--")] if "--" in words else words:
            if word.startswith("--"):
                assert word in file, f"{documented.ELSEWHERE[line]} knows no {word}"


def test_each_call_that_is_shown_is_one_that_the_pages_have():
    problems = [f"{page}: {problem}" for page, _, line in manual.examples() for words in manual.calls_in(line)
                if (problem := manual.problem_of(words))]
    problems += [f"{page}: {problem}" for page, words in manual.mentions() if (problem := manual.problem_of(words))]
    assert not problems, "\n".join(problems)


@pytest.mark.parametrize("words, problem", [
    ("vm run --rm . -- ./check --frob", ""), ("vm run --frob", "has no --frob"), ("vm frobnicate", "no command"), ("frobnicate", "no command"),
    ("vm", ""), ("vm ls -q", ""), ("vm exec -X name", "has no -X"), ("vm cp - name:", ""), ("--version", ""), ("vm workspace", ""), ("--frob vm list", "has no --frob"),
    ("vm list --format=json", ""),
])
def test_the_check_of_calls_sees_what_it_looks_for(words, problem):
    found = manual.problem_of(words.split())
    assert problem in found and bool(found) == bool(problem)


def test_the_readme_has_ten_things_each_with_a_command():
    section = manual.readme().partition("\n## Ten things that people do\n")[2].partition("\n## ")[0]
    things = re.split(r"(?m)^\d+\. ", section)[1:]
    assert len(things) == 10
    assert all("    banger " in thing for thing in things)
