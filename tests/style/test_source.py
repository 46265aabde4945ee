# SPDX-License-Identifier: GPL-2.0-or-later
"""What reads the same in every file: licence line, length, calls that banger does without."""

import re
import shutil
import subprocess

import pytest

import tree

FILE_LENGTH_GUIDE = 500
CPP = tree.sources(*tree.PROGRAM_FOLDERS, "tests", "bench")


def complain(findings):
    assert not findings, "\n" + "\n".join(findings)


def test_each_source_file_names_its_licence():
    python = [path for path in tree.all_files() if path.suffix == ".py"]
    wanted = CPP + python + tree.scripts()
    complain([f"{path}: no SPDX-License-Identifier in the first five lines" for path in wanted
              if "SPDX-License-Identifier: GPL-2.0-or-later" not in "\n".join(tree.text(path).splitlines()[:5])])


def test_long_files_give_a_reason():
    findings = []
    for path in CPP:
        length = len(tree.lines(path))
        if length > FILE_LENGTH_GUIDE and not re.search(r"Long because \w+", tree.text(path)):
            findings.append(f'{path}: {length} lines; split it, or say why in a comment: "Long because …"')
    complain(findings)


def test_headers_guard_themselves_with_pragma_once():
    complain([f"{path}: no #pragma once" for path in CPP if path.suffix == ".hpp" and "#pragma once" not in tree.text(path)])


def test_no_line_is_longer_than_a_screen():
    limit = 160  # clang-format keeps code at 120; this is for what it leaves alone
    complain([f"{path}:{number}: {len(line)} columns" for path in CPP for number, line in tree.lines(path) if len(line) > limit])


@pytest.mark.parametrize("pattern, why", [
    (r"(?<![\w.>:])(std::)?system\s*\(", "no shell: start the program itself"),
    (r"(?<![\w.>:])popen\s*\(", "no shell: start the program itself"),
    (r"\bsleep_for\b|\bsleep_until\b|(?<![\w.>:])u?sleep\s*\(|\bnanosleep\s*\(", "no sleeping: wait for the event itself"),
])
def test_programs_do_without(pattern, why):
    findings = []
    for path in tree.sources(*tree.PROGRAM_FOLDERS):
        raw = dict(tree.lines(path))
        for number, line in tree.code_lines(path):
            if re.search(pattern, line) and "style: " not in raw[number]:
                findings.append(f"{path}:{number}: {raw[number].strip()}  ({why}; an exception says `// style: reason` on the line)")
    complain(findings)


def test_no_program_of_the_host_starts_a_shell_or_sudo():
    findings = []
    # In the guest /bin/sh is an account's login shell, which `vm exec` and `vm run` are there to start.
    for path in tree.sources(*(folder for folder in tree.PROGRAM_FOLDERS if folder != "guest")):
        for number, line in tree.lines(path):
            code = line.split("//", 1)[0]
            if re.search(r'"(/bin/)?(ba|da)?sh"|"sudo\b|"-c",', code) and "style: " not in line:
                findings.append(f"{path}:{number}: {line.strip()}  (an exception says `// style: reason` on the line)")
    complain(findings)


def test_no_script_calls_sudo():
    complain([f"{path}:{number}: {line.strip()}" for path in tree.scripts() for number, line in tree.lines(path)
              if re.search(r"(^|[;&|(]|\bthen|\bdo)\s*sudo\b", line.split("#", 1)[0])])


def test_macros_of_our_own_do_not_exist():
    complain([f"{path}:{number}: {line.strip()}" for path in tree.sources(*tree.PROGRAM_FOLDERS)
              for number, line in tree.lines(path)
              if re.match(r"\s*#\s*define\s+(?!_GNU_SOURCE\b|BANGER_SDBUS_2\b)", line) and "style: " not in line])


@pytest.mark.parametrize("script", tree.scripts(), ids=str)
def test_script_parses(script):
    shell = "bash" if "bash" in tree.text(script).splitlines()[0] or script.suffix == ".sh" else "sh"
    checked = subprocess.run([shell, "-n", tree.ROOT / script], capture_output=True, text=True)
    assert checked.returncode == 0, checked.stderr


@pytest.mark.skipif(shutil.which("shellcheck") is None, reason="no shellcheck here")
def test_scripts_please_shellcheck():
    checked = subprocess.run(["shellcheck", "-x", "-P", "SCRIPTDIR", *map(str, tree.scripts())], cwd=tree.ROOT,
                             capture_output=True, text=True)
    assert checked.returncode == 0, checked.stdout


def clang_format_14():
    for name in ("clang-format-14", "clang-format"):
        if shutil.which(name):
            version = subprocess.run([name, "--version"], capture_output=True, text=True).stdout
            if " version 14." in version:
                return name
    return None


@pytest.mark.skipif(clang_format_14() is None, reason="no clang-format 14 (Debian 12's; others break lines differently)")
def test_code_is_formatted():
    checked = subprocess.run([clang_format_14(), "--dry-run", "-Werror", *map(str, CPP)], cwd=tree.ROOT, capture_output=True, text=True)
    names = sorted(set(re.findall(r"^(\S+?):\d+:\d+: error", checked.stderr, re.M)))
    assert checked.returncode == 0, "scripts/lint --fix formats: " + ", ".join(names)


def test_each_unit_test_mirrors_a_source_file():
    findings = []
    for path in tree.sources("tests", suffixes=(".cpp",)):
        if path.parts[1] != "unit" or not path.stem.endswith("_test"):
            continue
        source = "/".join(path.parts[2:-1] + (path.stem[: -len("_test")],))
        if not any((tree.ROOT / (source + suffix)).exists() for suffix in (".cpp", ".hpp")):
            findings.append(f"{path}: there is no {source}.cpp or .hpp")
    complain(findings)


def test_ci_calls_scripts_test_and_nothing_else():
    commands = [line for line in (tree.ROOT / ".ci/run").read_text().splitlines() if line and not line.startswith("#")]
    assert commands == ['exec "$(dirname "$0")/../scripts/test"']
