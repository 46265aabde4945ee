# SPDX-License-Identifier: GPL-2.0-or-later
"""`image pull` beside skopeo, umoci and mke2fs by hand, from the same registry on 127.0.0.1. Part of bench/measure.py."""

import pathlib
import shutil
import statistics
import subprocess
import time

from harness.oci import Layout, Registry, member, small_tree

MEBI = 1 << 20
LAYERS = 5
LAYER_MEBI = 60
FILES_A_LAYER = 2000


def large_image(folder):
    """Some hundred MiB in small files that pack to about a half, as those of distributions do."""
    layout = Layout().add_layer(small_tree())
    size = LAYER_MEBI * MEBI // FILES_A_LAYER
    with open("/dev/urandom", "rb") as random:
        for layer in range(LAYERS):
            members = [member(f"usr/part-{layer}-{number // 50}/", mode=0o755) for number in range(0, FILES_A_LAYER, 50)]
            for number in range(FILES_A_LAYER):
                content = random.read(size // 2) + b"the same words again " * (size // 42)
                members.append(member(f"usr/part-{layer}-{number // 50}/file-{number}", content))
            layout.add_layer(members)
    return layout.write(folder)


def namespaced(*words):
    return ["unshare", "--mount", "--pid", "--fork", "--kill-child", "--map-root-user", "--map-auto", "--", *words]


def by_hand(home, reference, folder):
    """In seconds. The same programs in the same order, with nothing looked through, digested or synced."""
    folder.mkdir()
    disk = folder / "disk.ext4"
    begin = time.perf_counter()
    for words in (["skopeo", "copy", "-q", "--src-tls-verify=false", reference, "oci:layout:x"], namespaced("umoci", "raw", "unpack", "--image", "layout:x", "tree"),
                  namespaced("/usr/sbin/mke2fs", "-q", "-F", "-t", "ext4", "-b", "4096", "-m", "1", "-E", "lazy_itable_init=1,lazy_journal_init=1,nodiscard", "-d", "tree",
                             str(disk), str((16 << 30) // 4096))):
        subprocess.run(words, cwd=folder, env=home.env, check=True, stdin=subprocess.DEVNULL, capture_output=True, timeout=600)
    subprocess.run(["sync", str(disk)], check=True)
    taken = time.perf_counter() - begin
    subprocess.run(namespaced("rm", "-rf", str(folder / "tree")), check=True)
    shutil.rmtree(folder)
    return taken


def by_banger(home, reference):
    begin = time.perf_counter()
    home.banger("image", "pull", reference, "--name", "bench", "--force", check=True, timeout=600)
    taken = time.perf_counter() - begin
    home.banger("image", "delete", "bench", check=True)
    home.banger("image", "cache", "prune", "--all", check=True)
    return taken


def greatest_memory(pid):
    """Of its life, in MiB."""
    status = pathlib.Path(f"/proc/{pid}/status").read_text()
    return next(int(line.split()[1]) for line in status.splitlines() if line.startswith("VmHWM")) / 1024


def begin_pull(home, reference):
    pull = home.start("image", "pull", reference, "--name", "beside-pulled", "--force")
    time.sleep(1)  # into the midst of it
    return pull


def measure_oci(home, table, measure_beside, count=5):
    """`measure_beside` is given what begins a pull."""
    registry = Registry(home.root / "registry", {name: value for name, value in home.env.items() if not name.lower().endswith("_proxy")})
    try:
        reference = registry.push(large_image(home.root / "image"), "bench/large:1")
        hand, ours = [], []
        for number in range(count):  # in turn, so that a busy moment hits both
            hand.append(by_hand(home, reference, home.root / f"hand-{number}"))
            ours.append(by_banger(home, reference))
        measure_beside(lambda: begin_pull(home, reference))
        home.banger("image", "delete", "beside-pulled", check=True)
        home.banger("image", "cache", "prune", "--all", check=True)
    finally:
        registry.close()
    ratio = statistics.median(ours) / statistics.median(hand)
    table.add(f"an OCI image of {LAYERS * LAYER_MEBI} MiB by skopeo, umoci raw unpack and mke2fs", f"{statistics.median(hand):.1f} s")
    table.add("the same by `image pull`", f"{statistics.median(ours):.1f} s")
    table.add("pull / by hand", f"{ratio:.2f}", "≤ 1.15", ratio <= 1.15)
    peak = max(greatest_memory(pid) for pid in home.agent_pids())
    table.add("bangerd's greatest memory (VmHWM)", f"{peak:.0f} MiB", "≤ 64 MiB", peak <= 64)
