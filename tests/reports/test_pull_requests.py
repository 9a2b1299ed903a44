"""The report as Markdown and as JUnit XML: the same numbers, nothing of the data taken for markup."""

from __future__ import annotations

import re
from xml.etree import ElementTree as Xml

import pytest
from report_cases import CASES, HOSTILE, Line, finished, split, summarize

from wellfit.reports.junit import render_junit
from wellfit.reports.markdown import render_markdown

ENTRIES = pytest.mark.parametrize("name", CASES)


@ENTRIES
def test_every_table_has_as_many_cells_in_each_row_as_in_its_head(name):
    text = render_markdown(summarize(CASES[name]))
    for table in re.findall(r"(?:^\|.*\n)+", text, flags=re.MULTILINE):
        cells = {len(re.findall(r"(?<!\\)\|", line)) for line in table.splitlines()}
        assert len(cells) == 1, table


@ENTRIES
def test_nothing_from_the_data_is_markup(name):
    text = render_markdown(summarize(CASES[name]))
    assert "<" not in re.sub(r"\\<", "", text)
    assert all(line[:2] in ("", "# ", "##", "**", "- ", "| ", "|-", "  ") for line in text.splitlines()), text


@ENTRIES
def test_the_xml_counts_its_tests(name):
    summary = summarize(CASES[name])
    suite = Xml.fromstring(render_junit(summary))
    tests = suite.findall("testcase")
    assert int(suite.get("tests")) == len(tests)
    assert int(suite.get("failures")) == sum(test.find("failure") is not None for test in tests)
    fired = {f"{found.code} {found.title}" for found in summary.findings if found.status == "fired"}
    assert {test.get("name") for test in tests if test.find("failure") is not None} >= fired


def test_a_gap_that_is_too_large_fails():
    summary = summarize(finished())
    suite = Xml.fromstring(render_junit(summary))
    gaps = {
        test.get("name"): [child.tag for child in test]
        for test in suite.findall("testcase")
        if test.get("classname") == "wellfit.gaps"
    }
    wanted = {"yes": ["failure"], "no": [], "cannot tell": ["skipped"]}
    assert gaps == {gap.kind.noun: wanted[gap.verdict] for gap in summary.after.gaps}


def test_the_numbers_are_those_of_the_terminal():
    summary = summarize(finished())
    text = render_markdown(summary)
    assert summary.headline.replace("_", "\\_") in text
    assert f"| dev | {summary.unit.show(summary.before.errors['dev'].value)} |" in text
    assert summary.unit.show(summary.after.errors["dev"].value) in text


def test_labels_can_be_left_out():
    schema = {"target": "y", "task": "classification", "classes": ["Karla Quist", "Ben Arp"], "columns": []}
    named = [
        Line(line.kind, {**line.body, "did": "drop rows: those of Karla Quist"}) if line.kind == "step" else line
        for line in finished()[1:]
    ]
    summary = summarize([split(schema=schema), *named])
    assert "Karla Quist" in render_markdown(summary)
    assert "Karla" not in render_markdown(summary, redact=True)
    assert "Karla" not in render_junit(summary, redact=True)


def test_hostile_names_are_shown_as_they_are():
    written = render_junit(summarize(CASES["hostile"]))
    assert HOSTILE in Xml.fromstring(written).get("name")
    assert HOSTILE not in written


def test_characters_that_xml_forbids_are_left_out():
    lines = [split(source={"path": "a\x00b\x1b.csv"}), *finished()[1:]]
    assert "ab.csv" in Xml.fromstring(render_junit(summarize(lines))).get("name")
