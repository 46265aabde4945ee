# SPDX-License-Identifier: GPL-2.0-or-later
"""banger-broker beside the usual tools, in turn, on one host. As root in the lab's workstation: bench/run-lab-broker

A sandbox with disk, network and NAT: made, started and taken away again, by alice's calls and by sandbox_by_hand."""

import argparse
import json
import os
import pathlib
import pwd
import re
import shutil
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
PROGRAMS = HERE.parent / "build/release/bin"


def timed(work):
    begin = time.perf_counter()
    work()
    return (time.perf_counter() - begin) * 1000


def by_hand(verb, number, environment=None):
    subprocess.run([HERE / "sandbox_by_hand", verb, str(number), BASE, FOLDER, "alice"], check=True, env={**os.environ, **(environment or {})})


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


def measure_without_waits(user, runs):
    """No polkit and no wait for udev on either side; three calls of the bus that ask nobody stand in for those that the broker's own code lacks."""
    subprocess.run(["systemctl", "stop", "banger-broker"], check=True)
    uid = str(pwd.getpwnam("alice").pw_uid)
    done = subprocess.run([PROGRAMS / "bench_broker_steps", FOLDER / "steps", BASE, uid, str(runs)], check=True, capture_output=True, text=True).stdout
    steps = [json.loads(line) for line in done.splitlines()]
    user.list()
    call = row("one call that asks nobody", [timed(user.list) for _ in range(runs)])
    hand = {"start": [], "stop": []}
    for number in range(runs):
        for verb in hand:
            hand[verb].append(timed(lambda: by_hand(verb, number, {"WITHOUT_UDEV": "yes"})))  # pylint: disable=cell-var-from-loop
            subprocess.run(["udevadm", "settle"], check=True)
    for verb, key, calls in (("start", "start_ms", 3), ("stop", "end_ms", 2)):
        ours = row(f"{verb} without waits: the broker's code", [step[key] for step in steps]) + calls * call
        print(f"| {verb} without waits, ratio with {calls} calls | {ours / row(f'{verb} without waits: by hand', hand[verb]):.2f} |")


def cpu_ms(unit):
    """Of all that systemd started for it, its sandbox included."""
    text = subprocess.run(["systemctl", "show", "--value", "-p", "CPUUsageNSec", unit], check=True, capture_output=True, text=True).stdout
    return int(text) / 1e6


def measure_activation(user, runs):
    """CPU of a broker from its start to the answer of its first call, beside a program that links the same and connects to the bus, under the same
    unit."""
    program = pathlib.Path("/usr/local/bin/bench_on_bus")
    shutil.copy(PROGRAMS / program.name, program)
    unit = pathlib.Path("/usr/lib/systemd/system/banger-broker.service").read_text()
    unit = re.sub(r"(?m)^(BusName|Restart|RestartSec)=.*\n", "", unit).replace("Type=dbus", "Type=oneshot\nRemainAfterExit=yes")
    unit = re.sub(r"(?m)^ExecStart=.*", f"ExecStart={program}", unit).replace("Directory=banger-broker", "Directory=bench-on-bus")
    pathlib.Path("/run/systemd/system/bench-on-bus.service").write_text(unit)
    subprocess.run(["systemctl", "daemon-reload"], check=True)
    ours, alone = [], []
    for _ in range(runs):
        subprocess.run(["systemctl", "stop", "banger-broker", "bench-on-bus"], check=True)
        user.list()
        ours.append(cpu_ms("banger-broker"))
        subprocess.run(["systemctl", "start", "bench-on-bus"], check=True)
        alone.append(cpu_ms("bench-on-bus"))
    print(f"| CPU of an activation, ratio | {row('CPU of an activation', ours) / row('CPU of a program on the bus', alone):.2f} |")


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
    measure_without_waits(user, options.runs)
    measure_activation(user, options.runs)
    if not options.many:
        return
    growing = [timed(lambda number=number: broker_start(user, f"many-{number}", 16 << 20)) for number in range(options.many)]
    first, last = statistics.median(growing[:10]), statistics.median(growing[-10:])
    print(f"| start of the first ten; of the last of {options.many}; ratio | {first:.0f} ms; {last:.0f} ms; {last / first:.2f} |")
    print(f"| private dirty memory with {options.many} | {private_dirty_mib():.1f} MiB |")
    ending = [timed(lambda number=number: broker_end(user, f"many-{number}")) for number in range(options.many)]
    row("end, of those", ending)
    user.close()
    BASE.unlink()


main()
