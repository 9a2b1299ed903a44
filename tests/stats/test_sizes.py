from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from wellfit.exceptions import BadInput
from wellfit.stats.sizes import (
    detectable_difference,
    margin_at,
    plan_sizes,
    relative_margin,
    rows_for_margin,
    rows_to_detect,
)


@pytest.mark.parametrize(
    ("error", "margin", "rows"),
    [(0.5, 0.01, 9600), (0.05, 0.01, 1838), (0.05, 0.005, 7312), (0.01, 0.002, 9597), (0.1, 0.01, 3461)],
)
def test_known_rows_for_a_margin(error, margin, rows):
    assert rows_for_margin(error=error, margin=margin) == rows


@given(st.floats(0, 1), st.floats(0.001, 0.3))
def test_the_margin_is_reached_and_one_row_fewer_misses_it(error, margin):
    rows = rows_for_margin(error=error, margin=margin)
    assert margin_at(rows=rows, error=error) <= margin * (1 + 1e-6)
    if rows > 1 and 0 < error < 1:
        assert margin_at(rows=rows - 1, error=error) > margin * (1 - 1e-6)


@pytest.mark.parametrize(("disagreement", "rows"), [(0.05, 3923), (0.10, 7847)])
def test_known_rows_to_detect_a_point(disagreement, rows):
    assert rows_to_detect(difference=0.01, disagreement=disagreement) == rows


def test_known_detectable_difference():
    assert detectable_difference(rows=10_000, disagreement=0.05) == pytest.approx(0.00626, abs=5e-6)


@given(st.floats(0.002, 0.1), st.floats(0.1, 1))
def test_detecting_inverts_sizing(difference, disagreement):
    rows = rows_to_detect(difference=difference, disagreement=disagreement)
    if rows > 20:
        assert detectable_difference(rows=rows, disagreement=disagreement) == pytest.approx(difference, rel=0.05)


def test_more_candidates_need_more_rows():
    sizes = [rows_to_detect(difference=0.01, candidates=k) for k in (1, 10, 100)]
    assert sizes == sorted(set(sizes))


def test_known_rows_for_a_mean_squared_error():
    assert relative_margin(769) <= 0.1 < relative_margin(768)


def test_a_large_table_keeps_most_rows_for_training():
    plan = plan_sizes(1_000_000)
    assert (plan.train, plan.dev, plan.test, plan.capped) == (1_000_000 - 7847 - 9600, 7847, 9600, False)
    assert plan.precision["test_margin"] == pytest.approx(0.01, abs=1e-6)


@given(st.integers(30, 10_000_000), st.sampled_from(["classification", "regression"]))
def test_any_table_is_divided_and_its_precision_said(rows, task):
    plan, dev_and_test_wanted = plan_sizes(rows, task=task), 7847 + 9600
    assert plan.train + plan.dev + plan.test == rows
    assert min(plan.dev, plan.test) >= 6
    assert plan.train > 0.6 * rows - 2  # dev and test are rounded up
    assert f"{plan.test:,} test rows" in plan.precision["sentence"]
    assert plan.to_json()["capped"] is (dev_and_test_wanted > 0.4 * rows)


def test_thirty_rows_do_not_promise_what_six_rows_cannot_show():
    plan = plan_sizes(30)
    assert (plan.train, plan.dev, plan.test) == (18, 6, 6)
    assert plan.precision["dev_detects"] > 0.5


@pytest.mark.parametrize(
    "call",
    [
        pytest.param(lambda: rows_for_margin(error=1.2, margin=0.01), id="error-above-1"),
        pytest.param(lambda: rows_for_margin(margin=0.0), id="no-margin"),
        pytest.param(lambda: rows_for_margin(margin=float("nan")), id="margin-nan"),
        pytest.param(lambda: rows_for_margin(margin=0.01, level=1.0), id="level-1"),
        pytest.param(lambda: rows_to_detect(difference=0.2, disagreement=0.1), id="difference-above-disagreement"),
        pytest.param(lambda: rows_to_detect(difference=0.01, candidates=0), id="no-candidate"),
        pytest.param(lambda: margin_at(rows=0), id="no-rows"),
        pytest.param(lambda: plan_sizes(29), id="29-rows"),
    ],
)
def test_bad_input_says_so(call):
    with pytest.raises(BadInput):
        call()
