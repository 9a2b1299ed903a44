from __future__ import annotations

import json
import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from wellfit.exceptions import BadInput
from wellfit.records.config import Config, Optimization, shrink_of
from wellfit.sweeps.space import (
    LEAST_SHRINK,
    MOST_SHRINK,
    Interval,
    configs_of,
    default_grid,
    log_uniform,
    share_at,
    uniform,
    value_at,
)

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
        ({"shrink": [0.0, 1e-4]}, [(0.0, 1.0), (5.0, 1.0)]),
        ({"shrink": np.array([1e-4]), "lr": [0.1]}, [(0.5, 1.0)]),
    ],
    ids=["weight_decay", "dropout", "equal members once", "shrink", "shrink at the member's own lr"],
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


def test_the_l1_step_and_beta2_are_the_knobs_of_the_config():
    member = configs_of(BASE, {"l1_step": [1e-5], "beta2": [0.95], "dropout": [[0.5, 0.25]]}, rows=500)[0]
    assert member.regularization.l1 * member.optimization.lr / 500 == pytest.approx(1e-5)
    assert member.optimization.betas == (0.9, 0.95)
    assert member.regularization.keep_prob == (0.5, 0.75)


RANGES = {
    "off below": ("l2", log_uniform(1.0, 1e4, zero=0.25)),
    "off above": ("keep_prob", uniform(0.5, 0.98, zero=0.25)),
    "towards one": ("ema", log_uniform(0.9, 0.999, zero=0.25, to_one=True)),
    "no off": ("lr", log_uniform(1e-4, 1e-2)),
    "one value": ("l1", uniform(3.0, 3.0, zero=0.25)),
}


@pytest.mark.parametrize(("name", "values"), RANGES.values(), ids=RANGES.keys())
@given(share=st.floats(0, 1))
def test_a_share_gives_a_value_and_the_value_gives_it_back(name, values, share):
    value = value_at(name, values, share=share)
    off = 1.0 if name == "keep_prob" else 0.0
    assert values.low <= value <= values.high or (values.zero and value == off)
    assert value_at(name, values, share=share_at(name, values, value=value)) == pytest.approx(value, rel=1e-9)


@pytest.mark.parametrize(("name", "values"), RANGES.values(), ids=RANGES.keys())
def test_the_off_value_has_exactly_its_share(name, values):
    off = 1.0 if name == "keep_prob" else 0.0
    found = [value_at(name, values, share=(place + 0.5) / 400) for place in range(400)]
    assert found.count(off) == 400 * values.zero


def test_the_off_value_is_next_to_the_values_most_like_it():
    dropout, keep = uniform(0.02, 0.5, zero=0.3), uniform(0.5, 0.98, zero=0.3)
    for share in np.linspace(0, 1, 11):
        dropped = value_at("dropout", dropout, share=share)
        assert 1 - value_at("keep_prob", keep, share=1 - share) == pytest.approx(dropped)


def test_a_range_towards_one_is_even_in_the_distance_to_it():
    assert log_uniform(0.9, 0.999, to_one=True).at(0.5) == pytest.approx(0.99)
    assert uniform(0.2, 0.4).at(0.5) == pytest.approx(0.3)


def test_a_range_of_whole_numbers_gives_whole_numbers():
    epochs = [one.optimization.epochs for one in configs_of(BASE, {"epochs": log_uniform(2, 30)}, rows=9, members=9)]
    assert len(set(epochs)) > 4
    assert all(isinstance(one, int) and 2 <= one <= 30 for one in epochs)


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
    "a range that reaches keep_prob 0": ({"keep_prob": uniform(0, 1)}, r"in \(0, 1\]; found keep_prob=0\.0\. Choose"),
    "the name of lambda in books": ({"lambda": [1]}, "Did you mean 'l2'"),
    "a name that is no knob": ({"module": ["net"]}, "found over='module'. Choose from"),
    "a range that reaches dropout 1": ({"dropout": uniform(0, 1)}, "found dropout=1"),
    "a range below lambda 0": ({"l2": uniform(-1, 1)}, "l2=-1"),
    "lambda not a number": ({"l2": [math.nan]}, "l2=nan"),
    "lambda as text": ({"l2": ["1"]}, "l2 must have numbers as values; found l2='1'"),
    "a truth for a number": ({"l2": [True]}, "l2=True"),
    "text for a list": ({"l2": "10"}, "l2 must have a list of values or a range; found l2='10'"),
    "a number for a list": ({"l2": 10}, "l2=10"),
    "half an epoch": ({"epochs": [2.5]}, "epochs must have whole numbers as values; found epochs=2.5"),
    "a range of widths": ({"widths": uniform(8, 64)}, "widths must have a list of values"),
    "one number for widths": ({"widths": [64]}, "widths must have several numbers at a time; found widths=64"),
    "several numbers for lr": ({"lr": [(0.1, 0.2)]}, "lr must have one number at a time"),
    "keep_prob for layers that are not there": (
        {"widths": [(8, 8), (8,)], "keep_prob": [1.0, (0.5, 0.8)], "lr": uniform(0.1, 0.2)},
        "2 values for 1 hidden layers",
    ),
    "lr 0 under shrink": ({"lr": [0.0], "shrink": [1e-5]}, "lr=0"),
    "an off value without an off": ({"lr": uniform(0.1, 0.2, zero=0.5)}, "only a regularizer"),
    "three names": ({"shrink": [1], "l2": [1], "weight_decay": [1]}, "the same knob"),
}


@pytest.mark.parametrize(("over", "message"), REFUSED.values(), ids=REFUSED.keys())
def test_a_space_that_cannot_be_searched_names_the_knob(over, message):
    with pytest.raises(BadInput, match=message):
        configs_of(BASE, over, rows=100)


@pytest.mark.parametrize(
    ("make", "low", "high"),
    [(uniform, 2, 1), (log_uniform, 0, 1), (log_uniform, 2, 1), (uniform, 0, math.nan), (uniform, "a", 1)],
)
def test_a_range_runs_upwards_and_a_log_range_from_above_zero(make, low, high):
    with pytest.raises(BadInput, match=f"low={low!r}"):
        make(low, high)


def test_the_ends_of_a_range_are_pythons_own_numbers():
    body = log_uniform(np.float32(0.5), np.int64(2)).to_json()
    assert json.loads(json.dumps(body)) == {"low": 0.5, "high": 2, "log": True}


@pytest.mark.parametrize(
    "options",
    [{"low": 0.9, "high": 1.0, "log": True, "to_one": True}, {"low": 0, "high": 1, "zero": 1.0}],
    ids=["reaches 1", "nothing but off"],
)
def test_a_range_that_makes_no_sense_is_refused(options):
    with pytest.raises(BadInput):
        Interval(**options)


def test_a_grid_larger_than_its_members_is_refused():
    with pytest.raises(BadInput, match="4 combinations for members=3"):
        configs_of(BASE, {"l2": [0, 1], "keep_prob": [1, 0.5]}, rows=10, members=3)


def test_a_sweep_without_members_is_refused():
    with pytest.raises(BadInput, match="members=0"):
        configs_of(BASE, {"l2": log_uniform(1, 2)}, rows=10, members=0)
