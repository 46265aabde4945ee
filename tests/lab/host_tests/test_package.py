# SPDX-License-Identifier: GPL-2.0-or-later
"""The .debs on a clean system: installed, upgraded over themselves, removed, purged, each with apt and as a user would."""

import pytest

from lab.harness import package

pytestmark = pytest.mark.limit(600)

# What a system consists of, but for what apt and dpkg write about their own work, logs, caches, and what a running system changes by itself.
STATE = r"""
find / -xdev \( -path /proc -o -path /sys -o -path /run -o -path /dev -o -path /tmp -o -path /var/tmp -o -path /var/log -o -path /var/cache \
    -o -path /var/lib/dpkg -o -path /var/lib/apt -o -path /var/lib/systemd -o -path /root -o -path /home \) -prune -o -printf 'file %p %m %u %g %l\n' | sort
sed 's/^/user /' /etc/passwd; sed 's/^/group /' /etc/group
systemctl list-unit-files --no-legend --plain | grep -v ' transient ' | sed 's/^/unit /'
systemctl --global list-unit-files --no-legend --plain | sed 's/^/user unit /'
nft list ruleset | sed 's/^/rule /'
ip -o link | sed 's/^/link /'
losetup --noheadings --list | sed 's/^/loop /'; dmsetup ls | sed 's/^/node /'
"""
ALL = " ".join(package.NAMES)
CREATE = "banger vm create --name {} --image bare --memory 256 --disk-size 1G"


def state(workstation):
    return workstation.text(STATE, seconds=180).splitlines()


def compare(before, after):
    before, after = set(before), set(after)
    changed = [f"- {line}" for line in sorted(before - after)] + [f"+ {line}" for line in sorted(after - before)]
    assert not changed, "\n" + "\n".join(changed[:50])


def apt(workstation, words):
    return workstation.text(f"DEBIAN_FRONTEND=noninteractive apt-get -y {words} 2>&1", seconds=300)


@pytest.fixture
def place(clean, deb):
    """The packages' paths in the workstation."""
    return package.put(clean, deb)


def test_a_removal_leaves_settings_and_sandboxes_disks_and_a_purge_leaves_the_system_as_it_was(clean, place):
    before = state(clean)
    clean.run(f"{package.INSTALL} {place}", seconds=300)
    assert clean.text("banger --version", user="alice").startswith("banger ")
    clean.run("install -d -m 700 /var/lib/banger-broker && touch /var/lib/banger-broker/1000-a.cow && echo '# mine' >>/etc/banger/broker.toml")
    apt(clean, f"remove {ALL}")
    left = {line.split()[1] for line in set(state(clean)) - set(before) if line.startswith("file ")}
    link = "/etc/systemd/system/timers.target.wants/banger-broker-reconcile.timer"
    assert left == {"/etc/banger", "/etc/banger/broker.toml", "/var/lib/banger-broker", "/var/lib/banger-broker/1000-a.cow", link}
    clean.run(f"{package.INSTALL} {place}", seconds=300)
    assert clean.text("tail -n 1 /etc/banger/broker.toml") == "# mine"
    apt(clean, f"purge {ALL}")
    compare(before, state(clean))
    assert "banger" not in clean.text("dpkg-query -W -f '${Package}\\n'")


def test_an_upgrade_and_a_removal_leave_what_sandboxes_consist_of(clean, place):
    clean.run(f"{package.INSTALL} {place}", seconds=300)
    clean.run("install -d -m 700 /var/lib/banger-broker /run/banger-broker/loops && touch /var/lib/banger-broker/1000-a.cow /run/banger-broker/loops/loop0")
    clean.run("dmsetup create banger-1000-a -u BANGER-1000-a --table '0 8 zero' && ip tuntap add bgr0 mode tap user alice && udevadm settle")
    look = "stat -c '%n %u %a %i' /var/lib/banger-broker/* /run/banger-broker/loops/*; stat -L -c '%u %a' /dev/mapper/banger-1000-a; ip -o link show bgr0"
    before = clean.text(look)
    assert "1000 600" in before
    apt(clean, f"install --reinstall {place}")
    assert clean.text(look) == before
    apt(clean, f"remove {ALL}")
    assert clean.text(look) == before


def test_an_upgrade_brings_a_new_bangerd_and_vms_go_on(clean, place):
    clean.run(f"{package.INSTALL} {place}", seconds=300)
    clean.run(CREATE.format("keeps"), user="alice", seconds=240)
    pid_of = "systemctl --user show -P MainPID bangerd.service"
    bangerd, vmm = clean.text(pid_of, user="alice"), clean.text("banger vm show keeps --json | grep '\"pid\"'", user="alice")
    assert bangerd not in ("", "0")
    apt(clean, f"install --reinstall {place}")
    assert clean.text(pid_of, user="alice") not in ("0", bangerd), "another bangerd"
    assert clean.text("banger vm show keeps --json | grep '\"pid\"'", user="alice") == vmm, "the same VMM"
    assert clean.text("banger vm exec keeps -- echo hi", user="alice") == "hi"


def test_a_purge_with_a_running_vm_leaves_only_the_users_own_files(clean, place):
    before = state(clean)
    clean.run(f"{package.INSTALL} {place}", seconds=300)
    clean.run(CREATE.format("stays"), user="alice", seconds=240)
    apt(clean, f"purge {ALL}")
    assert "bangerd" not in clean.text("ps -e -o comm="), "no bangerd runs on without its file"
    assert clean.text("ls /home/alice/.local/state/banger/vms"), "VMs are the user's, not the package's"
    clean.run("loginctl terminate-user alice", seconds=90)
    compare(before, state(clean))


def test_a_removal_closes_the_networks_that_nobody_watches_and_the_next_broker_opens_them(clean, place):
    clean.run(f"{package.INSTALL} {place}", seconds=300)
    uplink = clean.text("ip -o route show default | sed -n '1 s/.* dev \\([^ ]*\\).*/\\1/p'")

    def is_open():
        """Whether the uplink forwards, whether the TAP is up, and whether the uplink is guarded."""
        return (clean.text(f"cat /proc/sys/net/ipv4/conf/{uplink}/forwarding") == "1", "bgr" in clean.text("ip -o link show up"),
                uplink in clean.text("nft list set inet banger uplinks"))
    clean.run(CREATE.format("web") + " --nat", user="alice", seconds=240)
    assert is_open() == (True, True, True)
    apt(clean, "remove banger-broker")
    assert is_open() == (False, False, True)
    assert clean.text("banger vm exec web -- echo hi", user="alice") == "hi", "it lives on"
    clean.run("nft flush ruleset")
    clean.run(f"{package.INSTALL} {place}", seconds=300)
    clean.run("busctl --system call dev.banger.Broker1 /dev/banger/Broker1 dev.banger.Broker1 List", user="alice")
    assert is_open() == (True, True, True)
    clean.run("banger vm delete -f web", user="alice", seconds=90)


def test_after_a_purge_a_held_disk_s_vmm_can_be_killed_and_its_blocks_are_free(clean, place):
    """The broker suspends a disk that has no more room; who waits in it hears no SIGKILL."""
    clean.run(f"{package.INSTALL} {place}", seconds=300)
    clean.run(CREATE.format("full") + " --system-overlay-size 256M", user="alice", seconds=240)
    vmm = clean.text("banger vm show full --json | sed -n 's/.*\"pid\": *\\([0-9]*\\).*/\\1/p'", user="alice")
    clean.run("setsid banger vm exec full -- dd if=/dev/zero of=/big bs=1M count=400 conv=fsync </dev/null >/dev/null 2>&1 &", user="alice")
    clean.run("until dmsetup info | grep -q 'State: *SUSPENDED'; do sleep 0.2; done", seconds=120)
    apt(clean, f"purge {ALL}")
    clean.run(f"kill -9 {vmm}; while kill -0 {vmm} 2>/dev/null; do sleep 0.1; done", seconds=20)
    clean.run("while { dmsetup ls; losetup --list --noheadings; } | grep -q banger; do sleep 0.1; done", seconds=20)


def test_a_purge_holds_against_calls_that_would_start_the_broker_again(clean, place):
    """bangerd makes one each half minute; here they don't end."""
    clean.run(f"{package.INSTALL} {place}", seconds=300)
    uplink = clean.text("ip -o route show default | sed -n '1 s/.* dev \\([^ ]*\\).*/\\1/p'")
    clean.run(CREATE.format("web") + " --nat", user="alice", seconds=240)
    call = "busctl --system call dev.banger.Broker1 /dev/banger/Broker1 dev.banger.Broker1 List"
    clean.run(f"touch calls; setsid sh -c 'while test -e calls; do {call}; done' </dev/null >/dev/null 2>&1 &", user="alice")
    apt(clean, "purge banger-broker")
    clean.run("rm calls", user="alice")
    assert "banger-broker" not in clean.text("ps -e -o comm=")
    assert "banger" not in clean.text("nft list tables")
    assert clean.text(f"cat /proc/sys/net/ipv4/conf/{uplink}/forwarding") == "0"
    assert not clean.text("ip -o link").count("bgr")
