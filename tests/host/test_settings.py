# SPDX-License-Identifier: GPL-2.0-or-later
"""What settings do to real guests: [[file_sync]] and auto_stop_stale_after."""

import pathlib

import pytest

from harness import wait

pytestmark = pytest.mark.limit(400)


def test_a_new_guest_has_the_user_s_files_when_it_is_ready(own_world, make_vm):
    home = pathlib.Path(own_world.env["HOME"])
    (home / ".gitconfig").write_text("[user]\n")
    (home / ".gitconfig").chmod(0o644)
    (home / "app" / "deep").mkdir(parents=True)
    (home / "app" / "deep" / "token").write_text("secret")
    own_world.write_config("[[file_sync]]\nfrom = '~/.gitconfig'\n[[file_sync]]\nfrom = 'app'\nto = '/etc/my/app'\nmode = '0600'\n"
                           "[[file_sync]]\nfrom = '~/.not-there'\n")
    vm = make_vm(home=own_world, name="fresh")
    assert vm.exec("stat -c '%U:%G %a' /root/.gitconfig; cat /root/.gitconfig") == "root:root 644\n[user]"
    assert vm.exec("stat -c '%U:%G %a' /etc/my/app/deep/token /etc/my") == "root:root 600\nroot:root 755"
    assert "~/.not-there is not there" in own_world.log()
    vm.exec("echo mine > /root/.gitconfig")
    vm.do("restart")
    assert vm.exec("cat /root/.gitconfig") == "mine", "only what is new gets them"
    later = make_vm("--no-start", home=own_world, name="later")
    later.do("start")
    assert later.exec("cat /root/.gitconfig") == "[user]"


def test_a_vm_that_nobody_uses_is_stopped_and_one_in_use_is_not(own_world, make_vm):
    vm = make_vm(home=own_world, name="stale")
    session = own_world.start("vm", "exec", "stale", "--", "sleep", "1000")
    own_world.write_config("auto_stop_stale_after = '5s'\n")
    own_world.banger("vm", "list", check=True)
    with pytest.raises(AssertionError):
        wait.until(lambda: vm.state() != "running", 12, "it is stopped")
    session.terminate()
    session.wait(30)
    vm.wait_for_state("stopped")
    assert "nobody has used it for 5s" in own_world.log()
