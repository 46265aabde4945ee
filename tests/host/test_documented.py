# SPDX-License-Identifier: GPL-2.0-or-later
"""What README.md and the pages of man/ tell people to type, typed as it stands, line by line, in a work tree as people have one."""

import subprocess

import pytest

from harness import documented
from harness.home import PREFIX

pytestmark = pytest.mark.limit(900)

LINE_SECONDS = 300
# What a line must print.
PRINTED = {
    "banger vm run --rm -- uname -a": "Linux ",
    "banger vm run --rm . -- ./check": "old\n",
    "banger vm workspace export calm-otter": "\n+echo new",
    "banger vm ports calm-otter": "sshd",
    "ssh calm-otter.vm uptime": "load average",
    "banger vm run --rm --image mine -- cat /etc/motd": "hello\n",
}
# The sandbox's own work, which a page leaves to its reader.
MEANWHILE = {("banger-vm.1", "banger vm workspace prepare calm-otter ."): "banger vm exec calm-otter -- sh -c 'echo echo new >> /root/repo/check'"}


@pytest.fixture
def project(own_world):
    folder = own_world.root / "project"
    (folder / "src").mkdir(parents=True)
    (folder / "src" / "main").write_text("x\n")
    (folder / "notes.txt").write_text("notes\n")
    (folder / "check").write_text("#!/bin/sh\necho old\n")
    (folder / "check").chmod(0o755)
    for words in (("init", "-q", "-b", "trunk"), ("config", "user.name", "x"), ("config", "user.email", "x@y"), ("add", "-A"), ("commit", "-qm", "all")):
        subprocess.run(["git", "-C", str(folder), *words], env=own_world.env, check=True, capture_output=True)
    return folder


@pytest.fixture
def shell(own_world, project):
    """Runs a line in it. OpenSSH looks below the home that the passwd file has, so there it is led to the test's own."""
    programs = own_world.root / "bin"
    programs.mkdir()
    for name in ("ssh", "scp"):
        (programs / name).write_text(f'#!/bin/sh\nconfig=$HOME/.ssh/config\n[ -e "$config" ] || exec /usr/bin/{name} "$@"\nexec /usr/bin/{name} -F "$config" "$@"\n')
        (programs / name).chmod(0o755)
    environment = {**own_world.env, "PATH": f"{programs}:{PREFIX / 'bin'}:{own_world.env['PATH']}"}

    def run(line):
        done = subprocess.run(["sh", "-c", line], cwd=project, env=environment, stdin=subprocess.DEVNULL, capture_output=True, text=True,
                              timeout=LINE_SECONDS)
        assert done.returncode == 0, f"{line}: exit {done.returncode}\n{done.stdout}\n{done.stderr}"
        return done.stdout

    yield run
    own_world.banger("vm", "delete", "-f", "calm-otter")
    own_world.banger("image", "delete", "mine")


@pytest.mark.parametrize("source", documented.WITH_GUEST, ids=" ".join)
def test_a_page_s_examples_do_what_they_say(shell, project, source):
    page, _ = source
    for line in documented.lines_with_guest(source):
        printed = shell(line)
        assert PRINTED.get(line, "") in printed, f"{line}\n{printed}"
        if (page, line) in MEANWHILE:
            shell(MEANWHILE[page, line])
    assert page != "README.md" or (project / "since").read_text(), "what was written came out"
    if any("export" in line for line in documented.lines_with_guest(source)):
        assert "echo new" in (project / "check").read_text(), "the change is in the work tree"
