from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from oracle.stack import fit, new_network
from wellfit.exceptions import BadInput
from wellfit.records.config import Config, Network, Optimization, Regularization
from wellfit.records.goals import goal_named
from wellfit.training import tensors
from wellfit.training.monte_carlo import monte_carlo, predict_often
from wellfit.training.tensors import predict, state_of

GOALS = {"classification": goal_named("log_loss"), "regression": goal_named("rmse")}
QUICK = Config(
    network=Network(widths=(16, 8)),
    optimization=Optimization(epochs=3, batch_size=64, lr=0.01),
    regularization=Regularization(keep_prob=0.7),
)


def with_keep(keep_prob, **others):
    return replace(QUICK, regularization=Regularization(keep_prob=keep_prob, **others))


@pytest.fixture(scope="module", params=GOALS)
def trained(request):
    data = request.getfixturevalue(request.param)
    return data, fit(data, QUICK, goal=GOALS[request.param]), GOALS[request.param]


def test_without_dropout_every_pass_is_the_same(trained):
    data, outcome, goal = trained
    kept = replace(outcome, config=with_keep(1.0))
    found = monte_carlo(data, kept, goal=goal, passes=5)
    np.testing.assert_array_equal(found.mean, predict(data.preparation, kept.config, kept.state)(data.dev))
    assert (found.spread == 0).all()
    assert (found.gain.low, found.gain.value, found.gain.high) == (0, 0, 0)


def test_the_gain_is_that_of_the_mean_over_one_pass_without_dropout(trained):
    data, outcome, goal = trained
    found = monte_carlo(data, outcome, goal=goal, passes=20)
    losses = [goal.row_losses(data.dev.target, each) for each in (outcome.predictions["dev"], found.mean)]
    assert found.gain.value == pytest.approx(np.mean(losses[0] - losses[1]))
    assert found.gain.low < found.gain.value < found.gain.high
    assert found.spread.shape == found.mean.shape
    assert found.cost > 1
    assert set(found.to_json()) == {"passes", "gain", "cost"}
    if goal.task == "classification":
        np.testing.assert_allclose(found.mean.sum(axis=1), 1, rtol=1e-6)


@pytest.mark.parametrize("keep_prob", [0.1, 0.5, 0.9])
def test_the_passes_drop_at_the_asked_rate_and_keep_the_expectation(keep_prob, regression):
    """64 units that are all 1, averaged: each pass is a mean of 64 kept or dropped units over keep_prob."""
    config = replace(with_keep(keep_prob), network=Network(widths=(64,), embedding="none"))
    started = state_of(new_network(regression, config.network, seed=0), regression)
    state = {name: np.zeros_like(value) for name, value in started.items()}
    state |= {"layers.0.bias": np.ones(64, np.float32), "layers.1.weight": np.full((1, 64), 1 / 64, np.float32)}
    state["output_range"] = np.array([-np.inf, np.inf])
    mean, spread = predict_often(regression.preparation, config, state, passes=40)(regression.dev)
    scale, middle = regression.preparation.target_scale, regression.preparation.target_mean
    expected = np.sqrt((1 - keep_prob) / keep_prob / 64)
    draws = 40 * len(mean)
    assert np.mean((mean - middle) / scale) == pytest.approx(1, abs=4 * expected / np.sqrt(draws))
    measured = np.sqrt(np.mean((spread / scale) ** 2))
    assert measured == pytest.approx(expected, rel=4 * np.sqrt(1 / (2 * draws)) + 0.01)


def test_dropout_before_a_linear_output_layer_leaves_its_expectation(regression):
    config = with_keep((1.0, 0.6))
    state = state_of(new_network(regression, config.network, seed=0), regression)
    state["layers.2.weight"] = np.random.default_rng(0).normal(size=(1, 8)).astype(np.float32) / 8
    state["output_range"] = np.array([-np.inf, np.inf])
    mean, spread = predict_often(regression.preparation, config, state, passes=200)(regression.dev)
    single = predict(regression.preparation, config, state)(regression.dev)
    deviations = (mean - single) / (spread / np.sqrt(200))
    assert np.abs(deviations.mean()) < 4 / np.sqrt(len(mean))
    assert np.abs(deviations).max() < 6


def test_a_part_of_the_dev_rows_is_measured_with_a_row_of_every_class(trained):
    data, outcome, goal = trained
    found = monte_carlo(data, outcome, goal=goal, passes=2, most=40)
    assert 40 <= len(found.mean) <= 42
    assert found.gain.rows == len(found.mean)
    rare = replace(data, dev=replace(data.dev, target=np.eye(1, data.dev.rows, 7, dtype=data.dev.target.dtype)[0]))
    assert (
        monte_carlo(rare, outcome, goal=goal_named("auc" if goal.task == "classification" else "rmse"), most=40).cost
        > 0
    )


def test_passes_repeat_and_are_all_different(trained):
    data, outcome, _ = trained
    first, again = (predict_often(data.preparation, outcome.config, outcome.state)(data.dev) for _ in range(2))
    np.testing.assert_array_equal(first[0], again[0])
    other = replace(outcome.config, seed=1)
    assert not np.array_equal(predict_often(data.preparation, other, outcome.state)(data.dev)[0], first[0])


def test_rows_of_another_batch_have_masks_of_their_own(trained, monkeypatch):
    data, outcome, _ = trained
    several = predict_often(data.preparation, outcome.config, outcome.state, passes=2)
    twice = replace(
        data.dev, numeric=np.tile(data.dev.numeric[:50], (2, 1)), codes=np.tile(data.dev.codes[:50], (2, 1))
    )
    monkeypatch.setattr(tensors, "ROWS_AT_ONCE", 50)
    mean = several(twice)[0]
    assert len(mean) == 100
    assert not np.array_equal(mean[:50], mean[50:])


def test_a_schedule_that_ends_without_dropout_does_not_turn_it_off(trained):
    data, outcome, _ = trained
    scheduled = with_keep(0.7, keep_prob_schedule="flat_cos")
    found = [predict_often(data.preparation, config, outcome.state)(data.dev)[0] for config in (QUICK, scheduled)]
    np.testing.assert_array_equal(*found)


def test_values_stay_inside_the_range_of_the_training_targets(regression):
    outcome = fit(regression, QUICK, goal=goal_named("rmse"))
    far = replace(regression.dev, numeric=regression.dev.numeric * 1_000)
    mean, _ = predict_often(regression.preparation, QUICK, outcome.state)(far)
    assert mean.min() >= regression.train.target.min()
    assert mean.max() <= regression.train.target.max()


def test_no_rows_give_no_predictions(trained):
    data, outcome, _ = trained
    nothing = replace(data.dev, numeric=data.dev.numeric[:0], codes=data.dev.codes[:0])
    mean, spread = predict_often(data.preparation, outcome.config, outcome.state, passes=2)(nothing)
    assert mean.shape == spread.shape == outcome.predictions["dev"][:0].shape


@pytest.mark.parametrize("passes", [1, 0, -3])
def test_one_pass_is_no_sample(passes, trained):
    data, outcome, goal = trained
    with pytest.raises(BadInput, match="passes="):
        monte_carlo(data, outcome, goal=goal, passes=passes)
