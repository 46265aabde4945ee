# SPDX-License-Identifier: GPL-2.0-or-later
"""The .deb that `cmake --build build/release --target package` has left: what is in it, and what it says of itself. The lab installs it."""

import configparser
import email.utils
import os
import pathlib
import re
import shutil
import subprocess
import tarfile
import time

import pytest

from harness import namespaces

ROOT = pathlib.Path(__file__).resolve().parents[2]
VERSION = re.search(r"project\(banger VERSION (\S+)", (ROOT / "CMakeLists.txt").read_text()).group(1)
MULTIARCH = subprocess.run(["dpkg-architecture", "-qDEB_HOST_MULTIARCH"], capture_output=True, text=True, check=True).stdout.strip()

# Folders above these have 0755; nothing else is in it.
FILES = {
    "etc/banger/broker.toml": 0o644,
    "usr/bin/banger": 0o755,
    f"usr/lib/{MULTIARCH}/libnss_banger.so.2": 0o644,
    "usr/lib/firewalld/zones/banger.xml": 0o644,
    "usr/lib/systemd/network/80-banger.network": 0o644,
    "usr/lib/systemd/system/banger-broker-reconcile.service": 0o644,
    "usr/lib/systemd/system/banger-broker-reconcile.timer": 0o644,
    "usr/lib/systemd/system/banger-broker.service": 0o644,
    "usr/lib/systemd/user/bangerd.service": 0o644,
    "usr/lib/sysusers.d/banger.conf": 0o644,
    "usr/lib/udev/rules.d/56-banger.rules": 0o644,
    "usr/libexec/banger/banger-broker": 0o755,
    "usr/libexec/banger/banger-guest": 0o755,
    "usr/libexec/banger/banger-netguard": 0o755,
    "usr/libexec/banger/banger-tap": 0o755,
    "usr/libexec/banger/banger-unpack": 0o755,
    "usr/libexec/banger/bangerd": 0o755,
    "usr/share/banger/packages.apt": 0o644,
    "usr/share/bash-completion/completions/banger": 0o644,
    "usr/share/dbus-1/services/dev.banger.Agent1.service": 0o644,
    "usr/share/dbus-1/system-services/dev.banger.Broker1.service": 0o644,
    "usr/share/dbus-1/system.d/dev.banger.Broker1.conf": 0o644,
    "usr/share/doc/banger/changelog.gz": 0o644,
    "usr/share/doc/banger/copyright": 0o644,
    "usr/share/doc/banger/dbus/dev.banger.Agent1.Image.html": 0o644,
    "usr/share/doc/banger/dbus/dev.banger.Agent1.Kernel.html": 0o644,
    "usr/share/doc/banger/dbus/dev.banger.Agent1.Manager.html": 0o644,
    "usr/share/doc/banger/dbus/dev.banger.Agent1.Operation.html": 0o644,
    "usr/share/doc/banger/dbus/dev.banger.Agent1.Vm.html": 0o644,
    "usr/share/doc/banger/dbus/dev.banger.Broker1.html": 0o644,
    "usr/share/fish/vendor_completions.d/banger.fish": 0o644,
    "usr/share/lintian/overrides/banger": 0o644,
    "usr/share/man/man1/banger.1.gz": 0o644,
    "usr/share/man/man5/banger-bundle.5.gz": 0o644,
    "usr/share/man/man5/banger.toml.5.gz": 0o644,
    "usr/share/man/man5/broker.toml.5.gz": 0o644,
    "usr/share/man/man7/banger-guest.7.gz": 0o644,
    "usr/share/man/man8/banger-broker.8.gz": 0o644,
    "usr/share/polkit-1/actions/dev.banger.policy": 0o644,
    "usr/share/polkit-1/rules.d/dev.banger.rules": 0o644,
    "usr/share/zsh/vendor-completions/_banger": 0o644,
}
BROKER = "usr/libexec/banger/banger-broker"
SCRIPTS = {"postinst", "postrm", "prerm"}
TIMER = "banger-broker-reconcile.timer"


def run(*words):
    done = subprocess.run(list(map(str, words)), capture_output=True)
    assert done.returncode == 0, f"{words}: {done.stdout.decode()}{done.stderr.decode()}"
    return done.stdout


@pytest.fixture(scope="module")
def deb():
    found = list((ROOT / "build" / "release").glob(f"banger_{VERSION}_*.deb"))
    assert found, "no package; cmake --build build/release --target package makes it"
    return found[0]


@pytest.fixture(scope="module")
def unpacked(deb, tmp_path_factory):
    folder = tmp_path_factory.mktemp("deb")
    run("dpkg-deb", "--raw-extract", deb, folder)
    return folder


@pytest.fixture(scope="module")
def members(deb, tmp_path_factory):
    """{path: tarfile.TarInfo} of what gets installed."""
    tar = tmp_path_factory.mktemp("tar") / "data.tar"
    tar.write_bytes(run("dpkg-deb", "--fsys-tarfile", deb))
    with tarfile.open(tar) as archive:
        return {member.name.removeprefix("./"): member for member in archive if member.name not in (".", "./")}


def field(deb, name):
    return run("dpkg-deb", "--field", deb, name).decode().strip()


def relations(text):
    """[[name, …], …]: alternatives, without versions."""
    return [[re.sub(r"[\s(:].*", "", word.strip()) for word in entry.split("|")] for entry in text.split(",")]


def sections(path):
    parser = configparser.ConfigParser(interpolation=None)
    parser.optionxform = str
    parser.read(path)
    return parser


def test_it_holds_these_files_and_no_other(members):
    assert {path: oct(member.mode) for path, member in members.items() if not member.isdir()} == \
        {path: oct(mode) for path, mode in FILES.items()}
    assert {path for path, member in members.items() if member.isdir()} == \
        {str(parent) for path in FILES for parent in pathlib.PurePath(path).parents if str(parent) != "."}


def test_everything_is_root_s_and_nobody_else_may_write(members):
    assert {(member.uid, member.gid) for member in members.values()} == {(0, 0)}
    assert {oct(member.mode) for member in members.values() if member.isdir()} == {"0o755"}


def test_its_times_are_the_changelog_s(members):
    """So the same commit gives the same package."""
    date = re.search(r"^ -- .*>  (.*)$", (ROOT / "package" / "changelog").read_text(), re.M).group(1)
    assert {member.mtime for member in members.values()} == {email.utils.parsedate_to_datetime(date).timestamp()}


def test_version_is_the_project_s_and_the_changelog_s(deb):
    assert field(deb, "Version") == VERSION
    assert (ROOT / "package" / "changelog").read_text().startswith(f"banger ({VERSION}) ")


def test_control_fields(deb):
    assert field(deb, "Package") == "banger"
    assert field(deb, "Architecture") == run("dpkg", "--print-architecture").decode().strip()
    assert field(deb, "Section") == "admin"
    assert field(deb, "Priority") == "optional"
    assert re.fullmatch(r".+ <\S+@\S+>", field(deb, "Maintainer"))
    summary, *text = field(deb, "Description").splitlines()
    assert len(summary) < 80 and not summary.endswith(".") and len(text) > 3


def test_depends_are_the_list_of_scripts_deps_and_libraries(deb):
    """Both ways; a library's package is one that scripts/deps does not name and dpkg-shlibdeps did."""
    listed = set(run(ROOT / "scripts" / "deps", "--list", "run").decode().split())
    essential = {"util-linux"}
    depends = relations(field(deb, "Depends"))
    sysusers = ["systemd", "systemd-standalone-sysusers", "systemd-sysusers"]  # as dh_installsysusers has it
    assert sysusers in depends
    assert listed - essential == {names[0] for names in depends if not names[0].startswith("lib") and names != sysusers}
    assert {"libc6", "libstdc++6", "libsystemd0"} <= {names[0] for names in depends}
    assert ["dbus-daemon", "default-dbus-session-bus"] in depends


def test_what_only_the_broker_needs_is_recommended(deb):
    assert {"polkitd", "udev", "dmsetup", "default-dbus-system-bus"} <= {names[0] for names in relations(field(deb, "Recommends"))}
    assert {"firewalld", "skopeo", "systemd-resolved", "umoci"} <= {names[0] for names in relations(field(deb, "Suggests"))}


def test_settings_are_a_conffile(unpacked):
    assert (unpacked / "DEBIAN/conffiles").read_text() == "/etc/banger/broker.toml\n"
    assert [path for path in FILES if path.startswith("etc/")] == ["etc/banger/broker.toml"]


def test_the_broker_s_unit_and_the_system_bus_s_file_name_the_same_program(unpacked):
    bus = sections(unpacked / "usr/share/dbus-1/system-services/dev.banger.Broker1.service")["D-BUS Service"]
    unit = re.findall(r"(?m)^(BusName|ExecStart)=(.*)$", (unpacked / "usr/lib/systemd/system" / bus["SystemdService"]).read_text())
    assert dict(unit) == {"BusName": bus["Name"], "ExecStart": bus["Exec"]}
    assert (bus["User"], bus["Exec"]) == ("root", f"/{BROKER}")


def test_the_daily_run_may_what_the_broker_may(unpacked):
    broker, daily = ((unpacked / f"usr/lib/systemd/system/{name}.service").read_text() for name in ("banger-broker", "banger-broker-reconcile"))
    assert f"\nExecStart=/{BROKER} --reconcile\n" in daily
    assert broker[broker.index("\nStateDirectory="):] == daily[daily.index("\nStateDirectory="):]
    for line in ("Wants", "After"):
        assert re.search(rf"(?m)^{line}=modprobe@.*$", broker).group(0) in daily


def test_the_unit_and_the_bus_s_file_name_the_same_program(unpacked):
    bus = sections(unpacked / "usr/share/dbus-1/services/dev.banger.Agent1.service")["D-BUS Service"]
    unit = sections(unpacked / "usr/lib/systemd/user" / bus["SystemdService"])
    assert bus["Name"] == unit["Service"]["BusName"]
    assert bus["Exec"] == unit["Service"]["ExecStart"]
    assert bus["Exec"].removeprefix("/") in FILES
    assert not unit.has_section("Install"), "the bus starts it; there is nothing to enable"


def test_maintainer_scripts_parse_and_stop_at_a_failure(unpacked):
    control = unpacked / "DEBIAN"
    assert {path.name for path in control.iterdir()} == SCRIPTS | {"conffiles", "control", "md5sums", "triggers"}
    for name in SCRIPTS:
        assert (control / name).stat().st_mode & 0o7777 == 0o755
        assert (control / name).read_bytes() == (ROOT / "package" / name).read_bytes()
        assert "\nset -e\n" in (control / name).read_text()
        run("sh", "-n", control / name)


@pytest.fixture
def foreign_root(unpacked, tmp_path):
    """A system that is not running, as dpkg --root sees it: script(name, *words) runs there."""
    root = tmp_path / "root"
    shutil.copytree(unpacked, root, ignore=shutil.ignore_patterns("DEBIAN"))

    def script(name, *words):
        environment = {**os.environ, "DPKG_ROOT": str(root), "DPKG_MAINTSCRIPT_NAME": name, "DPKG_MAINTSCRIPT_PACKAGE": "banger"}
        done = subprocess.run(["sh", unpacked / "DEBIAN" / name, *words], env=environment, capture_output=True, text=True)
        assert done.returncode == 0, done.stderr
    return root, script


WANTS = f"etc/systemd/system/timers.target.wants/{TIMER}"


def test_maintainer_scripts_keep_to_the_root_that_dpkg_names(foreign_root):
    root, script = foreign_root
    before = pathlib.Path("/etc/group").read_bytes()
    script("postinst", "configure", "")
    assert re.search(r"(?m)^banger:x:\d+:$", (root / "etc/group").read_text())
    assert (root / WANTS).is_symlink()
    script("prerm", "upgrade", VERSION)
    script("postinst", "configure", VERSION)
    assert len(re.findall(r"(?m)^banger:", (root / "etc/group").read_text())) == 1
    assert pathlib.Path("/etc/group").read_bytes() == before


def test_a_timer_that_an_administrator_has_disabled_stays_so(foreign_root):
    root, script = foreign_root
    script("postinst", "configure", "")
    (root / WANTS).unlink()
    script("postinst", "configure", VERSION)
    assert not (root / WANTS).is_symlink()


HOSTS = "hosts:          files dns"
# (the line before the install, the line after it); what has `banger` already stays.
HOSTS_LINES = [
    (HOSTS, "hosts:          files banger dns"),
    ("hosts: files mdns4_minimal [NOTFOUND=return] dns", "hosts: files banger mdns4_minimal [NOTFOUND=return] dns"),
    ("hosts: mymachines resolve [!UNAVAIL=return] files myhostname dns", "hosts: mymachines resolve [!UNAVAIL=return] files banger myhostname dns"),
    ("hosts:\tfiles [NOTFOUND=continue] [UNAVAIL=continue] dns", "hosts:\tfiles [NOTFOUND=continue] [UNAVAIL=continue] banger dns"),
    ("hosts:files", "hosts:files banger"),
    ("hosts: files dns # files of ours", "hosts: files banger dns # files of ours"),
    ("hosts: files# dns", "hosts: files banger# dns"),
    ("hosts: dns  # no files here", "hosts: dns banger  # no files here"),
    ("hosts: otherfiles dns", "hosts: otherfiles dns banger"),
]
REST = "passwd: files\n# hosts: files\n{}\nnetworks: files banger-like\n"


@pytest.fixture
def switch(foreign_root):
    """/etc/nsswitch.conf of that system, with a mode of its own."""
    path = foreign_root[0] / "etc/nsswitch.conf"
    path.write_text(REST.format(HOSTS))
    path.chmod(0o640)
    return path


@pytest.mark.parametrize("before, after", HOSTS_LINES, ids=[before for before, _ in HOSTS_LINES])
def test_its_name_service_comes_with_the_install_and_goes_with_the_removal(foreign_root, switch, before, after):
    _, script = foreign_root
    switch.write_text(REST.format(before))
    script("postinst", "configure", "")
    assert switch.read_text() == REST.format(after)
    script("prerm", "upgrade", VERSION)
    script("postinst", "configure", VERSION)
    assert switch.read_text() == REST.format(after)
    script("prerm", "remove")
    assert switch.read_text() == REST.format(before)
    assert switch.stat().st_mode & 0o777 == 0o640
    script("postinst", "configure", VERSION)
    assert switch.read_text() == REST.format(after), "installed again"


def test_an_entry_that_an_administrator_has_taken_out_stays_out(foreign_root, switch):
    root, script = foreign_root
    script("postinst", "configure", "")
    switch.write_text(REST.format(HOSTS))
    for _ in range(2):
        script("prerm", "upgrade", VERSION)
        script("postinst", "configure", VERSION)
        script("prerm", "remove")
        script("postrm", "remove")
        script("postinst", "configure", VERSION)
        assert switch.read_text() == REST.format(HOSTS)
    script("prerm", "remove")
    script("postrm", "purge")
    assert not (root / "var/lib/banger").exists()
    script("postinst", "configure", "")
    assert "banger dns" in switch.read_text(), "after a purge everything is new"


@pytest.mark.parametrize("own", ["hosts: banger files dns", "hosts: files dns banger [NOTFOUND=return]", "hosts: files banger"])
def test_an_entry_that_is_there_is_an_administrator_s_own(foreign_root, switch, own):
    _, script = foreign_root
    switch.write_text(REST.format(own))
    script("postinst", "configure", "")
    assert switch.read_text() == REST.format(own)


def test_a_system_without_a_name_service_switch_gets_none(foreign_root, switch):
    _, script = foreign_root
    switch.unlink()
    script("postinst", "configure", "")
    script("prerm", "remove")
    assert not switch.exists()


def test_its_name_service_module_wants_libc_alone_and_shows_glibc_s_names_alone(unpacked):
    module = unpacked / f"usr/lib/{MULTIARCH}/libnss_banger.so.2"
    dynamic = run("readelf", "--wide", "--dynamic", module).decode()
    assert re.findall(r"\(NEEDED\).*\[(.*)\]", dynamic) == ["libc.so.6"]
    assert re.findall(r"\(SONAME\).*\[(.*)\]", dynamic) == ["libnss_banger.so.2"]
    assert "BIND_NOW" in dynamic and "GNU_RELRO" in run("readelf", "--wide", "--segments", module).decode()
    symbols = run("nm", "--dynamic", module).decode().split("\n")
    shown = {line.split()[-1] for line in symbols if re.match(r"[0-9a-f]+ ", line)}
    assert shown == {f"_nss_banger_gethostby{name}_r" for name in ("name", "name2", "name3", "name4", "addr", "addr2")}
    called = {re.sub("@.*", "", line.split()[-1]) for line in symbols if line.lstrip().startswith("U ")}
    assert not {"malloc", "free", "calloc", "realloc", "getenv", "secure_getenv", "pthread_mutex_lock", "abort"} & called


def test_a_removal_keeps_users_disks_and_a_purge_takes_them(foreign_root):
    root, script = foreign_root
    script("postinst", "configure", "")
    disk = root / "var/lib/banger-broker/cow/1000-a.cow"
    disk.parent.mkdir(parents=True)
    disk.touch()
    script("prerm", "remove")
    script("postrm", "remove")
    assert disk.exists() and (root / "etc/banger/broker.toml").exists()
    script("postrm", "purge")
    assert not any((root / path).exists() or (root / path).is_symlink() for path in ("var/lib/banger-broker", "etc/banger", WANTS))


# Three users' managers: one never answers, one's bangerd.service is broken, and one is as usual.
SYSTEMCTL = """#!/bin/sh
if [ "$1" = list-units ]; then
    for uid in 1000 1001 1002; do echo "user@$uid.service loaded active running User Manager for UID $uid"; done
    exit
fi
[ "$1" = --user ] || exit 0
echo "$*" >>{log}
case "$3" in
    1000@) exec sleep 60 ;;
    1001@) exit 1 ;;
esac
"""
# What the scripts tell the system itself, which is this machine's.
OTHERS = ("deb-systemd-helper", "deb-systemd-invoke", "systemd-sysusers", "udevadm", "networkctl")
IN_A_SECOND = "#!/bin/sh\nshift\nexec /usr/bin/timeout 1 \"$@\"\n"


@pytest.mark.parametrize("words, asked", [
    (["postinst", "configure", "0"], ["daemon-reload", "try-restart bangerd.service"]), (["prerm", "remove"], ["stop bangerd.service"]),
    (["prerm", "upgrade", "0"], []),
], ids=lambda value: " ".join(value))
def test_a_user_whose_manager_hangs_or_fails_harms_no_other(tmp_path, words, asked):
    namespaces.require()
    log = tmp_path / "log"
    log.touch()
    for name, text in (("systemctl", SYSTEMCTL.format(log=log)), ("timeout", IN_A_SECOND), *((name, "#!/bin/sh\n") for name in OTHERS)):
        (tmp_path / name).write_text(text)
        (tmp_path / name).chmod(0o755)
    # Without an /etc/nsswitch.conf, which root's would be this machine's own.
    booted = 'mount -t tmpfs tmpfs /run && mount -t tmpfs tmpfs /etc && mkdir -p /run/systemd/system && exec "$0" "$@"'
    begin = time.monotonic()
    done = subprocess.run(["unshare", "--map-root-user", "--mount", "sh", "-c", booted, ROOT / "package" / words[0], *words[1:]],
                          env={"PATH": f"{tmp_path}:/usr/sbin:/usr/bin:/sbin:/bin"}, capture_output=True, text=True, timeout=100)
    assert (done.returncode, done.stdout, done.stderr) == (0, "", "")
    assert time.monotonic() - begin < 20
    assert sorted(log.read_text().splitlines()) == sorted(f"--user -M {uid}@ {words}" for words in asked for uid in (1000, 1001, 1002))


def test_programs_are_stripped_and_run(unpacked):
    for path in ("usr/bin/banger", "usr/libexec/banger/bangerd"):
        assert b".debug_info" not in (unpacked / path).read_bytes()
        assert VERSION in run(unpacked / path, "--version").decode()


def test_lintian_has_nothing_to_say(deb):
    assert shutil.which("lintian"), "scripts/deps test installs it"
    done = subprocess.run(["lintian", "--fail-on", "error,warning", "--allow-root", deb], capture_output=True, text=True)
    assert (done.returncode, done.stdout) == (0, ""), done.stdout + done.stderr
