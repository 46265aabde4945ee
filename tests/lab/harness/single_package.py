# SPDX-License-Identifier: GPL-2.0-or-later
"""The one package that banger was until 0.1.0, made of today's programs and the scripts of then: what an upgrade begins with."""

import pathlib
import shutil
import subprocess

from . import package

# The scripts are those that were released, so nobody changes them.
SCRIPTS = pathlib.Path(__file__).resolve().parents[1] / "single_package"
VERSION = "0.1.0"
# What came later, but for what today's bangerd can't do without.
LATER = ("usr/lib/systemd/user/banger.slice", "usr/share/doc/banger-broker", "usr/share/doc/banger-doc", "usr/share/dbus-1/interfaces")
RELATIONS = ("Depends", "Recommends")


def make(deb, folder):
    """Of today's `deb` and those beside it; gives its path."""
    tree = folder / "single"
    for part in package.parts(deb):
        _run("dpkg-deb", "--extract", part, tree)
    for path in LATER:
        target = tree / path
        shutil.rmtree(target) if target.is_dir() else target.unlink(missing_ok=True)
    control = tree / "DEBIAN"
    control.mkdir()
    for script in SCRIPTS.iterdir():
        shutil.copy(script, control / script.name)
    fields = {name: _run("dpkg-deb", "--field", deb, name).strip() for name in ("Architecture", "Maintainer", *RELATIONS)}
    fields["Recommends"] = fields["Recommends"].replace(", banger-broker", "")
    lines = [f"Package: banger\nVersion: {VERSION}\nSection: admin\nPriority: optional"]
    lines += [f"{name}: {value}" for name, value in fields.items() if value]
    (control / "control").write_text("\n".join(lines) + "\nDescription: development sandboxes that are real virtual machines\n of before\n")
    made = folder / f"banger_{VERSION}_{fields['Architecture']}.deb"
    _run("dpkg-deb", "--root-owner-group", "--build", tree, made)
    return made


def _run(*words):
    return subprocess.run(list(map(str, words)), check=True, capture_output=True, text=True).stdout
