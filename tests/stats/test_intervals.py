from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy import stats

from wellfit.exceptions import BadInput
from wellfit.stats.intervals import Estimate, interval_from_sd, mean_interval, wilson


@pytest.mark.parametrize(
    ("errors", "rows", "limits"),
    [
        pytest.param(5, 100, (0.02154, 0.11175), id="5-of-100"),
        pytest.param(0, 100, (0.0, 0.03699), id="none-of-100"),
    ],
)
def test_known_limits(errors, rows, limits):
    found = wilson(errors, rows)
    assert (found.low, found.high) == pytest.approx(limits, abs=1e-5)


@given(st.integers(1, 5000), st.floats(0, 1), st.floats(0.5, 0.999))
def test_rate_intervals_agree_with_scipy(rows, share, level):
    errors = round(share * rows)
    found = wilson(errors, rows, level=level)
    expected = stats.binomtest(errors, rows).proportion_ci(level, method="wilson")
    assert (found.low, found.high) == pytest.approx((expected.low, expected.high), abs=1e-9)
    assert 0 <= found.low <= found.value <= found.high <= 1


@pytest.mark.parametrize(
    ("rows", "rate", "coverage"),
    [pytest.param(100, 0.05, 0.966, id="100"), pytest.param(200, 0.02, 0.933, id="200")],
)
def test_exact_coverage(rows, rate, coverage):
    intervals = [wilson(errors, rows) for errors in range(rows + 1)]
    covered = [errors for errors, found in enumerate(intervals) if found.low <= rate <= found.high]
    assert stats.binom.pmf(covered, rows, rate).sum() == pytest.approx(coverage, abs=6e-4)


def test_fractional_counts_come_from_rounded_rates():
    assert wilson(5.5, 50).value == pytest.approx(0.11)


def test_the_mean_of_many_even_losses_gets_students_interval():
    losses = np.random.default_rng(0).normal(3, 2, 2000)
    found = mean_interval(losses)
    assert (found.low, found.high) == pytest.approx(stats.t.interval(0.95, 1999, losses.mean(), stats.sem(losses)))
    again = interval_from_sd(losses.mean(), sd=losses.std(ddof=1), rows=2000)
    assert (again.low, again.high) == pytest.approx((found.low, found.high))


@pytest.mark.parametrize("rows", [40, 300])
def test_the_mean_of_few_skewed_losses_gets_bca(rows):
    losses = np.random.default_rng(rows).exponential(size=rows)
    oracle = stats.bootstrap((losses,), np.mean, n_resamples=20_000, method="BCa", rng=np.random.default_rng(1))
    found, width = mean_interval(losses), oracle.confidence_interval.high - oracle.confidence_interval.low
    assert found.low == pytest.approx(oracle.confidence_interval.low, abs=0.06 * width)
    assert found.high == pytest.approx(oracle.confidence_interval.high, abs=0.06 * width)


def test_many_very_skewed_losses_agree_with_bca_without_drawing():
    losses = np.random.default_rng(3).lognormal(0, 2.2, 12_000)
    found = mean_interval(losses)
    oracle = stats.bootstrap(
        (losses,), np.mean, n_resamples=4_000, method="BCa", batch=200, rng=np.random.default_rng(1)
    )
    low, high = oracle.confidence_interval
    assert (found.low, found.high) == pytest.approx((low, high), abs=0.12 * (high - low))


def test_equal_losses_have_no_width():
    assert mean_interval(np.full(20, 0.1)).is_fixed


def test_levels_and_sizes_of_a_rate_are_recomputed():
    found = wilson(10, 50)
    assert found.at_level(0.99) == wilson(10, 50, level=0.99)
    assert found.with_rows(603).low == pytest.approx(wilson(120.6, 603).low)


def test_levels_and_sizes_of_a_mean_are_stretched():
    found = interval_from_sd(1.0, sd=2.0, rows=400)
    assert found.at_level(0.99).high == pytest.approx(interval_from_sd(1.0, sd=2.0, rows=400, level=0.99).high)
    assert found.with_rows(1600).high - 1 == pytest.approx((found.high - 1) / 2)


def test_a_fixed_number_stays_fixed():
    fixed = Estimate.fixed(0.01, rows=50_000)
    assert fixed.at_level(0.999) == fixed.with_rows(3) == fixed
    assert fixed.to_json() == {"value": 0.01, "low": 0.01, "high": 0.01, "rows": 50_000}


def test_json_comes_back():
    found = wilson(10, 50)
    assert Estimate.from_json(found.to_json(), binomial=True) == found


@pytest.mark.parametrize(
    "call",
    [
        pytest.param(lambda: wilson(3, 0), id="no-rows"),
        pytest.param(lambda: wilson(4, 3), id="more-errors-than-rows"),
        pytest.param(lambda: wilson(-1, 3), id="negative-errors"),
        pytest.param(lambda: mean_interval(np.ones(1)), id="one-loss"),
        pytest.param(lambda: mean_interval(np.array([1.0, np.nan])), id="a-missing-loss"),
        pytest.param(lambda: interval_from_sd(1, sd=-1, rows=5), id="negative-sd"),
        pytest.param(lambda: interval_from_sd(1, sd=1, rows=1), id="one-row"),
    ],
)
def test_bad_input_says_so(call):
    with pytest.raises(BadInput):
        call()


@pytest.mark.proof
@pytest.mark.parametrize("rows", [60, 400])
def test_bca_covers_the_mean_of_skewed_losses(rows):
    rng = np.random.default_rng(0)
    found = [mean_interval(rng.exponential(size=rows), seed=i) for i in range(1500)]
    covered = sum(each.low <= 1 <= each.high for each in found)
    # BCa keeps its level up to O(1/n): with 60 exponential losses a little below 95 %.
    assert wilson(covered, 1500).high >= (0.935 if rows == 60 else 0.945)
