# SPDX-License-Identifier: GPL-2.0-or-later
"""man/: groff takes each page, what they name exists, and all of them are installed."""

import re
import shutil
import subprocess

import pytest

import tree
from harness import manual

INSTALLED = re.findall(r'^ {8}f?"(etc/\S+|usr/\S+)": 0o', (tree.ROOT / "tests/package/test_deb.py").read_text(), re.M)
GENERATED = {"dev.banger.Agent1.7", "dev.banger.Broker1.7"}
# Not ours: a page names them because they are there anyway, or are another package's.
OF_THE_SYSTEM = {
    "/", "/dev", "/etc/apparmor.d/usr.bin.passt", "/etc/hosts", "/etc/nsswitch.conf", "/etc/polkit-1/rules.d", "/etc/ssh", "/etc/ssh/ssh_host_*_key.pub",
    "/etc/subgid", "/etc/subuid", "/lib/modules/", "/proc", "/proc/meminfo", "/root", "/run", "/tmp", "~/.gitconfig", "~/.ssh/config", "~/",
}
# What the pages call a file of the reader's.
OF_THE_READER = {"40-banger.rules", "dist/banger-runtime.tar.gz"}


def pa_items():
    """(page, path) of each .Pa; what varies in it ends it."""
    for page, text in manual.pages().items():
        for words in re.findall(r"(?m)^\.(?:It |Pq |Op |Dl )?(?:.*\b)?Pa (.*)$", text):
            taken = []
            for word in manual.words_of(words):
                if word in manual.MACROS or (taken and word in manual.PUNCTUATION - {","}):
                    break
                if word not in manual.PUNCTUATION:
                    taken.append(word)
            for path in taken:
                yield page, path


def strings_of(*folders):
    return "\n".join(tree.text(path) for path in tree.all_files() if path.parts[0] in folders and path.suffix in (".cpp", ".hpp", ".in", ".xml", ".rules", ".json"))


def is_ours(path):
    """Each part of a path that banger makes at run time is a word of its sources."""
    sources = strings_of("agent", "broker", "cli", "common", "guest", "dbus", "systemd")
    parts = [part for part in re.sub(r"^~/\.(local/state|cache|config)/|^/(run/user|run|var/lib|dev)/?", "", path).split("/") if part]
    return all(re.search(rf"(?<![\w.-]){re.escape(part)}(?![\w-])", sources) for part in parts)


def test_each_path_that_a_page_names_exists():
    found = list(pa_items())
    assert len(found) > 80 and {"/etc/banger/broker.toml", "~/.local/state/banger/bangerd.log"} <= {path for _, path in found}, "the check sees what it looks for"
    folders = {"/" + "/".join(path.split("/")[:count]) for path in INSTALLED for count in range(1, path.count("/") + 1)}
    unknown = []
    for page, path in found:
        plain = path.rstrip("/") or "/"
        known = (path in OF_THE_SYSTEM | OF_THE_READER or plain in OF_THE_SYSTEM or plain[1:] in INSTALLED or plain in folders or is_ours(path))
        unknown += [] if known else [f"{page}: {path}"]
    assert not unknown, "\n".join(unknown)


@pytest.mark.parametrize("path, ours", [("~/.local/state/banger/vms/", True), ("~/.local/state/banger/frob.db", False), ("/run/banger-broker/loops", True),
                                        ("/run/banger-broker/frobs", False)])
def test_the_check_of_paths_sees_what_it_looks_for(path, ours):
    assert is_ours(path) == ours


@pytest.mark.skipif(shutil.which("groff") is None, reason="no groff here")
@pytest.mark.parametrize("page", sorted(manual.pages()))
def test_groff_has_nothing_to_say(page):
    done = subprocess.run(["groff", "-mdoc", "-Tutf8", "-ww", "-z"], input=manual.pages()[page], capture_output=True, text=True)
    assert (done.returncode, done.stderr) == (0, "")


@pytest.mark.parametrize("page", sorted(manual.pages()))
def test_a_page_has_what_pages_have(page):
    text = manual.pages()[page]
    name, section = page.rsplit(".", 1)
    assert text.startswith('.\\" SPDX-License-Identifier: GPL-2.0-or-later\n.Dd ')
    assert f"\n.Dt {name.upper()} {section}\n" in text
    assert f"\n.Sh NAME\n.Nm {name}" in text or page == "banger-bundle.5"
    # A lone full stop at a macro's end is punctuation, and would stick to the word before it.
    assert not re.search(r"(?m)^\.Dl .* \.( |$)", text), "write \\&."


def test_each_page_of_ours_that_is_named_exists():
    ours = set(manual.pages()) | GENERATED
    named = {(page, f"{name}.{section}") for page, text in manual.pages().items()
             for name, section in re.findall(r"(?m)^\.(?:Pq |It )?Xr (\S+) (\d)", text) if re.match(r"banger|broker\.toml|dev\.banger", name)}
    named |= {("README.md", f"{name}.{section}") for name, section in re.findall(r"\b((?:banger|broker)[\w.-]*)\((\d)\)", manual.readme())}
    assert len(named) > 30, "the check sees what it looks for"
    assert {page for _, page in named} <= ours, sorted({row for row in named if row[1] not in ours})


def test_each_page_is_installed():
    listed = re.search(r"set\(manual(.*?)\)", (tree.ROOT / "man/CMakeLists.txt").read_text(), re.S).group(1).split()
    assert sorted(listed) == sorted(manual.pages())
    assert {f"usr/share/man/man{page[-1]}/{page}.gz" for page in listed} <= set(INSTALLED)


def test_banger_1_leads_to_every_page_of_a_group():
    top = manual.pages()["banger.1"]
    for page in manual.pages():
        if page.endswith(".1") and page != "banger.1":
            assert f".Xr {page[:-2]} 1" in top, page


def test_the_journal_s_ids_and_fields_are_those_of_the_broker():
    page = manual.pages()["banger-broker.8"].partition("\n.Sh JOURNAL\n")[2].partition("\n.Sh ")[0]
    source = tree.text(next(path for path in tree.all_files() if str(path) == "broker/service/log.cpp"))
    coded = {ident: event for event, ident in re.findall(r'\{Event::(\w+), "([0-9a-f]{32})"\}', source)}
    assert len(coded) == 7 and dict(re.findall(r"(?m)^\.It Li ([0-9a-f]{32})\n(\w+):", page)) == coded
    fields = set(re.findall(r'"(BANGER_\w+)=', source))
    assert len(fields) > 5 and set(re.findall(r"(?m)^\.It Li (BANGER_\w+)$", page)) == fields


def test_the_manual_s_polkit_rule_names_actions_one_by_one():
    """The lab lets polkit read it."""
    page = manual.pages()["banger-broker.8"]
    rule = page[page.index("polkit.addRule"):].partition("\n.Ed")[0]
    assert set(re.findall(r'case "(.*?)":', rule)) == {"dev.banger.manage-sandboxes", "dev.banger.enable-network"}
    assert rule.count("{") == rule.count("}") and rule.count("(") == rule.count(")")


def test_each_variable_of_banger_1_is_one_that_programs_read():
    listed = [name for line in re.findall(r"(?m)^\.It Ev (.*)$", manual.pages()["banger.1"]) for name in re.findall(r"\w+(?!\S)", line)]
    sources = strings_of("agent", "cli", "common")
    others = {"http_proxy", "https_proxy", "all_proxy", "no_proxy"}  # libcurl's
    assert len(listed) > 15
    assert not [name for name in listed if name not in others and f'"{name}"' not in sources and f"{{{name}" not in sources]


def test_exit_codes_are_those_of_the_table_of_errors():
    shown = manual.sections(manual.pages()["banger.1"])["EXIT STATUS"]
    codes = {int(code) for code in re.findall(r"(?m)^\.It (\d)$", shown)}
    table = (tree.ROOT / "common/error.cpp").read_text()
    coded = {int(code) for code in re.findall(r'ErrorCode::\w+, "dev\.banger\.Error\.\w+", (\d)', table)}
    assert len(coded) > 4 and coded | {0} == codes


def test_members_of_bangerd_s_log_are_those_that_it_writes():
    shown = manual.sections(manual.pages()["bangerd.8"])["LOG"]
    source = (tree.ROOT / "agent/service/json_log.cpp").read_text()
    written = re.findall(r'\{"(\w+)", (?:time_now|names|message)', source) + re.findall(r'line\["(\w+)"\]', source)
    assert len(written) == 5 and re.findall(r"(?m)^\.It Li (\w+)$", shown) == written
