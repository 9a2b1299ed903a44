from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy import stats

from wellfit.exceptions import BadInput
from wellfit.stats.differences import difference, holm, paired_difference
from wellfit.stats.intervals import Estimate, wilson


def test_newcombes_example():
    found = difference(wilson(56, 70), wilson(48, 80))
    assert (found.value, found.low, found.high) == pytest.approx((0.2, 0.0524, 0.3339), abs=5e-5)


def test_against_a_fixed_number_only_the_other_side_counts():
    dev = wilson(110, 1000)
    found = difference(dev, Estimate.fixed(0.01, rows=50_000))
    assert (found.low, found.high) == pytest.approx((dev.low - 0.01, dev.high - 0.01))
    assert found.rows == 1000


def test_swapping_the_sides_mirrors_the_interval():
    first, second = wilson(5, 60), wilson(20, 90)
    there, back = difference(first, second), difference(second, first)
    assert (there.value, there.low, there.high) == pytest.approx((-back.value, -back.high, -back.low))


def test_the_same_rows_are_compared_in_pairs():
    # b = 300 rows wrong only for the first, c = 220 only for the second, of 10,000.
    first = np.r_[np.ones(300), np.zeros(9700)]
    second = np.r_[np.zeros(300), np.ones(220), np.zeros(9480)]
    found = paired_difference(first, second)
    assert (found.value, found.low, found.high) == pytest.approx((0.008, 0.00353, 0.01247), abs=5e-6)


@pytest.mark.parametrize(
    "call",
    [
        pytest.param(lambda: paired_difference(np.ones(3), np.ones(4)), id="lengths"),
    ],
)
def test_bad_input_says_so(call):
    with pytest.raises(BadInput):
        call()


def _holm_by_p_values(p_values, alpha):
    """The textbook: reject the smallest p while p_(i) <= alpha / (k - i + 1)."""
    order, rejected = np.argsort(p_values), [False] * len(p_values)
    for place, i in enumerate(order):
        if p_values[i] > alpha / (len(p_values) - place):
            break
        rejected[i] = True
    return rejected


@given(st.lists(st.floats(-1, 6), min_size=1, max_size=6))
def test_holm_over_limits_is_holm_over_p_values(scores):
    def limit_of(z):
        return lambda level: z - stats.norm.ppf((1 + level) / 2)

    p_values = np.minimum(1.0, 2 * stats.norm.sf(scores))
    assert holm([limit_of(z) for z in scores], above=0.0) == _holm_by_p_values(p_values, 0.05)
