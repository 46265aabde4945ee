# SPDX-License-Identifier: GPL-2.0-or-later
"""Which test runs what README.md and man/ show. tests/style holds these tables against both; whoever documents a command adds its row.

A name is SUITE/FILE::TEST below tests/."""

import ast

from . import manual

# What each command is run by, beside the examples.
COMMANDS = {
    "completion": "contract/test_documented.py::test_what_needs_no_guest_does_what_it_says",
    "config check": "contract/test_cli.py::test_config_is_shown_with_its_origins_and_each_wrong_line_is_named",
    "config show": "contract/test_cli.py::test_config_is_shown_with_its_origins_and_each_wrong_line_is_named",
    "daemon disable": "contract/test_boot.py::test_lingering_of_before_stays",
    "daemon enable": "contract/test_boot.py::test_enable_at_boot_asks_logind_and_links_the_unit",
    "daemon socket": "contract/test_cli.py::test_two_state_folders_that_share_a_runtime_folder_are_two",
    "daemon status": "contract/test_cli.py::test_daemon_status_starts_nothing",
    "daemon stop": "contract/test_cli.py::test_daemon_status_starts_nothing",
    "doctor": "contract/test_cli.py::test_doctor_lists_checks_and_mends",
    "image build": "host/test_image_making.py::test_docker_is_there_and_enabled",
    "image cache prune": "contract/test_image_pull.py::test_prune_takes_what_no_image_has",
    "image delete": "host/test_image.py::test_what_is_in_use_can_not_be_deleted",
    "image edit": "host/test_image_making.py::test_an_edit_is_committed_under_the_name_or_dropped",
    "image list": "contract/test_documented.py::test_what_needs_no_guest_does_what_it_says",
    "image promote": "host/test_image_making.py::test_a_vm_becomes_an_image_and_its_vms_are_others",
    "image pull": "contract/test_image_pull.py::test_from_a_real_registry_again_costs_nothing_and_a_change_costs_its_layer",
    "image register": "contract/test_images.py::test_the_command_line_registers_lists_verifies_and_deletes",
    "image show": "host/test_image_making.py::test_docker_is_there_and_enabled",
    "image verify": "contract/test_images.py::test_the_command_line_registers_lists_verifies_and_deletes",
    "kernel delete": "contract/test_cli.py::test_exit_codes",
    "kernel import": "host/test_image.py::test_building_again_finds_what_is_there",
    "kernel list": "contract/test_documented.py::test_what_needs_no_guest_does_what_it_says",
    "kernel pull": "host/test_documented.py::test_a_page_s_examples_do_what_they_say",
    "kernel show": "host/test_documented.py::test_a_page_s_examples_do_what_they_say",
    "ps": "host/test_commands.py::test_vm_list_and_ps",
    "runtime fetch": "host/test_bundle.py::test_a_fetched_bundle_boots_a_vm_without_a_network",
    "runtime package": "host/test_bundle.py::test_a_fetched_bundle_boots_a_vm_without_a_network",
    "runtime show": "contract/test_bundle.py::test_a_folder_that_is_given_needs_no_fetch",
    "runtime verify": "contract/test_runtime.py::test_verify_sees_what_show_does_not",
    "ssh-config": "contract/test_ssh_config.py::test_what_was_there_is_there_again",
    "tui": "contract/test_tui.py::test_the_terminal_is_as_before_however_it_ends",
    "version": "contract/test_cli.py::test_version_is_told_without_bangerd",
    "vm cp": "host/test_commands.py::test_vm_ssh_exec_cp_logs_ports",
    "vm create": "host/test_commands.py::test_vm_create",
    "vm delete": "host/test_commands.py::test_vm_stop_start_restart_kill_delete",
    "vm exec": "host/test_commands.py::test_vm_ssh_exec_cp_logs_ports",
    "vm export": "host/test_transfer.py::test_a_vm_moves_with_all_that_is_in_it",
    "vm forward": "host/test_commands.py::test_vm_forward",
    "vm import": "host/test_transfer.py::test_a_vm_moves_with_all_that_is_in_it",
    "vm kill": "host/test_commands.py::test_vm_stop_start_restart_kill_delete",
    "vm list": "host/test_commands.py::test_vm_list_and_ps",
    "vm logs": "host/test_commands.py::test_vm_ssh_exec_cp_logs_ports",
    "vm ports": "host/test_commands.py::test_vm_ssh_exec_cp_logs_ports",
    "vm prune": "host/test_commands.py::test_vm_prune_and_workspace",
    "vm restart": "host/test_commands.py::test_vm_stop_start_restart_kill_delete",
    "vm run": "host/test_commands.py::test_vm_run",
    "vm set": "host/test_commands.py::test_vm_set",
    "vm show": "contract/test_cli.py::test_not_found_names_the_thing_and_the_mend",
    "vm ssh": "host/test_commands.py::test_vm_ssh_exec_cp_logs_ports",
    "vm start": "host/test_commands.py::test_vm_stop_start_restart_kill_delete",
    "vm stats": "host/test_commands.py::test_vm_stats",
    "vm stop": "host/test_commands.py::test_vm_stop_start_restart_kill_delete",
    "vm workspace export": "host/test_commands.py::test_vm_prune_and_workspace",
    "vm workspace prepare": "host/test_commands.py::test_vm_prune_and_workspace",
}

# Lines that need no guest, with the exit codes that are right: tests/contract/test_documented.py runs them as they stand.
WITHOUT_GUEST = {
    "banger --version": {0},
    "banger completion bash": {0},
    "banger config check": {0},
    "banger config show": {0},
    "banger daemon status": {0},
    "banger doctor": {0, 4},  # what this host lacks is the host's
    "banger image list": {0},
    "banger kernel list": {0},
    "banger ps": {0},
    "banger ssh-config --install": {0},
    "banger vm list": {0},
    "banger vm list --json": {0},
    "banger vm stats": {0},
}

# Whose examples tests/host/test_documented.py runs as they stand, in their order, but for those that are elsewhere.
WITH_GUEST = [("README.md", "Ten things that people do"), ("banger-vm.1", "EXAMPLES"), ("banger-kernel.1", "EXAMPLES")]

_BUNDLE = "host/test_bundle.py::test_a_fetched_bundle_boots_a_vm_without_a_network"
_BY_HAND = "lab/tests/test_broker_manual.py::test_what_the_manual_tells_administrators_works"
_DOCKER = "host/test_image_making.py::test_docker_is_there_and_enabled"
_PULL = "contract/test_image_pull.py::test_from_a_real_registry_again_costs_nothing_and_a_change_costs_its_layer"
# What those can't run: it fetches, installs, changes the system, or needs more than a guest. The named test does the same with names of its own.
ELSEWHERE = {
    "apt install ./build/release/banger*_0.2.0_*.deb": "lab/tests/test_vmm.py::test_alice_runs_a_command_in_a_vm_that_is_gone_afterwards",
    "banger image build --name cxx --packages make,g++": "host/test_image_making.py::test_a_build_on_a_base_has_both_and_keeps_what_the_base_had",
    "banger image build --name docker --docker": _DOCKER,
    "banger image promote calm-otter --name mine --stop": "host/test_image_making.py::test_a_vm_becomes_an_image_and_its_vms_are_others",
    "banger image pull docker://alpine:3.20": _PULL,
    "banger runtime fetch": "contract/test_runtime.py::test_fetch_puts_checked_programs_there",
    "banger runtime fetch --manifest bundle.toml": _BUNDLE,
    "banger runtime package": "contract/test_bundle.py::test_packaging_twice_gives_the_same_bytes",
    "banger runtime package --output bundle.tar.gz": _BUNDLE,
    "banger vm run": "host/test_exec.py::test_run_alone_is_a_shell",
    "banger vm run --rm --image alpine -- cat /etc/os-release": "host/test_oci.py::test_words_follow_the_entrypoint_and_options_win",
    "banger vm run --rm --image docker -- sh -c 'systemctl start docker && docker info'": _DOCKER,
    "busctl call dev.banger.Broker1 /dev/banger/Broker1 dev.banger.Broker1 AdminList u 0": _BY_HAND,
    "cat bundle.toml": _BUNDLE,
    "cmake --preset release -DBANGER_TESTS=OFF && cmake --build build/release --target package": "package/test_deb.py::test_it_holds_these_files_and_no_other",
    "getent hosts calm-otter.vm": "contract/test_name_service.py::test_getent_finds_a_vm_by_name_and_by_address",
    "journalctl -u banger-broker": _BY_HAND,
    "journalctl -u banger-broker BANGER_UID=1000 -o json": _BY_HAND,
    "journalctl -u banger-broker BANGER_VERDICT=refused": _BY_HAND,
    # By CI, which is scripts/test, and by hand: bench/README.md has what they took.
    "scripts/quickstart": "style/test_source.py::test_script_parses",
    "scripts/test": "style/test_source.py::test_ci_calls_scripts_test_and_nothing_else",
    "systemctl try-restart banger-broker": _BY_HAND,
    "usermod -aG banger alice": _BY_HAND,
    "/usr/libexec/banger/banger-broker --check": _BY_HAND,
}


def lines_with_guest(source):
    """Of a (page, section) of WITH_GUEST, what the host test is to run."""
    return [line for page, title, line in manual.examples() if (page, title) == source and line not in ELSEWHERE]


def source_of(test):
    """The text of the named test's file, and of the test itself with its decorators; "" where there is none."""
    file, _, name = test.partition("::")
    path = manual.ROOT / "tests" / file
    text = path.read_text() if path.exists() else ""
    for node in ast.parse(text).body:
        if isinstance(node, ast.FunctionDef) and node.name == name:
            first = min([node.lineno, *(decorator.lineno for decorator in node.decorator_list)])
            return text, "\n".join(text.splitlines()[first - 1:node.end_lineno])
    return text, ""
