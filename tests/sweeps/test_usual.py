from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from wellfit.exceptions import BadInput
from wellfit.records.config import Config, Optimization, shrink_of
from wellfit.records.goals import goal_named
from wellfit.sweeps.space import LEAST_SHRINK, MOST_SHRINK, changed, configs_of, log_uniform, uniform
from wellfit.sweeps.usual import PUBLISHED_SHRINK, known_good, usual_space

BASE = Config(optimization=Optimization(lr=2e-3, epochs=200))
ERROR = goal_named("error")
EVERY = (
    *("l2", "keep_prob", "lr", "l1", "label_smoothing", "input_noise", "input_keep_prob"),
    *("mixup", "ema", "beta2", "l2_schedule"),
)


@given(rows=st.integers(100, 10**6), lr=st.floats(1e-4, 1), moving=st.booleans())
def test_lambda_is_searched_in_units_of_shrink(rows, lr, moving):
    config = Config(optimization=Optimization(lr=lr, epochs=200))
    space = usual_space(("l2", "lr") if moving else ("l2",), config, rows=rows)
    assert set(space) == ({"shrink", "lr"} if moving else {"l2"})
    for member in configs_of(config, space, rows=rows, members=9):
        shrink = shrink_of(member.regularization.l2, rows=rows, lr=member.optimization.lr)
        assert shrink == 0 or 0.999 * LEAST_SHRINK <= shrink <= 1.001 * MOST_SHRINK


@pytest.mark.parametrize("name", ["weight_decay", "shrink"])
def test_the_names_of_lambda_have_one_range(name):
    ours, lambdas = (usual_space((one,), BASE, rows=500)[one] for one in (name, "l2"))
    mine = changed(BASE, {name: ours.low}, rows=500)
    assert mine.regularization.l2 == pytest.approx(lambdas.low)
    assert ours.zero == lambdas.zero > 0


def test_every_usual_range_can_be_searched_with_all_others():
    members = configs_of(BASE, usual_space(EVERY, BASE, rows=5_000), rows=5_000, members=60)
    assert len(members) == 60
    for knob in ("l2", "l1", "label_smoothing", "input_noise", "mixup"):
        values = [getattr(one.regularization, knob) for one in members]
        assert 0 < values.count(0.0) < 60
    assert sum(one.regularization.keep_prob == 1 for one in members) == pytest.approx(0.3 * 60, abs=3)
    assert sum(one.regularization.input_keep_prob == 1 for one in members) == pytest.approx(0.7 * 60, abs=3)


def test_a_search_begins_with_nothing_then_the_published_then_each_alone():
    over = {"shrink": log_uniform(1e-6, 1e-3), "dropout": uniform(0, 0.5), "ema": [0.9, 0.99], "lr": uniform(1e-3, 1)}
    nothing, published, decay, dropout = known_good(over, BASE, rows=100, goal=ERROR)
    assert nothing == {"shrink": 0.0, "dropout": 0.0, "ema": 0.0, "lr": 2e-3}
    assert published == {"shrink": PUBLISHED_SHRINK, "dropout": 0.15, "ema": 0.99, "lr": 2e-3}
    assert decay == nothing | {"shrink": PUBLISHED_SHRINK}
    assert dropout == nothing | {"dropout": 0.15}


@pytest.mark.parametrize(("goal", "expected"), [("error", 0.1), ("log_loss", 0.0), ("auc", 0.0), ("rmse", 0.0)])
def test_labels_are_smoothed_where_the_goal_counts_errors(goal, expected):
    over = {"label_smoothing": log_uniform(0.01, 0.2), "l2": log_uniform(1, 100)}
    smoothing = [setting["label_smoothing"] for setting in known_good(over, BASE, rows=100, goal=goal_named(goal))]
    assert max(smoothing) == expected


MOVED = {
    "below the range": ("keep_prob", uniform(0.9, 0.95), 0.9),
    "above the range": ("dropout", uniform(0.0, 0.1), 0.1),
    "the nearest of a list": ("keep_prob", [0.5, 0.8, 1.0], 0.8),
    "lambda by its shrink": ("l2", log_uniform(1e-3, 1e3), PUBLISHED_SHRINK * 100 / 2e-3),
}


@pytest.mark.parametrize(("name", "values", "expected"), MOVED.values(), ids=MOVED.keys())
def test_a_published_value_is_moved_into_the_space(name, values, expected):
    assert known_good({name: values}, BASE, rows=100, goal=ERROR)[1][name] == pytest.approx(expected)


def test_a_knob_that_is_no_regularizer_keeps_the_configs_value_or_gets_the_middle():
    over = {"lr": log_uniform(0.01, 1.0), "activation": ["tanh", "relu"], "beta2": [0.9, 0.95], "epochs": uniform(1, 8)}
    first = known_good(over, BASE, rows=100, goal=ERROR)[0]
    assert first == {"lr": pytest.approx(0.1), "activation": "relu", "beta2": 0.95, "epochs": 4}


def test_a_knob_without_a_usual_range_is_told():
    with pytest.raises(BadInput, match=r"a knob without a usual range.*found over='batch_size'"):
        usual_space(("l2", "batch_size"), BASE, rows=100)
    with pytest.raises(BadInput, match="Did you mean 'keep_prob'"):
        usual_space(("keepprob",), BASE, rows=100)
