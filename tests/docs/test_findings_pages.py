"""The committed findings pages are those of the catalogue, and their examples show what they speak of."""

from __future__ import annotations

import importlib.util
import json
from pathlib import Path

import pytest

from wellfit.cli import main
from wellfit.diagnosis.checks import CHECKS
from wellfit.diagnosis.findings import CATALOGUE

ROOT = Path(__file__).parents[2]
FROM_NUMBERS = ("WF101", "WF102", "WF103", "WF104", "WF107", "WF112", "WF301", "WF401", "WF402")


def _script():
    spec = importlib.util.spec_from_file_location("findings_pages", ROOT / "scripts" / "findings_pages.py")
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def test_the_committed_pages_are_current():
    committed = {path.name: path.read_text(encoding="utf-8") for path in (ROOT / "docs" / "findings").glob("*.md")}
    assert committed == _script().pages(), "run `make docs` and commit docs/findings"


def test_the_index_names_every_code_with_its_page():
    index = (ROOT / "docs" / "findings" / "index.md").read_text(encoding="utf-8")
    assert all(f"| [{code}]({code}.md) | {entry.title} |" in index for code, entry in CATALOGUE.items())


@pytest.mark.parametrize("code", list(CATALOGUE))
def test_an_entry_says_when_it_fires_what_to_do_and_where_it_is_computed(code):
    entry = CATALOGUE[code]
    assert (ROOT / "src" / "wellfit" / CHECKS[code].module).is_file()
    assert entry.commands
    assert all(each.line.startswith("wellfit ") for each in entry.commands)
    told = [entry.meaning, entry.computed, entry.remedy, entry.caution, entry.source]
    assert all(text.endswith(".") for text in (*told, *(when for _, when in entry.states.items())))


@pytest.mark.parametrize("code", FROM_NUMBERS)
def test_the_example_of_a_page_fires_its_own_code(code, capsys):
    example = CATALOGUE[code].commands[0]
    assert main([*example.line.split()[1:], "--json"]) == 0
    fired = {each["code"] for each in json.loads(capsys.readouterr().out)["findings"] if each["status"] == "fired"}
    assert code in fired
