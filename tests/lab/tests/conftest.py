# SPDX-License-Identifier: GPL-2.0-or-later
"""Fixtures of the tests that run inside the workstation, as root."""

import itertools
import os

import pytest

import faults as fault_injector
import journals
import users

BOOT_SECONDS = 180


@pytest.fixture(scope="session")
def _users():
    found = {name: users.User(name) for name in ("alice", "bob", "mallory")}
    yield found
    for user in found.values():
        user.log_out()


def _logged_in(user):
    user.log_in()
    yield user
    user.log_in()
    user.delete_vms()


@pytest.fixture
def alice(_users):
    """Is in group kvm; logged in by ssh, with a user manager and a session bus. Her VMs go when the test ends."""
    yield from _logged_in(_users["alice"])


@pytest.fixture
def bob(_users):
    """As alice, but not in group kvm."""
    yield from _logged_in(_users["bob"])


@pytest.fixture
def kvm_for_all():
    """Also for bob, whose VMs would else be emulation within emulation and take minutes."""
    mode = os.stat("/dev/kvm").st_mode & 0o7777
    os.chmod("/dev/kvm", 0o666)
    yield
    os.chmod("/dev/kvm", mode)


@pytest.fixture
def mallory(_users):
    """In no group, without subordinate ids, without kernel and images."""
    yield from _logged_in(_users["mallory"])


@pytest.fixture
def journal():
    """Entries since the test began: journal(unit="…"), journal(user_unit="…")."""
    return journals.Journal()


@pytest.fixture
def faults():
    """Breaks things, and mends them when the test ends."""
    injector = fault_injector.Faults()
    yield injector
    injector.mend()


_numbers = itertools.count(1)


@pytest.fixture
def guest_image():
    """The smallest image: no systemd in it, banger-guest is its init."""
    return "bare"


@pytest.fixture
def make_vm(guest_image):
    """make_vm(user, *options): a running VM's name."""
    def make(user, *options, image=guest_image):
        name = f"vm-{next(_numbers)}"
        user.banger("vm", "create", "--name", name, "--image", image, "--memory", "256", "--disk-size", "1G", *options, timeout=BOOT_SECONDS)
        return name
    return make
