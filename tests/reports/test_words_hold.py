"""The words at the end of a run agree with the numbers of its journal, for experiments of every kind."""

from __future__ import annotations

import re

import pytest
from experiments import Made, experiment
from word_rules import require_people_words, visible

from wellfit.records.outcome import Status
from wellfit.records.units import Unit
from wellfit.reports.html import render_html
from wellfit.reports.text import MOST_LINES, render_end, render_text
from wellfit.reports.verdict import MOST_WORDS, cares, next_steps

SEEDS = range(200)
WIDTHS = (60, 80, 100)
CUT = Status.OUT_OF_BUDGET.value


@pytest.fixture(scope="module", params=SEEDS)
def made(request):
    """All tests of one experiment follow one another, so that it is drawn and rendered once."""
    return experiment(request.param)


@pytest.fixture(scope="module")
def end(made):
    return render_end(made.summary, path="e.wellfit")


@pytest.fixture(scope="module")
def text(made):
    return render_text(made.summary)


@pytest.fixture(scope="module")
def page(made):
    return visible(render_html(made.summary))


def _sentences(made: Made) -> list[str]:
    summary = made.summary
    return [summary.headline, *summary.remarks, *cares(summary), *next_steps(summary)]


def test_the_headline_says_the_errors_of_the_journal_in_few_words(made):
    said, unit = made.summary.headline, Unit(made.best.diagnosis.goal)
    assert len(said.split()) <= MOST_WORDS
    assert said.endswith(".")
    ends = {unit.show(each.dev) for each in (made.first, made.best)}
    counts = {f"{made.summary.budget}", f"{len(made.first.rows):,}", f"{len(made.summary.steps)}"}
    said_once = re.sub(r"\d+ more steps?|average of \d+ networks|\bL1\b", "", said.split("Run again")[0])
    numbers = re.findall(r"\d[\d.,]*\d%?|\d%?", said_once)
    assert {number.rstrip(".") for number in numbers} <= ends | {count.rstrip("s") for count in counts}
    if " from " in said and " to " in said:
        assert f"from {unit.show(made.first.dev)} to {unit.show(made.best.dev)}" in said


def test_a_gain_is_called_sure_where_its_interval_excludes_nothing_gained(made):
    said = " ".join(_sentences(made))
    whole = made.best is not made.first and CUT not in (made.best.status, made.first.status)
    sure = whole and made.honest_gain.low > 0
    assert ("Sure: better by" in said) == sure
    if not sure:
        assert " cut the dev" not in said
        assert " raised the dev" not in said


def test_no_cause_is_named_that_the_intervals_do_not_support(made):
    said = made.summary.headline
    causes = {"avoidable_bias": "underfit", "variance": "overfit"}
    for name, word in causes.items():
        high = made.first.diagnosis.gap(name).verdict == "yes" and made.first.status != CUT
        if re.search(rf"\b(was {word}ting|was underfitting and {word}ting|The network {word}s|and {word}s)\b", said):
            assert high


def test_nothing_is_said_of_a_network_that_did_not_finish_but_that(made, end, text, page):
    if made.best.status != CUT:
        assert "Nothing can be said" not in end
        return
    assert "Nothing can be said yet" in made.summary.headline
    for shown in (end, text, page.partition("step by step")[0]):
        told = shown.replace("Do not overfit", "")  # the name of a board
        assert not re.search(r"underfit|overfit|avoidable|Sure|expect about|cannot tell", told)


def test_what_a_headline_credits_is_on_in_the_network_that_stands(made):
    said, singles = made.summary.headline, made.best.parts or (made.best,)
    knobs = [each.config["regularization"] for each in singles]
    assert "λ" not in said or any(each["l2"] > 0 for each in knobs)
    assert "dropout" not in said or any(each["keep_prob"] < 1 for each in knobs)
    shown = next(each.after for each in made.summary.regularization if each.name.startswith("λ"))
    limits = sorted({each["l2"] for each in knobs})
    assert [float(number) for number in shown.split(" to ")] == pytest.approx(
        [limits[0], limits[-1]][: len(limits)], rel=0.01
    )
    step = {place: made.networks[place].config["regularization"]["l2"] for place in range(1, len(made.networks))}
    for number, l2 in re.findall(r"^(\d+) .*λ [\d.,]+ → ([\d.]+)", render_end(made.summary, width=140), re.MULTILINE):
        assert float(l2) == pytest.approx(step[int(number)], rel=0.01)


def test_kept_steps_that_were_left_again_have_a_reason(made, text):
    lost = [step for step in made.summary.steps if step.kept and step not in made.summary.path]
    assert ("but the run went on from a network with a lower dev loss" in " ".join(text.split())) == bool(lost)


def test_a_ceiling_without_a_reference_has_limits(made):
    for words in next_steps(made.summary):
        if words.startswith("Avoidable bias") and not made.has_reference:
            assert "at most" not in words
            assert re.search(r"gains \S+ to \S+", words)


def test_rows_that_would_decide_can_be_collected(made, end, text):
    for count in re.findall(r"(?:about|needs) ([\d,]+) (?:dev |train-dev )?rows", end + text):
        assert int(count.replace(",", "")) <= max(10_000, 10 * len(made.first.rows))


def test_networks_are_counted_as_in_the_journal(made):
    for count in re.findall(r"among ([\d,]+) networks", " ".join(_sentences(made))):
        assert int(count.replace(",", "")) == len(made.networks)


def test_every_text_is_written_for_people(made, end, text, page):
    for shown in (end, text, page, *_sentences(made)):
        require_people_words(shown, made.summary.unit)
    for sentence in _sentences(made):
        assert "  " not in sentence


def test_every_width_can_be_read(made):
    summary = made.summary
    wide = set(render_end(summary, path="e.wellfit", width=400).split())
    narrow = {width: render_end(summary, path="e.wellfit", width=width) for width in WIDTHS}
    for width, shown in narrow.items():
        assert max(map(len, shown.splitlines())) <= width
        assert set(shown.split()) <= wide | {"and", "more"} | set(map(str, range(99)))
    assert narrow[100].count("\n") <= MOST_LINES
    assert not summary.steps or "step " in narrow[100] or "Nothing can be said" in narrow[100]
