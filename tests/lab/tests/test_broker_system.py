# SPDX-License-Identifier: GPL-2.0-or-later
"""What the package tells udev, polkit, the bus, systemd and networkd for banger-broker, seen on a system that runs them."""

import contextlib
import gzip
import pathlib
import shlex
import subprocess
import tempfile

import pytest

from harness import wait

pytestmark = pytest.mark.limit(180)
NAME, PATH = "dev.banger.Broker1", "/dev/banger/Broker1"
LOOPS = pathlib.Path("/run/banger-broker/loops")
MANAGE, NETWORK, ADMINISTER = (f"dev.banger.{word}" for word in ("manage-sandboxes", "enable-network", "administer-sandboxes"))


def sh(line, check=True):
    done = subprocess.run(["sh", "-c", line], capture_output=True, text=True)
    assert not check or done.returncode == 0, f"{line}: {done.stdout}{done.stderr}"
    return done


def text(line):
    return sh(line).stdout.strip()


@pytest.fixture
def undo():
    with contextlib.ExitStack() as stack:
        yield lambda line: stack.callback(sh, line, check=False)


@pytest.fixture
def broker():
    """Doesn't run."""
    sh("systemctl stop banger-broker.service")


# --- udev


@pytest.fixture
def labelled(tmp_path, undo):
    """labelled(label): a file with a file system of that label, as a hostile guest may write one."""
    def make(label):
        path = tmp_path / label
        sh(f"truncate -s 16M {path} && mke2fs -q -t ext4 -L {label} {path}")
        return path
    return make


@pytest.fixture
def loop(undo):
    def attach(path, announced):
        device = text("losetup -f")
        marker = LOOPS / pathlib.Path(device).name
        if announced:
            marker.parent.mkdir(parents=True, exist_ok=True)
            marker.touch()
            undo(f"rm -f {marker}")
        sh(f"losetup {device} {path} && udevadm settle")
        undo(f"losetup -d {device}; udevadm settle")
        return device
    return attach


@pytest.fixture
def node(undo):
    def create(name, uuid, table):
        sh(f"dmsetup create {name} -u {uuid} --table {shlex.quote(table)} && udevadm settle")
        undo(f"dmsetup remove {name}; udevadm settle")
        return f"/dev/mapper/{name}"
    return create


def owner(path):
    return text(f"stat -L -c '%u %G %a' {path}")


def labels():
    folder = pathlib.Path("/dev/disk/by-label")
    return {path.name for path in folder.iterdir()} if folder.exists() else set()


def is_watched(device):
    major, minor = (int(word, 16) for word in text(f"stat -L -c '%t %T' {device}").split())
    return pathlib.Path(f"/run/udev/watch/b{major}:{minor}").is_symlink()


def test_udev_s_rules_have_no_mistakes():
    if sh("udevadm verify --help", check=False).returncode != 0:
        pytest.skip("udevadm verify came with systemd 254")
    sh("udevadm verify /usr/lib/udev/rules.d/56-banger.rules")


def test_a_sandbox_s_node_is_its_user_s_alone(alice, bob, node):
    path = node(f"banger-{alice.uid}-a", f"BANGER-{alice.uid}-a", "0 2048 zero")
    assert owner(path) == f"{alice.uid} root 600"
    alice.run(f"dd if={path} of=/dev/null count=1 && dd if=/dev/zero of={path} count=1")
    assert bob.run(f"dd if={path} of=/dev/null count=1", check=False).returncode != 0


def test_a_sandbox_s_node_stays_its_user_s(alice, node):
    path = node(f"banger-{alice.uid}-a-1", f"BANGER-{alice.uid}-a-1", "0 2048 zero")
    for line in (f"udevadm trigger --settle --action=add {path}", f"udevadm trigger --settle --action=change {path}",
                 f"dmsetup suspend {path} && dmsetup resume {path} && udevadm settle",
                 f"dmsetup reload {path} --table '0 4096 zero' && dmsetup suspend {path} && dmsetup resume {path} && udevadm settle"):
        sh(line)
        assert owner(path) == f"{alice.uid} root 600", line


@pytest.mark.parametrize("uuid, expected", [
    ("BANGER-4000000-b", "4000000 root 600"),  # no user has this uid
    ("BANGER-0-b", "0 root 600"),
    ("BANGER-{}", "0 disk 660"),  # not of our shape
    ("BANGER-x{}-b", "0 disk 660"),
    ("BANGERX-{}-b", "0 disk 660"),
    ("LVM-BANGER-{}-b", "0 disk 660"),
    ("BANGER-{}x-b", "0 root 600"),  # nearly ours: nobody's
    ("BANGER-99999999999-b", "0 root 600"),
])
def test_only_a_uuid_of_our_shape_gives_a_node_to_a_user(alice, node, uuid, expected):
    assert owner(node("shape", uuid.format(alice.uid), "0 8 zero")) == expected


def test_nobody_looks_into_a_sandbox_s_node(alice, labelled, loop, node):
    below = loop(labelled("LEFT"), announced=True)
    path = node(f"banger-{alice.uid}-n", f"BANGER-{alice.uid}-n", f"0 32768 linear {below} 0")
    sh(f"udevadm trigger --settle --action=change {path}")
    assert "LEFT" not in labels() and not is_watched(path)
    assert "ID_FS_" not in text(f"udevadm info {path}")
    assert "UDISKS_IGNORE=1" in text(f"udevadm info {path}")
    other = node("other", "OTHER-n", f"0 32768 linear {loop(labelled('RIGHT'), announced=True)} 0")
    assert "RIGHT" in labels() and is_watched(other), "both are seen where udev does look"


def test_nobody_looks_into_a_loop_device_that_the_broker_has_announced(labelled, loop):
    ours = loop(labelled("OURS"), announced=True)
    theirs = loop(labelled("THEIRS"), announced=False)
    assert {"OURS", "THEIRS"} & labels() == {"THEIRS"}
    assert (is_watched(ours), is_watched(theirs)) == (False, True)
    assert "UDISKS_IGNORE=1" in text(f"udevadm info {ours}")


# --- who manages our TAPs


def test_network_managers_leave_our_taps_alone(undo):
    catch_all = pathlib.Path("/run/systemd/network/90-all.network")
    catch_all.parent.mkdir(parents=True, exist_ok=True)
    catch_all.write_text("[Match]\nKind=tun\n[Network]\nLinkLocalAddressing=no\n")
    undo(f"rm {catch_all}; networkctl reload")
    sh("networkctl reload")
    for name, address in (("bgr0", "192.0.2.1/25"), ("other0", "192.0.2.129/25")):  # without one it takes no link of somebody else's making
        sh(f"ip tuntap add {name} mode tap && ip addr add {address} dev {name} && ip link set {name} up")
        undo(f"ip link delete {name}")
    sh("udevadm settle")

    def managed(name):
        return "unmanaged" not in text(f"networkctl --no-legend list {name}")

    wait.until(lambda: managed("other0"), 30, "networkd takes the other one")
    assert not managed("bgr0")
    assert "NM_UNMANAGED=1" in text("udevadm info /sys/class/net/bgr0")
    assert "NM_UNMANAGED" not in text("udevadm info /sys/class/net/other0")


def test_networkmanager_leaves_our_taps_alone(undo):
    """Itself, where it runs beside networkd: it takes another TAP and not ours."""
    for name, address in (("bgr0", "192.0.2.1/25"), ("other0", "192.0.2.129/25")):  # without one it takes no link of somebody else's making
        sh(f"ip tuntap add {name} mode tap && ip addr add {address} dev {name} && ip link set {name} up")
        undo(f"ip link delete {name}")
    sh("udevadm settle && systemctl start NetworkManager")
    undo("systemctl stop NetworkManager")

    def state_of(name):
        rows = dict(line.split(":", 1) for line in text("nmcli -t -f DEVICE,STATE device").splitlines() if ":" in line)
        return rows.get(name, "")

    wait.until(lambda: state_of("other0") not in ("", "unmanaged"), 60, "NetworkManager takes the other one")
    assert state_of("bgr0") == "unmanaged"


# --- polkit


CHECK = """
import dbus, sys
bus = dbus.SystemBus()
authority = dbus.Interface(bus.get_object("org.freedesktop.PolicyKit1", "/org/freedesktop/PolicyKit1/Authority"), "org.freedesktop.PolicyKit1.Authority")
subject = ("system-bus-name", {"name": dbus.String(bus.get_unique_name(), variant_level=1)})
answer = authority.CheckAuthorization(subject, sys.argv[1], dbus.Dictionary({}, signature="ss"), dbus.UInt32(0), "", timeout=60)
print("yes" if answer[0] else "question" if answer[1] else "no")
"""


def polkit_says(user, action):
    """Without interaction, about a connection of this user's to the bus."""
    return user.run(f"/usr/bin/python3 -c {shlex.quote(CHECK)} {action}").stdout.strip()


def test_polkit_lets_group_banger_through_for_its_own_sandboxes_alone(alice):
    assert "banger" in alice.run("id -Gn").stdout.split()
    assert {action: polkit_says(alice, action) for action in (MANAGE, NETWORK, ADMINISTER)} == \
        {MANAGE: "yes", NETWORK: "yes", ADMINISTER: "question"}


def test_polkit_wants_an_administrator_s_password_of_others(bob, mallory):
    for user in (bob, mallory):
        assert {polkit_says(user, action) for action in (MANAGE, NETWORK, "dev.banger.create-with-network", ADMINISTER)} == {"question"}, user.name


def test_an_administrator_s_rule_comes_before_ours(alice, undo):
    rule = pathlib.Path("/etc/polkit-1/rules.d/50-test.rules")
    undo(f"rm {rule}")
    rule.write_text(f'polkit.addRule(function(action) {{ if (action.id == "{NETWORK}") return polkit.Result.NO; }});\n')
    wait.until(lambda: polkit_says(alice, NETWORK) == "no", 30, "polkit has read the rule")
    assert polkit_says(alice, MANAGE) == "yes"


def test_the_manual_s_rule_lets_another_group_through_and_no_further(bob, undo):
    manual = gzip.decompress(pathlib.Path("/usr/share/man/man8/banger-broker.8.gz").read_bytes()).decode()
    example = manual[manual.index("polkit.addRule"):].partition("\n.Ed")[0]
    rule = pathlib.Path("/etc/polkit-1/rules.d/40-banger.rules")
    undo(f"rm {rule}; groupdel developers")
    sh(f"groupadd developers && usermod -aG developers {bob.name}")
    assert polkit_says(bob, MANAGE) == "question"
    rule.write_text(example)
    wait.until(lambda: polkit_says(bob, MANAGE) == "yes", 30, "polkit has read the rule")
    assert polkit_says(bob, NETWORK) in ("yes", "no"), "by his session, and never by a question"
    assert polkit_says(bob, ADMINISTER) == "question"


# --- the bus


def call(user, *words):
    """What the bus or the receiver says to it: "" when nothing is wrong."""
    return user.run(shlex.join(["busctl", "--system", "--auto-start=no", *words]), check=False).stderr.strip()


@pytest.fixture
def stand_in():
    """Has the broker's name, and a member that no policy names."""
    sh("systemctl stop banger-broker.service", check=False)
    process = subprocess.Popen(["/usr/bin/python3", "-m", "dbusmock", "--system", NAME, PATH, NAME])
    try:
        wait.until(lambda: sh(f"busctl --system --no-pager status {NAME}", check=False).returncode == 0, 30, "it has the name")
        yield
    finally:
        process.kill()
        process.wait()


def test_the_bus_lets_anybody_ask_the_broker(mallory, stand_in):
    assert "UnknownMethod" in call(mallory, "call", NAME, PATH, NAME, "List") or "is not a valid method" in call(mallory, "call", NAME, PATH, NAME, "List")
    assert call(mallory, "introspect", NAME, PATH) == ""
    assert call(mallory, "call", NAME, PATH, "org.freedesktop.DBus.Peer", "Ping") == ""
    assert "denied" not in call(mallory, "call", NAME, PATH, "org.freedesktop.DBus.Properties", "GetAll", "s", NAME)


def test_the_bus_refuses_what_its_policy_does_not_name(alice, stand_in):
    for words in (("org.freedesktop.DBus.Mock", "AddProperty", "ssv", NAME, "Planted", "s", "x"),
                  ("org.freedesktop.DBus.ObjectManager", "GetManagedObjects")):
        assert "denied" in call(alice, "call", NAME, PATH, *words).lower(), words


def test_only_root_has_the_broker_s_name(alice):
    words = ("call", "org.freedesktop.DBus", "/org/freedesktop/DBus", "org.freedesktop.DBus", "RequestName", "su", NAME, "4")
    refused = call(alice, *words)
    assert "not allowed to own" in refused or "denied" in refused.lower()
    sh("systemctl stop banger-broker.service", check=False)
    sh(shlex.join(["busctl", "--system", *words]))


# --- systemd


NEEDED = """
fallocate -l 32M base && fallocate -l 16M cow && L=$(losetup -f) && losetup -r $L $PWD/base && M=$(losetup -f) && losetup $M $PWD/cow && echo $L $M >loops
dmsetup create banger-1-trial -u BANGER-1-trial --table "0 65536 snapshot $(cat loops) PO 8" && test -b /dev/mapper/banger-1-trial
dmsetup suspend --nolockfs banger-1-trial && dmsetup resume banger-1-trial && dmsetup status banger-1-trial
fallocate -l 24M cow && losetup -c $(cut -d' ' -f2 loops)
dmsetup remove --deferred banger-1-trial && losetup -d $(cat loops)
ip tuntap add bgr77 mode tap user 1 && ip link property add dev bgr77 altname banger-1-trial
echo 1 >/proc/sys/net/ipv6/conf/bgr77/disable_ipv6 && echo 1 >/proc/sys/net/ipv4/conf/bgr77/forwarding
ip address add 10.213.255.1/30 dev bgr77 && ip link set bgr77 up
nft 'table inet trial { chain f { type filter hook forward priority 0; iifname "bgr77" ct state established,related counter accept; }; }'
nft 'table inet trial { chain p { type nat hook postrouting priority 100; ip saddr 10.213.255.2 masquerade; }; }'
nft 'table netdev trial { chain i { type filter hook ingress device bgr77 priority 0; policy drop; ether type arp accept; }; }'
nft list ruleset
nft 'delete table netdev trial; delete table inet trial' && ip link delete bgr77
getent passwd alice
busctl --system call org.freedesktop.PolicyKit1 /org/freedesktop/PolicyKit1/Authority org.freedesktop.DBus.Peer Ping
setpriv --inh-caps=-all true
"""
REFUSED = """
echo 1 >/proc/sys/kernel/kptr_restrict
echo 1 >/proc/sys/vm/drop_caches
touch /etc/planted
cat /etc/shadow
ls /home/alice
chown alice base
chmod u+s base
mount -t tmpfs none /mnt
unshare --net true
modprobe dummy
head -c 1 /dev/vda
dmesg
date -s @0
hostname other
chroot / true
timeout 3 bash -c 'exec 3<>/dev/tcp/127.0.0.1/22'
"""
RUNNER = """cd /var/lib/banger-trial
while read -r line; do
    if output=$(sh -c "$line" 2>&1 </dev/null); then code=0; else code=$?; fi
    printf '%s\\t%s\\t%s\\n' "$code" "$line" "$(echo "$output" | tail -n 1)" >>results
done <lines
"""


def trial(lines, undo):
    """[(code, line, last line of output)] of shell lines that ran with all that the broker's unit says, in a unit of its own."""
    unit = text("cat /usr/lib/systemd/system/banger-broker.service")
    changed = [line for line in unit.splitlines() if not line.startswith(("BusName=", "ExecStart=", "Restart", "Type="))]
    changed.insert(changed.index("[Service]") + 1, "Type=oneshot\nExecStart=/bin/sh /opt/trial")
    place = pathlib.Path("/run/systemd/system/banger-trial.service")
    place.write_text("\n".join(changed).replace("Directory=banger-broker", "Directory=banger-trial") + "\n")
    state = pathlib.Path("/var/lib/banger-trial")
    undo(f"rm -rf {place} {state} /run/banger-trial /opt/trial; systemctl daemon-reload")
    state.mkdir(mode=0o700)
    pathlib.Path("/opt/trial").write_text(RUNNER)
    (state / "lines").write_text(lines.strip() + "\n")
    sh("systemctl daemon-reload && systemctl start banger-trial.service")
    return [tuple(line.split("\t")) for line in (state / "results").read_text().splitlines()]


def test_the_unit_lets_the_broker_do_its_work(undo):
    sh("modprobe -ra dm_snapshot dm_mod tun loop nft_masq nft_chain_nat nft_ct nf_tables", check=False)  # so that the unit has to get them
    failed = [result for result in trial(NEEDED, undo) if result[0] != "0"]
    assert not failed, "\n".join(map(str, failed))


def test_the_unit_lets_the_broker_do_nothing_else(undo):
    sh("hostname && id alice && test -e /etc/shadow")
    passed = [result for result in trial(REFUSED, undo) if result[0] == "0"]
    assert not passed, "\n".join(map(str, passed))


def test_units_are_loaded_and_the_daily_timer_waits():
    assert text("systemctl show -P LoadState banger-broker.service banger-broker-reconcile.service").split() == ["loaded"] * 2
    assert text("systemctl is-enabled banger-broker-reconcile.timer") == "enabled"
    assert text("systemctl is-active banger-broker-reconcile.timer") == "active"
    assert text("systemctl show -P NextElapseUSecRealtime banger-broker-reconcile.timer")


def test_units_have_no_mistakes(broker):
    sh("systemd-analyze verify --man=no banger-broker.service banger-broker-reconcile.service banger-broker-reconcile.timer")


def test_the_bus_starts_the_broker_as_its_unit(mallory, broker):
    mallory.run(f"busctl --system call {NAME} {PATH} org.freedesktop.DBus.Peer Ping")
    pid = text("systemctl show -P MainPID banger-broker.service")
    assert pid != "0" and text(f"busctl --system call org.freedesktop.DBus / org.freedesktop.DBus GetConnectionUnixProcessID s {NAME}") == f"u {pid}"


def test_the_daily_run_leaves_a_running_broker_alone(journal, broker):
    sh("systemctl start banger-broker.service")
    before = text("systemctl show -P MainPID banger-broker.service")
    sh("systemctl start banger-broker-reconcile.service")
    assert text("systemctl show -P MainPID banger-broker.service") == before != "0"
    assert any("a broker runs" in line for line in journal(unit="banger-broker-reconcile.service"))


def test_the_daily_run_does_it_where_no_broker_runs(journal, broker):
    sh("systemctl start banger-broker.service && systemctl stop banger-broker.service")  # so that there is a state folder
    sh("systemctl start banger-broker-reconcile.service")
    assert text("systemctl show -P Result banger-broker-reconcile.service") == "success"
    assert any("Finished" in line for line in journal(unit="banger-broker-reconcile.service"))
    assert text("systemctl is-active banger-broker.service || true") == "inactive"


def test_the_daily_run_tells_by_the_events_of_a_broker(journal, broker, undo):
    """Who waits for what needs an administrator hears of it from both."""
    sh("systemctl start banger-broker.service && systemctl stop banger-broker.service")
    record = pathlib.Path("/var/lib/banger-broker/sandboxes/4343-damaged.toml")
    undo(f"rm -f {record}")
    record.write_text("neither this nor that\n")
    sh("systemctl start banger-broker-reconcile.service", check=False)
    sh("journalctl --sync")
    entry, = journal.entries("--unit=banger-broker-reconcile.service", "MESSAGE_ID=72376354711f4f8e8c01399ea7b10efb")
    assert "can't be read" in entry["MESSAGE"] and entry["PRIORITY"] == "3"


# --- the group


def test_making_the_group_again_changes_nothing():
    before = text("cat /etc/group /etc/gshadow")
    sh("systemd-sysusers banger.conf && systemd-sysusers banger.conf")
    assert text("cat /etc/group /etc/gshadow") == before


def test_the_group_is_made_where_there_is_none():
    with tempfile.TemporaryDirectory() as root:
        (pathlib.Path(root) / "etc").mkdir()
        sh(f"mkdir -p {root}/usr/lib/sysusers.d && cp /usr/lib/sysusers.d/banger.conf {root}/usr/lib/sysusers.d/")
        sh(f"systemd-sysusers --root={root} banger.conf")
        group, = (pathlib.Path(root) / "etc/group").read_text().splitlines()
        assert group.startswith("banger:x:") and 0 < int(group.split(":")[2]) < 1000 and group.endswith(":")


def test_settings_are_installed_for_root_to_change_and_all_to_read():
    assert owner("/etc/banger/broker.toml") == "0 root 644"
    assert "/etc/banger/broker.toml" in text("dpkg-query -W -f '${Conffiles}' banger-broker")
