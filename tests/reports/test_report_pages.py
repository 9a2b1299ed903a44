from __future__ import annotations

import base64
import hashlib
import re
from dataclasses import replace
from html.parser import HTMLParser

import pytest
from report_cases import CASES, HOSTILE, Line, finished, split, summarize

from wellfit.diagnosis.findings import entry_of
from wellfit.reports.html import MOST_BYTES, render_html
from wellfit.reports.text import render_text
from wellfit.stats.intervals import Estimate

VOID = {"meta", "link", "br", "img", "input", "hr"}
ENTRIES = pytest.mark.parametrize("name", CASES)


class Outline(HTMLParser):
    """Tags, attributes and texts; fails where a tag is closed that is not open."""

    def __init__(self) -> None:
        super().__init__()
        self.stack: list[str] = []
        self.tags: list[tuple[str, dict[str, str | None]]] = []
        self.words: list[str] = []

    def handle_starttag(self, tag, attrs):
        self.tags.append((tag, dict(attrs)))
        if tag not in VOID:
            self.stack.append(tag)

    def handle_startendtag(self, tag, attrs):
        self.tags.append((tag, dict(attrs)))

    def handle_endtag(self, tag):
        assert self.stack.pop() == tag

    def handle_data(self, data):
        if self.stack and self.stack[-1] != "style":
            self.words.append(data)


def outline(page: str) -> Outline:
    parser = Outline()
    parser.feed(page)
    parser.close()
    assert parser.stack == []
    return parser


def words(page: str) -> str:
    return " ".join(" ".join(outline(page).words).split())


@ENTRIES
def test_the_page_is_small_and_nested(name):
    page = render_html(summarize(CASES[name]))
    outline(page)
    assert len(page.encode()) < 200_000 < MOST_BYTES


def test_the_largest_page_is_under_the_gate():
    lines = finished()
    sweeps = [line for line in lines if line.kind == "sweep"] * 4
    long = [[update, 0.2 + 1e-6 * update, 0.3] for update in range(20_000)]
    trainings = [Line("training", line.body | {"curve": long}) for line in lines if line.kind == "training"]
    page = render_html(summarize([*trainings, *lines, *sweeps]))
    assert len(page.encode()) < MOST_BYTES


@ENTRIES
def test_the_page_loads_and_runs_nothing(name):
    page = render_html(summarize(CASES[name]))
    for tag, attrs in outline(page).tags:
        assert tag not in ("script", "img", "iframe", "object", "form")
        assert not any(key.startswith("on") or key == "style" for key in attrs)
        assert attrs.get("href") in (None, "data:,") or attrs["href"].startswith("#")
        assert not attrs.keys() & {"src", "srcset", "action"}
    assert "url(" not in page
    assert "@import" not in page


@ENTRIES
def test_ids_are_unique(name):
    ids = [attrs["id"] for _, attrs in outline(render_html(summarize(CASES[name]))).tags if "id" in attrs]
    assert len(ids) == len(set(ids))


def test_the_policy_allows_our_style_and_nothing_else():
    page = render_html(summarize(CASES["finished"]))
    style = re.search(r"<style>(.*?)</style>", page, re.DOTALL)[1]
    digest = base64.b64encode(hashlib.sha256(style.encode()).digest()).decode()
    policy = next(attrs["content"] for tag, attrs in outline(page).tags if attrs.get("http-equiv"))
    assert policy.startswith("default-src 'none'; style-src 'sha256-")
    assert f"'sha256-{digest}'" in policy


@pytest.mark.parametrize("redact", [False, True])
def test_names_from_the_table_are_text(redact):
    page = render_html(summarize(CASES["hostile"]), redact=redact)
    assert "<img" not in page
    assert "<script" not in page.lower()
    assert "</script" not in page.lower()
    assert HOSTILE in words(page)


@ENTRIES
def test_page_and_terminal_show_the_numbers_of_the_summary(name):
    summary = summarize(CASES[name])
    page, terminal = words(render_html(summary)), " ".join(render_text(summary, width=200).split())
    for shown in (page, terminal):
        assert " ".join(summary.headline.split()) in shown
        for ladder in filter(None, (summary.before, summary.after)):
            for error in filter(None, ladder.errors.values()):
                assert summary.unit.show(error.value) in shown
        for method in summary.others:
            assert summary.unit.show(method.dev.value) in shown


def test_another_number_makes_another_page():
    summary = summarize(CASES["finished"])
    diagnosis = summary.after.diagnosis
    errors = replace(diagnosis.errors, dev=Estimate(0.3456, 0.3, 0.4, 5_000))
    page = render_html(replace(summary, after=replace(summary.after, diagnosis=replace(diagnosis, errors=errors))))
    assert page.count("34.6%") >= 4


@pytest.mark.parametrize(
    ("name", "question", "there"),
    [
        ("split only", "Is the split fair?", True),
        ("split only", "How much regularization?", False),
        ("diagnosed", "Where does the error come from?", True),
        ("diagnosed", "What next?", True),
        ("finished", "Where did the error come from, and where is it now?", True),
        ("finished", "What did we change, and was it the right knob?", True),
        ("finished", "How much regularization?", True),
        ("finished", "What did regularization cost, and what did it gain?", True),
        ("finished", "Does it still learn if we train for longer?", True),
        ("finished", "Would another method do better?", True),
        ("finished", "What was checked?", True),
        ("finished", "What happened, step by step?", True),
        ("finished", "How do I get this again?", True),
    ],
)
def test_questions_are_headings(name, question, there):
    assert (question in words(render_html(summarize(CASES[name])))) == there


def test_lambda_is_never_printed_alone():
    page, terminal = words(render_html(summarize(CASES["finished"]))), render_text(summarize(CASES["finished"]))
    for shown in (page, terminal):
        assert "weight_decay 0.00845, shrink 8.45e-06" in " ".join(shown.split())


def test_a_closed_seal_and_an_open_one():
    closed, opened = (words(render_html(summarize(CASES[name]))) for name in ("finished", "unsealed"))
    assert "sealed" in closed
    assert "certified" not in closed
    assert "certified" in opened
    assert "wellfit-1-9f2c9f2c-5000" in opened


def test_negative_bias_is_said_in_words():
    summary = summarize(CASES["below reference"])
    for shown in (render_html(summary), render_text(summary, width=160)):
        assert "memorized, or better than the reference" in shown


def test_redaction_removes_the_names_of_categories():
    schema = {"target": "t", "task": "classification", "classes": ["syphilis", "healthy", "no", "1"], "columns": []}
    finding = {
        "code": "WF110",
        "title": "rare class",
        "status": "fired",
        "evidence": "'no' and syphilis: 11 of 100 rows.",
        "remedy": "Collect more.",
    }
    lines = [split(schema=schema, source={"path": "/home/ada/study.csv"}), *finished()[1:]]
    diagnosis = lines[-2].body | {"findings": [finding]}
    lines[-2] = Line("diagnosis", diagnosis)
    page, redacted = (words(render_html(summarize(lines), redact=redact)) for redact in (False, True))
    assert "syphilis" in page
    assert not any(name in redacted for name in ("syphilis", "healthy", "'no'", "/home/ada"))
    assert "11 of 100 rows" in redacted
    assert "study.csv" in redacted


@ENTRIES
@pytest.mark.parametrize("width", [40, 80, 160])
def test_the_terminal_report_keeps_to_its_width_and_is_plain(name, width):
    shown = render_text(summarize(CASES[name]), width=width)
    assert "\x1b" not in shown
    assert max(map(len, shown.splitlines())) <= width


def test_colour_is_only_added():
    summary = summarize(CASES["finished"])
    plain, coloured = render_text(summary), render_text(summary, color=True)
    assert "\x1b[" in coloured
    assert re.sub(r"\x1b\[[\d;]*m", "", coloured).split() == plain.split()


def test_square_brackets_are_not_markup():
    lines = [split(policy="[red]by column[/red]")]
    assert "[red]by column[/red]" in render_text(summarize(lines))


MOST_IN_SIGHT = 900
FOLD = r"<details[^>]*>\s*<summary>((?:(?!</summary>).)*)</summary>(?:(?!<details).)*?</details>"
UNSEEN = r'<head>.*?</head>|<title.*?</title>|<desc>.*?</desc>|<div class="slim">.*?</div>'


@pytest.mark.parametrize("name", ["finished", "with effects", "regression", "unsealed", "unknown reference"])
def test_what_is_in_sight_is_short(name):
    """What a reader sees before unfolding anything, in the figures too."""
    page = re.sub(UNSEEN, "", render_html(summarize(CASES[name])), flags=re.DOTALL)
    while re.search(FOLD, page, re.DOTALL):
        page = re.sub(FOLD, r" \1 ", page, flags=re.DOTALL)
    assert len(re.sub(r"<[^>]+>", " ", page).split()) <= MOST_IN_SIGHT


@ENTRIES
def test_every_entry_of_the_contents_leads_to_a_section(name):
    found = outline(render_html(summarize(CASES[name]))).tags
    ids = {attrs.get("id") for _, attrs in found}
    links = {attrs["href"].removeprefix("#") for tag, attrs in found if tag == "a"}
    assert links <= ids


def _with_findings(*found: tuple[str, str], classes: tuple[str, ...] = ("no", "yes")) -> list[Line]:
    fields = {"title": "a title", "status": "fired", "remedy": "Do something."}
    findings = [{"code": code, "evidence": evidence, **fields} for code, evidence in found]
    schema = {"target": "4x4", "task": "classification", "classes": list(classes), "columns": []}
    lines = [split(schema=schema), *finished()[1:]]
    lines[-2] = Line("diagnosis", lines[-2].body | {"findings": findings})
    return lines


def test_a_finding_that_fired_is_explained_and_can_be_reached():
    page = render_html(summarize(_with_findings(("WF206", "age: 12 %"), ("WF209", "rows 3 and 4"))))
    for code in ("WF206", "WF209"):
        assert f'href="#{code}"' in page
        assert f'id="{code}"' in page
        for said in (entry_of(code).meaning, entry_of(code).caution):
            assert " ".join(said.split()).replace(" %", "%") in words(page)


def test_names_from_the_data_that_look_like_signs_stay_as_they_are():
    lines = _with_findings(("WF206", "lambda and 4x4 give 12 % away"), classes=("2x2", "True", "lambda"))
    for shown in (words(render_html(summarize(lines))), " ".join(render_text(summarize(lines)).split())):
        assert "lambda and 4x4 give 12% away" in shown
    assert "2x2, True, lambda" in words(render_html(summarize(lines)))
