"""What regularization does, as the report shows it: paths, panels, early stopping, L1, Monte-Carlo dropout."""

from __future__ import annotations

import re
from dataclasses import replace

import pytest
from report_cases import CASES, summarize

from wellfit.reports.charts import measure_panel, trade_off_chart
from wellfit.reports.html import render_html, sweep_view
from wellfit.reports.sweep_card import (
    MEASURES,
    coupled,
    effect_rows,
    exported,
    is_one_line,
    knob_path,
    lambda_path,
    measures_of,
    plane,
)
from wellfit.reports.text import render_text

NAMED = {measure.name: measure for measure in MEASURES}


def card_of(name):
    return summarize(CASES[name]).sweeps[-1]


def view_of(name):
    it = summarize(CASES[name])
    return sweep_view(it.sweeps[-1], it.unit, index=0, optimal=None)


def test_the_keep_prob_path_keeps_to_the_chosen_lambda_and_falls():
    path = knob_path(card_of("with effects"), "keep_prob")
    assert [member.keep_prob for member in path] == [1.0, 0.9, 0.8, 0.65, 0.5]
    assert len({member.l2 for member in path}) == 1
    assert is_one_line(path, "keep_prob")
    assert not is_one_line(path, "l2")


@pytest.mark.parametrize("knobs", [{"l1": 3.0}, {"early_stopping": 4}, {"lr": 0.01}], ids=str)
def test_no_path_joins_members_that_differ_in_another_knob(knobs):
    card = card_of("with effects")
    other = replace(lambda_path(card)[3], identity="other", knobs=knobs, chosen=False)
    more = replace(card, members=(*card.members, other))
    assert lambda_path(more) == lambda_path(card)
    assert knob_path(more, "keep_prob") == knob_path(card, "keep_prob")
    assert sorted(it.identity for it in plane(more)) == sorted(it.identity for it in plane(card))


@pytest.mark.parametrize("status", ["dropped", "out of budget", "diverged"])
def test_a_training_that_was_cut_short_is_on_no_path(status):
    card = card_of("with effects")
    short = replace(lambda_path(card)[3], identity="other", status=status, l2=0.123)
    assert short not in lambda_path(replace(card, members=(*card.members, short)))


def test_a_dropped_member_stands_for_nothing_that_was_trained_to_its_end():
    card = card_of("with effects")
    members = tuple(replace(it, status="dropped") if it.is_plain else it for it in card.members)
    assert replace(card, members=members).unregularized is None


def test_where_nothing_ended_the_path_shows_what_there_is():
    card = card_of("with effects")
    members = tuple(replace(member, status="out of budget") for member in card.members)
    assert len(lambda_path(replace(card, members=members))) == len(lambda_path(card))


def test_each_knob_that_varied_has_its_panels():
    view = view_of("with L1 and early stopping")
    assert [(each.knob, each.at) for each in view.along] == [
        ("λ", "keep_prob 0.8"),
        ("keep_prob", "λ = 191"),
        ("L1", "λ = 191, keep_prob 0.8"),
    ]
    assert [member.l1 for member in knob_path(card_of("with L1 and early stopping"), "l1")] == [0, 0.3, 1, 3, 10, 30]
    assert view.along[2].panels[-1].title == NAMED["zeros"].title


def test_two_lambdas_are_no_path():
    card = card_of("with effects")
    two = {member.l2 for member in lambda_path(card)[:2]}
    assert lambda_path(replace(card, members=tuple(it for it in card.members if it.l2 in two))) == ()


def test_early_stopped_members_are_compared_with_the_lambda_path():
    card = card_of("with L1 and early stopping")
    assert [member.knobs["early_stopping"] for member in coupled(card)] == [1, 2, 4]
    assert not any(member.is_coupled for member in lambda_path(card))
    drawing = view_of("with L1 and early stopping").stopped[0]
    assert drawing.count('class="m-test"') == 3 + 1
    assert drawing.count('class="m-dev"') == len(lambda_path(card)) + 1
    assert view_of("with effects").stopped == ()


def test_where_all_were_stopped_early_they_are_the_path():
    card = card_of("with effects")
    members = tuple(replace(member, knobs={"early_stopping": 3}) for member in card.members)
    assert len(lambda_path(replace(card, members=members))) == len(lambda_path(card))
    assert coupled(replace(card, members=members)) == members


def test_exported_bytes_are_drawn_where_l1_varies():
    found = exported(card_of("with L1 and early stopping"))
    assert sorted(member.l1 for member in found) == [0.0, 0.3, 1.0, 3.0, 10.0, 30.0]
    assert len({(member.l2, member.keep_prob) for member in found}) == 1
    assert exported(card_of("with effects")) == ()
    drawing = view_of("with L1 and early stopping").exported[0]
    assert "exported size of W in KiB" in drawing


@pytest.mark.parametrize("name", ["with effects", "with L1 and early stopping", "random sweep with effects"])
def test_every_measure_that_varies_has_a_panel(name):
    view = view_of(name)
    titles = [panel.title for panel in view.along[0].panels]
    varying = ("norm", "input_gradient", "linear_r2", "tanh_linear", "unit_reliance")
    assert titles == ["train and dev error", *(NAMED[measure].title for measure in varying)]
    assert all(panel.drawing.startswith("<svg") for each in view.along for panel in each.panels)


def test_members_that_are_no_line_are_marks_only():
    names = ("random sweep with effects", "with effects")
    scattered, line = (view_of(name).along[0].panels[1] for name in names)
    assert 'class="l-effect"' in line.drawing
    assert 'class="l-effect"' not in scattered.drawing
    assert scattered.drawing.count('class="m-effect"') == 65


def test_a_panel_rises_where_its_measure_does():
    path = lambda_path(card_of("with effects"))
    heights = {
        name: [float(y) for y in re.findall(r'class="m-effect" cx="[\d.]+" cy="([\d.]+)"', panel)]
        for name in ("norm", "linear_r2")
        if (panel := measure_panel(path, NAMED[name], along="l2", key="k"))
    }
    assert heights["norm"] == sorted(heights["norm"])
    assert heights["linear_r2"] == sorted(heights["linear_r2"], reverse=True)


def test_a_measure_that_a_member_lacks_has_no_panel():
    path = lambda_path(card_of("with effects"))
    lacking = (replace(path[0], effects={}), *path[1:])
    assert [measure.name for measure in measures_of(lacking)] == ["norm"]
    assert measure_panel(lacking, NAMED["linear_r2"], along="l2", key="k") == ""
    assert measure_panel(path[:2], NAMED["norm"], along="l2", key="k") == ""


def test_a_journal_without_effects_has_no_panels():
    view = view_of("finished")
    assert (view.along, view.effects) == ((), ())
    assert trade_off_chart((), summarize(CASES["finished"]).unit, size=None, key="k") == ""


def test_the_table_sets_the_chosen_network_against_the_unregularized_one():
    card = card_of("with effects")
    rows = {row.title: row for row in effect_rows(card)}
    assert float(rows[NAMED["norm"].title].before) == pytest.approx(card.unregularized.norm, rel=1e-2)
    assert float(rows[NAMED["linear_r2"].title].after) == pytest.approx(card.chosen.effects["linear_r2"], rel=1e-2)


def test_a_member_with_another_regularizer_is_not_unregularized():
    card = card_of("with L1 and early stopping")
    assert card.unregularized.is_plain
    smoothed = replace(card.unregularized, knobs={"label_smoothing": 0.1})
    assert not smoothed.is_plain
    assert replace(card.unregularized, knobs={"lr": 0.1}).is_plain


@pytest.mark.parametrize(
    ("name", "words"),
    [
        ("with effects", "What λ did to the network, at keep_prob 0.8"),
        ("with effects", "What keep_prob did to the network, at λ = 191"),
        ("with effects", "Early stopping would turn both boards at once: it is off."),
        ("with effects", "layers.0.weight</code> (‖W‖ 12)"),
        ("with effects", "They leave biases and embeddings alone."),
        ("with L1 and early stopping", "Coupled: of 3 networks the last epoch was chosen by dev"),
        ("with L1 and early stopping", "The best of them stopped at ‖W‖ 10 with dev 15.1%"),
        ("with L1 and early stopping", "30 passes change dev error by −0.21 points (−0.38 to −0.04 points)"),
        ("with L1 and early stopping", "cost 27.4 times one pass"),
        (
            "with L1 and early stopping",
            "tied with the best takes 14.8 KiB of the 56.8 KiB of the largest, with dev 14.0%",
        ),
        ("stopped early", "Early stopping was on: it turns both boards at once"),
        ("stopped early", '<dt>early stopping</dt><dd><span class="soft">off</span> → <strong>4</strong>'),
        ("stopped early", '<dt>l1</dt><dd><span class="soft">off</span> → <strong>3</strong>'),
    ],
)
def test_the_page_says(name, words):
    assert words in render_html(summarize(CASES[name]))


def test_the_terminal_says_what_regularization_did_and_what_is_coupled():
    shown = " ".join(render_text(summarize(CASES["with L1 and early stopping"]), width=160).split())
    assert "R² of a linear fit" in shown
    assert shown.count("Coupled: stopped early by dev") == 3
    assert "30 passes change dev error by −0.21 points (−0.38 to −0.04 points) and cost 27.4 times" in shown
