# SPDX-License-Identifier: GPL-2.0-or-later
"""What bangerd exports is what dbus/dev.banger.Agent1.xml says. Vm, Image and Kernel objects: tests/host."""

import xml.etree.ElementTree as ElementTree

import pytest

from harness import bus
from harness.contract import interface_of_xml, read_interface
from harness.bus import NAME, ROOT, error_of


def test_manager_is_exported_as_the_contract_says(shared):
    exported = read_interface(shared.introspect(ROOT), f"{NAME}.Manager")
    assert exported == interface_of_xml(f"{NAME}.Manager")


def test_operation_is_exported_as_the_contract_says(shared, tmp_path):
    (tmp_path / "vmlinuz").write_bytes(b"no kernel")
    (tmp_path / "modules").mkdir()
    operation = shared.manager.ImportKernel(bus.typed({"vmlinuz": str(tmp_path / "vmlinuz"), "modules": str(tmp_path / "modules")}))
    error_of(shared.call, operation, "Operation", "Wait", "", ())
    exported = read_interface(shared.introspect(operation), f"{NAME}.Operation")
    assert exported == interface_of_xml(f"{NAME}.Operation")


def test_object_manager_is_there_for_desktop_clients(shared):
    names = [interface.get("name") for interface in ElementTree.fromstring(shared.introspect(ROOT)).findall("interface")]
    assert "org.freedesktop.DBus.ObjectManager" in names
    objects = shared.bus.call_blocking(NAME, ROOT, "org.freedesktop.DBus.ObjectManager", "GetManagedObjects", "", ())
    assert not [path for path in objects if "/vm/" in path]


@pytest.mark.parametrize("path", [ROOT])
def test_nothing_of_ours_is_exported_beyond_the_contract(shared, path):
    names = [interface.get("name") for interface in ElementTree.fromstring(shared.introspect(path)).findall("interface")]
    assert {name for name in names if not name.startswith("org.freedesktop.DBus")} == {f"{NAME}.Manager"}
