# SPDX-License-Identifier: GPL-2.0-or-later
"""scripts/screenshots.py draws what a terminal shows; that it can be taken at all, only a machine with VMs shows."""

import importlib.util
import xml.etree.ElementTree as ElementTree

import tree

SVG = "{http://www.w3.org/2000/svg}"


def screenshots():
    spec = importlib.util.spec_from_file_location("screenshots", tree.ROOT / "scripts/screenshots.py")
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def test_a_screen_becomes_a_picture_with_its_colours():
    module = screenshots()
    drawn = ElementTree.fromstring(module.svg_of("plain \x1b[1;31mred <&>\x1b[0m\n\x1b[7mchosen\x1b[27m \x1b[2mdim\x1b[0m\n", size=(20, 3)))
    texts = {text.text: text for text in drawn.iter(f"{SVG}text")}
    assert set(texts) == {"plain ", "red <&>", "chosen", "dim"}
    assert texts["red <&>"].get("fill") == module.PALETTE[1] and texts["red <&>"].get("font-weight") == "bold"
    assert texts["chosen"].get("fill") == module.PAPER, "reversed"
    assert texts["dim"].get("opacity") and texts["plain "].get("fill") == module.INK
    assert any(rect.get("fill") == module.INK for rect in drawn.iter(f"{SVG}rect"))


def test_the_readme_has_a_picture_that_the_script_makes():
    readme = (tree.ROOT / "README.md").read_text()
    assert "(cli/tui/screenshots/vms.svg)" in readme and "scripts/screenshots.py" in readme
