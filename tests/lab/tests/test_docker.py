# SPDX-License-Identifier: GPL-2.0-or-later
"""Docker in a guest on Firecracker, in an image that `image build --docker` made."""


import pytest
from long import only_with_all

BOOT_SECONDS = 240
pytestmark = [pytest.mark.limit(600),
              only_with_all("a third image and three minutes")]


def test_docker_runs_an_image_that_was_made_in_the_guest(alice):
    vm = "docked"
    alice.banger("vm", "create", "--name", vm, "--image", "docker", "--memory", "768", "--disk-size", "1G", timeout=BOOT_SECONDS)
    assert alice.show(vm)["vmm"] == "firecracker"
    alice.exec(vm, "systemctl start docker", timeout=BOOT_SECONDS)
    assert alice.exec(vm, "docker info --format '{{.Driver}}'", timeout=120).strip() == "overlay2"
    # A tree of the guest's own: no registry is asked.
    alice.exec(vm, "tar -c -C / bin lib lib64 usr/bin usr/lib64 usr/lib/x86_64-linux-gnu etc/passwd | docker import - local:1", timeout=BOOT_SECONDS)
    said = alice.exec(vm, "docker run --rm --network none local:1 /bin/sh -c 'echo inside; head -1 /etc/passwd'", timeout=BOOT_SECONDS)
    assert said.split("\n")[0] == "inside" and "root:" in said
    assert alice.exec(vm, "docker run --rm local:1 /bin/cat /proc/net/dev", timeout=BOOT_SECONDS).count("eth0") == 1, "and the bridge network is there"
