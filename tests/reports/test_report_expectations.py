"""What a step was expected to buy, what came, and the score: on the terminal and on the page."""

from __future__ import annotations

import pytest
from report_cases import Line, finished, summarize

from wellfit.reports.html import render_html
from wellfit.reports.text import render_text

FORETOLD = {
    "kind": "regularize",
    "locked": "optimization",
    "expected": 0.021,
    "expected_low": 0.0,
    "expected_high": 0.055,
    "got": 0.034,
    "cost": 3000.0,
}


def _with(**changes) -> list[Line]:
    return [Line(line.kind, {**line.body, **changes}) if line.kind == "step" else line for line in finished()]


@pytest.mark.parametrize(("held", "count"), [(True, 1), (False, 0)])
def test_the_score_counts_outcomes_inside_their_interval(held, count):
    summary = summarize(_with(**FORETOLD, as_expected=held))
    steps = len(summary.steps)
    assert steps > 0
    assert summary.kept_score == (count * steps, steps)
    said = f"{count * steps} of {steps} outcomes were within their 90% interval."
    assert said in render_text(summary)
    assert said in render_html(summary)


def test_the_terminal_and_the_page_show_what_was_expected_beside_what_came():
    summary = summarize(_with(**FORETOLD, as_expected=True, round=2))
    text, page = render_text(summary, width=160), render_html(summary)
    assert "What was expected of each step, and what was the result?" in text
    assert "regularize (round 2)" in text
    assert "0.0 to 5.5 points" in text
    assert "2.1 points" in text
    assert "3.4 points" in text
    assert "got 3.4 points: inside" in page
    assert "The optimization board was locked." in page


def test_a_step_that_couples_the_boards_says_so():
    assert "Coupled: this step turns both boards at once." in render_html(summarize(_with(**FORETOLD, coupled=True)))


def test_what_a_pilot_found_without_gain_is_named_beside_the_step():
    summary = summarize(_with(**FORETOLD, without_gain=["augment", "smooth_labels"]))
    said = "Also tried at step 1, without a gain: augment, smooth labels."
    assert said in render_text(summary, width=160)
    assert said in render_html(summary)
    assert "Also tried" not in render_text(summarize(_with(**FORETOLD))) + render_html(summarize(finished()))


def test_an_experiment_of_the_first_version_has_no_score():
    summary = summarize(finished())
    assert summary.kept_score is None
    assert "outcomes were within" not in render_text(summary) + render_html(summary)
    assert "Expected at most" in render_html(summary)


def test_the_last_line_of_a_run_is_why_it_stopped():
    summary = summarize(finished())
    assert summary.finished
    assert " ".join(render_text(summary).split()).endswith(" ".join(summary.finished.split()))
