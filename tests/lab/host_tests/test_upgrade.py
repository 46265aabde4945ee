# SPDX-License-Identifier: GPL-2.0-or-later
"""From the one package of 0.1.0 to three, with VMs running; down again, which is refused; and cut off half-way."""

import os
import pathlib
import re

import pytest

from lab.harness import package, single_package
from test_package import ALL, CREATE, apt, compare, state

pytestmark = pytest.mark.limit(600)
only_with_all = pytest.mark.skipif(not os.environ.get("LAB_ALL"), reason="a workstation of its own, a minute: with scripts/test --all, or LAB_ALL=yes")

DATABASE = "/home/alice/.local/state/banger/banger.db"
STORE = pathlib.Path(__file__).resolve().parents[3] / "agent/system/sqlite_store.cpp"
OLDER = """
import sqlite3
database = sqlite3.connect({database!r})
version = database.execute("PRAGMA user_version").fetchone()[0]
assert version == {version}, version
database.executescript({undo!r} + f"PRAGMA user_version = {{version - 1}}")
"""
PRAGMA = """
import sqlite3
print(sqlite3.connect({database!r}).execute("PRAGMA user_version{value}").fetchone() or "set")
"""
PID_OF = "banger vm show {} --json | grep '\"pid\"'"


@pytest.fixture
def place(clean, deb):
    return package.put(clean, deb)


@pytest.fixture
def old_place(clean, deb, tmp_path):
    return package.put_file(clean, single_package.make(deb, tmp_path))


def pid_of(workstation, vm):
    return workstation.text(PID_OF.format(vm), user="alice")


def as_python(workstation, text):
    return workstation.text("python3 -", user="alice", input=text.encode())


def last_step():
    """(the version that it leads to, what undoes it), of the steps in the source. One that does more than add columns wants its own undoing here."""
    text = STORE.read_text().partition("constexpr std::array migrations{")[2].partition("};")[0]
    steps, step = [], ""
    for literal, comma in re.findall(r'"((?:[^"\\]|\\.)*)"(,?)', text):
        step += literal
        if comma:
            steps.append(step)
            step = ""
    added = re.findall(r"ALTER TABLE vms ADD COLUMN (\w+)", steps[-1])
    assert added and steps[-1].count(";") == len(added), f"how is this undone? {steps[-1]}"
    return len(steps), "".join(f"ALTER TABLE vms DROP COLUMN {name};" for name in added)


def version_of(workstation, name):
    return workstation.text(f"dpkg-query -W -f '${{Version}}' {name}")


def test_one_package_becomes_three_and_vms_go_on(clean, old_place, place):
    clean.run(f"{package.INSTALL} {old_place}", seconds=300)
    clean.run("echo '# mine' >>/etc/banger/broker.toml; systemctl disable banger-broker-reconcile.timer; sed -i 's/ banger//' /etc/nsswitch.conf")
    clean.run(CREATE.format("keeps"), user="alice", seconds=240)
    vmm = pid_of(clean, "keeps")
    clean.run("systemctl --user stop bangerd.service", user="alice")
    version, undo = last_step()
    as_python(clean, OLDER.format(database=DATABASE, version=version, undo=undo))
    clean.run(f"{package.INSTALL} {place}", seconds=300)
    assert pid_of(clean, "keeps") == vmm, "the same VMM, of a database one step older"
    assert as_python(clean, PRAGMA.format(database=DATABASE, value="")) == f"({version},)"
    assert clean.text("banger vm exec keeps -- echo hi", user="alice") == "hi"
    assert clean.text("tail -n 1 /etc/banger/broker.toml") == "# mine"
    assert clean.text("dpkg-query -W -f '${Conffiles}' banger").endswith("obsolete"), "the settings are the other package's"
    assert "broker.toml" in clean.text("dpkg-query -W -f '${Conffiles}' banger-broker")
    assert clean.text("systemctl is-enabled banger-broker-reconcile.timer || true") == "disabled", "as the administrator left it"
    assert "banger" not in clean.text("grep ^hosts: /etc/nsswitch.conf"), "as the administrator left it"
    clean.run("banger vm restart keeps", user="alice", seconds=240)
    assert clean.text("banger vm exec keeps -- echo hi", user="alice") == "hi"


@only_with_all
def test_after_the_upgrade_the_system_is_that_of_a_new_install(clean, old_place, place):
    clean.run(f"{package.INSTALL} {place}", seconds=300)
    fresh = state(clean)
    apt(clean, f"purge {ALL}")
    clean.run(f"{package.INSTALL} {old_place}", seconds=300)
    clean.run(f"{package.INSTALL} {place}", seconds=300)
    compare(fresh, state(clean))
    apt(clean, "purge banger")
    assert clean.text("ls /etc/banger/broker.toml"), "the settings are banger-broker's"


def test_a_downgrade_is_refused_with_a_sentence_and_harms_nothing(clean, old_place, place, deb, tmp_path):
    clean.run(f"{package.INSTALL} {place}", seconds=300)
    clean.run(CREATE.format("keeps"), user="alice", seconds=240)
    vmm = pid_of(clean, "keeps")
    newer = version_of(clean, "banger")
    assert clean.text(f"{package.INSTALL} {old_place} 2>&1 || echo refused", seconds=120).endswith("refused"), "apt's words: it is of before all this"
    assert version_of(clean, "banger") == newer
    clean.run("sed -i '/^Package: banger$/,/^$/ s/^Version: .*/Version: 99.0/; /^Package: banger-broker$/,/^$/ s/^Version: .*/Version: 99.0/' /var/lib/dpkg/status")
    said = clean.text(f"dpkg -i {place} 2>&1 || echo refused", seconds=120)
    assert f"banger {newer} does not take the place of banger 99.0" in said
    assert f"banger-broker {newer} does not take the place of banger-broker 99.0" in said
    assert said.endswith("refused")
    assert version_of(clean, "banger") == "99.0"
    assert "ok installed" in clean.text("dpkg-query -W -f '${Status}' banger")
    assert pid_of(clean, "keeps") == vmm
    assert clean.text("banger vm exec keeps -- echo hi", user="alice") == "hi"


@only_with_all
def test_a_newer_database_is_refused_with_a_sentence(clean, place):
    clean.run(f"{package.INSTALL} {place}", seconds=300)
    clean.run("banger vm list && systemctl --user stop bangerd.service", user="alice")
    as_python(clean, PRAGMA.format(database=DATABASE, value=" = 99"))
    assert "made by a newer banger" in clean.text("banger vm list 2>&1 || true", user="alice")


# sysusers, which banger-broker's postinst calls: in the middle of it dpkg dies, as in a power cut that the file system survives.
KILLS_DPKG = """#!/bin/sh
pid=$PPID
while [ "$pid" -gt 1 ] && [ "$(cat /proc/$pid/comm)" != dpkg ]; do pid=$(awk '{print $4}' /proc/$pid/stat); done
kill -KILL "$pid"
"""


@only_with_all
def test_an_upgrade_that_was_cut_off_is_finished_by_dpkg(clean, old_place, place):
    clean.run(f"{package.INSTALL} {place}", seconds=300)
    fresh = state(clean)
    apt(clean, f"purge {ALL}")
    clean.run(f"{package.INSTALL} {old_place}", seconds=300)
    clean.run(CREATE.format("keeps"), user="alice", seconds=240)
    vmm = pid_of(clean, "keeps")
    clean.run("cat >/usr/local/sbin/systemd-sysusers && chmod 755 /usr/local/sbin/systemd-sysusers", input=KILLS_DPKG.encode())
    said = clean.text(f"dpkg -i {place} >/dev/null 2>&1 || echo cut off", seconds=120)
    assert said == "cut off"
    assert "ok installed" not in clean.text("dpkg-query -W -f '${Status}' banger-broker"), "half-way"
    assert pid_of(clean, "keeps") == vmm, "VMs go on, and are told of, meanwhile"
    clean.run("rm /usr/local/sbin/systemd-sysusers && dpkg --configure -a", seconds=120)
    assert clean.text("dpkg --audit") == ""
    assert pid_of(clean, "keeps") == vmm
    assert clean.text("banger vm exec keeps -- echo hi", user="alice") == "hi"
    clean.run("banger vm delete -f keeps", user="alice")
    compare(fresh, [line for line in state(clean) if "/var/lib/banger-broker" not in line])


@only_with_all
def test_the_user_half_does_without_the_broker(clean, deb):
    clean.run(f"{package.INSTALL} {package.put_file(clean, package.parts(deb)[0])}", seconds=300)
    clean.run(CREATE.format("alone"), user="alice", seconds=240)
    assert clean.text("banger vm exec alone -- echo hi", user="alice") == "hi"
    row = next(line for line in clean.text("banger doctor || true", user="alice").splitlines() if line.startswith("banger-broker"))
    assert "apt install banger-broker" in row
