# SPDX-License-Identifier: GPL-2.0-or-later
"""Fixtures of tests that need a workstation of their own, as they end it or want it without banger. They run on the host."""

import contextlib
import os
import pathlib

import pytest

from lab.harness import cache, results, snapshots
from lab.harness.errors import LabError


@pytest.fixture(scope="session")
def suite():
    return os.environ.get("LAB_SUITE", "bookworm")


@pytest.fixture(scope="session")
def deb():
    return pathlib.Path(os.environ["LAB_DEB"])


@pytest.fixture
def run_folder():
    with cache.RunFolder() as run:
        yield run.path


@pytest.fixture
def clean(suite, run_folder, keep_results):
    """A running workstation without banger, but with all that its package depends on."""
    with snapshots.clean(suite).start(run_folder) as workstation:
        yield workstation
        keep_results(workstation)


@pytest.fixture
def keep_results(request):
    """Brings back what a workstation has to say, into a folder named as the test."""
    def keep(workstation):
        with contextlib.suppress(LabError):
            results.bring_back(workstation, pathlib.Path(os.environ["LAB_RESULTS"]) / request.node.name)
    return keep
