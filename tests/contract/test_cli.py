# SPDX-License-Identifier: GPL-2.0-or-later
"""The real `banger` without a VM: exit codes, sentences, listings, and how it finds or starts bangerd."""

import json
import os
import shutil
import stat
import subprocess

import pytest

from harness import bus, wait
from harness.home import PREFIX


@pytest.fixture(scope="module")
def cli(shared_home):
    """`banger` with a bangerd of its own on a private bus, started by the first call."""
    yield shared_home.banger
    shared_home.banger("daemon", "stop")


@pytest.mark.parametrize("words, code", [
    (("vm", "show", "no-such"), 3), (("vm", "stop", "no-such"), 3), (("vm", "delete", "no-such"), 3), (("vm", "start", "no-such"), 3),
    (("image", "show", "no-such"), 3), (("image", "delete", "no-such"), 3), (("kernel", "delete", "no-such"), 3),
    (("vm", "cp", "no-such:/etc/hostname", "."), 3), (("vm", "logs", "no-such"), 3),
    (("vm", "create", "--no-start", "--image", "no-such"), 3), (("vm", "create", "--no-start", "--no-build"), 3),
    (("vm", "exec", "no-such", "--", "true"), 125), (("vm", "run", "--image", "no-such", "--", "true"), 125), (("vm", "run", "--no-build", "--", "true"), 125),
    (("vm",), 2), (("vm", "frobnicate"), 2), (("frobnicate",), 2), (("vm", "list", "--frobnicate"), 2), (("vm", "show"), 2),
    (("vm", "list", "--format", "xml"), 2), (("vm", "kill", "--signal", "FROB", "x"), 2), (("vm", "kill", "--signal", "99", "x"), 2),
    (("image", "build", "--suite", "warty"), 2),
    (("vm", "list", "--filter", "state"), 2), (("vm", "list", "--filter", "colour=red"), 2), (("ps", "--state", "running", "--filter", "state=stopped"), 2),
    (("vm", "list"), 0), (("vm", "list", "--json"), 0), (("ps",), 0), (("ps", "-a", "--filter", "name=x*"), 0), (("image", "list"), 0), (("kernel", "list"), 0), (("version",), 0), (("--help",), 0),
    (("vm", "run", "--help"), 0), (("daemon", "status"), 0),
], ids=lambda value: " ".join(value) if isinstance(value, tuple) else str(value))
def test_exit_codes(cli, words, code):
    done = cli(*words)
    assert done.returncode == code, f"{done.stdout}\n{done.stderr}"
    if code:
        assert done.stderr.strip(), "an error says something"
        assert done.stdout == "", "and says it on standard error"
        assert "dev.banger.Error" not in done.stderr and "terminate called" not in done.stderr
    else:
        assert done.stderr == ""


@pytest.mark.parametrize("option, value", [
    ("--name", "../x"), ("--name", ""), ("--name", "UPPER"), ("--name=-a", None), ("--name", "x" * 64), ("--name", "a_b"),
    ("--disk-size", "0"), ("--disk-size=-1", None), ("--disk-size", "16Q"), ("--disk-size", ""), ("--disk-size", "1e9"), ("--disk-size", "1M"),
    ("--disk-size", "99999999999999999999G"),
    ("--memory", "0"), ("--memory", "12"), ("--memory", "lots"), ("--vcpu", "0"), ("--vcpu", "1.5"), ("--vcpu", "10000"),
    ("--network", "bridge"), ("--vmm", "xen"),
])
def test_bad_values_are_usage_errors_that_repeat_the_value(cli, option, value):
    done = cli("vm", "create", "--no-start", *([option] if value is None else [option, value]))
    assert done.returncode == 2, f"{done.returncode}: {done.stderr}"
    shown = value if value is not None else option.split("=", 1)[1]
    assert shown[:20] in done.stderr
    assert cli("vm", "list", "--json").stdout.strip() == "[]"


@pytest.mark.parametrize("variable, value", [("BANGER_MEMORY", "12"), ("BANGER_VCPU", "1.5"), ("BANGER_DISK_SIZE", "16Q"), ("BANGER_NETWORK", "bridge"),
                                             ("BANGER_VMM", "xen")])
def test_variables_stand_for_options_that_are_not_given(cli, variable, value):
    done = cli("vm", "create", "--no-start", "--no-build", env={variable: value})
    assert done.returncode == 2 and value in done.stderr, done.stderr
    assert cli("vm", "create", "--no-start", "--image", "no-such", env={"BANGER_IMAGE": "other"}).stderr.count("no-such") == 1
    assert "no-such" in cli("vm", "create", "--no-start", env={"BANGER_IMAGE": "no-such"}).stderr


def test_a_mistyped_verb_gets_a_suggestion(cli):
    assert "list" in cli("vm", "lst").stderr


def test_not_found_names_the_thing_and_the_mend(cli):
    done = cli("vm", "show", "calm-otter")
    assert "calm-otter" in done.stderr and "banger vm list" in done.stderr
    done = cli("vm", "create", "--no-start", "--no-build")
    assert "banger image build" in done.stderr or "banger kernel import" in done.stderr


def test_listings_have_three_forms(cli):
    for noun in ("vm", "image", "kernel"):
        assert json.loads(cli(noun, "list", "--json").stdout) == []
        assert json.loads(cli(noun, "list", "--format", "json").stdout) == []
        assert cli(noun, "list", "--format", "plain").stdout == ""
        assert "NAME" in cli(noun, "list", "--format", "table").stdout


@pytest.fixture
def tree(shared_home, tmp_path):
    """A git work tree with one committed file."""
    for words in (("init", "-q", "-b", "trunk"), ("config", "user.name", "x"), ("config", "user.email", "x@y"), ("add", "-A"), ("commit", "-qm", "all")):
        (tmp_path / "file").write_text("x")
        subprocess.run(["git", "-C", str(tmp_path), *words], env=shared_home.env, check=True, capture_output=True)
    return tmp_path


@pytest.mark.parametrize("words, code, sentence", [
    (("prepare", "no-such", "{tree}"), 3, "no-such"), (("prepare", "no-such", "/no/such"), 3, "/no/such"), (("prepare", "no-such", "/usr"), 2, "no git work tree"),
    (("prepare", "no-such", "{tree}/.git"), 2, "inside a .git"), (("prepare", "no-such", "{tree}", "--branch", "trunk"), 6, "trunk"),
    (("prepare", "no-such", "{tree}", "--from", "no-such-ref"), 3, "no-such-ref"), (("prepare", "no-such", "{tree}", "--from", "trunk", "--include-untracked"), 2, "--from"),
    (("prepare", "x"), 2, "PATH"), (("export", "no-such", "{tree}"), 3, "no-such"), (("export",), 2, "NAME"),
], ids=str)
def test_a_workspace_that_can_not_be_is_refused_with_its_reason(cli, tree, words, code, sentence):
    done = cli("vm", "workspace", *(word.format(tree=tree) for word in words))
    assert (done.returncode, sentence in done.stderr) == (code, True), done.stderr


def test_a_run_that_makes_no_vm_leaves_no_ref(cli, tree):
    refused = cli("vm", "run", tree, "--no-build", "--", "true")
    assert refused.returncode == 125 and ("image" in refused.stderr or "kernel" in refused.stderr), "the tree is fine: what is missing is what a VM is made of"
    assert subprocess.run(["git", "-C", str(tree), "for-each-ref", "refs/banger/"], capture_output=True, text=True).stdout == ""


def test_a_tree_that_is_larger_than_its_disk_makes_no_vm(home, tree):
    """Whoever says nothing of the disk has the settings' one."""
    with open(tree / "large", "wb") as file:
        file.truncate(80 << 20)
    subprocess.run(["git", "-C", str(tree), "add", "large"], env=home.env, check=True, capture_output=True)
    home.write_config("[vm_defaults]\ndisk_size = '64M'\n")
    for options in ((), ("--disk-size", "64M")):
        refused = home.banger("vm", "run", tree, "--no-build", *options, "--", "true")
        assert refused.returncode == 125 and "64M" in refused.stderr and "--disk-size" in refused.stderr, refused.stderr
    fits = home.banger("vm", "run", tree, "--no-build", "--disk-size", "1G", "--", "true")
    assert fits.returncode == 125 and "--disk-size" not in fits.stderr, "what is missing is what a VM is made of"
    home.banger("daemon", "stop")


def test_doctor_lists_checks_and_mends(cli):
    done = cli("doctor", "--json")
    rows = json.loads(done.stdout)
    assert rows and {"check", "verdict", "detail", "mend"} <= set(rows[0])
    assert done.returncode in (0, 4)
    assert (done.returncode == 4) == any(row["verdict"] == "missing" for row in rows)


def test_config_is_shown_with_its_origins_and_each_wrong_line_is_named(home):
    home.write_config("default_image = 'mine'\n")
    assert home.banger("config", "check", check=True).stderr == ""
    rows = {row["key"]: row for row in home.json("config", "show", "--json")}
    assert rows["default_image"] == {"key": "default_image", "value": '"mine"', "origin": f"{home.config_file}:1"}
    assert rows["vm_defaults.network"]["origin"] == "default"
    home.write_config("default_image = 7\n[vm_defaults]\nvcpus = 2\n")
    for verb in ("check", "show"):
        done = home.banger("config", verb)
        assert done.returncode == 2
        assert f"{home.config_file}:1: default_image: must be a string" in done.stderr
        assert f'{home.config_file}:3: unknown key "vcpus"; did you mean vcpu?' in done.stderr
    home.banger("daemon", "stop")
    done = home.banger("config", "check")
    assert done.returncode != 0 and ":1: default_image" in done.stderr and ":3: unknown key" in done.stderr, "bangerd does not start with such a file"
    home.write_config("")
    shown = home.banger("config", "show", "--json", env={"BANGER_LOG_LEVEL": "debug"}, check=True)
    rows = {row["key"]: row for row in json.loads(shown.stdout)}
    assert (rows["log_level"]["value"], rows["log_level"]["origin"]) == ('"debug"', "BANGER_LOG_LEVEL")
    home.banger("daemon", "stop")


def test_version_is_told_without_bangerd(home):
    assert home.banger("version").returncode == 0
    assert home.banger("--version").returncode == 0
    assert not home.agent_pids()


def test_daemon_status_starts_nothing(home):
    done = home.banger("daemon", "status")
    assert "not running" in done.stdout + done.stderr
    assert not home.agent_pids()
    assert home.banger("daemon", "stop").returncode == 0
    assert not home.agent_pids()


def test_without_a_session_bus_the_cli_starts_bangerd_on_a_private_one(home):
    home.banger("vm", "list", check=True)
    assert len(home.agent_pids()) == 1
    address = home.agent_address()
    assert str(home.runtime) in address
    for folder in (home.runtime / "banger", home.state / "banger"):
        assert stat.S_IMODE(os.stat(folder).st_mode) == 0o700
    client = bus.Agent(address)
    assert client.has_owner()
    assert client.get(bus.ROOT, "Manager", "Address") == address
    client.close()
    status = home.banger("daemon", "status", check=True).stdout
    assert str(home.agent_pids()[0]) in status
    home.banger("daemon", "stop", check=True)
    wait.until(lambda: not home.processes(), 10, "bangerd and its dbus-daemon are gone")


def test_ten_first_calls_at_once_start_one_bangerd(home):
    calls = [home.start("vm", "list", "--json") for _ in range(10)]
    for call in calls:
        out, err = call.communicate(timeout=60)
        assert call.returncode == 0, err
        assert out.strip() == "[]"
    assert len(home.agent_pids()) == 1
    home.banger("daemon", "stop")


def test_without_a_runtime_folder_a_checked_one_is_made(home):
    del home.env["XDG_RUNTIME_DIR"]
    home.banger("vm", "list", check=True)
    path = home.agent_address().removeprefix("unix:path=").split(",")[0]
    assert stat.S_IMODE(os.stat(os.path.dirname(path)).st_mode) == 0o700
    home.banger("daemon", "stop", check=True)


def test_two_state_folders_that_share_a_runtime_folder_are_two(home):
    other = {"XDG_STATE_HOME": str(home.root / "other")}
    (home.root / "other").mkdir()
    home.banger("vm", "list", check=True)
    home.banger("vm", "list", check=True, env=other)
    assert home.agent_address() != home.banger("daemon", "socket", env=other).stdout.strip()
    assert str(home.state) in home.banger("daemon", "status", check=True).stdout
    home.banger("daemon", "stop", check=True)
    assert "not running" not in home.banger("daemon", "status", env=other).stdout
    home.banger("daemon", "stop", check=True, env=other)


def test_bangerd_killed_is_started_again_by_the_next_call(home):
    home.banger("vm", "list", check=True)
    for _ in range(3):
        home.kill_bangerd()
        home.banger("vm", "list", check=True)
    home.banger("daemon", "stop", check=True)


def test_the_session_bus_starts_bangerd(home):
    services = PREFIX / "share" / "dbus-1" / "services"
    assert (services / f"{bus.NAME}.service").exists(), "the service file is installed"
    session = bus.SessionBus(home.runtime, home.env, services=services)
    home.env["DBUS_SESSION_BUS_ADDRESS"] = session.address
    try:
        home.banger("vm", "list", check=True)
        assert home.agent_address().split(",guid=")[0] == session.address
        assert home.banger("daemon", "stop").returncode == 0
        wait.until(lambda: not home.agent_pids(), 10, "bangerd is gone")
    finally:
        session.close()


def test_a_session_bus_that_began_before_the_first_installation_starts_bangerd(home):
    """As scripts/quickstart leaves it: dbus-daemon watches the folders that it found when it began."""
    services = home.root / "services"
    session = bus.SessionBus(home.runtime, home.env, services=services)
    home.env["DBUS_SESSION_BUS_ADDRESS"] = session.address
    try:
        services.mkdir()
        shutil.copy(PREFIX / "share" / "dbus-1" / "services" / f"{bus.NAME}.service", services)
        home.banger("vm", "list", check=True)
        assert home.agent_address().split(",guid=")[0] == session.address, "no bus of its own, whose VMs are no units"
        home.banger("daemon", "stop", check=True)
        wait.until(lambda: not home.agent_pids(), 10, "bangerd is gone")
    finally:
        session.close()


def test_a_bangerd_that_can_t_serve_tells_the_caller_for_whom_the_bus_started_it(home):
    session = bus.SessionBus(home.runtime, home.env, services=PREFIX / "share" / "dbus-1" / "services")
    home.env["DBUS_SESSION_BUS_ADDRESS"] = session.address
    home.write_config("[vm_defaults]\nmemory = 512\n")
    try:
        failed = home.banger("vm", "list")
        assert failed.returncode == 2
        assert "config.toml:2" in failed.stderr and "did you mean memory_mib" in failed.stderr
    finally:
        session.close()


def test_closed_standard_streams_do_no_harm(home):
    for redirection in (">&-", "2>&-", "<&-", ">&- 2>&- <&-"):
        done = subprocess.run(["sh", "-c", f'exec "$0" vm list {redirection}', *home.command()], env=home.env, timeout=60)
        assert done.returncode in (0, 1)
    home.banger("daemon", "stop")


def test_a_full_standard_output_is_an_error(home):
    with open("/dev/full", "w") as full:
        process = home.start("vm", "list", stdout=full)
        process.communicate(timeout=60)
    assert process.returncode == 1
    home.banger("daemon", "stop")
