"""The map of the code: every path and every name on docs/architecture.md exists, in its picture too."""

from __future__ import annotations

import ast
import importlib
import re
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
SOURCE = ROOT / "src" / "wellfit"
PAGE = (ROOT / "docs" / "architecture.md").read_text(encoding="utf-8")
PICTURE = ROOT / "docs" / "images" / "one-run.svg"
SPANS = sorted(set(re.findall(r"`([^`]+)`", PAGE)))
PLACE = re.compile(r"(?P<path>[\w/.-]+(?:\.py|\.html|\.md|/))(?:: (?P<name>[\w.]+))?")
MOST_LINES = 100
sys.path.append(str(ROOT / "scripts"))
measure_house = importlib.import_module("measure_house")


def _found(path):
    return next((root / path for root in (SOURCE, ROOT) if (root / path).exists()), None)


def _defined(path):
    """Names at the top of a module, and `Class.member`."""
    names = set()
    for node in ast.parse(path.read_text(encoding="utf-8")).body:
        for name in _names(node):
            names.add(name)
            if isinstance(node, ast.ClassDef):
                names |= {f"{name}.{member}" for each in node.body for member in _names(each)}
    return names


def _names(node):
    if isinstance(node, ast.FunctionDef | ast.ClassDef):
        return [node.name]
    targets = node.targets if isinstance(node, ast.Assign) else [node.target] if isinstance(node, ast.AnnAssign) else []
    return [target.id for target in targets if isinstance(target, ast.Name)]


@pytest.mark.parametrize("span", [span for span in SPANS if PLACE.fullmatch(span)])
def test_a_place_exists(span):
    place = PLACE.fullmatch(span)
    path = _found(place["path"])
    assert path is not None, f"there is no {place['path']}"
    if place["name"]:
        assert place["name"] in _defined(path), f"{place['path']} does not define {place['name']}"


@pytest.mark.parametrize("span", [span for span in SPANS if re.fullmatch(r"[A-Za-z_]\w*(\.\w+)?", span)])
def test_a_name_without_a_file_is_used_in_the_source(span):
    last = span.rsplit(".", 1)[-1]
    assert any(re.search(rf"\b{last}\b", path.read_text(encoding="utf-8")) for path in SOURCE.rglob("*.py"))


def test_the_picture_names_files_that_exist():
    paths = re.findall(r"[\w/]+(?:\.py|/)(?=[<:,) ])", re.sub(r"https?://\S+", "", PICTURE.read_text(encoding="utf-8")))
    assert len(paths) > 10
    assert [path for path in paths if not path.startswith("/") and _found(path) is None] == []


def test_the_page_fits_on_one():
    assert len(PAGE.splitlines()) <= MOST_LINES


def test_every_floor_of_the_import_table_is_on_the_page():
    rooms = {path.stem if path.is_file() else path.name for path in SOURCE.iterdir() if not path.name.startswith("_")}
    missing = {room for room in rooms if f"`{room}/`" not in PAGE and f"`{room}.py`" not in PAGE}
    assert missing - {"py"} == set()


def test_imports_go_down_the_floors():
    """The table of floors is true of every import, those inside functions included."""
    lines = re.search(r"\n## The floors\n(.*?)\n## ", PAGE, re.DOTALL)[1].splitlines()
    floors = [re.findall(r"`(\w+)(?:/|\.py)`", line.split("|")[2]) for line in lines if line.startswith("| ")]
    height = {room: -place for place, rooms in enumerate(floors) for room in rooms}
    house = measure_house.House(ROOT)
    upward = {(low, high) for low, high in house.pairs() if height.get(low, -99) < height.get(high, -99)}
    assert {pair for pair in upward if not any(room.startswith("_") for room in pair)} == set()
