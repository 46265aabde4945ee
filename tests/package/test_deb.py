# SPDX-License-Identifier: GPL-2.0-or-later
"""The .debs that `cmake --build build/release --target package` has left: what is in them, and what they say of themselves. The lab installs them."""

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

# Folders above these have 0755; nothing else is in them.
PACKAGES = {
    "banger": {
        "usr/bin/banger": 0o755,
        "usr/lib/systemd/user/banger-autostart.service": 0o644,
        "usr/lib/systemd/user/banger.slice": 0o644,
        "usr/lib/systemd/user/bangerd.service": 0o644,
        "usr/libexec/banger/banger-confine": 0o755,
        "usr/libexec/banger/banger-guest": 0o755,
        "usr/libexec/banger/banger-netguard": 0o755,
        "usr/libexec/banger/banger-tap": 0o755,
        "usr/libexec/banger/banger-unpack": 0o755,
        "usr/libexec/banger/bangerd": 0o755,
        "usr/share/applications/dev.banger.Banger.desktop": 0o644,
        "usr/share/banger/packages.apt": 0o644,
        "usr/share/bash-completion/completions/banger": 0o644,
        "usr/share/dbus-1/services/dev.banger.Agent1.service": 0o644,
        "usr/share/doc/banger/changelog.gz": 0o644,
        "usr/share/doc/banger/copyright": 0o644,
        "usr/share/fish/vendor_completions.d/banger.fish": 0o644,
        "usr/share/gnome-shell/search-providers/dev.banger.Banger.search-provider.ini": 0o644,
        "usr/share/icons/hicolor/scalable/apps/dev.banger.Banger.svg": 0o644,
        "usr/share/icons/hicolor/symbolic/apps/dev.banger.Banger-symbolic.svg": 0o644,
        "usr/share/krunner/dbusplugins/dev.banger.Banger.desktop": 0o644,
        "usr/share/lintian/overrides/banger": 0o644,
        "usr/share/man/man1/banger-config.1.gz": 0o644,
        "usr/share/man/man1/banger-daemon.1.gz": 0o644,
        "usr/share/man/man1/banger-image.1.gz": 0o644,
        "usr/share/man/man1/banger-kernel.1.gz": 0o644,
        "usr/share/man/man1/banger-runtime.1.gz": 0o644,
        "usr/share/man/man1/banger-ssh-config.1.gz": 0o644,
        "usr/share/man/man1/banger-tui.1.gz": 0o644,
        "usr/share/man/man1/banger-vm.1.gz": 0o644,
        "usr/share/man/man1/banger.1.gz": 0o644,
        "usr/share/man/man5/banger-bundle.5.gz": 0o644,
        "usr/share/man/man5/banger.toml.5.gz": 0o644,
        "usr/share/man/man7/banger-guest.7.gz": 0o644,
        "usr/share/man/man8/bangerd.8.gz": 0o644,
        "usr/share/metainfo/dev.banger.Banger.metainfo.xml": 0o644,
        "usr/share/zsh/vendor-completions/_banger": 0o644,
    },
    "banger-broker": {
        "etc/banger/broker.toml": 0o644,
        "usr/lib/firewalld/zones/banger.xml": 0o644,
        "usr/lib/systemd/network/80-banger.network": 0o644,
        "usr/lib/systemd/system/banger-broker-reconcile.service": 0o644,
        "usr/lib/systemd/system/banger-broker-reconcile.timer": 0o644,
        "usr/lib/systemd/system/banger-broker.service": 0o644,
        "usr/lib/sysusers.d/banger.conf": 0o644,
        "usr/lib/udev/rules.d/56-banger.rules": 0o644,
        f"usr/lib/{MULTIARCH}/libnss_banger.so.2": 0o644,
        "usr/libexec/banger/banger-broker": 0o755,
        "usr/share/dbus-1/system-services/dev.banger.Broker1.service": 0o644,
        "usr/share/dbus-1/system.d/dev.banger.Broker1.conf": 0o644,
        "usr/share/doc/banger-broker/changelog.gz": 0o644,
        "usr/share/doc/banger-broker/copyright": 0o644,
        "usr/share/man/man5/broker.toml.5.gz": 0o644,
        "usr/share/man/man8/banger-broker.8.gz": 0o644,
        "usr/share/polkit-1/actions/dev.banger.policy": 0o644,
        "usr/share/polkit-1/rules.d/dev.banger.rules": 0o644,
    },
    "banger-doc": {
        "usr/share/dbus-1/interfaces/dev.banger.Agent1.xml": 0o644,
        "usr/share/dbus-1/interfaces/dev.banger.Broker1.xml": 0o644,
        "usr/share/doc/banger-doc/changelog.gz": 0o644,
        "usr/share/doc/banger-doc/copyright": 0o644,
        "usr/share/doc/banger/CHANGELOG.md": 0o644,
        "usr/share/doc/banger/README.md": 0o644,
        "usr/share/doc/banger/SECURITY.md": 0o644,
        "usr/share/doc/banger/examples/client.py": 0o644,
        "usr/share/man/man7/dev.banger.Agent1.7.gz": 0o644,
        "usr/share/man/man7/dev.banger.Broker1.7.gz": 0o644,
    },
}
FILES = {path: mode for files in PACKAGES.values() for path, mode in files.items()}
BROKER = "usr/libexec/banger/banger-broker"
# Of each package, what dpkg runs and what else it reads.
CONTROL = {
    "banger": {"control", "md5sums", "postinst", "preinst", "prerm"},
    "banger-broker": {"conffiles", "control", "md5sums", "postinst", "postrm", "preinst", "prerm", "triggers"},
    "banger-doc": {"control", "md5sums"},
}
SCRIPTS = {"postinst", "postrm", "preinst", "prerm"}
TIMER = "banger-broker-reconcile.timer"


def run(*words):
    done = subprocess.run(list(map(str, words)), capture_output=True)
    assert done.returncode == 0, f"{words}: {done.stdout.decode()}{done.stderr.decode()}"
    return done.stdout


@pytest.fixture(scope="module")
def debs():
    """{name: the .deb}"""
    found = {name: sorted((ROOT / "build" / "release").glob(f"{name}_{VERSION}_*.deb")) for name in PACKAGES}
    missing = [name for name, files in found.items() if not files]
    assert not missing, f"no package {missing}; cmake --build build/release --target package makes them"
    return {name: files[0] for name, files in found.items()}


@pytest.fixture(params=PACKAGES)
def name(request):
    """Each of the packages."""
    return request.param


@pytest.fixture
def deb(debs, name):
    return debs[name]


@pytest.fixture(scope="module")
def controls(debs, tmp_path_factory):
    """{name: a folder with what dpkg reads}"""
    folders = {name: tmp_path_factory.mktemp(name) for name in debs}
    for name, deb in debs.items():
        run("dpkg-deb", "--control", deb, folders[name])
    return folders


@pytest.fixture(scope="module")
def unpacked(debs, tmp_path_factory):
    """All of them, as on a system that has all."""
    folder = tmp_path_factory.mktemp("deb")
    for deb in debs.values():
        run("dpkg-deb", "--extract", deb, folder)
    return folder


def members_of(deb, folder):
    """{path: tarfile.TarInfo} of what gets installed."""
    tar = folder / "data.tar"
    tar.write_bytes(run("dpkg-deb", "--fsys-tarfile", deb))
    with tarfile.open(tar) as archive:
        return {member.name.removeprefix("./"): member for member in archive if member.name not in (".", "./")}


@pytest.fixture
def members(deb, tmp_path):
    return members_of(deb, tmp_path)


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


def test_it_holds_these_files_and_no_other(name, members):
    files = PACKAGES[name]
    assert {path: oct(member.mode) for path, member in members.items() if not member.isdir()} == {path: oct(mode) for path, mode in files.items()}
    assert {path for path, member in members.items() if member.isdir()} == \
        {str(parent) for path in files for parent in pathlib.PurePath(path).parents if str(parent) != "."}


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


def test_control_fields(name, deb):
    assert field(deb, "Package") == name
    assert field(deb, "Architecture") == ("all" if name == "banger-doc" else run("dpkg", "--print-architecture").decode().strip())
    assert field(deb, "Section") == ("doc" if name == "banger-doc" else "admin")
    assert field(deb, "Priority") == "optional"
    assert re.fullmatch(r".+ <\S+@\S+>", field(deb, "Maintainer"))
    summary, *text = field(deb, "Description").splitlines()
    assert len(summary) < 80 and not summary.endswith(".") and len(text) > 2
    assert field(deb, "Depends" if name != "banger-doc" else "Suggests")


def test_each_has_a_description_of_its_own(debs):
    assert len({field(deb, "Description").splitlines()[0] for deb in debs.values()}) == len(PACKAGES)


def test_the_parts_take_their_files_over_from_the_one_package_of_before(debs):
    for name in ("banger-broker", "banger-doc"):
        assert field(debs[name], "Breaks") == field(debs[name], "Replaces") == "banger (<< 0.2.0~)"
    assert not field(debs["banger"], "Breaks") and not field(debs["banger"], "Replaces")
    assert field(debs["banger"], "Recommends").split(", ").count("banger-broker") == 1


def test_depends_are_the_list_of_scripts_deps_and_libraries(debs):
    """Both ways; a library's package is one that scripts/deps does not name and dpkg-shlibdeps did."""
    listed = set(run(ROOT / "scripts" / "deps", "--list", "run").decode().split())
    essential = {"util-linux"}
    depends = relations(field(debs["banger"], "Depends"))
    assert listed - essential == {names[0] for names in depends if not names[0].startswith("lib")}
    assert {"libc6", "libstdc++6", "libsystemd0", "libseccomp2"} <= {names[0] for names in depends}
    assert ["dbus-daemon", "default-dbus-session-bus"] in depends


def test_the_broker_depends_on_what_it_can_t_do_without(debs):
    depends = relations(field(debs["banger-broker"], "Depends"))
    assert ["systemd", "systemd-standalone-sysusers", "systemd-sysusers"] in depends, "as dh_installsysusers has it"
    assert {"polkitd", "udev", "dmsetup", "default-dbus-system-bus"} <= {names[0] for names in depends}
    assert "banger" not in {names[0] for names in depends}, "they speak an interface, and nothing else"
    assert {"firewalld", "systemd-resolved"} <= {names[0] for names in relations(field(debs["banger-broker"], "Suggests"))}
    assert {"banger-doc", "skopeo", "umoci"} <= {names[0] for names in relations(field(debs["banger"], "Suggests"))}


def test_settings_are_a_conffile(controls):
    assert (controls["banger-broker"] / "conffiles").read_text() == "/etc/banger/broker.toml\n"
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


def test_maintainer_scripts_parse_and_stop_at_a_failure(name, controls):
    control = controls[name]
    assert {path.name for path in control.iterdir()} == CONTROL[name]
    for script in SCRIPTS & CONTROL[name]:
        assert (control / script).stat().st_mode & 0o7777 == 0o755
        source = ROOT / "package" / name / script
        if source.exists():
            assert (control / script).read_bytes() == source.read_bytes()
        else:
            assert (control / script).read_text() == source.with_name(f"{script}.in").read_text().replace("@PROJECT_VERSION@", VERSION)
        assert "\nset -e\n" in (control / script).read_text()
        run("sh", "-n", control / script)


@pytest.mark.parametrize("package, words, refused", [
    ("banger", ["upgrade", "99.0"], True), ("banger", ["upgrade", "0.1.0"], False), ("banger", ["upgrade", VERSION], False), ("banger", ["install"], False),
    ("banger-broker", ["upgrade", "99.0"], True), ("banger-broker", ["install", "99.0"], True), ("banger-broker", ["upgrade", VERSION], False),
    ("banger-broker", ["install"], False),
    # dpkg goes back: the installed package's own script, with the version that failed.
    ("banger", ["abort-upgrade", "99.0"], False), ("banger-broker", ["abort-upgrade", "99.0"], False),
], ids=lambda value: " ".join(value) if isinstance(value, list) else str(value))
def test_an_older_package_does_not_take_a_newer_one_s_place(controls, package, words, refused):
    done = subprocess.run(["sh", controls[package] / "preinst", *words], capture_output=True, text=True)
    assert (done.returncode != 0) == refused, done.stderr
    assert refused == (f"{package} {VERSION} does not take the place of {package} 99.0" in done.stderr)
    assert not refused or "apt-get" in done.stderr, "what to do"


@pytest.fixture
def foreign_root(unpacked, controls, tmp_path):
    """A system that is not running, as dpkg --root sees it: script(name, *words) runs banger-broker's there."""
    root = tmp_path / "root"
    shutil.copytree(unpacked, root)

    def script(name, *words):
        environment = {**os.environ, "DPKG_ROOT": str(root), "DPKG_MAINTSCRIPT_NAME": name, "DPKG_MAINTSCRIPT_PACKAGE": "banger-broker"}
        done = subprocess.run(["sh", controls["banger-broker"] / name, *words], env=environment, capture_output=True, text=True)
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
    (["banger/postinst", "configure", "0"], ["daemon-reload", "try-restart bangerd.service"]), (["banger/prerm", "remove"], ["stop bangerd.service"]),
    (["banger/postinst", "abort-upgrade", "0"], ["daemon-reload", "try-restart bangerd.service"]), (["banger/prerm", "upgrade", "0"], []),
    (["banger-broker/postinst", "configure", "0"], []),
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


RULES = """#!/bin/sh
echo "$*" >>{log}
[ "$*" = "--handle list chain ip filter FORWARD" ] || exit 0
echo '  iifname "bgr7" counter packets 0 bytes 0 accept comment "banger-1000-web" # handle 21'
echo '  iifname "eth0" counter packets 0 bytes 0 accept comment "somebody" # handle 23'
"""


LINKS = """#!/bin/sh
echo "ip $*" >>{log}
[ "$*" = "-o link show" ] || exit 0
echo '7: bgr7: <BROADCAST,MULTICAST,UP> mtu 1500 qdisc noqueue state UP mode DEFAULT\\    link/ether 02:00:00:00:00:07 brd ff:ff:ff:ff:ff:ff\\    altname banger-1000-web'
echo '8: bgr8: <BROADCAST,MULTICAST,UP> mtu 1500 qdisc noqueue state UP mode DEFAULT\\    link/ether 02:00:00:00:00:08 brd ff:ff:ff:ff:ff:ff'
"""


RESUME = "dmsetup --noudevrules --noudevsync resume banger-1000-web"
NODES = """#!/bin/sh
echo "dmsetup $*" >>{log}
[ "$*" = "ls --target snapshot" ] || exit 0
printf 'banger-1000-web\\t(253:0)\\nsomebody-s\\t(253:1)\\n'
"""


@pytest.fixture
def postrm(tmp_path):
    """postrm(WORD): what the broker's script left, with sandboxes that run, and what it did to their objects."""
    namespaces.require()
    log = tmp_path / "log"
    stubs = {"nft": RULES, "ip": LINKS, "dmsetup": NODES, "deb-systemd-invoke": '#!/bin/sh\necho "deb-systemd-invoke $*" >>{log}\n',
             **dict.fromkeys(("deb-systemd-helper", "systemctl", "udevadm"), "#!/bin/sh\n")}
    for name, text in ((name, text.format(log=log)) for name, text in stubs.items()):
        (tmp_path / name).write_text(text)
        (tmp_path / name).chmod(0o755)
    # lo is the interface that the broker forwards here; it has the number 1 in each network namespace.
    ran = ("set -e; for folder in /etc /run /var/lib; do mount -t tmpfs tmpfs $folder; done; conf=/proc/sys/net/ipv4/conf; mkdir -p /run/systemd/system; "
           "echo 0 >$conf/all/forwarding; echo 1 >$conf/lo/forwarding; mkdir -p /var/lib/banger-broker/disks; echo '1 lo' >/var/lib/banger-broker/forwarding; "
           'sh "$0" "$1"; echo forwarding $(cat $conf/lo/forwarding); find /var/lib -mindepth 1')

    def run_it(word):
        done = subprocess.run(["unshare", "--map-root-user", "--mount", "--net", "sh", "-c", ran, ROOT / "package/banger-broker/postrm", word],
                              env={"PATH": f"{tmp_path}:/usr/sbin:/usr/bin:/sbin:/bin"}, capture_output=True, text=True, timeout=60)
        assert (done.returncode, done.stderr) == (0, "")
        return done.stdout.splitlines(), [line for line in log.read_text().splitlines() if re.search(r"\b(delete|set|remove|resume|stop)\b", line)]
    return run_it


def test_a_purge_leaves_no_rule_in_other_firewalls_and_makes_no_router(postrm):
    """The broker's own table has guarded what it forwarded until then."""
    assert postrm("purge") == (["forwarding 0"], [RESUME, "dmsetup remove --deferred banger-1000-web", "ip link delete bgr7", "delete rule ip filter FORWARD handle 21", "delete table inet banger",
                                                  "delete table netdev banger"])


def test_a_removal_makes_no_router_and_keeps_what_the_next_broker_takes_up_again(postrm):
    """Of the rules, too, which nobody puts back any more; and of a broker that somebody's call has started since prerm."""
    assert postrm("remove") == (["forwarding 0", "/var/lib/banger-broker", "/var/lib/banger-broker/disks"], ["deb-systemd-invoke stop banger-broker.service", RESUME, "ip link set bgr7 down"])


def test_what_a_desktop_reads_names_what_is_in_the_package(unpacked):
    share = unpacked / "usr/share"
    entry = sections(share / "applications/dev.banger.Banger.desktop")
    assert {entry[section]["Exec"].split()[0] for section in entry.sections()} == {"banger"}
    assert f"usr/share/icons/hicolor/scalable/apps/{entry['Desktop Entry']['Icon']}.svg" in FILES
    bus = sections(share / "dbus-1/services/dev.banger.Agent1.service")["D-BUS Service"]["Name"]
    provider = sections(share / "gnome-shell/search-providers/dev.banger.Banger.search-provider.ini")["Shell Search Provider"]
    assert provider["BusName"] == bus and f"usr/share/applications/{provider['DesktopId']}" in FILES
    assert sections(share / "krunner/dbusplugins/dev.banger.Banger.desktop")["Desktop Entry"]["X-Plasma-DBusRunner-Service"] == bus


def test_programs_are_stripped_and_run(unpacked):
    for path in ("usr/bin/banger", "usr/libexec/banger/bangerd"):
        assert b".debug_info" not in (unpacked / path).read_bytes()
        assert VERSION in run(unpacked / path, "--version").decode()


def test_lintian_has_nothing_to_say(deb):
    assert shutil.which("lintian"), "scripts/deps test installs it"
    done = subprocess.run(["lintian", "--fail-on", "error,warning", "--allow-root", deb], capture_output=True, text=True)
    assert (done.returncode, done.stdout) == (0, ""), done.stdout + done.stderr


# Without packages: the user half below a home, and away again.

@pytest.fixture
def build(tmp_path):
    """build/release, with the list that `uninstall` goes by put aside: that one is of what somebody has really installed."""
    tree = ROOT / "build" / "release"
    listed, kept = tree / "installed.txt", tmp_path / "installed.txt"
    if listed.exists():
        shutil.move(listed, kept)
    yield tree
    listed.unlink(missing_ok=True)
    if kept.exists():
        shutil.move(kept, listed)


def files_below(folder):
    return {str(path.relative_to(folder)) for path in folder.rglob("*") if not path.is_dir()}


def test_the_user_half_installs_alone_and_has_nothing_of_the_system(build, tmp_path):
    prefix = tmp_path / ".local"
    run("cmake", "--install", build, "--component", "user", "--prefix", prefix)
    installed = files_below(prefix)
    assert {"bin/banger", "libexec/banger/bangerd", "libexec/banger/banger-confine", "share/systemd/user/banger.slice"} <= installed
    assert not [path for path in installed if re.search("broker|polkit|udev|share/banger/system", path)]
    names = {pathlib.PurePath(path).name for path in PACKAGES["banger"]} - {"banger"}
    assert {pathlib.PurePath(path).name for path in installed} - {"banger"} == names


def test_together_they_are_what_is_installed_without_packages(build, tmp_path):
    """No rule's component is left out of all packages. Where a file goes differs by the prefix, so its name counts."""
    run("cmake", "--install", build, "--prefix", tmp_path / "prefix")
    installed = {path.name for path in (tmp_path / "prefix").rglob("*") if not path.is_dir()}
    assert installed == {pathlib.PurePath(path).name for path in FILES}


def test_uninstall_takes_away_what_was_installed_and_leaves_the_rest(build, tmp_path):
    prefix = tmp_path / ".local"
    (prefix / "bin").mkdir(parents=True)
    (prefix / "share" / "banger").mkdir(parents=True)
    for mine in ("bin/mine", "share/banger/mine"):
        (prefix / mine).touch()
    run("cmake", "--install", build, "--component", "user", "--prefix", prefix)
    assert len(files_below(prefix)) > 10
    said = subprocess.run(["cmake", "--build", build, "--target", "uninstall"], capture_output=True, text=True)
    assert said.returncode == 0 and "VMs, images and settings stay" in said.stdout + said.stderr
    assert files_below(prefix) == {"bin/mine", "share/banger/mine"}
    assert not (prefix / "share" / "applications").exists() and not (prefix / "libexec" / "banger").exists()
    again = subprocess.run(["cmake", "--build", build, "--target", "uninstall"], capture_output=True, text=True)
    assert again.returncode != 0 and "nothing is known to be installed" in again.stdout + again.stderr


def test_what_can_t_be_removed_is_named_and_not_forgotten(tmp_path):
    """As a user, of what root has installed; here a folder with something in it stands in a file's place, which not even root removes so."""
    (tmp_path / "bin").mkdir()
    (tmp_path / "bin" / "gone").touch()
    (tmp_path / "stuck").mkdir()
    (tmp_path / "stuck" / "mine").touch()
    listed = tmp_path / "installed.txt"
    listed.write_text(f"{tmp_path}/bin/gone\n{tmp_path}/stuck\n")
    command = ["cmake", f"-DBUILD={tmp_path}", "-P", ROOT / "package" / "uninstall.cmake"]
    said = subprocess.run(command, capture_output=True, text=True)
    assert said.returncode != 0 and f"{tmp_path}/stuck" in said.stderr and "sudo" in said.stderr
    assert listed.read_text() == f"{tmp_path}/stuck\n" and not (tmp_path / "bin" / "gone").exists()
    shutil.rmtree(tmp_path / "stuck")
    assert subprocess.run(command, capture_output=True, text=True).returncode == 0
    assert not listed.exists()


@pytest.mark.parametrize("linked, calls", [("ours", ["daemon disable", "daemon stop"]), ("another's", ["daemon stop"]), ("nothing", ["daemon stop"])])
def test_an_uninstall_ends_what_would_start_vms(tmp_path, linked, calls):
    """banger here is a stand-in, as the real one asks the systemd of who runs this."""
    unit = tmp_path / "share" / "systemd" / "user" / "banger-autostart.service"
    for path in (unit, tmp_path / "bin" / "banger", tmp_path / "other" / unit.name):
        path.parent.mkdir(parents=True)
        path.write_text(f"#!/bin/sh\necho \"$*\" >>{tmp_path}/calls\n")
        path.chmod(0o755)
    link = tmp_path / "config" / "systemd" / "user" / "default.target.wants" / unit.name
    link.parent.mkdir(parents=True)
    if linked != "nothing":
        link.symlink_to(unit if linked == "ours" else tmp_path / "other" / unit.name)
    (tmp_path / "installed.txt").write_text(f"{tmp_path}/bin/banger\n{unit}\n")
    subprocess.run(["cmake", f"-DBUILD={tmp_path}", "-P", ROOT / "package" / "uninstall.cmake"], check=True, capture_output=True,
                   env={**os.environ, "XDG_CONFIG_HOME": str(tmp_path / "config")})
    assert (tmp_path / "calls").read_text().splitlines() == calls
    assert not unit.exists() and not (tmp_path / "bin" / "banger").exists()


def test_packaging_is_no_installation(build):
    """cpack runs the same rules; `uninstall` after it must not take away what dpkg has below /usr."""
    assert not (build / "installed.txt").exists()
    run("cmake", "--build", build, "--target", "package")
    assert not (build / "installed.txt").exists()
