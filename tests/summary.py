# SPDX-License-Identifier: GPL-2.0-or-later
"""Adds up what the test frameworks wrote (JUnit XML in the folder given) and prints the closing line of scripts/test."""

import pathlib
import sys
import xml.etree.ElementTree as ElementTree


def read_junit(path):
    """Yields (test name, 'passed' | 'failed' | 'skipped', reason) for each case of one file."""
    for case in ElementTree.parse(path).getroot().iter("testcase"):
        name = f"{path.stem}: {case.get('name')}"
        bad = case.find("failure") if case.find("failure") is not None else case.find("error")
        skipped = case.find("skipped")
        if bad is not None or case.get("status") == "fail":
            yield name, "failed", ((bad.get("message") if bad is not None else "") or "").split("\n")[0]
        elif skipped is not None or case.get("status") in ("notrun", "disabled"):
            yield name, "skipped", (skipped.get("message") if skipped is not None else "") or ""
        else:
            yield name, "passed", ""


def read_failures(folder):
    """What no framework reported: a build that broke, a suite that never ended."""
    path = folder / "failures.tsv"
    for line in path.read_text().splitlines() if path.exists() else []:
        name, reason = line.split("\t", 1)
        yield name, "failed", reason


def read_all(folder):
    for path in sorted(folder.glob("*.xml")):
        try:
            yield from read_junit(path)
        except ElementTree.ParseError as error:
            yield path.name, "failed", f"damaged results: {error}"
    yield from read_failures(folder)


def main():
    cases = list(read_all(pathlib.Path(sys.argv[1])))
    by_verdict = {verdict: [case for case in cases if case[1] == verdict] for verdict in ("passed", "failed", "skipped")}
    for verdict in ("skipped", "failed"):
        for name, _, reason in by_verdict[verdict]:
            print(f"{verdict}: {name}" + (f" ({reason[:200]})" if reason else ""))
    line = f"{len(by_verdict['passed'])} passed, {len(by_verdict['failed'])} failed"
    if by_verdict["skipped"]:
        line += f", {len(by_verdict['skipped'])} skipped"
    print(line)
    return 0 if by_verdict["passed"] and not by_verdict["failed"] else 1


sys.exit(main())
