from __future__ import annotations

import json
import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from wellfit.diagnosis.diagnosis import diagnose_errors, diagnose_losses
from wellfit.diagnosis.gaps import Errors, default_tolerance, measure
from wellfit.diagnosis.optimal_error import Optimal, no_reference, reference
from wellfit.exceptions import BadInput
from wellfit.records.goals import goal_named
from wellfit.stats.intervals import Estimate, wilson

rates, human_errors = st.floats(0, 1), st.floats(0, 1, exclude_max=True)


@pytest.mark.parametrize(
    ("goal", "dev", "tolerance"),
    [
        pytest.param("error", 0.11, 0.02, id="two-points"),
        pytest.param("error", 0.05, 0.0125, id="a-quarter-of-dev"),
        pytest.param("error", 0.0, 0.001, id="at-least-a-tenth-of-a-point"),
        pytest.param("auc", 0.04, 0.01, id="auc-as-a-rate"),
        pytest.param("rmse", 25.0, 2.5, id="a-tenth-of-the-mse"),
    ],
)
def test_default_tolerance(goal, dev, tolerance):
    assert default_tolerance(goal_named(goal), dev) == pytest.approx(tolerance)


def test_without_a_reference_the_bias_runs_between_zero_and_the_best_dev():
    found = diagnose_errors(train=0.15, dev=0.2, dev_rows=1000)
    high = wilson(200, 1000).high
    assert found.errors.optimal == Optimal(0.0, high, source="none", upper_bound=False)
    bias = found.gap("avoidable_bias")
    assert (bias.value, bias.low, bias.high) == pytest.approx((0.15 - high / 2, 0.0, 0.15))
    assert (bias.verdict, bias.rows_needed) == ("cannot tell", None)
    last = found.prescription[-1]
    assert last.kind == "none"
    assert "human" in last.why


def test_the_best_dev_seen_on_this_split_bounds_the_reference():
    parts = {"train": Estimate.fixed(0.15, rows=5000), "dev": wilson(200, 1000)}
    found = diagnose_losses(goal=goal_named("error"), optimal=None, **parts, best_dev_high=0.05)
    assert found.errors.optimal.high == 0.05
    assert found.gap("avoidable_bias").verdict == "yes"


def test_a_measured_human_error_brings_its_wilson_interval():
    found = reference(goal=goal_named("error"), human_error=0.05, human_rows=100)
    assert (found.low, found.high) == pytest.approx((0.02154, 0.11175), abs=1e-5)
    assert (found.point, found.source, found.upper_bound) == (0.05, "human", True)
    bias = diagnose_errors(train=0.1, dev=0.12, dev_rows=5000, human_error=0.05, human_rows=100).gap("avoidable_bias")
    assert bias.value == pytest.approx(0.05)
    assert (bias.low, bias.high) == pytest.approx((0.0, 0.1 - found.low))


def test_dev_overfit_appears_with_the_test_set():
    found = diagnose_errors(train=0.1, dev=0.1, dev_rows=10_000, test=0.2, test_rows=10_000, human_error=0.1)
    assert found.gap("dev_overfit").verdict == "yes"
    assert [remedy.kind for remedy in found.prescription] == ["bigger_dev_set"]


@pytest.mark.parametrize(
    ("errors", "gap", "ceiling"),
    [
        pytest.param({"human_error": 0.0, "train": 0.1, "dev": 0.2}, "avoidable_bias", 0.1, id="the-gap"),
        pytest.param({"human_error": 0.0, "train": 0.2, "dev": 0.1}, "avoidable_bias", 0.1, id="dev-above-optimal"),
        pytest.param({"human_error": 0.05, "train": 0.01, "dev": 0.2}, "variance", 0.19, id="train-below-a-human"),
        pytest.param({"optimal_error": 0.05, "train": 0.01, "dev": 0.2}, "variance", 0.15, id="train-below-given"),
        pytest.param({"human_error": 0.0, "train": 0.2, "dev": 0.1}, "variance", 0.0, id="never-negative"),
    ],
)
def test_ceilings(errors, gap, ceiling):
    assert diagnose_errors(**errors, dev_rows=10_000).ceiling(gap) == pytest.approx(ceiling)


def test_holm_makes_three_doubtful_gaps_stricter_than_one():
    # Each lower limit clears the tolerance at 95 %, not at 1 - .05/3.
    tolerance, rows = 0.0, 1000
    train_dev, dev = wilson(70, rows), wilson(98, rows)
    errors = Errors(
        optimal=Optimal(0.06, 0.06, "given", False), train=Estimate.fixed(0.06), train_dev=train_dev, dev=dev
    )
    mismatch = measure(errors, tolerance=tolerance)["mismatch"]
    assert mismatch.low > tolerance
    assert mismatch.verdict == "cannot tell"


@given(st.integers(0, 50), st.integers(0, 100), st.integers(20, 400))
def test_rows_needed_is_the_first_size_that_leaves_the_tolerance(train, dev, rows):
    found = diagnose_errors(train=train / 100, dev=dev / 100, dev_rows=rows, human_error=train / 100).gap("variance")
    if found.rows_needed is None:
        return

    def leaves(size):
        interval, tolerance = wilson(dev / 100 * size, size), default_tolerance(goal_named("error"), dev / 100)
        return interval.low - train / 100 > tolerance + 1e-9 or interval.high - train / 100 <= tolerance + 1e-9

    assert leaves(found.rows_needed)
    assert not leaves(found.rows_needed - 1)


def test_rows_cannot_decide_a_gap_that_equals_the_tolerance():
    found = diagnose_errors(train=0.10, dev=0.12, dev_rows=1000, human_error=0.1).gap("variance")
    assert (found.verdict, found.rows_needed) == ("cannot tell", None)


@given(human_errors, rates, rates, st.integers(2, 10**6), st.integers(1, 100))
def test_more_rows_never_take_a_verdict_back(human, train, dev, rows, factor):
    def verdict(size):
        return diagnose_errors(train=train, dev=dev, dev_rows=size, human_error=human).gap("variance").verdict

    few, many = verdict(rows), verdict(rows * factor)
    assert few in ("cannot tell", many)


@given(
    train=rates,
    dev=rates,
    train_dev=st.none() | rates,
    test=st.none() | rates,
    human_error=st.none() | human_errors,
    rows=st.none() | st.integers(1, 10**7),
)
def test_laws_of_every_diagnosis(train, dev, train_dev, test, human_error, rows):
    counted = {"dev": dev, "train_dev": train_dev, "test": test}
    counts = {f"{name}_rows": rows for name, value in counted.items() if value is not None}
    found = diagnose_errors(train=train, **counted, human_error=human_error, **counts)
    bias = found.gap("avoidable_bias")
    assert 0 <= bias.low <= bias.value + 1e-12 <= bias.high + 2e-12
    assert all(0 <= remedy.ceiling <= dev for remedy in found.prescription)
    json.dumps(found.to_json(), allow_nan=False)
    assert found.prescription
    assert max(map(len, str(found).splitlines())) <= 120
    for gap in found.gaps.values():
        if gap is not None:
            assert gap.low <= gap.value <= gap.high
            assert gap.rows_needed is None or gap.verdict == "cannot tell"


@given(st.sampled_from(["log_loss", "rmse", "mae", "r2", "auc"]), st.floats(0, 0.9), st.floats(0, 0.9), st.floats(0, 5))
def test_laws_for_other_goals(goal, train, dev, sd):
    found = diagnose_errors(goal=goal, train=train, dev=dev, dev_sd=sd, dev_rows=400)
    text = json.dumps(found.to_json(), allow_nan=False)
    assert json.loads(text)["errors"]["dev"]["value"] == pytest.approx(dev, abs=1e-12)
    assert "nan" not in str(found)


def test_rmse_is_reported_as_rmse_and_compared_as_mse():
    found = diagnose_errors(goal="rmse", train=3.0, dev=5.0, dev_sd=40.0, dev_rows=1600, optimal_error=3.0)
    body = found.to_json()
    assert body["errors"]["dev"]["value"] == 5.0
    assert body["errors"]["optimal"]["low"] == 3.0
    half = 1.9615 * 40 / 40
    assert body["errors"]["dev"]["high"] == pytest.approx(math.sqrt(25 + half), abs=1e-3)
    assert (body["gaps"]["variance"]["value"], found.tolerance) == pytest.approx((16.0, 2.5))
    assert body["gaps"]["variance"]["verdict"] == "yes"
    assert "+2 " in str(found)
    assert " MSE" not in str(found)
    assert found.headline.startswith("The network overfits (2 RMSE of variance).")


def test_auc_is_given_and_reported_as_auc():
    body = diagnose_errors(goal="auc", train=0.99, dev=0.9, human_error=0.98).to_json()
    assert body["errors"]["dev"]["value"] == pytest.approx(0.9)
    assert body["gaps"]["variance"]["value"] == pytest.approx(0.09)
    assert body["gaps"]["avoidable_bias"]["below_reference"] is True


def test_numbers_without_rows_are_taken_as_exact_and_say_so():
    found = diagnose_errors(train=0.01, dev=0.11, human_error=0.0)
    assert found.gap("variance").verdict == "yes"
    assert "treated as exact" in str(found)


@pytest.mark.parametrize(
    ("change", "word"),
    [
        pytest.param({"dev": 1.2}, "between 0 and 1", id="rate-above-1"),
        pytest.param({"train": -0.1}, "between 0 and 1", id="negative-rate"),
        pytest.param({"dev": float("nan")}, "between 0 and 1", id="nan"),
        pytest.param({"dev": "11%"}, "number", id="text"),
        pytest.param({"dev": None}, "dev", id="no-dev"),
        pytest.param({"dev_rows": 0}, "at least 1", id="no-rows"),
        pytest.param({"dev_rows": 10.5}, "whole", id="half-a-row"),
        pytest.param({"test_rows": 100}, "test", id="rows-without-an-error"),
        pytest.param({"dev_sd": 0.3}, "goal", id="sd-of-a-rate"),
        pytest.param({"goal": "rmse", "dev_sd": 3.0, "dev_rows": None}, "rows", id="sd-without-rows"),
        pytest.param({"goal": "rmse", "dev": -3.0}, "not negative", id="negative-rmse"),
        pytest.param({"goal": "accuracy"}, "goal", id="unknown-goal"),
        pytest.param({"human_error": 0.1, "optimal_error": 0.1}, "both", id="two-references"),
        pytest.param({"optimal_error": (0.2, 0.1)}, "come first", id="limits-exchanged"),
        pytest.param({"optimal_error": (0.1, 0.2, 0.3)}, "low, high", id="three-limits"),
        pytest.param({"human_rows": 100}, "human_error", id="human-rows-alone"),
        pytest.param({"human_error": 0.1, "human_rows": 0}, "at least 1", id="no-human-rows"),
        pytest.param({"tolerance": -0.1}, "tolerance", id="negative-tolerance"),
        pytest.param({"tolerance": float("nan")}, "tolerance", id="tolerance-nan"),
        pytest.param({"tolerance": 2}, "tolerance", id="tolerance-in-percent"),
    ],
)
def test_bad_input_says_so(change, word):
    with pytest.raises(BadInput, match=word):
        diagnose_errors(**({"train": 0.01, "dev": 0.11, "dev_rows": 1000} | change))


@pytest.mark.proof
@pytest.mark.parametrize("rows", [200, 2000])
def test_a_gap_equal_to_the_tolerance_is_rarely_called_high(rows):
    # The null of the verdict: variance, mismatch and dev overfit all exactly at the tolerance.
    rng, runs, tolerance = np.random.default_rng(rows), 4000, 0.02
    optimal, train = no_reference(1.0), Estimate.fixed(0.05)
    draws = [rng.binomial(rows, rate, runs) for rate in (0.07, 0.09, 0.11)]
    false = 0
    for counts in zip(*draws, strict=True):
        train_dev, dev, test = (wilson(int(count), rows) for count in counts)
        gaps = measure(
            Errors(optimal=optimal, train=train, train_dev=train_dev, dev=dev, test=test), tolerance=tolerance
        )
        false += any(gaps[name].verdict == "yes" for name in ("variance", "mismatch", "dev_overfit"))
    assert wilson(false, runs).low <= 0.05


def test_the_best_rule_on_few_rows_is_no_bias():
    """A rule that errs on 18 % of all rows errs on more than 20 % of 200 in one table of four: no alarm of its own."""
    rng = np.random.default_rng(0)
    fired = {"few": 0, "exact": 0}
    for _ in range(400):
        rate = float((rng.random(200) < 0.18).mean())
        fired["exact"] += rate > 0.2
        parts = {"train": Estimate.fixed(rate, rows=200), "dev": wilson(36, 200)}
        found = diagnose_losses(
            goal=goal_named("error"),
            optimal=reference(goal=goal_named("error"), human_error=0.18),
            **parts,
            tolerance=0.02,
        )
        bias = found.gap("avoidable_bias")
        assert bias.low == bias.high == bias.value
        assert (bias.verdict == "yes") == (bias.value > 0.02 + 1e-9)
        fired["few"] += next(each for each in found.findings if each.code == "WF101").status == "fired"
    assert fired["exact"] / 400 > 0.15
    assert fired["few"] / 400 <= 0.025 + 4 * math.sqrt(0.025 * 0.975 / 400)


def test_a_loss_that_is_no_rate_is_judged_by_its_spread():
    optimal = reference(goal=goal_named("rmse"), human_error=0.5)
    parts = {"train": Estimate.fixed(0.29, rows=100), "dev": Estimate(0.29, 0.22, 0.36, 100)}
    wide, narrow = (Estimate(0.29, 0.29 - half, 0.29 + half, 100) for half in (0.07, 0.005))
    told = [
        diagnose_losses(goal=goal_named("rmse"), optimal=optimal, **parts, train_sample=sample, tolerance=0.02).findings
        for sample in (wide, narrow)
    ]
    bias = [next(each for each in found if each.code == "WF101") for found in told]
    assert [each.status for each in bias] == ["not applicable", "fired"]
    assert "may err as often" in bias[0].evidence


@pytest.mark.parametrize(("rows", "status"), [(100, "passed"), (10_000, "fired"), (None, "fired")])
def test_below_the_reference_is_told_from_chance(rows, status):
    found = diagnose_errors(train=0.15, dev=0.17, dev_rows=1000, human_error=0.17, train_rows=rows)
    told = next(each for each in found.findings if each.code == "WF103")
    assert told.status == status
    assert ("due to chance" in told.evidence) == (status == "passed")
    assert found.gap("avoidable_bias").below_reference


def test_the_ends_of_a_range_for_the_optimum_do_not_cancel_with_the_spread_of_train():
    found = diagnose_losses(
        goal=goal_named("rmse"),
        optimal=reference(goal=goal_named("rmse"), optimal_error=(0.0, 10.0)),
        train=Estimate(100.0, 72.0, 128.0, 300),
        dev=Estimate(150.0, 120.0, 180.0, 300),
    )
    bias = found.gap("avoidable_bias")
    assert (bias.low, bias.high) == (0.0, 128.0)


def test_without_a_reference_nothing_is_said_to_under_fit():
    found = diagnose_errors(train=0.3, dev=0.3, train_rows=1000, dev_rows=100_000)
    assert found.gap("avoidable_bias").verdict == "cannot tell"
    assert "underfits (" not in found.headline
    assert "give a human error" in found.headline


def test_a_bias_that_chance_may_be_is_told_as_such_beside_its_verdict():
    found = diagnose_errors(train=0.1, dev=0.1, train_rows=50, dev_rows=5000, human_error=0.05)
    assert found.gap("avoidable_bias").verdict == "yes"
    assert "may err as often" in found.headline
    assert found.findings[0].status == "not applicable"
