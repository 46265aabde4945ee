# SPDX-License-Identifier: GPL-2.0-or-later
"""Each member of dev.banger.Agent1.Manager, called as a stranger would."""

import dbus
import pytest

from harness import bus
from harness.bus import ROOT, error_of

LABELS_REFUSED = ["-a", "a-", "../x", "a/b", "UPPER", "a b", "a.b", "a_b", "ä", "x" * 64, "x" * 5000, "a\nb", "."]
NO_SUCH = "no-such-thing"


def test_a_new_user_has_no_vms_images_or_kernels(shared):
    assert list(shared.manager.ListVms(dbus.Dictionary({}, signature="ss"))) == []
    assert list(shared.manager.ListImages()) == []
    assert list(shared.manager.ListKernels()) == []


def test_list_vms_takes_its_two_filters(shared):
    for filter in ({"state": "running"}, {"name": "calm-*"}, {"name": "*", "state": "stopped"}):
        assert list(shared.manager.ListVms(dbus.Dictionary(filter, signature="ss"))) == []


@pytest.mark.parametrize("filter", [{"colour": "red"}, {"": ""}, {"state": "asleep"}], ids=str)
def test_list_vms_refuses_other_filters(shared, filter):
    name, sentence = error_of(shared.manager.ListVms, dbus.Dictionary(filter, signature="ss"))
    assert name == "InvalidArgument"
    assert sentence


@pytest.mark.parametrize("member", ["FindVm", "FindImage", "FindKernel"])
@pytest.mark.parametrize("name", [NO_SUCH, "", "../../etc/passwd", "x" * 100000, "\x01", "a'b"], ids=lambda name: repr(name[:20]))
def test_finding_what_is_not_there(shared, member, name):
    error, sentence = error_of(shared.call, ROOT, "Manager", member, "s", (name,))
    assert error in ("NotFound", "InvalidArgument")
    assert len(sentence) < 1000, "a caller's text is cut before it is repeated"
    assert "\x01" not in sentence


@pytest.mark.parametrize("name", LABELS_REFUSED, ids=lambda name: repr(name[:20]))
def test_create_vm_refuses_names_that_are_no_dns_labels(shared, name):
    error, sentence = error_of(shared.create_vm, name=name, start=False)
    assert error == "InvalidArgument", sentence
    assert "name" in sentence


@pytest.mark.parametrize("options", [
    {"vcpus": 0}, {"vcpus": 100000}, {"memory_mib": 0}, {"memory_mib": 127}, {"memory_mib": 4294967295},
    {"disk_bytes": 0}, {"disk_bytes": 1}, {"disk_bytes": 2**63}, {"vmm": "xen"}, {"vmm": ""}, {"network": "bridge"},
    {"colour": "red"}, {"": "x"}, {"Name": "upper-key"},
    {"name": dbus.UInt32(7)}, {"vcpus": dbus.String("2")}, {"vcpus": dbus.Int32(-1)}, {"start": dbus.String("yes")},
    {"image": dbus.Array(["a"], signature="s")}, {"lease": dbus.String("x")},
], ids=str)
def test_create_vm_refuses_bad_options(shared, options):
    error, sentence = error_of(shared.create_vm, **{"start": False, **options})
    assert error == "InvalidArgument", f"{error}: {sentence}"
    assert sentence


@pytest.mark.parametrize("options", [{"image": NO_SUCH}, {"kernel": NO_SUCH}, {}], ids=str)
def test_create_vm_without_image_or_kernel_says_so(shared, options):
    error, sentence = error_of(shared.create_vm, name="calm-otter", start=False, **options)
    assert error == "NotFound"
    assert "banger image build" in sentence or "banger kernel import" in sentence or NO_SUCH in sentence
    assert list(shared.manager.ListVms(dbus.Dictionary({}, signature="ss"))) == []


@pytest.mark.parametrize("image", ["../x", "", "/etc/passwd", "A" * 300])
def test_create_vm_refuses_image_names_that_are_paths(shared, image):
    assert error_of(shared.create_vm, image=image, start=False)[0] in ("InvalidArgument", "NotFound")


@pytest.mark.parametrize("options", [
    {"name": "../x"}, {"suite": "sid; rm -rf /"}, {"suite": "warty"}, {"size_bytes": 1}, {"packages": dbus.Array(["-o"], signature="s")},
    {"packages": dbus.Array(["a b"], signature="s")}, {"packages_file": "relative"}, {"packages": "not-a-list"}, {"colour": "red"},
], ids=str)
def test_build_image_refuses_bad_options(shared, options):
    error, sentence = error_of(shared.manager.BuildImage, bus.typed(options))
    assert error == "InvalidArgument", f"{error}: {sentence}"


@pytest.mark.parametrize("options", [
    {"name": "../x"}, {"vmlinuz": "relative"}, {"suite": "warty"}, {"colour": "red"},
    {"vmlinuz": "/boot/vmlinuz", "suite": "bookworm"},
], ids=str)
def test_import_kernel_refuses_bad_options(shared, options):
    error, sentence = error_of(shared.manager.ImportKernel, bus.typed(options))
    assert error in ("InvalidArgument",), f"{error}: {sentence}"


def finish(agent, operation):
    return agent.call(operation, "Operation", "Wait", "", (), timeout=60.0)


def import_kernel(agent, **options):
    """The error of the import, from the method itself or from its operation."""
    def whole():
        return finish(agent, agent.manager.ImportKernel(bus.typed(options)))
    return error_of(whole)


def test_import_kernel_of_a_file_that_is_not_there(agent, tmp_path):
    (tmp_path / "modules").mkdir()
    error, sentence = import_kernel(agent, name="mine", vmlinuz=str(tmp_path / "vmlinuz"), modules=str(tmp_path / "modules"))
    assert error == "NotFound" and str(tmp_path / "vmlinuz") in sentence
    assert list(agent.manager.ListKernels()) == []


@pytest.mark.parametrize("content", [b"", b"MZ", b"\x7fELF", b"\0" * 100000, b"not a kernel\n" * 1000],
                         ids=["empty", "two bytes", "ELF magic alone", "zeros", "text"])
def test_import_kernel_of_what_is_no_kernel(agent, tmp_path, content):
    (tmp_path / "vmlinuz").write_bytes(content)
    modules = tmp_path / "6.1.0-1-amd64"
    modules.mkdir()
    (modules / "modules.dep").write_text("")
    error, sentence = import_kernel(agent, name="mine", vmlinuz=str(tmp_path / "vmlinuz"), modules=str(modules))
    assert error == "CorruptData", f"{error}: {sentence}"
    assert list(agent.manager.ListKernels()) == []


def test_a_failed_operation_tells_its_error_to_who_asks_later(agent, tmp_path):
    (tmp_path / "vmlinuz").write_bytes(b"no kernel")
    (tmp_path / "modules").mkdir()
    operation = agent.manager.ImportKernel(bus.typed({"vmlinuz": str(tmp_path / "vmlinuz"), "modules": str(tmp_path / "modules")}))
    error_of(finish, agent, operation)
    assert agent.get(operation, "Operation", "State") == "failed"
    assert agent.get(operation, "Operation", "Kind") == "import-kernel"
    name, sentence = agent.get(operation, "Operation", "Error")
    assert name.startswith(bus.ERROR) and sentence
    agent.call(operation, "Operation", "Cancel", "", ())  # an ended one is left as it is


def test_doctor_answers_in_time_with_known_verdicts(shared):
    rows = shared.manager.Doctor()
    assert rows
    for check, verdict, detail, mend in rows:
        assert check and detail
        assert verdict in ("ok", "warn", "missing")
        assert "\n" not in mend


def test_properties_say_where_things_are(shared, shared_home):
    assert shared.get(ROOT, "Manager", "Version")
    assert shared.get(ROOT, "Manager", "StateDirectory") == str(shared_home.state / "banger")
    assert shared.get(ROOT, "Manager", "LogPath") == str(shared_home.state / "banger" / "bangerd.log")
    assert list(shared.get(ROOT, "Manager", "Warnings")) == []
    assert shared.get(ROOT, "Manager", "Pid") in shared_home.agent_pids()


@pytest.mark.parametrize("path", ["/", ROOT + "/vm/aaaaaaaaaaaa", ROOT + "/vm", ROOT + "/operation/999", ROOT + "/image/_2e_2e"])
def test_objects_that_do_not_exist_answer_with_an_error(shared, path):
    for interface, member in (("Vm", "Kill"), ("Operation", "Wait"), ("Image", "Delete")):
        signature, arguments = ("i", (9,)) if member == "Kill" else ("", ())
        with pytest.raises(dbus.DBusException):
            shared.call(path, interface, member, signature, arguments, timeout=10.0)


@pytest.mark.parametrize("member, signature, arguments", [
    ("ListVms", "s", ("x",)), ("FindVm", "", ()), ("FindVm", "u", (1,)), ("CreateVm", "a{ss}", (dbus.Dictionary({}, signature="ss"),)),
    ("Doctor", "s", ("x",)), ("NoSuchMember", "", ()),
])
def test_calls_of_another_signature_are_refused_and_harm_nothing(shared, member, signature, arguments):
    with pytest.raises(dbus.DBusException):
        shared.call(ROOT, "Manager", member, signature, arguments, timeout=10.0)
    assert shared.has_owner()


def test_the_log_is_json_lines(shared, shared_home):
    import json
    lines = shared_home.log().splitlines()
    assert lines
    for line in lines:
        assert isinstance(json.loads(line), dict)
