# SPDX-License-Identifier: GPL-2.0-or-later
"""The traps of agent/core/task.hpp, which no warning tells of."""

import re

import pytest

import tree

LAMBDA_WITH_CAPTURES = re.compile(r"(?<![\w\])])\[[^\]\[\s][^\]\[]*\]\s*[({]")
DESIGNATED_AGGREGATE = re.compile(r"\{\s*\.\w+\s*=")


def statements_with_co_await(text):
    """(line, statement) of each that has a co_await outside of a nested block; comments and literals are gone already."""
    for found in re.finditer(r"\bco_await\b", text):
        begin = max(text.rfind(mark, 0, found.start()) for mark in ";{}") + 1
        end = text.find(";", found.end())
        yield text.count("\n", 0, found.start()) + 1, text[begin:end if end >= 0 else len(text)]


def twice_destroyed(text):
    """Lines whose co_await has a temporary that g++ 12 destroys twice."""
    return [line for line, statement in statements_with_co_await(text)
            if LAMBDA_WITH_CAPTURES.search(statement) or DESIGNATED_AGGREGATE.search(statement)]


@pytest.mark.parametrize("text, bad", [
    ("co_await run_on(loop, lane, [x] { f(x); });", True),
    ("co_await run_on(loop, lane, [&store, id = row.id] { f(id); });", True),
    ("co_return co_await start({.vm = id});", True),
    ("auto job = [x] { f(x); };\nco_await run_on(loop, lane, std::move(job));", False),
    ("co_await jobs_[unit].wait();", False),
    ("co_await answer.wait(loop, limit, Error{ErrorCode::TimedOut, \"\"});", False),
    ("co_await run(lane, [] { f(); });", False),
])
def test_the_check_sees_what_it_looks_for(text, bad):
    assert bool(twice_destroyed(text)) == bad


def test_temporaries_that_are_destroyed_twice_get_a_name_first():
    findings = []
    for path in tree.sources("agent"):
        text = "\n".join(line for _, line in tree.code_lines(path))
        findings += [f"{path}:{line}" for line in twice_destroyed(text)]
    assert not findings, "\n".join(findings)


def test_no_coroutine_is_a_lambda_with_captures():
    """Its frame refers to the lambda, which is gone by the first resumption."""
    findings = []
    for path in tree.sources("agent"):
        text = "\n".join(line for _, line in tree.code_lines(path))
        findings += [f"{path}:{text.count(chr(10), 0, found.start()) + 1}" for found in
                     re.finditer(r"(?<![\w\])])\[[^\]\[\s][^\]\[]*\]\s*\([^)]*\)\s*(?:mutable\s*)?->\s*Task<", text)]
    assert not findings, "\n".join(findings)
