# SPDX-License-Identifier: GPL-2.0-or-later
"""Firecracker by banger beside Firecracker alone, in turn, on one host with KVM that boots guests. As an ordinary user:

    bench/run-lab                                       in the lab's workstation (tests/lab)
    python3 bench/lab_firecracker.py [--image NAME]     on a host of one's own, where banger is installed

Raw: `firecracker --config-file` with the same kernel, initrd, disks and size; ready is when the guest's banger-guest listens, as it says by
its knock on guest.sock_1024. banger: from a cold command line to the end of the first command."""

import argparse
import json
import os
import pathlib
import re
import select
import shutil
import signal
import socket
import statistics
import subprocess
import sys
import tempfile
import time

KNOCK_SECONDS = 120
SIZE = ["--memory", "256", "--vcpu", "1", "--disk-size", "1G"]
STATE = pathlib.Path(os.environ.get("XDG_STATE_HOME", pathlib.Path.home() / ".local/state")) / "banger"


def banger(*words):
    return subprocess.run(["banger", *words], check=True, capture_output=True, text=True, stdin=subprocess.DEVNULL).stdout


def details(name):
    shown = json.loads(banger("vm", "show", name, "--json"))
    return shown[0] if isinstance(shown, list) else shown


class Raw:
    """What one VM of banger's was started with, to be started again without banger."""

    def __init__(self, image):
        banger("vm", "create", "--name", "model", "--image", image, "--network", "none", *SIZE)
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
            subprocess.run(["cp", "--sparse=always", "--reflink=auto", self.folder / name, folder / name], check=True)
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
        """Milliseconds until the guests in all of these folders are ready."""
        doors = []
        for folder in folders:
            door = socket.socket(socket.AF_UNIX)
            os.chdir(folder)
            door.bind("guest.sock_1024")
            door.listen()
            doors.append(door)
        begin = time.perf_counter()
        processes = [subprocess.Popen([self.program, "--no-api", "--config-file", "config.json"], cwd=folder, stdin=subprocess.DEVNULL,
                                      stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL) for folder in folders]
        waiting = list(doors)
        while waiting:
            ready, _, _ = select.select(waiting, [], [], KNOCK_SECONDS)
            assert ready, "no knock"
            waiting = [door for door in waiting if door not in ready]
        took = (time.perf_counter() - begin) * 1000
        for process in processes:
            process.send_signal(signal.SIGKILL)
            process.wait()
        for door in doors:
            door.close()
        os.chdir("/")
        for folder in folders:
            shutil.rmtree(folder)
        return took


def first_command(image, name):
    begin = time.perf_counter()
    banger("vm", "run", "--name", name, "--image", image, "--network", "none", *SIZE, "--", "true")
    took = (time.perf_counter() - begin) * 1000
    banger("vm", "delete", "-f", name)
    return took


def many(image, count):
    """As many at once, to the last one's first command."""
    names = [f"many-{number}" for number in range(count)]
    begin = time.perf_counter()
    running = [subprocess.Popen(["banger", "vm", "run", "--name", name, "--image", image, "--network", "none", *SIZE, "--", "true"],
                                stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL) for name in names]
    codes = [process.wait() for process in running]
    took = (time.perf_counter() - begin) * 1000
    banger("vm", "delete", "-f", *names)
    assert codes == [0] * count, codes
    return took


def row(what, times):
    print(f"| {what} | {statistics.median(times):,.0f} ms (of {len(times)}: {min(times):,.0f} to {max(times):,.0f}) |", flush=True)


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--image", default="debian")
    parser.add_argument("--runs", type=int, default=5)
    parser.add_argument("--many", type=int, default=10, help="VMs at once; 0: not measured")
    options = parser.parse_args()
    raw = Raw(options.image)
    try:
        alone, with_banger = [], []
        for number in range(options.runs):
            alone.append(raw.boot([raw.make()]))
            with_banger.append(first_command(options.image, f"one-{number}"))
        row("Firecracker alone, to guest-ready", alone)
        row("`banger vm run -- true`", with_banger)
        print(f"| ratio | {statistics.median(with_banger) / statistics.median(alone):.2f} |")
        if options.many:
            together = raw.boot([raw.make() for _ in range(options.many)])
            by_banger = many(options.image, options.many)
            print(f"| {options.many} at once: alone; banger; ratio | {together:,.0f} ms; {by_banger:,.0f} ms; {by_banger / together:.2f} |")
    finally:
        banger("vm", "delete", "-f", "model")
    return 0


sys.exit(main())
