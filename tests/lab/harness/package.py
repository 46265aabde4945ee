# SPDX-License-Identifier: GPL-2.0-or-later
"""banger's .debs: for this host's Debian those that were built last, for another one its own; and apt's words to install them."""

import pathlib
import platform

from . import suite_build
from .errors import LabError

# In the order in which they are named everywhere; the first one stands for all.
NAMES = ("banger", "banger-broker", "banger-doc")
RELEASE = pathlib.Path(__file__).resolve().parents[3] / "build/release"
# What packages.list lacks can't be had inside: apt then names it at once.
INSTALL = "DEBIAN_FRONTEND=noninteractive apt-get install -y --no-install-recommends"


def of(suite):
    """banger's .deb; the others are beside it, and bin/, with what was built for tests."""
    folder = RELEASE if suite == platform.freedesktop_os_release().get("VERSION_CODENAME") else suite_build.of(suite)
    found = sorted(folder.glob("banger_*.deb"), key=lambda path: path.stat().st_mtime)
    if not found:
        raise LabError("there is no package; `cmake --preset release && cmake --build build/release --target package` makes it")
    return found[-1]


def parts(deb):
    """All of them, of the version of banger's own."""
    version = deb.name.split("_")[1]
    found = [sorted(deb.parent.glob(f"{name}_{version}_*.deb")) for name in NAMES]
    missing = [name for name, files in zip(NAMES, found) if not files]
    if missing:
        raise LabError(f"beside {deb} there is no {', '.join(missing)} of version {version}")
    return [files[0] for files in found]


def put(workstation, deb):
    """Copies them; gives their paths inside, as words of a shell's."""
    return " ".join(put_file(workstation, part) for part in parts(deb))


def put_file(workstation, deb):
    place = f"/var/tmp/{deb.name}"
    with open(deb, "rb") as file:
        workstation.run(f"cat >{place}", input=file)
    return place


def install(workstation, deb, log):
    workstation.run(f"{INSTALL} {put(workstation, deb)}", seconds=300, stdout=log, stderr=log)
