# SPDX-License-Identifier: GPL-2.0-or-later
"""Firecracker by banger beside Firecracker alone, in turn, on one host with KVM that boots guests. As an ordinary user:

    bench/run-lab                                       in the lab's workstation (tests/lab)
    python3 bench/lab_firecracker.py [--image NAME]     on a host of one's own, where banger is installed

Raw: `firecracker --config-file` with the same kernel, initrd, disks and size, until the guest says that it is ready (hand_boot.cpp); its
disks are copied before. banger: from a cold command line to the end of the first command."""

import argparse
import json
import os
import pathlib
import re
import resource
import shutil
import statistics
import subprocess
import sys
import tempfile
import time

# Raw has files for disks, so banger has too, but where the broker's disk is measured.
SIZE = ["--memory", "256", "--vcpu", "1", "--disk-size", "1G"]
FILE = ["--storage", "file"]
STATE = pathlib.Path(os.environ.get("XDG_STATE_HOME", pathlib.Path.home() / ".local/state")) / "banger"


def banger(*words):
    return subprocess.run(["banger", *words], check=True, capture_output=True, text=True, stdin=subprocess.DEVNULL).stdout


def details(name):
    shown = json.loads(banger("vm", "show", name, "--json"))
    return shown[0] if isinstance(shown, list) else shown


class Raw:
    """What one VM of banger's was started with, to be started again without banger, on disks that no guest has seen yet either."""

    def __init__(self, image, programs):
        self.hand_boot = programs / "bench_hand_boot"
        banger("vm", "create", "--name", "fresh", "--no-start", "--image", image, "--network", "none", *FILE, *SIZE)
        banger("vm", "create", "--name", "model", "--image", image, "--network", "none", *FILE, *SIZE)
        self.disks = STATE / "vms" / details("fresh")["id"]
        shown = details("model")
        assert shown["vmm"] == "firecracker", f"the model runs on {shown['vmm']}"
        self.folder = STATE / "vms" / shown["id"]
        self.program = os.readlink(f"/proc/{shown['pid']}/exe")
        cmdline = banger("vm", "exec", "model", "--", "cat", "/proc/cmdline").strip()
        # What Firecracker adds itself is not to be there twice.
        self.arguments = re.sub(r" (pci=off|virtio_mmio\.device=\S+|root=\S+|rw|ro)(?= |$)", "", cmdline)
        banger("vm", "stop", "model")

    def make(self):
        """A folder with fresh disks. Outside the time that is measured, unlike banger's own."""
        folder = pathlib.Path(tempfile.mkdtemp(prefix="raw-", dir=self.folder.parent))
        for name in ("root.img", "work.img"):
            subprocess.run(["cp", "--sparse=always", "--reflink=auto", self.disks / name, folder / name], check=True)
        for name in ("kernel", "initrd", "modules.img"):
            os.symlink(os.readlink(self.folder / name), folder / name)
        drives = [{"drive_id": name, "path_on_host": file, "is_root_device": False, "is_read_only": name == "modules",
                   "cache_type": "Unsafe" if name == "modules" else "Writeback"}
                  for name, file in (("root", "root.img"), ("work", "work.img"), ("modules", "modules.img"))]
        (folder / "config.json").write_text(json.dumps({
            "boot-source": {"kernel_image_path": "kernel", "initrd_path": "initrd", "boot_args": self.arguments},
            "drives": drives, "machine-config": {"vcpu_count": 1, "mem_size_mib": 256}, "vsock": {"guest_cid": 3, "uds_path": "guest.sock"},
            "balloon": {"amount_mib": 0, "deflate_on_oom": True}, "entropy": {}}))
        return folder

    def boot(self, folders):
        """Milliseconds until the guest is ready, and until the end of a first command in it, of each of these folders; started at once, and all there until
        the last one's, as banger's are."""
        command = [self.program, "--no-api", "--config-file", "config.json"]
        processes = [subprocess.Popen([self.hand_boot, "--stay", "firecracker", folder, *command], stdin=subprocess.PIPE, stdout=subprocess.PIPE)
                     for folder in folders]
        answers = [process.stdout.readline() for process in processes]
        for process in processes:
            process.communicate()
        for folder in folders:
            shutil.rmtree(folder)
        return [(told["ready_ms"], told["first_command_ms"]) for told in map(json.loads, answers)]


def first_command(image, name, storage=FILE):
    begin = time.perf_counter()
    banger("vm", "run", "--name", name, "--image", image, "--network", "none", *storage, *SIZE, "--", "true")
    took = (time.perf_counter() - begin) * 1000
    banger("vm", "delete", "-f", name)
    return took


def many(image, count):
    """As many at once, to the last one's first command."""
    names = [f"many-{number}" for number in range(count)]
    begin = time.perf_counter()
    running = [subprocess.Popen(["banger", "vm", "run", "--name", name, "--image", image, "--network", "none", *FILE, *SIZE, "--", "true"],
                                stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL) for name in names]
    codes = [process.wait() for process in running]
    took = (time.perf_counter() - begin) * 1000
    banger("vm", "delete", "-f", *names)
    assert codes == [0] * count, codes
    return took


def bangerd_cpu():
    """Microseconds of all its threads so far; the scheduler's own figure, as ticks are too coarse."""
    pid = json.loads(banger("daemon", "status", "--json"))["pid"]
    tasks = pathlib.Path(f"/proc/{pid}/task")
    return sum(int((task / "schedstat").read_text().split()[0]) for task in tasks.iterdir()) // 1000


def children_cpu(command):
    """Microseconds of a command and its children."""
    before = resource.getrusage(resource.RUSAGE_CHILDREN)
    subprocess.run(command, check=True, capture_output=True, stdin=subprocess.DEVNULL)
    after = resource.getrusage(resource.RUSAGE_CHILDREN)
    return round((after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime) * 1_000_000)


def measure_cpu(raw, options):
    """What banger and bangerd use to make a VM and run a command in it, beside the same calls alone."""
    used, copies_nothing, alone = [], [], []
    same_calls = options.programs / "bench_same_calls"
    for number in range(options.runs):
        for storage, costs in ((FILE, used), ([], copies_nothing)):
            before = bangerd_cpu()
            cli = children_cpu(["banger", "vm", "run", "--name", f"cpu-{number}", "--image", options.image, "--network", "none", *storage, *SIZE, "--", "true"])
            costs.append((bangerd_cpu() - before, cli))
            banger("vm", "delete", "-f", f"cpu-{number}")
        folder = raw.make()
        words = [raw.program, "--id", "bench", "--api-sock", "control.sock", "--log-path", "firecracker.log", "--level", "Info"]
        agent = subprocess.run([same_calls, "agent", folder, *words], stdout=subprocess.PIPE, text=True)
        assert agent.returncode == 0, (folder / "firecracker.log").read_text()
        shutil.rmtree(folder)
        client = children_cpu([same_calls, "client", f"same-{number}", options.image])
        banger("vm", "delete", "-f", f"same-{number}")
        alone.append((json.loads(agent.stdout)["cpu_us"], client))
    for what, place in (("bangerd", 0), ("banger", 1)):
        own, same = (statistics.median(pair[place] for pair in pairs) / 1000 for pairs in (used, alone))
        print(f"| CPU of {what}; of the same calls alone; ratio | {own:.1f} ms; {same:.1f} ms; {own / same:.2f} |")
    without = statistics.median(agent for agent, _ in copies_nothing) / 1000
    print(f"| CPU of bangerd where the root disk is the broker's, and no image is copied | {without:.1f} ms |")
    own, same = (statistics.median(map(sum, pairs)) for pairs in (used, alone))
    print(f"| CPU of both together, ratio | {own / same:.2f} |", flush=True)


def ratio(times, others):
    return f"{statistics.median(times) / statistics.median(others):.2f}"


def row(what, times):
    print(f"| {what} | {statistics.median(times):,.0f} ms (of {len(times)}: {min(times):,.0f} to {max(times):,.0f}) |", flush=True)


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--programs", type=pathlib.Path, default=pathlib.Path("build/release/bin"), help="where bench_* are")
    parser.add_argument("--image", default="debian")
    parser.add_argument("--runs", type=int, default=5)
    parser.add_argument("--many", type=int, default=10, help="VMs at once; 0: not measured")
    options = parser.parse_args()
    raw = Raw(options.image, options.programs)
    try:
        alone, with_banger = [], []
        for number in range(options.runs):
            alone += raw.boot([raw.make()])
            with_banger.append(first_command(options.image, f"one-{number}"))
        ready, commanded = zip(*alone)
        row("Firecracker alone, to guest-ready", ready)
        row("Firecracker alone, to the end of a first command", commanded)
        row("`banger vm run -- true`", with_banger)
        print(f"| ratio; to the first command of each | {ratio(with_banger, ready)}; {ratio(with_banger, commanded)} |")
        row("`banger vm run -- true`, the broker's disk", [first_command(options.image, f"own-{number}", []) for number in range(options.runs)])
        measure_cpu(raw, options)
        if options.many:
            ready, commanded = map(max, zip(*raw.boot([raw.make() for _ in range(options.many)])))
            by_banger = many(options.image, options.many)
            print(f"| {options.many} at once: alone; banger; ratio | {ready:,.0f} ms; {by_banger:,.0f} ms; {by_banger / ready:.2f} |")
            print(f"| {options.many} at once, to the last one's first command of each: alone; ratio | {commanded:,.0f} ms; {by_banger / commanded:.2f} |")
    finally:
        banger("vm", "delete", "-f", "model", "fresh")
    return 0


sys.exit(main())
