# SPDX-License-Identifier: GPL-2.0-or-later
"""banger's .deb: for this host's Debian the one that was built last, for another one its own; and apt's words to install it."""

import pathlib
import platform

from . import suite_build
from .errors import LabError

RELEASE = pathlib.Path(__file__).resolve().parents[3] / "build/release"
# What packages.list lacks can't be had inside: apt then names it at once.
INSTALL = "DEBIAN_FRONTEND=noninteractive apt-get install -y --no-install-recommends"


def of(suite):
    """The .deb; beside it is bin/, with what was built for tests."""
    folder = RELEASE if suite == platform.freedesktop_os_release().get("VERSION_CODENAME") else suite_build.of(suite)
    found = sorted(folder.glob("banger_*.deb"), key=lambda path: path.stat().st_mtime)
    if not found:
        raise LabError("there is no package; `cmake --preset release && cmake --build build/release --target package` makes it")
    return found[-1]


def put(workstation, deb):
    """Copies it; gives its path inside."""
    place = f"/var/tmp/{deb.name}"
    with open(deb, "rb") as file:
        workstation.run(f"cat >{place}", input=file)
    return place


def install(workstation, deb, log):
    workstation.run(f"{INSTALL} {put(workstation, deb)}", seconds=300, stdout=log, stderr=log)
