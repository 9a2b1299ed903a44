"""Columns without worth: those that were planted are named, and columns that are worth the margin raise no alarm."""

from __future__ import annotations

import numpy as np
import pytest
from scipy import stats

from wellfit.data.features import Feature, Features
from wellfit.diagnosis.checks import CHECKS
from wellfit.diagnosis.column_worth import FEWEST_ROWS, MARGIN, MOST_PREDICTED, worth_of_columns
from wellfit.diagnosis.facts import Facts
from wellfit.diagnosis.rows import OpenRows, Rows
from wellfit.records.goals import goal_named

ERROR, RMSE = goal_named("error"), goal_named("rmse")
USED = (1.0, 1.0, 1.0)


def world(rows, weights, *, goal=ERROR, seed=0, groups=None):
    """Rows of normal columns, whose target is their weighted sum with noise, and the best network on them."""
    rng = np.random.default_rng(seed)
    values, weights = rng.normal(size=(rows, len(weights))), np.asarray(weights)
    scores = values @ weights + rng.normal(size=rows)
    target = scores if goal is RMSE else (scores > 0).astype(np.int64)
    columns = tuple(Feature(f"x{place}", "number") for place in range(len(weights)))
    dev = Rows(features=Features(columns, values), target=target, classes=0 if goal is RMSE else 2, groups=groups)

    def shuffled(column, chosen, orders):
        asked = np.repeat(values[chosen][None], len(orders), axis=0)
        asked[:, :, int(column[1:])] = values[orders, int(column[1:])]
        mean = asked @ weights
        sure = stats.norm.cdf(mean)
        return mean if goal is RMSE else np.stack([1 - sure, sure], axis=-1)

    return OpenRows(train=dev, dev=dev, goal=goal, seed=seed), shuffled


def found(rows, shuffled, *, tolerance=0.02):
    return CHECKS["WF211"](Facts(goal=rows.goal, tolerance=tolerance, rows=rows, shuffled=shuffled))


@pytest.mark.parametrize("goal", [ERROR, RMSE], ids=["error", "rmse"])
def test_columns_that_the_network_does_not_use_are_named(goal):
    said = found(*world(5_000, (*USED, 0.0, 0.01), goal=goal))
    assert said.status == "fired"
    assert "x3 (" in said.evidence
    assert "x4 (" in said.evidence
    assert not any(f"x{place}" in said.evidence for place in range(3))


def test_columns_that_are_all_used_pass():
    assert found(*world(2_000, USED)).status == "passed"


def test_a_small_dev_set_cannot_tell_that_a_column_is_never_needed():
    said = found(*world(300, (*USED, 0.0)))
    assert said.status == "not applicable"
    assert "Cannot tell" in said.evidence
    assert "x3" in said.evidence


def test_too_few_rows_and_a_tolerance_of_0_are_not_applicable():
    assert "dev rows" in found(*world(FEWEST_ROWS - 1, USED)).evidence
    assert found(*world(500, USED), tolerance=0.0).status == "not applicable"


def test_without_a_network_to_ask_it_is_not_checked():
    rows, _ = world(500, USED)
    assert "shuffled" in CHECKS["WF211"].needs
    assert "shuffled" not in Facts(goal=ERROR, rows=rows).known


def test_the_cost_is_bounded_and_groups_make_the_interval_wider():
    asked = []
    rows, shuffled = world(60_000, (*USED, *[0.0] * 17))

    def counted(column, chosen, orders):
        asked.append(orders.size)
        return shuffled(column, chosen, orders)

    worth_of_columns(rows, counted)
    assert sum(asked) <= MOST_PREDICTED + max(asked)
    alone, grouped = (
        worth_of_columns(*world(900, USED, groups=groups))[0].at_level(0.95) for groups in (None, np.arange(900) // 30)
    )
    assert alone.value == pytest.approx(grouped.value)
    assert alone.low != grouped.low


def alarms(rows, *, runs, goal, seed=0):
    """Runs with a false alarm: every column is worth just the margin."""
    true = np.mean([each.value for each in worth_of_columns(*world(60_000, USED, goal=goal, seed=10**6))])
    tolerance = float(true) / MARGIN
    return sum(
        found(*world(rows, USED, goal=goal, seed=seed + run), tolerance=tolerance).status == "fired"
        for run in range(runs)
    )


@pytest.mark.parametrize("goal", [ERROR, RMSE], ids=["error", "rmse"])
def test_columns_worth_the_margin_raise_no_alarm(goal):
    runs = 30
    assert alarms(250, runs=runs, goal=goal) <= stats.binom.ppf(1 - 0.001, runs, 0.05)


@pytest.mark.proof
@pytest.mark.parametrize("rows", [200, 1_000, 10_000])
@pytest.mark.parametrize("goal", [ERROR, RMSE], ids=["error", "rmse"])
def test_columns_worth_the_margin_raise_no_alarm_at_any_size(rows, goal):
    runs = 400
    assert alarms(rows, runs=runs, goal=goal, seed=10_000) <= stats.binom.ppf(1 - 0.001, runs, 0.05)
