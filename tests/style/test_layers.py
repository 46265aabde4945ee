# SPDX-License-Identifier: GPL-2.0-or-later
"""Dependencies run one way: system -> ports <- core <- service <- main; cli -> the Agent1 proxy. Read from the #include lines."""

import pathlib
import re

import pytest

import tree

BUS = r"sdbus-c\+\+/|(agent1|broker1|systemd1|polkit1|search_provider2|krunner1|notifications)_(adaptor|proxy)|dbus/compat/"
KERNEL = r"linux/|asm/|sys/(ioctl|mount|vfs|socket|un|epoll|syscall|prctl)\.h|net/"
STORE = r"sqlite3\.h|SQLiteCpp/"
LOG_SINKS = r"spdlog/sinks/"
LOOP = r"systemd/"

# (files, what they must not include, why)
RULES = [
    (r"(agent|broker)/core/", f"{BUS}|{KERNEL}|{STORE}|{LOG_SINKS}|{LOOP}", "core knows neither bus, kernel nor database"),
    (r"(agent|broker)/core/", r"(agent|broker)/(system|service)/", "core reaches the outside through ports alone"),
    (r"(agent|broker)/ports/", f"{BUS}|{STORE}|{LOG_SINKS}", "ports are abstract"),
    (r"(agent|broker)/ports/", r"(agent|broker)/(system|service)/", "ports depend on nothing above or below them"),
    (r"(agent|broker)/system/", r"(agent|broker)/service/", "system serves ports and knows no service"),
    (r"(agent|broker)/service/", r"(agent|broker)/system/", "only main names concrete classes"),
    (r"agent/netguard/", rf"agent/(?!netguard/)|guest/|dbus/|{BUS}|{STORE}|spdlog/|systemd/", "banger-netguard is small: common and the kernel alone"),
    (r"agent/nss/", rf"agent/(?!nss/)|common/(?!unique_fd)|guest/|dbus/|{BUS}|{STORE}|spdlog/|systemd/", "libnss_banger is in other people's processes"),
    (r"agent/nss/", r"(string|vector|map|set|deque|list|functional|iostream|sstream|stdexcept|thread|mutex|atomic|future|filesystem)$",
     "libnss_banger allocates nothing and links libc alone"),
    (r"agent/(core|ports|system|service)/", r"agent/nss/", "bangerd and libnss_banger share a file's format and nothing else"),
    (r"agent/tap/", rf"agent/(?!tap/)|guest/|dbus/|{BUS}|{STORE}|spdlog/|systemd/", "banger-tap is small: common and the kernel alone"),
    (r"agent/(core|ports|system|service)/", r"agent/tap/", "bangerd starts banger-tap and shares nothing with it"),
    (r"agent/confine/", rf"agent/(?!confine/)|guest/|dbus/|{BUS}|{STORE}|spdlog/|systemd/", "banger-confine is small: common, libseccomp and the kernel alone"),
    (r"agent/(core|ports|system|service)/", r"agent/confine/", "bangerd starts banger-confine and shares nothing with it"),
    (r"agent/unpack/", rf"agent/(?!unpack/)|guest/|dbus/|{BUS}|{STORE}|spdlog/|systemd/", "banger-unpack reads what anybody made: common and its libraries alone"),
    (r"agent/(core|ports|system|service)/", r"agent/unpack/|ext2fs/", "bangerd starts banger-unpack and reads no file system itself"),
    (r"agent/(core|ports|system|service)/", r"agent/netguard/", "bangerd starts banger-netguard and shares nothing with it"),
    (r"cli/", r"(agent|broker)/", "the CLI knows the Agent1 proxy alone"),
    (r"cli/", r"agent1_adaptor|" + STORE, "the CLI is a client"),
    (r"cli/(?!tui/screen\.cpp)", r"(n?curses|term)\.h|ncursesw?/", "the terminal is known to one file, whose header has macros named OK and move"),
    (r"cli/tui/(model|sheet|rows|vm_rows|history|text|console_text|canvas|key|keys|form|intent|possible|geometry|draw)", rf"{BUS}|{LOOP}|cli/connect/|termios\.h",
     "what the TUI shows knows neither bus nor terminal"),
    (r"guest/", r"(agent|broker|cli|dbus)/", "the guest shares only the wire format, which is its own"),
    (r"guest/", f"{BUS}|{STORE}|spdlog/|systemd/", "the guest is one small static program"),
    (r"agent/", r"guest/(?!wire/)", "the agent shares only guest/wire with the guest"),
    (r"agent/", r"cli/|broker/", "programs share common/ and dbus/compat alone"),
    (r"broker/", r"(agent|cli|guest)/", "programs share common/ and dbus/compat alone"),
    (r"common/", r"(agent|broker|cli|guest|dbus)/", "common has no opinion about VMs"),
]


@pytest.mark.parametrize("files, forbidden, why", RULES, ids=[f"{files}-{why}" for files, _, why in RULES])
def test_layer(files, forbidden, why):
    findings = []
    for path in tree.sources(*tree.PROGRAM_FOLDERS):
        if not re.match(files, str(path)):
            continue
        raw = dict(tree.lines(path))
        findings += [f"{path}:{number}: includes {name}" for number, name in tree.includes(path)
                     if re.match(forbidden, name) and "style: " not in raw[number]]
    assert not findings, why + "\n" + "\n".join(findings)


WAITS = r"co_await|\bspawn\(|\brun_on\(|\bLane\b|\bsubmit\(|call_on_bus|std::filesystem|fstream|\bstore\b"


def test_a_desktop_s_search_waits_for_nothing():
    """Its calls are answered on the loop, from memory: what keeps them within 10 ms whatever else bangerd is at."""
    def waits(file):
        return [f"{file}:{number}" for number, line in tree.code_lines(pathlib.Path(file)) if re.search(WAITS, line)]

    assert waits("agent/core/desktop/desk.cpp"), "the check sees what it looks for"
    for file in ("agent/service/desktop/desktop_calls.hpp", "agent/service/desktop/search_provider_object.cpp",
                 "agent/service/desktop/runner_object.cpp", "agent/core/desktop/vm_search.cpp"):
        assert waits(file) == []


def test_cli11_is_compiled_in_few_files():
    found = [str(path) for path in tree.sources(*tree.PROGRAM_FOLDERS, "tests", "bench")
             if any(name.startswith("CLI/") for _, name in tree.includes(path))]
    assert found == ["agent/main.cpp", "cli/commands/parser.cpp"], "all headers, compiled again in each file: use cli/commands/parser.hpp"


def test_public_headers_open_no_namespace():
    findings = [f"{path}:{number}" for path in tree.sources(*tree.PROGRAM_FOLDERS, suffixes=(".hpp",))
                for number, line in tree.code_lines(path) if re.search(r"\busing namespace\b", line)]
    assert not findings, findings
