from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from oracle.loop import Moment, learning_rate
from wellfit.records.config import Config, Optimization, Regularization
from wellfit.training.schedules import (
    averaging_decay,
    keep_prob_at,
    rung_updates,
    strength,
)

UPDATES = 15 * 64
COSLOG = Optimization(lr=0.3, schedule="coslog4")


@pytest.mark.parametrize("fifteenths", [0, 1, 3, 7, 15])
def test_coslog4_is_at_zero_where_members_are_compared(fifteenths):
    assert learning_rate(COSLOG, update=fifteenths * 64, updates=UPDATES) == pytest.approx(0, abs=1e-15)


@pytest.mark.parametrize("hump", range(4))
def test_coslog4_reaches_its_peak_once_between_two_zeros(hump):
    # log2(1 + 15 t) = hump + 1/2
    peak = (2 ** (hump + 0.5) - 1) / 15 * UPDATES
    rates = [learning_rate(COSLOG, update=update, updates=UPDATES) for update in range(64 * (2**hump - 1), UPDATES)]
    rates = rates[: 64 * 2**hump]
    assert max(rates) == pytest.approx(0.3, rel=1e-3)
    assert abs(np.argmax(rates) + 64 * (2**hump - 1) - peak) < 1


@pytest.mark.parametrize(("update", "share"), [(0, 1), (250, (1 + np.sqrt(0.5)) / 2), (500, 0.5), (1_000, 0)], ids=str)
def test_cosine_falls_from_lr_to_zero(update, share):
    assert learning_rate(Optimization(lr=0.3), update=update, updates=1_000) == pytest.approx(0.3 * share, abs=1e-15)


@pytest.mark.parametrize(("update", "expected"), [(0, 1), (499, 1), (500, 1), (750, 0.5), (1_000, 0)], ids=str)
def test_flat_cos_is_flat_and_then_falls(update, expected):
    assert strength("flat_cos", update=update, updates=1_000) == pytest.approx(expected, abs=1e-15)


@given(update=st.integers(0, 999))
def test_strengths_and_rates_stay_in_their_range(update):
    assert strength("constant", update=update, updates=1_000) == 1
    assert 0 <= strength("flat_cos", update=update, updates=1_000) <= 1
    assert 0 <= learning_rate(COSLOG, update=update, updates=1_000) <= 0.3


@given(keep_prob=st.floats(1e-6, 1.0), share=st.floats(0, 1))
def test_keep_prob_is_exact_at_both_ends_and_the_formula_between(keep_prob, share):
    assert keep_prob_at(keep_prob, strength=1.0) == keep_prob
    assert keep_prob_at(keep_prob, strength=0.0) == 1
    assert keep_prob_at(keep_prob, strength=share) == pytest.approx(1 - (1 - keep_prob) * share)
    assert keep_prob <= keep_prob_at(keep_prob, strength=share) <= 1


@pytest.mark.parametrize(("update", "decay"), [(0, 0.1), (8, 0.5), (80, 0.9), (10_000, 0.9)], ids=str)
def test_the_average_forgets_its_start_soon(update, decay):
    assert averaging_decay(0.9, update=update, updates=100) == pytest.approx(decay)


@pytest.mark.parametrize(
    ("updates", "rungs"),
    [(1, ()), (2, (1,)), (3, (1,)), (4, (1, 2)), (15, (1, 3, 7)), (150, (10, 30, 70)), (1_000, (67, 200, 467))],
    ids=str,
)
def test_rungs_are_where_coslog4_is_at_zero(updates, rungs):
    assert rung_updates(updates) == rungs


def test_a_moment_has_each_knob_as_its_own_schedule_has_it():
    fading = Regularization(l2=8.0, l1=4.0, keep_prob=0.6, l2_schedule="flat_cos")
    late = Moment(config=Config(regularization=fading), stream="shared", update=75, updates=100)
    assert (late.l2, late.l1) == pytest.approx((4.0, 2.0))
    assert late.keep_probs == (0.6, 0.6)
    dropping = Regularization(l2=8.0, l1=4.0, keep_prob=0.6, keep_prob_schedule="flat_cos")
    late = Moment(config=Config(regularization=dropping), stream="shared", update=75, updates=100)
    assert (late.l2, late.l1) == (8.0, 4.0)
    assert late.keep_probs == pytest.approx((0.8, 0.8))
