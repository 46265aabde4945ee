# SPDX-License-Identifier: GPL-2.0-or-later
"""What bangerd exports is what dbus/dev.banger.Agent1.xml says, object by object; and what changes is told by signals."""

import xml.etree.ElementTree as ElementTree

import pytest

from harness import bundle, bus
from harness.contract import interface_of_xml, read_interface
from harness.bus import NAME, ROOT
from harness.signals import Signals

STANDARD = {f"org.freedesktop.DBus.{name}" for name in ("Introspectable", "Peer", "Properties")}
SMALL = {"image": "debian", "kernel": "debian", "start": False, "memory_mib": 128, "vcpus": 1, "disk_bytes": 64 << 20, "network": "user", "storage": "file"}


@pytest.fixture(scope="module")
def objects(shared_home):
    """A client, and {interface: path} with an object of each kind; none of the VMs runs."""
    from conftest import Bangerd
    bundle.put_image(shared_home)
    bundle.put_kernel(shared_home)
    daemon = Bangerd(shared_home)
    try:
        client = daemon.start()
        vm, operation = client.create_vm(name="calm-otter", **SMALL)
        client.call(operation, "Operation", "Wait", "", (), timeout=60.0)
        yield client, {"Manager": ROOT, "Vm": str(vm), "Operation": str(operation), "Image": str(client.manager.FindImage("debian")),
                       "Kernel": str(client.manager.FindKernel("debian"))}
    finally:
        daemon.close()


KINDS = ["Manager", "Vm", "Image", "Kernel", "Operation"]


def test_every_interface_of_the_contract_is_looked_at():
    from harness.home import STAGE
    root = ElementTree.parse(STAGE / "dbus" / f"{NAME}.xml")
    assert {interface.get("name") for interface in root.iter("interface")} == {f"{NAME}.{kind}" for kind in KINDS}


@pytest.mark.parametrize("kind", KINDS)
def test_an_object_is_exported_as_the_contract_says(objects, kind):
    """Members, the types, directions and names of their arguments, and annotations."""
    client, paths = objects
    assert read_interface(client.introspect(paths[kind]), f"{NAME}.{kind}") == interface_of_xml(f"{NAME}.{kind}")


@pytest.mark.parametrize("kind", KINDS)
def test_nothing_of_ours_is_exported_beyond_the_contract(objects, kind):
    client, paths = objects
    names = {interface.get("name") for interface in ElementTree.fromstring(client.introspect(paths[kind])).findall("interface")}
    more = {"org.freedesktop.DBus.ObjectManager"} if kind == "Manager" else set()
    assert names == STANDARD | more | {f"{NAME}.{kind}"}


@pytest.mark.parametrize("kind", KINDS)
def test_each_property_can_be_read_and_has_its_type(objects, kind):
    client, paths = objects
    values = client.bus.call_blocking(NAME, paths[kind], "org.freedesktop.DBus.Properties", "GetAll", "s", (f"{NAME}.{kind}",))
    assert set(values) == {name for name, member in interface_of_xml(f"{NAME}.{kind}").items() if member[0] == "property"}


def test_the_object_manager_has_them_all(objects):
    client, paths = objects
    managed = client.bus.call_blocking(NAME, ROOT, "org.freedesktop.DBus.ObjectManager", "GetManagedObjects", "", ())
    for kind, path in paths.items():
        if kind != "Manager":
            assert f"{NAME}.{kind}" in managed[path]
            assert set(managed[path][f"{NAME}.{kind}"]) == \
                {name for name, member in interface_of_xml(f"{NAME}.{kind}").items() if member[0] == "property"}


@pytest.fixture
def signals(objects):
    """From here on. Its bus is the client's."""
    listener = Signals(objects[0].address)
    yield listener
    listener.close()


def test_a_client_that_only_listens_misses_nothing_of_a_vm(objects, signals):
    client, paths = objects
    vm, operation = map(str, client.create_vm(name="listened-to", **SMALL))
    signals.until(lambda: signals.changes(operation, "State")[-1:] == ["done"], 30, "its making ends")
    assert signals.came(vm) and signals.came(operation)
    assert signals.changes(vm, "State")[-1] == "stopped"
    assert None in signals.changes(vm, "Details"), "there are others, to be asked for"
    assert signals.changes(operation, "Error")[-1] == ("", "")
    for kind in ("Image", "Kernel"):
        assert signals.changes(paths[kind], "Details") == [None], "its users are others"
    details = client.get(paths["Image"], "Image", "Details")
    assert "listened-to" in details["users"]
    removal = str(client.call(vm, "Vm", "Delete", "b", (False,)))
    signals.until(lambda: signals.changes(removal, "State")[-1:] == ["done"], 30, "its removal ends")
    assert signals.changes(vm, "State")[-1] == "deleting"
    signals.until(lambda: signals.went(vm), 10, "its object goes")
    assert signals.changes(paths["Image"], "Details") == [None, None]


def test_a_failure_is_told_with_its_error(objects, signals, tmp_path):
    client, _ = objects
    (tmp_path / "vmlinuz").write_bytes(b"no kernel")
    (tmp_path / "modules").mkdir()
    operation = str(client.manager.ImportKernel(bus.typed({"vmlinuz": str(tmp_path / "vmlinuz"), "modules": str(tmp_path / "modules")})))
    signals.until(lambda: signals.changes(operation, "State")[-1:] == ["failed"], 30, "it fails")
    name, sentence = signals.changes(operation, "Error")[-1]
    assert name.startswith("dev.banger.Error.") and sentence
