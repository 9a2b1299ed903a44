from __future__ import annotations

import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from wellfit.config import Config, Optimization, shrink_of
from wellfit.exceptions import BadInput
from wellfit.sweeps.space import LEAST_SHRINK, MOST_SHRINK, configs_of, default_grid, log_uniform, uniform

BASE = Config(optimization=Optimization(lr=0.01, epochs=10))


def knobs(configs):
    return [(one.regularization.l2, one.regularization.keep_prob) for one in configs]


@given(members=st.integers(1, 200), rows=st.integers(30, 2_000_000), epochs=st.integers(1, 500))
def test_the_default_grid_is_affordable_and_has_exact_zero_and_one(members, rows, epochs):
    config = Config(optimization=Optimization(epochs=epochs))
    configs = configs_of(config, default_grid(config, rows=rows, members=members), rows=rows)
    assert 0.6 * members <= len(configs) <= members
    assert (0.0, 1.0) in knobs(configs)
    shrinks = {shrink_of(l2, rows=rows, lr=config.optimization.lr) for l2, _ in knobs(configs)} - {0.0}
    assert all(0.999 * LEAST_SHRINK <= shrink <= 1.001 * MOST_SHRINK for shrink in shrinks)


def test_the_default_grid_leaves_out_lambdas_that_cannot_matter_over_so_few_updates():
    grid = default_grid(BASE, rows=256, members=24)
    assert len(grid["l2"]) == 6
    assert len(grid["keep_prob"]) == 4
    # 10 updates at half of lr in the mean: the smallest takes a fifth of 3e-3 * 10 / 2, about 1.5 percent, at most.
    assert shrink_of(grid["l2"][1], rows=256, lr=0.01) == pytest.approx(1e-3, rel=1e-3)


def test_lists_make_a_grid_of_every_combination_with_the_other_knobs_kept():
    configs = configs_of(BASE, {"l2": [0, 3], "keep_prob": [1.0, 0.5], "widths": [(8,)]}, rows=100)
    assert knobs(configs) == [(0, 1.0), (0, 0.5), (3, 1.0), (3, 0.5)]
    assert {one.network.widths for one in configs} == {(8,)}
    assert {one.optimization for one in configs} == {BASE.optimization}


@pytest.mark.parametrize(
    ("over", "expected"),
    [
        ({"weight_decay": [0.0, 0.02]}, [(0.0, 1.0), (10.0, 1.0)]),
        ({"dropout": [0.0, 0.25]}, [(0.0, 1.0), (0.0, 0.75)]),
        ({"keep_prob": [1.0, 1.0, 0.5]}, [(0.0, 1.0), (0.0, 0.5)]),
    ],
    ids=["weight_decay", "dropout", "equal members once"],
)
def test_other_names_are_converted(over, expected):
    np.testing.assert_allclose(knobs(configs_of(BASE, over, rows=500)), expected)


def test_whole_numbers_are_the_same_members_as_decimals():
    whole, decimal = (configs_of(BASE, {"l2": [zero], "lr": [1]}, rows=9)[0] for zero in (0, 0.0))
    assert whole.identity == decimal.identity


def test_intervals_are_covered_evenly_after_one_member_with_the_regularizers_off():
    over = {"l2": log_uniform(1.0, 1e4), "keep_prob": uniform(0.5, 1.0)}
    first, *others = knobs(configs_of(BASE, over, rows=500, members=65))
    assert first == (0.0, 1.0)
    assert len(others) == 64
    places = np.array([(math.log10(l2) / 4, (keep - 0.5) / 0.5) for l2, keep in others])
    for column in places.T:
        # 64 Sobol points have 8 in each eighth of an axis.
        assert np.histogram(column, bins=8, range=(0, 1))[0].tolist() == [8] * 8
    assert configs_of(BASE, over, rows=500, members=65) == configs_of(BASE, over, rows=500, members=65)


def test_lists_and_intervals_mix():
    over = {"lr": log_uniform(1e-4, 1e-2), "activation": ["relu", "tanh"], "dropout": uniform(0, 0.5)}
    configs = configs_of(BASE, over, rows=500, members=17)
    assert len(configs) == 17
    assert {one.network.activation for one in configs} == {"relu", "tanh"}
    assert configs[0].regularization.is_off
    assert configs[0].optimization.lr == pytest.approx(1e-3)


REFUSED = {
    "unknown knob": ({"l2s": [1]}, "Did you mean 'l2'"),
    "no knob": ({}, "at least one knob"),
    "empty list": ({"l2": []}, "at least one value"),
    "two names": ({"l2": [1], "weight_decay": [1]}, "the same knob"),
    "negative lambda": ({"l2": [-1.0]}, "l2=-1"),
    "lambda not finite": ({"l2": [math.inf]}, "l2=inf"),
    "keep_prob 0": ({"keep_prob": [0.0]}, "keep_prob=0"),
    "dropout 1": ({"dropout": [1.0]}, "keep_prob=0"),
    "keep_prob above 1": ({"keep_prob": [1.5]}, "keep_prob=1.5"),
}


@pytest.mark.parametrize(("over", "message"), REFUSED.values(), ids=REFUSED.keys())
def test_a_space_that_cannot_be_searched_names_the_knob(over, message):
    with pytest.raises(BadInput, match=message):
        configs_of(BASE, over, rows=100)


@pytest.mark.parametrize(
    ("make", "low", "high"), [(uniform, 2, 1), (log_uniform, 0, 1), (log_uniform, 2, 1), (uniform, 0, math.nan)]
)
def test_a_range_runs_upwards_and_a_log_range_from_above_zero(make, low, high):
    with pytest.raises(BadInput, match=f"low={low}"):
        make(low, high)


def test_a_grid_larger_than_its_members_is_refused():
    with pytest.raises(BadInput, match="4 combinations for members=3"):
        configs_of(BASE, {"l2": [0, 1], "keep_prob": [1, 0.5]}, rows=10, members=3)


def test_a_sweep_without_members_is_refused():
    with pytest.raises(BadInput, match="members=0"):
        configs_of(BASE, {"l2": log_uniform(1, 2)}, rows=10, members=0)
