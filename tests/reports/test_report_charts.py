from __future__ import annotations

import re
from itertools import pairwise
from xml.etree import ElementTree

import pytest
from hypothesis import given
from hypothesis import strategies as st
from report_cases import CASES, HOSTILE, summarize

from wellfit.records.goals import goal_named
from wellfit.records.units import Unit
from wellfit.reports.charts import (
    heatmap_chart,
    ladder_chart,
    lambda_path_chart,
    learning_curve_chart,
)
from wellfit.reports.charts.svg import LambdaAxis, Scale, apart, padded, text_width, thinned
from wellfit.reports.html import sweep_view
from wellfit.reports.sweep_card import lambda_path

SVG = "{http://www.w3.org/2000/svg}"
WIDTHS = (350, 780)


def drawings(name: str) -> list[str]:
    """Every chart of one case, at both widths of the page."""
    it = summarize(CASES[name])
    ladders = [ladder for ladder in (it.before, it.after) if ladder]
    found = [
        ladder_chart(ladder, it.unit, key="l", width=wide, others=it.others) for ladder in ladders for wide in WIDTHS
    ]
    for sweep in it.sweeps:
        view = sweep_view(sweep, it.unit, index=0, optimal=None)
        found += [*view.heat, *view.path, *view.stopped, *view.exported]
        found += [panel.drawing for along in view.along for panel in along.panels]
    found += [learning_curve_chart(network, it.unit, key="c") for network in (it.first, it.best) if network]
    return [drawing for drawing in found if drawing]


ALL = [(name, index) for name in CASES for index in range(len(drawings(name)))]


@pytest.mark.parametrize(("name", "index"), ALL)
def test_charts_are_well_formed_and_described(name, index):
    root = ElementTree.fromstring(drawings(name)[index])
    assert root.tag == f"{SVG}svg"
    assert root.get("role") == "img"
    labels = root.get("aria-labelledby").split()
    ids = {element.get("id"): element.text for element in root.iter() if element.get("id")}
    assert all(ids[label] for label in labels)


@pytest.mark.parametrize(("name", "index"), ALL)
def test_no_text_leaves_its_chart(name, index):
    root = ElementTree.fromstring(drawings(name)[index])
    _, _, width, height = map(float, root.get("viewBox").split())
    for left, right, y, words in boxes(root):
        assert left >= -1, words
        assert right <= width + 1, words
        assert 8 <= y <= height, words


@pytest.mark.parametrize(("name", "index"), ALL)
def test_no_two_texts_overlap(name, index):
    root = ElementTree.fromstring(drawings(name)[index])
    placed: list[tuple[float, float, float, str]] = []
    for left, right, y, words in boxes(root):
        clash = [it[3] for it in placed if abs(it[2] - y) < 8.5 and left < it[1] - 2 and it[0] < right - 2]
        assert not clash, (words, clash)
        placed.append((left, right, y, words))


def boxes(root: ElementTree.Element) -> list[tuple[float, float, float, str]]:
    """Left, right and baseline of each text; the widths are the estimate, which is made for the widest font."""
    found = []
    for element in root.iter(f"{SVG}text"):
        words = "".join(element.itertext())
        style = element.get("class").split()[0]
        wide = text_width(words, style=style)
        x = float(element.get("x"))
        left = x - {None: 0, "middle": wide / 2, "end": wide}[element.get("text-anchor")]
        found.append((left, left + wide, float(element.get("y")), words))
    return found


def test_text_widths_are_no_less_than_those_of_the_widest_usual_font():
    """Advance widths of DejaVu Sans 2.37, in units of 1/2048 em."""
    units = {"avoidable bias": 18_254 * 0.82, "17.0%": (4 * 1303 * 0.75 + 651 + 1946) * 0.9, "dev": 1300 + 1260 + 1212}
    for words, width in units.items():
        assert text_width(words) >= 12 * width / 2048 * 0.97


def test_a_hostile_name_is_text():
    it = summarize(CASES["hostile"])
    drawing = ladder_chart(it.after, it.unit, key='k"<', others=it.others)
    ElementTree.fromstring(drawing)
    assert "<img" not in drawing
    assert HOSTILE[:5] not in drawing


def test_the_ladder_says_what_the_summary_says():
    it = summarize(CASES["unsealed"])
    drawing = ladder_chart(it.after, it.unit, key="l")
    assert set(it.after.errors) == {"train", "dev", "test"}
    for error in it.after.errors.values():
        assert f">{it.unit.show(error.value)}" in drawing
    assert "no: within the tolerance" in drawing
    assert "sealed" not in drawing


def test_a_sealed_test_set_is_a_dashed_slot():
    it = summarize(CASES["finished"])
    assert 'class="sealed"' in ladder_chart(it.after, it.unit, key="l")


def test_cannot_tell_says_how_many_rows_would():
    it = summarize(CASES["cannot tell"])
    assert "cannot tell: needs 40,300 rows" in ladder_chart(it.after, it.unit, key="l")


def test_rungs_stand_in_the_order_of_their_losses():
    it = summarize(CASES["diagnosed"])
    drawing = ladder_chart(it.after, it.unit, key="l")
    dev = float(re.search(r'class="m-dev" cx="([\d.]+)"', drawing)[1])
    train = float(re.search(r'class="m-train" d="M([\d.]+)', drawing)[1])
    assert train < dev


def test_exact_zero_has_a_tick_of_its_own():
    it = summarize(CASES["finished"])
    drawing = lambda_path_chart(lambda_path(it.sweeps[0]), it.unit, key="p")
    assert re.search(r">0</text>", drawing)
    assert 'class="tied"' in drawing
    assert 'class="chosen"' in drawing
    assert "‖W‖" in drawing


def test_the_path_keeps_to_the_chosen_keep_prob():
    grid = summarize(CASES["finished"]).sweeps[0]
    assert {member.keep_prob for member in lambda_path(grid)} == {0.8}
    scattered = summarize(CASES["random sweep"]).sweeps[-1]
    assert len(lambda_path(scattered)) == 65


def test_a_grid_has_a_cell_a_member_and_a_random_sweep_a_dot():
    unit = Unit(goal_named("error"))
    grid = heatmap_chart(summarize(CASES["finished"]).sweeps[0].members, unit, key="h")
    scattered = heatmap_chart(summarize(CASES["random sweep"]).sweeps[-1].members, unit, key="h")
    assert grid.count('class="heat"') == 65
    assert scattered.count('class="m-dot"') == 65


def test_nothing_is_drawn_from_too_little():
    unit = Unit(goal_named("error"))
    members = summarize(CASES["finished"]).sweeps[0].members
    assert heatmap_chart(members[:1], unit, key="h") == ""
    assert lambda_path_chart(members[:2], unit, key="p") == ""
    assert learning_curve_chart(summarize(CASES["diverged"]).first, unit, key="c") == ""


finite = st.floats(-1e9, 1e9, allow_nan=False)


@given(st.lists(st.tuples(finite, finite), min_size=2, max_size=2000), st.integers(10, 300))
def test_thinning_keeps_ends_and_extremes(points, most):
    points = sorted(points)
    thin = thinned(points, most=most)
    assert len(thin) <= max(most, len(points) if len(points) <= most else most)
    assert (thin[0], thin[-1]) == (points[0], points[-1])
    assert min(y for _, y in thin) == min(y for _, y in points)
    assert max(y for _, y in thin) == max(y for _, y in points)


@given(st.lists(st.floats(0, 100), min_size=1, max_size=4))
def test_labels_are_moved_apart_and_stay_inside(places):
    moved = sorted(apart(places, least=14, limits=(0, 100)))
    assert all(after - before >= 14 - 1e-6 for before, after in pairwise(moved))
    assert moved[0] >= -1e-9
    assert moved[-1] <= 100 + 1e-9


@given(finite, st.floats(1e-6, 1e9))
def test_ticks_are_inside_and_equally_spaced(low, span):
    ticks, step = Scale((low, low + span), (0, 1)).ticks()
    slack = 1e-6 * max(abs(low), span)
    assert all(low - slack <= tick <= low + span + slack for tick in ticks)
    assert len(ticks) <= 7
    assert step > 0


@given(st.lists(finite, min_size=1, max_size=20))
def test_a_domain_holds_its_values(values):
    low, high = padded(values)
    assert low <= min(values) <= max(values) <= high
    assert Scale((low, high), (0, 100))(min(values)) >= 0


def test_a_bias_below_the_reference_has_no_length():
    """Also where the reference is only an interval, whose middle lies above train."""
    it = summarize(CASES["unknown reference"])
    start, end = it.after.diagnosis.errors.ends("avoidable_bias")
    assert (it.after.diagnosis.gap("avoidable_bias").value, start) == (0, end)
    drawing = ladder_chart(it.after, it.unit, key="l")
    assert re.search(r'<rect class="gap-unsure" x="[\d.]+" y="[\d.]+" width="3"', drawing)


def test_few_powers_of_ten_give_way_to_the_values():
    axis = LambdaAxis([0, 40.0, 41.0, 140.0, 500.0], (0, 400))
    assert axis.ticks(7) == [0, 40.0, 140.0, 500.0]
    assert LambdaAxis([0.1, 1.0, 10.0, 100.0], (0, 400)).ticks(7) == pytest.approx([0.1, 1, 10, 100])
