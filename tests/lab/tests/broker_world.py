# SPDX-License-Identifier: GPL-2.0-or-later
"""What banger-broker changes of a machine, to be held against what it was."""

import pathlib
import re
import subprocess

UNIT = "banger-broker.service"
STATE = pathlib.Path("/var/lib/banger-broker")


def sh(line, check=True):
    done = subprocess.run(["sh", "-c", line], capture_output=True, text=True, check=False)
    assert not check or done.returncode == 0, f"{line}: {done.stdout}{done.stderr}"
    return done.stdout


def pid():
    """Of the broker; 0 when none runs."""
    return int(sh(f"systemctl show --value -p MainPID {UNIT}"))


def is_there():
    return pid() != 0


def forwarding():
    """{interface: 0 or 1}"""
    return {path.parent.name: path.read_text().strip() for path in pathlib.Path("/proc/sys/net/ipv4/conf").glob("*/forwarding")}


def state():
    """All that a sandbox touches, as text."""
    links = re.sub(r" (qlen \d+|link-netnsid \d+)", "", sh("ip -o link | cut -d' ' -f2-"))
    rules = re.sub(r"counter packets \d+ bytes \d+", "counter", sh("nft list ruleset"))
    return {
        "dm": sh("dmsetup ls"),
        "loops": sh("losetup --list --noheadings -O NAME,BACK-INO"),
        "links": links,
        "addresses": sh("ip -o -4 address show | sed 's/valid_lft.*//'"),
        "routes": sh("ip route"),
        "rules": rules,
        "forwarding": forwarding(),
        "files": sorted(str(path) for path in STATE.glob("*/*")) if STATE.exists() else [],
    }


def differences(before, after):
    return {key: (before[key], after[key]) for key in before if before[key] != after[key]}
