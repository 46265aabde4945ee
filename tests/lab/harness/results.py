# SPDX-License-Identifier: GPL-2.0-or-later
"""What a run leaves comes back: JUnit file, journal, core dumps, logs of bangerd and of VMs, console."""

import shutil
import subprocess

from .errors import LabError

PLACE = "/var/tmp/lab-results"

# Never fails: what can be had is had.
GATHER = f"""exec 2>/dev/null
mkdir -p {PLACE} && cd {PLACE}
journalctl --no-pager -o short-precise >journal.log
coredumpctl --no-pager list >coredumps.txt || rm -f coredumps.txt
cp -r /var/lib/systemd/coredump/. .
for user in alice bob mallory; do
    mkdir -p $user
    (cd /home/$user/.local/state && find banger \\( -name '*.log' -o -name '*.json' \\) -exec cp --parents -t {PLACE}/$user {{}} +)
done
tar -cf - .
"""


def bring_back(workstation, folder):
    """One that is gone leaves its console and QEMU's log."""
    shutil.rmtree(folder, ignore_errors=True)
    folder.mkdir(parents=True)
    for name in ("console.log", "qemu.log"):
        shutil.copy(workstation.folder / name, folder / name)
    if not workstation.is_alive():
        return
    tar = folder / "inside.tar"
    with open(tar, "wb") as file:
        workstation.run(GATHER, stdout=file, check=False)
    done = subprocess.run(["tar", "-C", folder, "--no-same-owner", "-xf", tar], capture_output=True, text=True, check=False)
    tar.unlink()
    if done.returncode != 0:
        raise LabError(f"the results are damaged: {done.stderr.strip()}")
