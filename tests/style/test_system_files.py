# SPDX-License-Identifier: GPL-2.0-or-later
"""What banger-broker needs of the system (systemd/, dbus/*.conf, polkit/), as text: hardening, who may call it, what polkit asks."""

import json
import os
import re
import shutil
import subprocess
import tomllib
import xml.etree.ElementTree as ElementTree

import pytest

import tree

EXPOSURE_CEILING = 2.5
TABLE = {  # any, inactive, active
    "dev.banger.manage-sandboxes": ("auth_admin", "auth_admin", "auth_admin_keep"),
    "dev.banger.enable-network": ("auth_admin", "auth_admin", "auth_admin_keep"),
    "dev.banger.create-with-network": ("auth_admin", "auth_admin", "auth_admin"),
    "dev.banger.administer-sandboxes": ("auth_admin", "auth_admin", "auth_admin"),
}
NEEDS_ANALYZE = pytest.mark.skipif(shutil.which("systemd-analyze") is None, reason="no systemd-analyze here")


def read(name):
    return (tree.ROOT / name).read_text()


@pytest.fixture
def unit(tmp_path):
    """The broker's unit as installed, but for the program."""
    path = tmp_path / "banger-broker.service"
    text = read("systemd/banger-broker.service.in").replace("@BANGER_BROKER@", "/bin/true")
    path.write_text(text)
    daily = read("systemd/banger-broker-reconcile.service.in").replace("@BANGER_BROKER@", "/bin/true")
    (tmp_path / "banger-broker-reconcile.service").write_text(daily.replace("@BANGER_BROKER_HARDENING@", text[text.index("StateDirectory="):]))
    return path


def security(unit, *words):
    done = subprocess.run(["systemd-analyze", "security", "--offline=true", "--no-pager", *words, str(unit)], capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    return done.stdout


@NEEDS_ANALYZE
def test_the_broker_s_unit_is_hardened(unit):
    score = float(re.search(r"Overall exposure level for \S+: ([\d.]+)", security(unit)).group(1))
    assert score <= EXPOSURE_CEILING
    weaker = unit.with_name("weaker.service")
    weaker.write_text(re.sub(r"(?m)^(SystemCallFilter|CapabilityBoundingSet)=.*\n", "", unit.read_text()))
    assert float(re.search(r"level for \S+: ([\d.]+)", security(weaker)).group(1)) > EXPOSURE_CEILING, "the check sees what it looks for"


@NEEDS_ANALYZE
def test_each_switch_that_is_off_has_its_reason(unit):
    reasons = read("systemd/README.md").partition("### Hardening of the broker that is not here")[2].partition("\n### ")[0]
    off = {row["name"] for row in json.loads(security(unit, "--json=short")) if row["set"] is False}
    assert off, "systemd-analyze lists them"
    unexplained = [name for name in sorted(off) if f"`{name}`" not in reasons]
    assert not unexplained, f"systemd/README.md says why not: {unexplained}"


@pytest.fixture
def user_units(tmp_path):
    """What a user's manager has of banger, as installed, but for the program; its environment, too."""
    (tmp_path / "bangerd.service").write_text(read("systemd/bangerd.service.in").replace("@BANGERD@", "/bin/true"))
    (tmp_path / "banger.slice").write_text(read("systemd/banger.slice"))
    return tmp_path


def analyze_as_user(folder, *words):
    done = subprocess.run(["systemd-analyze", "--user", *words], env={**os.environ, "XDG_RUNTIME_DIR": str(folder)}, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    return done


@NEEDS_ANALYZE
def test_a_user_s_units_have_no_mistakes(user_units):
    names = ["bangerd.service", "banger.slice"]
    words = ["verify", "--man=no", *(str(user_units / name) for name in names)]
    assert analyze_as_user(user_units, *words).stderr == ""
    (user_units / "banger.slice").write_text(read("systemd/banger.slice").replace("MemoryMax", "MemoryMx"))
    assert "MemoryMx" in analyze_as_user(user_units, *words).stderr, "the check sees what it looks for"


@NEEDS_ANALYZE
def test_each_switch_that_bangerd_does_without_has_its_reason(user_units):
    """And it has no more of them than are known: what its user may do, it may."""
    reasons = read("systemd/README.md").partition("## Hardening that is not here")[2].partition("\n## ")[0]
    rows = json.loads(analyze_as_user(user_units, "security", "--offline=true", "--no-pager", "--json=short", str(user_units / "bangerd.service")).stdout)
    off = {re.match(r"[^=]+(=/\w+)?=", row["name"]).group(0) for row in rows if row["set"] is False}
    assert {"NoNewPrivileges=", "ProtectHome="} <= off, "systemd-analyze lists them"
    unexplained = [name for name in sorted(off) if f"`{name}`" not in reasons]
    assert not unexplained, f"systemd/README.md says why not: {unexplained}"


def test_vms_have_limits():
    lines = dict(re.findall(r"(?m)^(\w+)=(.*)$", read("systemd/banger.slice").partition("[Slice]")[2]))
    assert lines == {"MemoryAccounting": "yes", "MemoryMax": "90%", "CPUWeight": "50"}
    assert all(f"`{name}={value}`" in read("systemd/README.md") for name, value in lines.items() if name != "MemoryAccounting")


@NEEDS_ANALYZE
def test_units_have_no_mistakes(unit):
    names = ["banger-broker-reconcile.service", "banger-broker-reconcile.timer"]
    (unit.parent / names[1]).write_text(read(f"systemd/{names[1]}"))
    done = subprocess.run(["systemd-analyze", "verify", "--man=no", unit, *(unit.parent / name for name in names)], capture_output=True, text=True)
    complaints = [line for line in done.stderr.splitlines() if "banger" in line]
    assert (done.returncode, complaints) == (0, []), done.stderr


def test_the_broker_has_two_capabilities():
    sets = re.findall(r"(?m)^CapabilityBoundingSet=(.*)$", read("systemd/banger-broker.service.in"))
    assert sets == ["CAP_SYS_ADMIN CAP_NET_ADMIN"]


def test_root_alone_owns_the_name_and_each_interface_is_let_through_by_name():
    policy = ElementTree.fromstring(read("dbus/dev.banger.Broker1.conf"))
    rules = [(part.get("user") or part.get("context"), rule.tag, dict(rule.attrib)) for part in policy.findall("policy") for rule in part]
    assert [rule for rule in rules if "own" in rule[2]] == [("root", "allow", {"own": "dev.banger.Broker1"})]
    sends = [rule[2] for rule in rules if "own" not in rule[2]]
    assert all(set(send) == {"send_destination", "send_interface"} for send in sends), sends
    assert {send["send_destination"] for send in sends} == {"dev.banger.Broker1"}
    assert {send["send_interface"] for send in sends} == \
        {"dev.banger.Broker1", *(f"org.freedesktop.DBus.{name}" for name in ("Introspectable", "Peer", "Properties"))}


def test_polkit_s_actions_have_these_defaults():
    actions = ElementTree.fromstring(read("polkit/dev.banger.policy")).findall("action")
    assert {action.get("id"): tuple(action.find("defaults").findtext(f"allow_{who}") for who in ("any", "inactive", "active"))
            for action in actions} == TABLE
    for action in actions:
        for name in ("description", "message"):
            assert action.find(name).get("gettext-domain") == "banger"


def prompts():
    return {action.get("id"): action.findtext("message") for action in ElementTree.fromstring(read("polkit/dev.banger.policy")).findall("action")}


JARGON = re.compile(r"\b(broker|polkit|NAT|TAP|VM|VMs|dm-snapshot|overlay|uid|daemon|D-Bus|bangerd|agent|cow)\b")


def wrong_in(prompt, details):
    """What keeps a prompt from reading like a sentence."""
    variables = re.findall(r"\$\(([^)]*)\)", prompt)
    found = ["begins as none"] if not re.match(r"Authentication is required for \S", prompt) else []
    found += [] if re.search(r" to (create|reach|see|start|delete)\b", prompt) else ["has no verb"]
    found += [] if prompt.endswith(".") and prompt.count(".") == 1 else ["does not end with its one full stop"]
    found += [f"has jargon: {match[0]}" for match in JARGON.finditer(prompt)]
    found += [f"$({name}) is never filled in" for name in variables if name not in details]
    found += [] if "user" in variables else ["does not say who asks"]
    found += [] if re.search(r"\bsandbox(es)?\b", prompt) else ["does not say about what"]
    found += ["has blanks that nobody reads"] if re.search(r"\s\s|^\s|\s$|\n", prompt) else []
    found += ["is too long for a dialog"] if len(prompt) > 150 else []
    return found


def passed_details():
    """The keys that the gate gives polkit with a question that people see."""
    return set(re.findall(r'\{\{"(\w+)", ', read("broker/service/gate.cpp")))


@pytest.mark.parametrize("prompt, wrong", [
    ("Authentication is required for $(user) to create a sandbox.", []),
    ("Authentication is required to create a sandbox", ["begins as none", "does not end with its one full stop", "does not say who asks"]),
    ("Authentication is required for $(uid) to enable NAT of a sandbox.", ["has no verb", "has jargon: NAT", "has jargon: uid", "$(uid) is never filled in",
                                                                            "does not say who asks"]),
    ("Authentication is required for $(user)  to see it.", ["does not say about what", "has blanks that nobody reads"]),
])
def test_the_check_of_prompts_sees_what_it_looks_for(prompt, wrong):
    assert sorted(wrong_in(prompt, {"user"})) == sorted(wrong)


@pytest.mark.parametrize("action", TABLE)
def test_a_prompt_reads_like_a_sentence(action):
    assert passed_details() == {"user"}
    assert wrong_in(prompts()[action], passed_details()) == []


def test_prompts_are_in_one_language():
    """A translation here would be one that nobody keeps in step; gettext-domain leaves room for real ones."""
    assert "xml:lang" not in read("polkit/dev.banger.policy")


def test_polkit_s_actions_are_those_of_the_contract():
    assert set(re.findall(r"dev\.banger\.[a-z]+(?:-[a-z]+)+", read("dbus/dev.banger.Broker1.xml"))) == set(TABLE)


def test_group_banger_is_let_through_for_actions_named_one_by_one():
    code = re.sub(r"//.*", "", read("polkit/dev.banger.rules"))
    assert re.findall(r'case "(.*?)":', code) == ["dev.banger.manage-sandboxes", "dev.banger.enable-network"]
    assert not re.search(r"indexOf|match|startsWith|RegExp|/\w", code)
    assert re.search(r"default:\s*return polkit\.Result\.NOT_HANDLED;", code)
    assert re.findall(r"polkit\.Result\.(\w+)", code) == ["YES", "NOT_HANDLED", "NOT_HANDLED"]


def test_settings_as_installed_are_the_defaults_all_commented_out():
    text = read("systemd/broker.toml")
    assert tomllib.loads(text) == {}
    assert tomllib.loads(re.sub(r"(?m)^#(?=\S)", "", text)) == {
        "address_pool": "10.213.0.0/16", "log_level": "info",
        "quota": {"user": {"sandboxes": 64, "bytes": "256G", "calls": 32}, "all": {"sandboxes": 256, "bytes": "1T", "calls": 256}}}


def test_settings_are_in_the_manual():
    manual = read("man/broker.toml.5").replace(" Qq ", ' "')
    for name, value in re.findall(r'(?m)^#(\w+) = "?([\w./]+)"?$', read("systemd/broker.toml")):
        assert re.search(rf'\.It Li {name} = "?{re.escape(value)}$', manual, re.M), name
