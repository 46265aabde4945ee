# SPDX-License-Identifier: GPL-2.0-or-later
"""desktop/: each file by its own validator, and the names in them, which must agree with each other, the bus and the version."""

import configparser
import re
import shutil
import subprocess
import xml.etree.ElementTree as ElementTree

import pytest

import tree

DESKTOP = tree.ROOT / "desktop"
NAME = "dev.banger.Banger"
ENTRIES = [f"{NAME}.desktop", f"{NAME}.krunner.desktop"]
ICONS = [f"icons/hicolor/scalable/apps/{NAME}.svg", f"icons/hicolor/symbolic/apps/{NAME}-symbolic.svg"]
WINDOW = "banger internal window --"  # which stays open where what runs in it fails at once
SVG = "{http://www.w3.org/2000/svg}"


def needs(program):
    return pytest.mark.skipif(shutil.which(program) is None, reason=f"no {program} here; scripts/deps test installs it")


def validated(*words):
    done = subprocess.run(list(map(str, words)), capture_output=True, text=True)
    return done.returncode, done.stdout + done.stderr


def sections(name):
    parser = configparser.ConfigParser(interpolation=None)
    parser.optionxform = str
    parser.read(DESKTOP / name)
    return parser


def constant(file):
    """The path of an object of bangerd's."""
    return re.search(r'path = "(.*?)"', (tree.ROOT / file).read_text()).group(1)


@needs("desktop-file-validate")
@pytest.mark.parametrize("name", ENTRIES)
def test_desktop_entries_are_valid(name, tmp_path):
    assert validated("desktop-file-validate", DESKTOP / name) == (0, "")
    worse = tmp_path / name
    worse.write_text((DESKTOP / name).read_text().replace("Name=", "Nam=", 1))
    assert validated("desktop-file-validate", worse)[0] != 0, "the check sees what it looks for"


@needs("appstreamcli")
def test_metainfo_is_valid(tmp_path):
    name = f"{NAME}.metainfo.xml"
    code, text = validated("appstreamcli", "validate", "--no-net", DESKTOP / name)
    assert code == 0, text
    worse = tmp_path / name
    worse.write_text(re.sub(r"<summary>.*</summary>", "", (DESKTOP / name).read_text()))
    assert validated("appstreamcli", "validate", "--no-net", worse)[0] != 0, "the check sees what it looks for"


@needs("xmllint")
@pytest.mark.parametrize("name", [*ICONS, f"{NAME}.metainfo.xml"])
def test_xml_is_well_formed(name):
    assert validated("xmllint", "--noout", DESKTOP / name) == (0, "")


@needs("rsvg-convert")
@pytest.mark.parametrize("name", ICONS)
@pytest.mark.parametrize("size", [16, 256])
def test_icons_can_be_drawn(name, size, tmp_path):
    picture = tmp_path / "icon.png"
    assert validated("rsvg-convert", "--width", size, DESKTOP / name, "--output", picture) == (0, "")
    data = picture.read_bytes()
    assert data[:8] == b"\x89PNG\r\n\x1a\n"
    assert (int.from_bytes(data[16:20], "big"), int.from_bytes(data[20:24], "big")) == (size, size)


def test_icons_hold_shapes_alone_and_the_symbolic_one_a_single_colour():
    """A theme recolours symbolic icons, and no icon fetches or runs anything."""
    for name in ICONS:
        root = ElementTree.parse(DESKTOP / name).getroot()
        tags = {element.tag.removeprefix(SVG) for element in root.iter()}
        assert tags <= {"svg", "title", "defs", "linearGradient", "stop", "rect", "path"}, tags
        assert not any("href" in attribute for element in root.iter() for attribute in element.attrib)
    symbolic = ElementTree.parse(DESKTOP / ICONS[1]).getroot()
    assert {element.get("fill") for element in symbolic.iter(f"{SVG}path")} == {"#2e3436"}
    assert (symbolic.get("width"), symbolic.get("height")) == ("16", "16")


def test_the_entry_starts_the_tui_and_offers_a_new_sandbox():
    entry = sections(ENTRIES[0])
    main = entry["Desktop Entry"]
    assert (main["Exec"], main["Terminal"], main["Icon"]) == (f"{WINDOW} tui", "true", NAME)
    assert main["Actions"].strip(";").split(";") == ["new-sandbox", "tui"]
    assert {action: entry[f"Desktop Action {action}"]["Exec"] for action in ("new-sandbox", "tui")} == \
        {"new-sandbox": f"{WINDOW} vm run", "tui": f"{WINDOW} tui"}


def test_searches_lead_to_what_bangerd_serves():
    bus = re.search(r'bus_name = "(.*?)"', (tree.ROOT / "agent/service/daemon.cpp").read_text()).group(1)
    provider = sections(f"{NAME}.search-provider.ini")["Shell Search Provider"]
    assert dict(provider) == {"DesktopId": ENTRIES[0], "BusName": bus, "Version": "2",
                              "ObjectPath": constant("agent/service/desktop/search_provider_object.hpp")}
    runner = sections(ENTRIES[1])["Desktop Entry"]
    assert runner["X-Plasma-DBusRunner-Service"] == bus
    assert runner["X-Plasma-DBusRunner-Path"] == constant("agent/service/desktop/runner_object.hpp")
    for xml, file in (("org.gnome.Shell.SearchProvider2", "search_provider"), ("org.kde.krunner1", "runner")):
        node = ElementTree.parse(tree.ROOT / f"dbus/{xml}.xml").getroot()
        assert node.get("name") == constant(f"agent/service/desktop/{file}_object.hpp")


def test_one_name_is_in_all_of_them():
    metainfo = ElementTree.parse(DESKTOP / f"{NAME}.metainfo.xml").getroot()
    assert metainfo.findtext("id") == NAME and metainfo.findtext("launchable") == ENTRIES[0]
    assert metainfo.findtext("provides/dbus") == "dev.banger.Agent1"
    for file in ("agent/service/desktop/desktop_calls.hpp", "agent/system/desktop/notification_client.cpp"):
        assert f'"{NAME}"' in (tree.ROOT / file).read_text(), file
    assert f"app-{NAME}@" in (tree.ROOT / "agent/system/desktop/terminal_opener.cpp").read_text()


def test_the_release_is_the_project_s():
    version = re.search(r"project\(banger VERSION (\S+)", (tree.ROOT / "CMakeLists.txt").read_text()).group(1)
    metainfo = ElementTree.parse(DESKTOP / f"{NAME}.metainfo.xml").getroot()
    assert metainfo.find("releases/release").get("version") == version


def test_each_file_is_installed():
    rules = (DESKTOP / "CMakeLists.txt").read_text().replace("${application}", NAME)
    for path in tree.all_files():
        if path.parts[0] == "desktop" and path.suffix not in (".md", ".txt"):
            assert str(path.relative_to("desktop")) in rules, path
