# SPDX-License-Identifier: GPL-2.0-or-later
"""Users of the broker, and a disk to start sandboxes over; for the modules that test it."""

import os
import pathlib
import pwd

import pytest

from broker_user import BrokerUser

SIZE = 512 << 20


@pytest.fixture(scope="module")
def base():
    """A disk of alice's that anybody may read, with something at its beginning."""
    path = pathlib.Path("/home/alice/base.img")
    path.write_bytes(b"base" * 1024)
    os.truncate(path, SIZE)
    os.chown(path, pwd.getpwnam("alice").pw_uid, -1)
    path.chmod(0o644)
    path.parent.chmod(0o755)
    yield path
    path.unlink()


@pytest.fixture(scope="module")
def callers():
    users = {name: BrokerUser(name) for name in ("alice", "bob", "mallory")}
    yield users
    for user in users.values():
        user.close()


def _without_sandboxes_afterwards(user):
    yield user
    for sandbox in user.list():
        user.destroy(sandbox)


@pytest.fixture
def alice(callers):
    """In group banger."""
    yield from _without_sandboxes_afterwards(callers["alice"])


@pytest.fixture
def bob(callers):
    """Not in it; with root's help in a test he may be."""
    yield from _without_sandboxes_afterwards(callers["bob"])


@pytest.fixture
def mallory(callers):
    """In no group."""
    yield from _without_sandboxes_afterwards(callers["mallory"])
