# SPDX-License-Identifier: GPL-2.0-or-later
"""The measurements behind bench/README.md. Started by bench/run. Each is a ratio, or a cost beside its target, taken in one run."""

import hashlib
import json
import os
import pathlib
import platform
import shutil
import statistics
import subprocess
import sys
import time

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parents[1] / "tests"))

from harness import bus, desktop, processes, wait  # noqa: E402
from harness.home import PREFIX, TESTS_CACHE, Home  # noqa: E402
from oci import measure_oci  # noqa: E402

PROGRAMS = pathlib.Path(os.environ["BANGER_BENCH_PROGRAMS"])
MEBI = 1 << 20


class Table:
    def __init__(self):
        self.rows = []

    def add(self, what, value, target=None, met=None):
        verdict = "" if met is None else ("met" if met else "MISSED")
        self.rows.append((what, value, target or "", verdict))
        print(f"  {what}: {value}" + (f" (target {target}: {verdict})" if target else ""), file=sys.stderr, flush=True)

    def print(self):
        print("\n| what | measured | target | |\n|---|---|---|---|")
        for row in self.rows:
            print("| " + " | ".join(row) + " |")


def milliseconds(run, count):
    """The times of `count` runs, sorted."""
    times = []
    for _ in range(count):
        begin = time.perf_counter()
        run()
        times.append((time.perf_counter() - begin) * 1000)
    return sorted(times)


def shown(times):
    return f"{statistics.median(times):.1f} ms (of {len(times)}: {times[0]:.1f} to {times[-1]:.1f})"


def quiet(home, *words, **options):
    return home.banger(*words, check=True, timeout=300, **options)


class Vm:
    """A VM for one measurement, gone afterwards."""

    def __init__(self, home, name, *options):
        self.home, self.name, self.options = home, name, options

    def __enter__(self):
        quiet(self.home, "vm", "create", "--name", self.name, "--memory", "512", "--disk-size", "8G", *self.options)
        return self

    def __exit__(self, *_):
        self.home.banger("vm", "delete", "-f", self.name, timeout=60)


def vmm_of(home, name):
    """The VMM's own command line, as bangerd wrote it, and its folder."""
    details = home.show(name)
    words = pathlib.Path(f"/proc/{details['pid']}/cmdline").read_bytes().split(b"\0")[:-1]
    return words, home.vms_folder / details["id"]


def boot_by_hand(home, count):
    """The same VMM, kernel, initrd, image and network card, without banger: ready and first command, in ms."""
    times = []
    with Vm(home, "by-hand", "--network", "none") as vm:
        words, folder = vmm_of(home, vm.name)
        quiet(home, "vm", "stop", vm.name)
        for _ in range(count):
            done = subprocess.run([str(PROGRAMS / "bench_hand_boot"), "qemu", str(folder), *words], capture_output=True, text=True, timeout=300)
            assert done.returncode == 0, done.stderr
            times.append(json.loads(done.stdout))
    return times


def measure_boot(home, table, count=5):
    def once(*options):
        quiet(home, "vm", "run", "--name", "timed", "--memory", "512", "--disk-size", "8G", *options, "--", "/bin/true")

    banger, networked = [], []
    by_hand = []
    for _ in range(count):  # taken in turn, so that a busy moment hits all alike
        by_hand += boot_by_hand(home, 1)
        banger += milliseconds(lambda: once("--network", "none"), 1)
        quiet(home, "vm", "delete", "-f", "timed")
        networked += milliseconds(once, 1)
        quiet(home, "vm", "delete", "-f", "timed")
    hand = statistics.median(time["ready_ms"] for time in by_hand)
    ratio = statistics.median(banger) / hand
    table.add("the VMM started by hand, to guest-ready", f"{hand:.0f} ms")
    table.add("the same, to the end of a first command", f"{statistics.median(time['first_command_ms'] for time in by_hand):.0f} ms")
    table.add("create → first command done, no network", shown(sorted(banger)))
    table.add("create → first command done, user network", shown(sorted(networked)))
    table.add("create → first command / by hand to ready", f"{ratio:.2f}", "≤ 1.15", ratio <= 1.15)


def spawn_time(agent, vm, count):
    import dbus
    answer = json.loads(agent.call(vm, "Vm", "Query", "say", ("spawn-time", dbus.ByteArray(str(count).encode())), 120.0))
    value = next(value for key, value in answer.items() if "median" in key)
    return value / 1e6


def children_cpu():
    times = os.times()
    return (times.children_user + times.children_system) * 1000


def measure_exec(home, table, count=100):
    with Vm(home, "exec") as vm:
        agent = bus.Agent(home.agent_address())
        path = agent.manager.FindVm(vm.name)
        run = lambda: quiet(home, "vm", "exec", vm.name, "--", "true")  # noqa: E731
        milliseconds(run, 5)
        spawn = spawn_time(agent, path, 51)
        pid = home.agent_pids()[0]
        bangerd_before, cli_before = processes.cpu_seconds(pid), children_cpu()
        times = milliseconds(run, count)
        bangerd = (processes.cpu_seconds(pid) - bangerd_before) * 1000 / count
        cli = (children_cpu() - cli_before) / count
        version_before = children_cpu()
        start = milliseconds(lambda: quiet(home, "--version"), count)
        version = (children_cpu() - version_before) / count
        spawn = statistics.median([spawn, spawn_time(agent, path, 51)])
        agent.close()
    over = statistics.median(times) - spawn
    table.add("the guest's own spawn and wait of true", f"{spawn:.1f} ms")
    table.add("`vm exec -- true`", shown(times))
    table.add("over the guest's own", f"{over:.1f} ms", "≤ 8 ms", over <= 8)
    table.add("bangerd's CPU for one", f"{bangerd:.2f} ms", "≤ 1 ms", bangerd <= 1)
    table.add("banger's CPU for one, beyond `banger --version`", f"{cli - version:.2f} ms", "≤ 3 ms", cli - version <= 3)
    table.add("`banger --version`, wall", shown(start))


def tiny_image(home):
    """An image of one block: a thousand copies of the real one would fill a disk, and none of these VMs is started."""
    digest = hashlib.sha256(b"tiny").hexdigest()
    folder = home.cache / "banger" / "images" / digest
    folder.mkdir(parents=True, exist_ok=True)
    (folder / "rootfs.ext4").write_bytes(bytes(4096))
    (folder / "image.json").write_text(json.dumps({"name": "tiny", "digest": digest, "size": 4096, "allocated": 4096}))


def define_vms(home, count):
    """VMs that were never started. Through the front door, so that the rows are what they really are."""
    tiny_image(home)
    restart_bangerd(home)
    from concurrent.futures import ThreadPoolExecutor
    with ThreadPoolExecutor(4) as pool:
        list(pool.map(lambda number: quiet(home, "vm", "create", "--no-start", "--image", "tiny", "--name", f"many-{number}", "--disk-size", "64M"), range(count)))


def memory(pid):
    rollup = pathlib.Path(f"/proc/{pid}/smaps_rollup").read_text().splitlines()
    values = {line.split(":")[0]: int(line.split()[1]) for line in rollup if line.count(":") == 1 and line.endswith("kB")}
    return values["Private_Dirty"] / 1024, values["Rss"] / 1024


def bus_calls(home, *words):
    """How many method calls to bangerd a command makes, seen by the bus."""
    monitor = subprocess.Popen(["dbus-monitor", "--address", home.agent_address(), "type=method_call,destination=dev.banger.Agent1"],
                               stdout=subprocess.PIPE, text=True)
    time.sleep(1)  # dbus-monitor doesn't say when it listens
    quiet(home, *words)
    time.sleep(1)
    monitor.terminate()
    return sum("interface=dev.banger" in line for line in monitor.communicate()[0].splitlines())


def restart_bangerd(home):
    quiet(home, "daemon", "stop")
    wait.until(lambda: not home.agent_pids(), 20, "bangerd is gone")
    quiet(home, "vm", "list")
    return home.agent_pids()[0]


def measure_list(home, table, count=1000):
    idle = memory(restart_bangerd(home))
    table.add("bangerd idle: private dirty", f"{idle[0]:.1f} MiB (resident {idle[1]:.1f})", "≤ 6 MiB", idle[0] <= 6)
    print(f"  defining {count} VMs…", file=sys.stderr, flush=True)
    define_vms(home, count)
    pid = restart_bangerd(home)
    many = memory(pid)
    table.add(f"bangerd with {count} VMs defined: private dirty", f"{many[0]:.1f} MiB (resident {many[1]:.1f})", "≤ 24 MiB", many[0] <= 24)
    times = milliseconds(lambda: quiet(home, "vm", "list"), 30)
    table.add(f"`vm list` of {count}, cold CLI", shown(times), "≤ 25 ms", statistics.median(times) <= 25)
    after = memory(pid)
    table.add("bangerd after 30 of these", f"{after[0]:.1f} MiB (resident {after[1]:.1f})")
    times = milliseconds(lambda: quiet(home, "internal", "complete", "--", "vm", "stop", ""), 30)
    table.add(f"completion of a name among {count}", shown(times), "≤ 30 ms", statistics.median(times) <= 30)
    calls = bus_calls(home, "vm", "list")
    table.add("bus calls for one", str(calls), "1", calls == 1)
    agent = bus.Agent(home.agent_address())
    import dbus
    times = milliseconds(lambda: agent.manager.ListVms(dbus.Dictionary({}, signature="ss")), 30)
    table.add("the ListVms call alone (from Python)", shown(times))
    agent.close()


def measure_desktop(home, table, count=100):
    """In a home of its own: its VMs are folders that bangerd finds."""
    own = Home("bench-desktop")
    desktop.Terminal(own)  # in place of a real one, which each LaunchSearch opens
    session = bus.SessionBus(own.runtime, own.env, services=PREFIX / "share" / "dbus-1" / "services")
    own.env["DBUS_SESSION_BUS_ADDRESS"] = session.address
    try:
        desktop.describe_vms(own, [f"sandbox-{number}" for number in range(count)])
        search = desktop.Search(session.address)
        results = search.results("sandbox")  # which starts bangerd
        calls = {"GetInitialResultSet": lambda: search.results("sandbox", "7"), "GetSubsearchResultSet": lambda: search.refined(results, "box", "9"),
                 "GetResultMetas of 20": lambda: search.metas(*results), "Match": lambda: search.match("start sandbox"), "Actions": search.actions,
                 "LaunchSearch": lambda: search.launch("sandbox"), "Run (a start)": lambda: search.run(results[0], "start"),
                 "ActivateResult": lambda: search.activate(results[1])}
        for name, call in calls.items():
            times = milliseconds(call, 101)
            table.add(f"{name} among {count} VMs, from Python", shown(times), "≤ 10 ms", statistics.median(times) <= 10)
        search.close()
        quiet(own, "daemon", "stop")
    finally:
        own.close()
        session.close()


def transfer_seconds(home, name, bytes_wanted):
    begin = time.perf_counter()
    done = subprocess.run(home.command("vm", "exec", name, "--", "head", "-c", str(bytes_wanted), "/dev/zero"), env=home.env,
                          stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL, timeout=600)
    assert done.returncode == 0
    return time.perf_counter() - begin


def measure_streams(home, table):
    gibi = 1 << 30
    with Vm(home, "streams", "--vcpu", "2") as vm:
        transfer_seconds(home, vm.name, gibi // 8)
        alone = [transfer_seconds(home, vm.name, gibi)]
        stalled = home.start("vm", "exec", vm.name, "--", "cat", "/dev/zero")
        time.sleep(2)  # until its windows are full and it stands
        beside = [transfer_seconds(home, vm.name, gibi), transfer_seconds(home, vm.name, gibi)]
        stalled.kill()
        stalled.communicate()
        alone.append(transfer_seconds(home, vm.name, gibi))
    ratio = min(beside) / min(alone)
    table.add("1 GiB from the guest", f"{min(alone):.1f} s ({1024 / min(alone):.0f} MiB/s)")
    table.add("1 GiB with another stream stopped", f"{min(beside):.1f} s", )
    table.add("stopped beside / alone", f"{ratio:.2f}", "≤ 1.05", ratio <= 1.05)


def measure_copy(home, table, mebibytes=256):
    source = home.root / "payload"
    with open(source, "wb") as file:
        for _ in range(mebibytes):
            file.write(os.urandom(MEBI))
    with Vm(home, "copy", "--vcpu", "2") as vm:
        options = [word for option, value in ssh_options(home, vm.name) for word in ("-o", f"{option}={value}")]

        def scp(*words):
            subprocess.run(["scp", "-q", *options, *words], env=home.env, check=True, timeout=600, stdin=subprocess.DEVNULL)

        pairs = (("in", lambda: quiet(home, "vm", "cp", source, f"{vm.name}:/root/a"), lambda: scp(str(source), f"root@{vm.name}:/root/b")),
                 ("out", lambda: quiet(home, "vm", "cp", f"{vm.name}:/root/a", home.root / "a"),
                  lambda: scp(f"root@{vm.name}:/root/a", str(home.root / "b"))))
        for direction, ours, theirs in pairs:
            cp, other = milliseconds(ours, 3), milliseconds(theirs, 3)
            table.add(f"{mebibytes} MiB {direction}: vm cp", f"{mebibytes * 1000 / cp[1]:.0f} MiB/s")
            table.add(f"{mebibytes} MiB {direction}: scp through the same channel", f"{mebibytes * 1000 / other[1]:.0f} MiB/s")
            table.add(f"vm cp / scp, {direction}", f"{other[1] / cp[1]:.2f} times as fast")


def work_tree(folder, files):
    """A committed tree of small files, 50 a folder, as source trees have them."""
    for number in range(files):
        path = folder / f"part-{number // 50:03}" / f"file-{number}.c"
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(f"int number_{number}(void) {{ return {number}; }}\n" * (1 + number % 80))
    def git(*words):
        subprocess.run(["git", "-C", str(folder), "-c", "user.name=x", "-c", "user.email=x@y", *words], check=True, capture_output=True)
    git("init", "-q")
    git("add", "-A")
    git("commit", "-q", "-m", "all")


def tar_to_tar(home, tree, name):
    sender = subprocess.Popen(["tar", "-C", str(tree), "--exclude=./.git", "-c", "."], stdout=subprocess.PIPE)
    done = subprocess.run(home.command("vm", "exec", name, "--", "sh", "-c", "rm -rf /root/plain; mkdir /root/plain; tar -x -C /root/plain"), env=home.env,
                          stdin=sender.stdout, capture_output=True, timeout=600)
    assert sender.wait() == 0 and done.returncode == 0, done.stderr


def measure_workspace(home, table, files=10_000):
    tree = home.root / "tree"
    work_tree(tree, files)
    with Vm(home, "workspace", "--vcpu", "2") as vm:
        prepare, plain = [], []
        for _ in range(5):  # in turn, so that a busy moment hits both; what was there before goes in the measured time of both
            prepare += milliseconds(lambda: quiet(home, "vm", "workspace", "prepare", "-fq", vm.name, tree), 1)
            plain += milliseconds(lambda: tar_to_tar(home, tree, vm.name), 1)
        patch = milliseconds(lambda: quiet(home, "vm", "workspace", "export", "-q", vm.name, tree), 3)
    ratio = statistics.median(prepare) / statistics.median(plain)
    table.add(f"{files:,} files by tar to tar over the channel", shown(sorted(plain)))
    table.add(f"{files:,} files by `vm workspace prepare`, with their git objects", shown(sorted(prepare)))
    table.add("prepare / tar to tar", f"{ratio:.2f}", "≤ 2", ratio <= 2)
    table.add("`vm workspace export` of them, unchanged", shown(patch))


def start_for_cpu(home, name):
    """Starts it; the CPU seconds of its VMM until it is ready."""
    quiet(home, "vm", "start", name)
    return processes.cpu_seconds(home.show(name)["pid"])


def measure_together(home, table, count=10):
    """CPU, not time: how much more work a start is while others start."""
    from concurrent.futures import ThreadPoolExecutor
    names = [f"together-{number}" for number in range(count)]
    for name in names:
        quiet(home, "vm", "create", "--no-start", "--name", name, "--memory", "256", "--disk-size", "1G", "--network", "none")
    pid = home.agent_pids()[0]

    def cost(start):
        """Of the VMMs, of bangerd, of the command lines."""
        before, cli_before = processes.cpu_seconds(pid), children_cpu()
        vmms = start()
        return sum(vmms), processes.cpu_seconds(pid) - before, (children_cpu() - cli_before) / 1000

    alone = []
    for name in names[:3]:
        alone.append(cost(lambda: [start_for_cpu(home, name)]))  # noqa: B023: called at once
        quiet(home, "vm", "stop", name)
    with ThreadPoolExecutor(count) as pool:
        together = cost(lambda: list(pool.map(lambda name: start_for_cpu(home, name), names)))
    one = statistics.median(map(sum, alone))
    ratio = sum(together) / (count * one)
    table.add("CPU of one start, to guest-ready", f"{one:.1f} s (of 3)")
    for place, whose in enumerate(("the VMMs", "bangerd", "banger")):
        single = statistics.median(cost[place] for cost in alone)
        table.add(f"of which {whose}: one; {count} at once", f"{single:.2f} s; {together[place]:.2f} s")
    table.add(f"CPU of {count} at once / {count} times one", f"{ratio:.2f}", "≤ 1.3", ratio <= 1.3)
    return names


def measure_together_by_hand(home, table, names):
    """The same VMMs on the same disks, to ready, without banger: what of `together` is the emulator's and the cores'. CPU of all children."""
    from concurrent.futures import ThreadPoolExecutor
    words = {name: vmm_of(home, name) for name in names}
    quiet(home, "vm", "stop", *names)

    def boot(name):
        command, folder = words[name]
        done = subprocess.run([str(PROGRAMS / "bench_hand_boot"), "qemu", str(folder), *command], capture_output=True, text=True, timeout=600)
        assert done.returncode == 0, done.stderr

    def cost(run):
        before = children_cpu()
        run()
        return (children_cpu() - before) / 1000

    alone = statistics.median(cost(lambda: boot(name)) for name in names[:3])  # noqa: B023: called at once
    with ThreadPoolExecutor(len(names)) as pool:
        together = cost(lambda: list(pool.map(boot, names)))
    table.add(f"the VMMs by hand: CPU of {len(names)} at once / {len(names)} times one", f"{together / (len(names) * alone):.2f}")


def measure_stats(home, table, seconds=90):
    """On the VMs of `together`, idle by now; ten of them, so the cost for 100 is counted from the difference to none. What bangerd does while nobody
    watches is taken off: it is there for VMs that run, and not for who looks at them."""
    names = measure_together(home, table)
    measure_together_by_hand(home, table, names)
    quiet(home, "vm", "start", *names)
    time.sleep(60)  # a guest goes on booting after it is ready
    pid = home.agent_pids()[0]

    def share(*pids):
        before = [processes.cpu_seconds(each) for each in pids]
        time.sleep(seconds)
        return [(processes.cpu_seconds(each) - early) / seconds * 100 for each, early in zip(pids, before)]

    def watched(*words):
        watch = home.start("vm", "stats", "--watch", *words)
        time.sleep(3)
        shares = share(pid, watch.pid)
        watch.kill()
        watch.communicate()
        return shares

    idle, = share(pid)
    table.add(f"bangerd with {len(names)} VMs that run, nobody looks", f"{idle:.2f} % of a core")
    one, all_of_them = watched(names[0]), watched(*names)
    for number, shares in ((1, one), (len(names), all_of_them)):
        table.add(f"`vm stats --watch`, {number} VM(s): bangerd; banger", f"{shares[0]:.2f} %; {shares[1]:.2f} % of a core")
    a_vm = (sum(all_of_them) - sum(one)) / (len(names) - 1)
    often = sum(one) - idle + a_vm * 99
    table.add("counted from these for 100 VMs with --interval 2", f"{often:.2f} %")
    hundred = often * 2 / 10  # cli/view/vm_numbers: of so many there is a look every 10 s
    table.add("the same at the pace that 100 VMs have", f"{hundred:.2f} %", "≤ 1 %", hundred <= 1)
    stops = []
    for name in names[:5]:
        stops += milliseconds(lambda: quiet(home, "vm", "stop", name), 1)  # noqa: B023: called at once
    table.add("`vm stop` of an idle guest, emulated", shown(sorted(stops)))
    quiet(home, "vm", "delete", "-f", *names)


def cpu_of_tui(home, agent_pid, seconds, size, *keys):
    """Of the TUI and of bangerd, in percent of a core."""
    from harness.terminal import Terminal
    terminal = Terminal(home, home.command("tui"), size=size)
    try:
        terminal.sees("VMs")
        terminal.keys(*keys)
        time.sleep(5)  # until lists and first numbers have come
        pid = terminal.pid()
        before = [processes.cpu_seconds(pid), processes.cpu_seconds(agent_pid)]
        time.sleep(seconds)
        after = [processes.cpu_seconds(pid), processes.cpu_seconds(agent_pid)]
    finally:
        terminal.close()
    return [(late - early) / seconds * 100 for early, late in zip(before, after)]


def measure_tui(home, table, count=100, seconds=60):
    """100 VMs defined, none of which runs; then one that plays bangerd with 100 that run and are all on the screen, as no machine here runs so many."""
    from harness.fake_agent import FakeAgent
    tiny_image(home)
    pid = restart_bangerd(home)
    for number in range(count):
        quiet(home, "vm", "create", "--no-start", "--image", "tiny", "--name", f"tui-{number:03}", "--disk-size", "64M")
    ours, theirs = cpu_of_tui(home, pid, seconds, (80, 24), "Home")
    table.add(f"`banger tui` idle, {count} VMs, none runs: its CPU; bangerd's", f"{ours:.2f} %; {theirs:.2f} % of a core", "≤ 1 %", ours + theirs <= 1)
    quiet(home, "vm", "delete", "-f", *(f"tui-{number:03}" for number in range(count)))
    session = bus.SessionBus(home.runtime, home.env)
    home.env["BANGER_BUS_ADDRESS"] = session.address
    fake = FakeAgent(session.address, home.env)
    try:
        fake.vms(count)
        ours, _ = cpu_of_tui(home, fake.process.pid, seconds, (80, 24), "Home")
        table.add(f"the same while {count} run, 24 rows: its CPU", f"{ours:.2f} % of a core", "≤ 1 %", ours <= 1)
        ours, _ = cpu_of_tui(home, fake.process.pid, seconds, (200, count + 10), "Home")
        table.add(f"all {count} on the screen, {count + 10} rows", f"{ours:.2f} % of a core", "≤ 1 %", ours <= 1)
        calls = fake.calls()
        table.add("samples asked for in these two", f"{calls['Stats']} calls, {calls['stats_ids']} VMs")
    finally:
        del home.env["BANGER_BUS_ADDRESS"]
        fake.close()
        session.close()


def measure_dns(_, table):
    done = subprocess.run([str(PROGRAMS / "bench_dns"), "20000"], capture_output=True, text=True, check=True)
    median, p99 = (float(word) / 1000 for word in done.stdout.split())
    table.add("a DNS answer over UDP on loopback, median and p99", f"{median:.3f} and {p99:.3f} ms", "≤ 1 ms p99", p99 <= 1)


def ssh_options(home, name):
    agent = bus.Agent(home.agent_address())
    options = [(str(option), str(value)) for option, value in
               agent.call(agent.manager.FindVm(name), "Vm", "SshConfig", "", (), 60.0)]
    agent.close()
    return options


def measure_wire(_, table):
    done = subprocess.run([str(PROGRAMS / "bench_wire"), "--benchmark_format=json"], capture_output=True, text=True, check=True)
    for row in json.loads(done.stdout)["benchmarks"]:
        table.add(f"mux alone, {row['name']} streams", f"{row['bytes_per_second'] / MEBI:.0f} MiB/s")


def many_images(home, count):
    """Of a block each; what counts is how many there are."""
    for number in range(count):
        digest = hashlib.sha256(f"image {number}".encode()).hexdigest()
        folder = home.cache / "banger" / "images" / digest
        folder.mkdir(parents=True, exist_ok=True)
        (folder / "rootfs.ext4").write_bytes(bytes(4096))
        (folder / "image.json").write_text(json.dumps({"name": f"many-{number}", "digest": digest, "size": 4096, "allocated": 4096}))
        yield folder


def measure_image_list(home, table, count=200):
    folders = list(many_images(home, count))
    try:
        restart_bangerd(home)
        times = milliseconds(lambda: quiet(home, "image", "list"), 30)
        table.add(f"`image list` of {count}, cold CLI", shown(times), "≤ 25 ms", statistics.median(times) <= 25)
    finally:
        for folder in folders:
            shutil.rmtree(folder)
        restart_bangerd(home)


def in_namespace(*words):
    return [*([] if os.geteuid() == 0 else ["unshare", "--mount", "--pid", "--fork", "--kill-child", "--map-root-user", "--map-auto", "--"]), *map(str, words)]


def build_by_hand(home, packages):
    """mmdebstrap and mke2fs as banger calls them, without banger."""
    tree, disk = home.root / "by-hand", home.root / "by-hand.ext4"
    environment = {**home.env, "PATH": "/usr/sbin:/usr/bin:/sbin:/bin", "LC_ALL": "C.UTF-8", "DEBIAN_FRONTEND": "noninteractive"}
    suite = next(line.split("=")[1].strip() for line in open("/etc/os-release") if line.startswith("VERSION_CODENAME="))
    for words in (("mmdebstrap", "--mode=root", "--format=directory", "--variant=minbase", f"--include={','.join(packages)}", suite, tree),
                  ("mke2fs", "-q", "-F", "-t", "ext4", "-b", "4096", "-m", "1", "-E", "lazy_itable_init=1,lazy_journal_init=1,nodiscard", "-d", tree, disk, "16G"),
                  ("rm", "-rf", tree, disk)):
        subprocess.run(in_namespace(*words), env=environment, check=True, capture_output=True, timeout=1200)


def measure_image_build(home, table, count=3):
    packages = json.loads(next(path for path in (home.cache / "banger" / "images").glob("*/image.json") if '"debian"' in path.read_text()).read_text())["packages"]
    hand, ours = [], []
    for _ in range(count):  # in turn, as the mirror has its moods
        hand += milliseconds(lambda: build_by_hand(home, packages), 1)
        ours += milliseconds(lambda: home.banger("image", "build", "--name", "timed", "--force", check=True, timeout=1200), 1)
    quiet(home, "image", "delete", "timed")
    ratio = statistics.median(ours) / statistics.median(hand)
    table.add("mmdebstrap and mke2fs by hand", shown(sorted(hand)))
    table.add("`image build`, with its digest", shown(sorted(ours)))
    table.add("image build / by hand", f"{ratio:.2f}", "≤ 1.10", ratio <= 1.10)
    again = milliseconds(lambda: quiet(home, "image", "build"), 10)
    table.add("`image build` of what is up to date", shown(again))


def measure_image_digest(home, table):
    """The digest's speed over data, of a disk without holes."""
    payload = home.root / "payload"
    with open(payload, "wb") as file:
        for _ in range(512):
            file.write(os.urandom(MEBI))
    tree, disk = home.root / "tree", home.root / "dense.ext4"
    tree.mkdir()
    payload.rename(tree / "payload")
    subprocess.run(["/usr/sbin/mke2fs", "-q", "-F", "-t", "ext4", "-d", tree, disk, "640M"], check=True)
    quiet(home, "image", "register", disk, "--name", "dense")
    data = disk.stat().st_blocks * 512
    ours = milliseconds(lambda: quiet(home, "image", "verify", "dense"), 5)
    theirs = milliseconds(lambda: subprocess.run(["sha256sum", tree / "payload"], check=True, capture_output=True), 5)
    quiet(home, "image", "delete", "dense")
    speed, other = data / statistics.median(ours) / 1000, 512 * MEBI / statistics.median(theirs) / 1000
    table.add("`image verify` of a dense image; sha256sum", f"{speed:.0f} MB/s; {other:.0f} MB/s")
    table.add("verify / sha256sum", f"{speed / other:.2f}", "≥ 0.9", speed / other >= 0.9)


def measure_create_beside(home, table, what, begin, count=15):
    """What it costs who makes a VM of another image; `begin` gives the process that is at it, and comes back when it is in the midst of it."""
    def create():
        quiet(home, "vm", "create", "--no-start", "--name", "beside", "--disk-size", "64M")

    def timed():
        times = []
        for _ in range(count):
            times += milliseconds(create, 1)
            quiet(home, "vm", "delete", "beside")
        return sorted(times)

    alone = timed()
    making = begin()
    beside = timed()
    is_at_it = making.poll() is None
    making.communicate(timeout=1200)
    more = statistics.median(beside) - statistics.median(alone)
    table.add(f"`vm create --no-start` alone; while an image is {what}", f"{shown(alone)}; {shown(beside)}" + ("" if is_at_it else ", which ended before"))
    table.add(f"what it adds that an image is {what}", f"{more:.1f} ms", "≤ 5 ms", more <= 5)


def measure_image_beside(home, table):
    def begin():
        build = home.start("image", "build", "--name", "beside-built", "--force", "--size", "15G")
        time.sleep(2)  # into the midst of it
        return build

    measure_create_beside(home, table, "built", begin)
    quiet(home, "image", "delete", "beside-built")


def measure_pulls(home, table):
    measure_oci(home, table, lambda begin: measure_create_beside(home, table, "pulled", begin))


def measure_images(home, table):
    for measure in (measure_image_list, measure_image_digest, measure_image_beside, measure_image_build):
        measure(home, table)


MEASUREMENTS = {"boot": measure_boot, "exec": measure_exec, "list": measure_list, "streams": measure_streams, "copy": measure_copy, "workspace": measure_workspace, "oci": measure_pulls, "images": measure_images,
                "stats": measure_stats, "desktop": measure_desktop, "tui": measure_tui, "dns": measure_dns, "wire": measure_wire}


def conditions():
    model = next((line.split(":", 1)[1].strip() for line in open("/proc/cpuinfo") if line.startswith("model name")), "?")
    load = os.getloadavg()[0]
    release = next((line.split("=", 1)[1].strip().strip('"') for line in open("/etc/os-release") if line.startswith("PRETTY_NAME")), "?")
    return f"{os.cpu_count()} cores, {model}; {release}, kernel {platform.release()}; load before: {load:.1f}"


def main():
    names = sys.argv[1:] or list(MEASUREMENTS)
    unknown = [name for name in names if name not in MEASUREMENTS]
    if unknown:
        sys.exit(f"bench/run: no measurement {unknown[0]}; there are {' '.join(MEASUREMENTS)}")
    about = conditions()
    table = Table()
    home = Home("bench", cache=TESTS_CACHE / "bench")
    try:
        quiet(home, "vm", "list")
        home.banger("kernel", "import", check=True, timeout=1200)
        home.banger("image", "build", check=True, timeout=1200)
        for name in names:
            print(f"== {name}", file=sys.stderr, flush=True)
            MEASUREMENTS[name](home, table)
        home.banger("daemon", "stop")
    finally:
        home.close()
    print(f"\n{about}")
    table.print()


main()
