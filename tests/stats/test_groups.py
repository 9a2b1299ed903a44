from __future__ import annotations

import numpy as np
import pytest

from wellfit.exceptions import BadInput
from wellfit.records.goals import goal_named
from wellfit.stats.intervals import grouped_mean, grouped_rate, has_groups, wilson


def grouped_errors(rng, *, groups, size, rate=0.15, spread=0.12):
    """Rows of a group err together: a rate of its own for each group, [rows] errors and codes."""
    shape = rate * (rate * (1 - rate) / spread**2 - 1), (1 - rate) * (rate * (1 - rate) / spread**2 - 1)
    rates = rng.beta(*shape, groups)
    sizes = rng.integers(1, 2 * size, groups)
    codes = np.repeat(np.arange(groups), sizes)
    return (rng.random(codes.size) < rates[codes]).astype(float), codes


def test_resampling_whole_groups_spreads_as_much():
    """The linearized variance against a bootstrap of whole groups, the definition."""
    rng = np.random.default_rng(3)
    losses, codes = grouped_errors(rng, groups=400, size=12)
    losses = losses + rng.exponential(0.1, losses.size)
    sums, sizes = np.bincount(codes, weights=losses), np.bincount(codes)
    drawn = rng.integers(0, 400, (4000, 400))
    means = sums[drawn].sum(axis=1) / sizes[drawn].sum(axis=1)
    low, high = np.quantile(means, [0.025, 0.975])
    found = grouped_mean(losses, codes)
    assert found.value == pytest.approx(losses.mean())
    assert (found.low, found.high) == pytest.approx((low, high), abs=0.1 * (high - low))


def test_intervals_of_grouped_rows_cover_and_plain_ones_do_not():
    rng, truth = np.random.default_rng(1), 0.15
    kept = {"rate": 0, "mean": 0, "plain": 0}
    for _ in range(400):
        wrong, codes = grouped_errors(rng, groups=60, size=20)
        found = {
            "rate": grouped_rate(wrong, codes),
            "mean": grouped_mean(wrong, codes),
            "plain": wilson(wrong.sum(), len(wrong)),
        }
        for name, each in found.items():
            kept[name] += each.low <= truth <= each.high
    # The mean of a ratio over groups of random size is .15 up to 1 / groups; four standard errors of 400 repetitions.
    assert kept["rate"] / 400 > 0.95 - 4 * 0.011
    assert kept["mean"] / 400 > 0.95 - 4 * 0.011 - 0.01  # BCa over 60 groups
    assert kept["plain"] / 400 < 0.8


@pytest.mark.parametrize("goal", ["error", "log_loss", "balanced_error", "auc"])
def test_groups_of_one_row_change_nothing(goal):
    rng = np.random.default_rng(0)
    target = rng.integers(0, 2, 300)
    probability = np.clip(0.5 + 0.3 * (target - 0.5) + rng.normal(0, 0.2, 300), 0.01, 0.99)
    prediction = np.column_stack([1 - probability, probability])
    alone = goal_named(goal).estimate(target, prediction)
    assert goal_named(goal).estimate(target, prediction, groups=np.arange(300)) == alone
    copied = goal_named(goal).estimate(
        np.repeat(target, 4), np.repeat(prediction, 4, axis=0), groups=np.repeat(np.arange(300), 4)
    )
    plain = goal_named(goal).estimate(np.repeat(target, 4), np.repeat(prediction, 4, axis=0))
    assert copied.high - copied.low == pytest.approx(alone.high - alone.low, rel=0.15)
    assert copied.high - copied.low > 1.6 * (plain.high - plain.low)  # four copies: half the width


def test_no_errors_are_worth_one_row_a_group():
    found = grouped_rate(np.zeros(1000), np.repeat(np.arange(50), 20))
    assert found.low == 0
    assert wilson(0, 50).high <= found.high < wilson(0, 45).high


def test_bad_input_says_so():
    with pytest.raises(BadInput, match="at least two groups"):
        grouped_mean(np.ones(5), np.zeros(5, int))
    with pytest.raises(BadInput, match="every row"):
        grouped_rate(np.ones(5), np.zeros(4, int))
    assert not has_groups(np.arange(4))
    assert not has_groups(None)
