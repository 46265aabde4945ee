# SPDX-License-Identifier: GPL-2.0-or-later
"""Settings: where each value comes from, what a caller's environment means to a bangerd that runs, and what changes without a restart."""

import json
import os
import pathlib

import dbus
import pytest

from harness import bus, wait
from harness.bus import ROOT, error_of
from harness.home import PREFIX

STRINGS = "a{ss}"


def shown(home, key, **environment):
    rows = {row["key"]: row for row in json.loads(home.banger("config", "show", "--json", env=environment, check=True).stdout)}
    return rows[key]["value"], rows[key]["origin"]


def strings(**values):
    return dbus.Dictionary(values, signature="ss")


@pytest.fixture
def cli(home):
    yield home
    home.banger("daemon", "stop")


@pytest.fixture
def activated(home):
    """A session bus that starts bangerd with an environment of its own, in which nothing of banger's is set."""
    session = bus.SessionBus(home.runtime, home.env, services=PREFIX / "share" / "dbus-1" / "services")
    home.env["DBUS_SESSION_BUS_ADDRESS"] = session.address
    yield home
    home.banger("daemon", "stop")
    session.close()


def test_a_variable_wins_over_the_file_and_is_told_as_the_origin(cli):
    cli.write_config("firecracker_bin = '~/fc'\n[vm_defaults]\nvcpu = 1\n")
    assert shown(cli, "firecracker_bin") == (f'"{cli.env["HOME"]}/fc"', f"{cli.config_file}:1")
    assert shown(cli, "vm_defaults.vcpu") == ("1", f"{cli.config_file}:3")
    assert shown(cli, "vm_defaults.vcpu", BANGER_VCPU="2") == ("2", "BANGER_VCPU")
    assert shown(cli, "vm_defaults.memory_mib", BANGER_MEMORY="1G") == ("1024", "BANGER_MEMORY")
    assert shown(cli, "vm_defaults.vcpu") == ("1", f"{cli.config_file}:3"), "one caller's wish is not the next one's"
    done = cli.banger("config", "check", env={"BANGER_NAT": "perhaps"})
    assert done.returncode == 2 and "BANGER_NAT: must be true or false" in done.stderr


def test_the_environment_of_a_caller_reaches_a_bangerd_that_the_bus_started(activated):
    assert shown(activated, "runtime_dir") == ('""', "default")
    folder = activated.root / "bundle"
    rows = json.loads(activated.banger("runtime", "show", "--json", env={"BANGER_RUNTIME_DIR": str(folder)}, check=True).stdout)
    assert all(row["path"].startswith(str(folder)) for row in rows), "it has its effect"
    assert shown(activated, "runtime_dir") == (f'"{folder}"', "BANGER_RUNTIME_DIR"), "it is bangerd's from then on"


def test_another_value_than_bangerd_s_is_an_error_that_names_the_mend(activated):
    activated.banger("vm", "list", check=True, env={"BANGER_RUNTIME_DIR": "/a"})
    refused = activated.banger("vm", "list", env={"BANGER_RUNTIME_DIR": "/b"})
    assert refused.returncode == 6 and "BANGER_RUNTIME_DIR is /b" in refused.stderr and "banger daemon stop" in refused.stderr
    activated.banger("vm", "list", check=True)
    activated.banger("daemon", "status", check=True, env={"BANGER_RUNTIME_DIR": "/b"})
    activated.banger("daemon", "stop", check=True, env={"BANGER_RUNTIME_DIR": "/b"})
    wait.until(lambda: not activated.agent_pids(), 10, "bangerd is gone")
    activated.banger("vm", "list", check=True, env={"BANGER_RUNTIME_DIR": "/b"})
    assert shown(activated, "runtime_dir")[0] == '"/b"'


def test_other_folders_than_bangerd_s_are_an_error_that_names_the_mend(activated):
    activated.banger("vm", "list", check=True)
    for variable in ("XDG_CACHE_HOME", "XDG_CONFIG_HOME"):
        refused = activated.banger("vm", "list", env={variable: str(activated.root / "elsewhere")})
        assert refused.returncode == 6 and "banger daemon stop" in refused.stderr
        assert f"dbus-update-activation-environment --systemd {variable}" in refused.stderr
    activated.banger("vm", "list", check=True)


def test_a_listing_is_one_call_and_only_news_of_the_environment_are_told(cli):
    def calls(**environment):
        return bus.calls_until(cli.agent_address(), "ListVms", lambda: cli.banger("vm", "list", check=True, env=environment))

    cli.banger("vm", "list", check=True)
    assert calls() == ["ListVms"]
    assert calls(BANGER_VCPU="2") == ["ListVms"], "a request's own"
    assert calls(BANGER_RUNTIME_DIR="/a") == ["ShareEnvironment", "ListVms"]
    assert calls(BANGER_RUNTIME_DIR="/a") == calls() == ["ListVms"], "bangerd has it by now"
    announcement = cli.state / "banger" / "bangerd.json"
    older = {key: value for key, value in json.loads(announcement.read_text()).items() if key in ("pid", "host", "address", "version")}
    announcement.write_text(json.dumps(older))
    assert calls() == ["ShareEnvironment", "ListVms"], "a bangerd of before says nothing of it"


def test_an_announcement_of_another_bangerd_is_no_agreement(cli):
    cli.banger("vm", "list", check=True)
    announcement = cli.state / "banger" / "bangerd.json"
    told = json.loads(announcement.read_text())
    for key, value in (("name", ":1.99999"), ("pid", 2 ** 31 - 1), ("folders", told["folders"][:2])):
        announcement.write_text(json.dumps({**told, key: value}))
        calls = bus.calls_until(cli.agent_address(), "ListVms", lambda: cli.banger("vm", "list", check=True))
        assert calls == ["ShareEnvironment", "ListVms"], key


def test_a_wrong_variable_is_refused_by_name(cli):
    cli.banger("vm", "list", check=True)
    refused = cli.banger("vm", "list", env={"BANGER_AUTO_STOP_STALE_AFTER": "soon"})
    assert refused.returncode == 2 and 'BANGER_AUTO_STOP_STALE_AFTER: "soon" is not a duration' in refused.stderr
    cli.banger("daemon", "stop", check=True)
    refused = cli.banger("vm", "list", env={"BANGER_LOG_LEVEL": "loud"})
    assert refused.returncode != 0 and "BANGER_LOG_LEVEL: must be debug, info, warn or error" in refused.stderr


def test_the_log_level_changes_without_a_restart(cli):
    def is_logged():
        """Whether what only `debug` shows is."""
        before = cli.log().count("FindVm")
        cli.banger("vm", "show", "no-such")
        return cli.log().count("FindVm") > before

    cli.write_config("log_level = 'info'\n")
    assert not is_logged()
    pid = cli.agent_pids()
    cli.write_config("log_level = 'debug'\n")
    assert is_logged()
    cli.write_config("log_level = 'error'\n")
    assert not is_logged()
    cli.banger("vm", "list", check=True, env={"BANGER_LOG_LEVEL": "debug"})
    assert is_logged(), "and a variable wins over the file"
    assert cli.agent_pids() == pid
    for line in cli.log().splitlines():
        row = json.loads(line)
        assert {"time", "level", "message"} <= set(row) <= {"time", "level", "message", "vm", "operation"}


def test_a_file_that_gets_wrong_under_a_running_bangerd_changes_nothing_and_is_told(cli):
    cli.write_config("log_level = 'debug'\n")
    cli.banger("vm", "list", check=True)
    cli.write_config("log_level = 'loud'\n")
    cli.banger("vm", "list", check=True)
    assert f"{cli.config_file}:1: log_level: must be" in cli.log()
    refused = cli.banger("vm", "create", "--no-start", "--no-build")
    assert refused.returncode == 2 and f"{cli.config_file}:1" in refused.stderr
    cli.write_config("")
    assert cli.banger("vm", "create", "--no-start", "--no-build").returncode == 3, "no image, and no other reason"


def script(path, text):
    path.write_text("#!/bin/sh\n" + text)
    path.chmod(0o700)
    return path


@pytest.mark.parametrize("text, code, says", [
    ("echo calm-otter", 3, "there is no image"), ("echo 'Not A Name'", 2, 'printed "Not A Name"'), ("exit 3", 1, "failed"),
    ("sleep 60", 7, "did not print a name in time"),
])
def test_a_program_of_the_user_s_makes_names(cli, text, code, says):
    program = script(cli.root / "names", text)
    cli.write_config(f"namegen_path = '{program}'\n")
    done = cli.banger("vm", "create", "--no-start", "--no-build")
    assert done.returncode == code and says in done.stderr, done.stderr
    assert cli.banger("vm", "create", "--no-start", "--no-build", "--name", "given").returncode == 3, "it is not asked for one that is given"


@pytest.mark.skipif(not os.access("/dev/kvm", os.R_OK | os.W_OK), reason="without /dev/kvm, doctor says that in place of Firecracker's state")
def test_a_firecracker_that_is_named_and_not_there_is_told(cli):
    cli.write_config("firecracker_bin = '/no/such/firecracker'\n")
    rows = json.loads(cli.banger("doctor", "--json").stdout)
    assert any("/no/such/firecracker" in row["detail"] for row in rows)


def test_files_to_copy_are_looked_at_before_a_vm_is_made(cli):
    home = pathlib.Path(cli.env["HOME"])
    (home / "out").symlink_to("/etc/passwd")
    cli.write_config("[[file_sync]]\nfrom = '~/out'\n")
    done = cli.banger("vm", "create", "--no-start", "--no-build")
    assert done.returncode == 2 and "leads out of your home" in done.stderr
    cli.write_config("[[file_sync]]\nfrom = '~/.not-there'\n")
    assert cli.banger("vm", "create", "--no-start", "--no-build").returncode == 3, "no image, and no other reason"


def test_get_config_takes_the_caller_s_environment(shared):
    values, problems = shared.call(ROOT, "Manager", "GetConfig", STRINGS, (strings(BANGER_STORAGE="file", BANGER_COLOUR="red"),))
    rows = {str(key): (str(value), str(origin)) for key, value, origin in values}
    assert rows["vm_defaults.storage"] == ('"file"', "BANGER_STORAGE") and not problems


def test_share_environment_takes_nothing_of_what_it_refuses(shared):
    before = shared.call(ROOT, "Manager", "GetConfig", STRINGS, (strings(),))
    for wrong, name in (({"BANGER_LOG_LEVEL": "loud"}, "InvalidArgument"), ({"HOME": "/elsewhere", "BANGER_RUNTIME_DIR": "/x"}, "WrongState")):
        assert error_of(shared.call, ROOT, "Manager", "ShareEnvironment", STRINGS, (strings(**wrong),))[0] == name
    assert shared.call(ROOT, "Manager", "GetConfig", STRINGS, (strings(),)) == before
    shared.call(ROOT, "Manager", "ShareEnvironment", STRINGS, (strings(COLOUR="red", BANGER_COLOUR="red"),))
