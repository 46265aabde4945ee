# SPDX-License-Identifier: GPL-2.0-or-later
"""banger-broker beside the usual tools, in turn, on one host. As root in the lab's workstation: bench/run-lab-broker

A sandbox with disk, network and NAT: made, started and taken away again, by alice's calls and by sandbox_by_hand."""

import argparse
import os
import pathlib
import statistics
import subprocess
import sys
import time

HERE = pathlib.Path(__file__).resolve().parent
sys.path.insert(0, str(HERE.parent / "tests/lab/tests"))
from broker_user import BrokerUser  # noqa: E402

BASE = pathlib.Path("/home/alice/bench.img")
SETTINGS = pathlib.Path("/etc/banger/broker.toml")
FOLDER = pathlib.Path("/var/tmp/by-hand")


def timed(work):
    begin = time.perf_counter()
    work()
    return (time.perf_counter() - begin) * 1000


def by_hand(verb, number):
    subprocess.run([HERE / "sandbox_by_hand", verb, str(number), BASE, FOLDER, "alice"], check=True)


def broker_start(user, name, size=256 << 20):
    user.create(name, size=size)
    user.start(name, BASE)
    user.nat(name, True)


def broker_end(user, name):
    user.stop(name)
    user.destroy(name)


def row(what, times):
    print(f"| {what} | {statistics.median(times):,.0f} ms (of {len(times)}: {min(times):,.0f} to {max(times):,.0f}) |", flush=True)
    return statistics.median(times)


def pid():
    return int(subprocess.run(["systemctl", "show", "--value", "-p", "MainPID", "banger-broker"], capture_output=True, text=True, check=True).stdout)


def private_dirty_mib():
    rollup = pathlib.Path(f"/proc/{pid()}/smaps_rollup").read_text()
    return sum(int(line.split()[1]) for line in rollup.splitlines() if line.startswith("Private_Dirty:")) / 1024


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--runs", type=int, default=10)
    parser.add_argument("--many", type=int, default=200, help="sandboxes beside each other")
    options = parser.parse_args()
    FOLDER.mkdir(exist_ok=True)
    BASE.touch()
    os.truncate(BASE, 512 << 20)
    BASE.chmod(0o644)
    BASE.parent.chmod(0o755)
    with SETTINGS.open("a") as file:
        file.write("\n[quota.user]\nsandboxes = 250\n")
    subprocess.run(["systemctl", "stop", "banger-broker"], check=True)
    user = BrokerUser("alice")
    user.list()
    times = {"hand start": [], "broker start": [], "hand end": [], "broker end": []}
    for number in range(options.runs):
        times["hand start"].append(timed(lambda number=number: by_hand("start", number)))
        times["hand end"].append(timed(lambda number=number: by_hand("stop", number)))
        times["broker start"].append(timed(lambda number=number: broker_start(user, f"bench-{number}")))
        times["broker end"].append(timed(lambda number=number: broker_end(user, f"bench-{number}")))
    medians = {what: row(what, values) for what, values in times.items()}
    print(f"| start, ratio | {medians['broker start'] / medians['hand start']:.2f} |")
    print(f"| end, ratio | {medians['broker end'] / medians['hand end']:.2f} |")
    print(f"| private dirty memory | {private_dirty_mib():.1f} MiB |")
    growing = [timed(lambda number=number: broker_start(user, f"many-{number}", 16 << 20)) for number in range(options.many)]
    first, last = statistics.median(growing[:10]), statistics.median(growing[-10:])
    print(f"| start of the first ten; of the last of {options.many}; ratio | {first:.0f} ms; {last:.0f} ms; {last / first:.2f} |")
    print(f"| private dirty memory with {options.many} | {private_dirty_mib():.1f} MiB |")
    ending = [timed(lambda number=number: broker_end(user, f"many-{number}")) for number in range(options.many)]
    row("end, of those", ending)
    user.close()
    BASE.unlink()


main()
