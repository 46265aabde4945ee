# SPDX-License-Identifier: GPL-2.0-or-later
"""`banger vm run PATH` and `banger vm workspace`: a git work tree's way into a VM and back."""

import os
import subprocess

import pytest

pytestmark = pytest.mark.limit(240)

RUN_SECONDS = 200


class Tree:
    """A repository of the test's own, made by a git that knows no other settings."""

    def __init__(self, world, folder):
        self.world, self.folder = world, folder
        folder.mkdir()
        self.git("init", "-q", "-b", "trunk")
        self.git("config", "user.name", "Ann Other")
        self.git("config", "user.email", "ann@example.org")

    def git(self, *words, check=True):
        done = subprocess.run(["git", "-C", str(self.folder), *words], env=self.world.env, capture_output=True, text=True)
        assert not check or done.returncode == 0, done.stderr
        return done.stdout.strip()

    def write(self, name, text):
        path = self.folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text)
        return path

    def commit(self):
        self.git("add", "-A")
        self.git("commit", "-q", "-m", "all")


@pytest.fixture
def tree(world, tmp_path):
    made = Tree(world, tmp_path / "tree")
    made.write("code.c", "int a;\n")
    made.write("gone.c", "int b;\n")
    made.write("n\nl ä", "odd\n")
    made.write("tools/run.sh", "#!/bin/sh\necho ran\n").chmod(0o755)
    made.write(".gitignore", "*.o\n")
    os.symlink("/etc/hostname", made.folder / "link")
    made.commit()
    return made


@pytest.fixture
def workspace(world, shared_vm, guest, tree):
    """Runs `vm workspace`; the shared VM's /root/repo is this test's."""
    guest("rm -rf /root/repo")

    def call(verb, *words, check=True, timeout=120, **options):
        return world.banger("vm", "workspace", verb, *words, check=check, timeout=timeout, cwd=tree.folder, **options)
    yield call
    guest("rm -rf /root/repo")


def test_a_work_tree_goes_in_and_its_changes_come_back_as_a_patch(workspace, guest, tree, shared_vm):
    tree.write("code.c", "int a;\nint mine;\n")
    tree.write("object.o", "ignored")
    tree.write("untracked.c", "x")
    workspace("prepare", shared_vm, ".")
    assert guest("cd /root/repo && git status --porcelain && git log --format=%s | wc -l") == "1"
    assert guest("cd /root/repo && ls -Ab | grep -v '^n'").split() == [".git", ".gitignore", "code.c", "gone.c", "link", "tools"]
    assert guest("readlink /root/repo/link; /root/repo/tools/run.sh; stat -c %u /root/repo/code.c").split() == ["/etc/hostname", "ran", "0"]
    guest("cd /root/repo && echo 'int theirs;' >> code.c && rm gone.c && printf 'a\\0b' > binary && touch made.o && git commit -qam 'in the guest'")
    patch = workspace("export", shared_vm).stdout
    assert "made.o" not in patch
    before = tree.git("status", "--porcelain")
    workspace("export", shared_vm, "-o", "../patch")
    assert (tree.folder.parent / "patch").read_text() == patch
    assert tree.git("status", "--porcelain") == before
    tree.git("apply", "../patch")
    assert (tree.folder / "code.c").read_text() == "int a;\nint mine;\nint theirs;\n"
    assert not (tree.folder / "gone.c").exists()
    assert (tree.folder / "binary").read_bytes() == b"a\0b"


def test_changes_come_back_as_a_branch(workspace, guest, tree, shared_vm):
    workspace("prepare", shared_vm, ".", "--branch", "try")
    assert guest("git -C /root/repo symbolic-ref --short HEAD") == "try"
    guest("cd /root/repo && echo 'int c;' > new.c")
    told = workspace("export", shared_vm, "--branch").stdout.split()
    assert told == ["try", tree.git("rev-parse", "try")]
    assert tree.git("diff", "--name-status", "trunk", "try") == "A\tnew.c"
    assert tree.git("log", "-1", "--format=%an: %s", "try") == f"Ann Other: Changes made in the VM {shared_vm}"
    assert tree.git("status", "--porcelain") == ""
    assert workspace("export", shared_vm, "--branch", "try", check=False).returncode == 6
    workspace("export", shared_vm, "--branch", "try", "--force")
    assert workspace("export", shared_vm, "--branch", "trunk", "--force", check=False).returncode == 6


def test_a_second_prepare_wants_force(workspace, guest, tree, shared_vm):
    workspace("prepare", shared_vm, ".")
    guest("touch /root/repo/dear")
    refused = workspace("prepare", shared_vm, ".", check=False)
    assert refused.returncode == 6 and "--force" in refused.stderr
    assert guest("ls /root/repo/dear") == "/root/repo/dear"
    workspace("prepare", shared_vm, ".", "--force")
    assert guest("ls /root/repo/dear", check=False).returncode != 0


def test_a_tree_for_which_there_is_no_room_is_refused_before_anything_goes(workspace, guest, tree, shared_vm):
    with open(tree.folder / "large", "wb") as file:
        file.truncate(64 << 20)
    tree.commit()
    try:
        guest("fallocate -l $(($(df --output=avail -B1 /root | tail -n 1) - (32 << 20))) /root/rest")
        refused = workspace("prepare", shared_vm, ".", check=False)
    finally:
        guest("rm -f /root/rest")
    assert refused.returncode == 1 and "free" in refused.stderr and f"banger vm set {shared_vm} --disk-size" in refused.stderr, refused.stderr
    assert guest("ls /root/repo", check=False).returncode != 0
    workspace("prepare", shared_vm, ".")


def test_a_guest_can_not_make_this_host_run_anything(workspace, guest, tree, shared_vm, tmp_path):
    trap = f"touch {tmp_path}/ran"
    (tree.folder.parent / "gitconfig").write_text(f'[filter "trap"]\n\tclean = {trap}\n[diff "trap"]\n\ttextconv = {trap}\n')
    env = {"GIT_CONFIG_GLOBAL": str(tree.folder.parent / "gitconfig")}
    workspace("prepare", shared_vm, ".", env=env)
    guest("cd /root/repo && echo '* filter=trap diff=trap' > .gitattributes && echo 2 > code.c && git config core.fsmonitor 'touch /ran' "
          "&& mkdir -p module && git -C module init -q && echo x > module/inside && ln -s /etc/shadow stolen && mkdir -p a/.GIT && echo x > a/.GIT/config")
    done = workspace("export", shared_vm, env=env)
    assert "module/inside" in done.stdout and "160000" not in done.stdout and ".GIT" not in done.stdout
    assert "module/.git" in done.stderr
    assert not (tmp_path / "ran").exists()


def test_run_with_a_path_starts_in_it_and_leaves_nothing(world, tree, nothing_left):
    done = world.banger("vm", "run", "--rm", "--memory", "256", "--disk-size", "1G", tree.folder, "--", "sh", "-c", "pwd; cat code.c; git status --porcelain",
                        timeout=RUN_SECONDS)
    assert done.returncode == 0, done.stderr
    assert done.stdout.split() == ["/root/repo", "int", "a;"]
    assert tree.git("for-each-ref", "refs/banger/") == ""


def test_a_run_whose_command_can_not_start_leaves_nothing_either(world, tree, nothing_left):
    done = world.banger("vm", "run", "--rm", "--memory", "256", "--disk-size", "1G", tree.folder, "--", "no-such-program", timeout=RUN_SECONDS)
    assert done.returncode == 127, done.stderr
    assert tree.git("for-each-ref", "refs/banger/") == ""


def test_run_refuses_before_it_makes_a_vm(world, tree, tmp_path):
    before = set(world.vms())
    (tmp_path / "plain").mkdir()
    for path, options in ((tmp_path / "plain", ()), (tmp_path / "no-such", ()), (tree.folder, ("--branch", "trunk")), (tree.folder, ("--from", "no-such"))):
        done = world.banger("vm", "run", path, *options, "--", "true")
        assert done.returncode == 125, done.stderr
    assert set(world.vms()) == before


def test_ten_thousand_files_go_in_and_out(workspace, guest, tree, shared_vm):
    for number in range(10_000):
        tree.write(f"many/{number // 100}/{number}", f"{number}\n")
    tree.commit()
    workspace("prepare", shared_vm, ".", timeout=300)  # the guest's git is emulated
    assert guest("find /root/repo/many -type f | wc -l") == "10000"
    guest("echo changed > /root/repo/many/42/4242")
    patch = workspace("export", shared_vm).stdout
    assert patch.count("diff --git") == 1 and "+changed" in patch
