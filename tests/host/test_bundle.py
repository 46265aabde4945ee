# SPDX-License-Identifier: GPL-2.0-or-later
"""A VM out of a runtime bundle, in a home that has nothing else and no network."""

import os
import subprocess

import pytest

from harness import bundle
from harness.home import Home
from harness.long import only_with_all

from conftest import BOOT_SECONDS

pytestmark = pytest.mark.limit(600)


def test_a_fetched_bundle_boots_a_vm_without_a_network(cache):
    packager, user = Home("packager", cache=cache), Home("user")
    try:
        packed = packager.json("runtime", "package", "--json", timeout=300)
        again = packager.json("runtime", "package", "--output", "again.tar.gz", "--json", timeout=300)
        assert packed["sha256"] == again["sha256"]
        os.rename(packed["path"], user.root / "banger-runtime.tar.gz")
        packager.banger("daemon", "stop")
        # Nothing is to be reached: a bangerd that asks somebody fails.
        user.env.update(dict.fromkeys(("http_proxy", "https_proxy", "all_proxy"), "http://127.0.0.1:1"))
        manifest = bundle.write_manifest(user.root / "bundle.toml", "./banger-runtime.tar.gz", packed["sha256"])
        user.banger("runtime", "fetch", "--manifest", manifest, check=True, timeout=300)
        archive_bytes = (user.root / "banger-runtime.tar.gz").stat().st_size
        image = user.json("image", "list", "--json")[0]
        assert image["name"] == "debian" and image["origin"].startswith("runtime bundle")
        folder = user.cache / "banger" / "runtime"
        on_disk = sum(path.stat().st_blocks * 512 for path in folder.iterdir() if path.is_file())
        assert on_disk < 6 * archive_bytes, "holes stay holes"
        done = user.banger("vm", "run", "--rm", "--network", "none", "--", "uname", "-r", timeout=BOOT_SECONDS)
        assert done.returncode == 0, done.stderr
        assert done.stdout.strip() == user.json("kernel", "list", "--json")[0]["version"]
        user.banger("daemon", "stop")
    finally:
        packager.close()
        user.close()


@only_with_all("a minute of packing, as the other test does")
def test_a_packed_disk_is_a_whole_file_system(cache):
    home = Home("packager", cache=cache)
    try:
        home.banger("runtime", "package", "--output", "bundle/", check=True, timeout=300)
        home.banger("daemon", "stop")
        checked = subprocess.run(["/usr/sbin/e2fsck", "-fn", str(home.root / "bundle" / "rootfs.ext4")], capture_output=True, text=True)
        assert checked.returncode == 0, checked.stdout
    finally:
        home.close()
