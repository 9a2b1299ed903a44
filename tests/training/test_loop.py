from __future__ import annotations

import json
import time
from dataclasses import replace

import numpy as np
import pytest
import torch

from oracle.stack import fit
from wellfit.exceptions import BadInput
from wellfit.records.config import Config, Network, Optimization, Regularization
from wellfit.records.goals import goal_named
from wellfit.records.outcome import Status
from wellfit.training import learning_curve
from wellfit.training.learning_curve import MOST_POINTS, check_points
from wellfit.training.tensors import predict

QUICK = Config(network=Network(widths=(16,)), optimization=Optimization(epochs=4, batch_size=64, lr=0.01))
GOALS = {"classification": goal_named("error"), "regression": goal_named("rmse")}
REGULARIZERS = {
    "l2": Regularization(l2=50.0),
    "keep_prob": Regularization(keep_prob=0.7),
    "one keep_prob a layer": Regularization(keep_prob=(0.7,)),
    "l1": Regularization(l1=5.0),
    "input noise": Regularization(input_noise=0.1),
    "mixup": Regularization(mixup=0.2),
    "ema": Regularization(ema=0.9),
}
SMOOTHED = Regularization(label_smoothing=0.1)
SCHEDULES = {"l2_schedule": "flat_cos", "keep_prob_schedule": "flat_cos"}
OFF = {
    "l2 and keep_prob": Regularization(l2=0.0, keep_prob=1.0),
    "one keep_prob a layer": Regularization(keep_prob=(1.0,)),
    "the others": Regularization(l1=0.0, label_smoothing=0.0, input_noise=0.0, mixup=0.0, ema=0.0),
    "schedules of nothing": Regularization(**SCHEDULES),
}


def regularized(regularization):
    return replace(QUICK, regularization=regularization)


def equal_states(first, second):
    return all(np.array_equal(first.state[name], second.state[name]) for name in first.state)


@pytest.mark.parametrize("task", GOALS)
def test_training_lowers_both_losses_and_measures_every_row(task, request):
    data = request.getfixturevalue(task)
    outcome = fit(data, replace(QUICK, optimization=replace(QUICK.optimization, epochs=30)), goal=GOALS[task])
    assert outcome.status is Status.FINISHED
    assert outcome.updates == 300
    assert outcome.losses["train"] < 0.7 * outcome.curve[0].train
    assert outcome.losses["dev"] < 0.7 * outcome.curve[0].dev
    assert outcome.train_losses.mean() == pytest.approx(outcome.losses["train"])
    assert outcome.losses["dev"] == pytest.approx(GOALS[task].loss(data.dev.target, outcome.predictions["dev"]))
    # All rows fit into the curve's subsamples here, so its last point is the outcome.
    assert outcome.curve[-1].train == pytest.approx(outcome.losses["train"])
    assert outcome.curve[-1].dev == pytest.approx(outcome.losses["dev"])
    assert len(outcome.weight_norms) == 2


@pytest.mark.parametrize("name", REGULARIZERS)
@pytest.mark.parametrize("task", GOALS)
def test_each_regularizer_changes_the_result_when_on(task, name, request):
    data = request.getfixturevalue(task)
    off, on = (fit(data, config, goal=GOALS[task]) for config in (QUICK, regularized(REGULARIZERS[name])))
    assert not equal_states(off, on)


def test_label_smoothing_changes_the_result_when_on(classification):
    off, on = (fit(classification, config, goal=goal_named("error")) for config in (QUICK, regularized(SMOOTHED)))
    assert not equal_states(off, on)


@pytest.mark.parametrize("schedule", SCHEDULES)
def test_each_schedule_changes_the_result_when_on(schedule, classification):
    steady = Regularization(l2=50.0, keep_prob=0.7)
    fading = replace(steady, **{schedule: "flat_cos"})
    assert not equal_states(
        *(fit(classification, regularized(each), goal=goal_named("error")) for each in (steady, fading))
    )


def test_label_smoothing_of_a_number_is_refused(regression):
    with pytest.raises(BadInput, match=r"label_smoothing=0\.1"):
        fit(regression, regularized(SMOOTHED), goal=goal_named("rmse"))


@pytest.mark.parametrize("off", OFF)
def test_regularizers_at_zero_change_nothing(off, classification):
    assert equal_states(
        *(fit(classification, config, goal=goal_named("error")) for config in (QUICK, regularized(OFF[off])))
    )


def test_lambda_shrinks_the_weights(classification):
    norms = [
        fit(classification, regularized(Regularization(l2=l2)), goal=goal_named("error")).weight_norm
        for l2 in (0, 100, 1000)
    ]
    assert norms[0] > norms[1] > norms[2]


def test_the_same_seed_gives_the_same_result_whatever_the_global_generator_and_thread_count(classification):
    config = regularized(Regularization(l2=5.0, keep_prob=0.8))
    first = fit(classification, config, goal=goal_named("error"))
    torch.manual_seed(123)
    threads = torch.get_num_threads()
    torch.set_num_threads(2)
    second = fit(classification, config, goal=goal_named("error"))
    assert torch.get_num_threads() == 2
    torch.set_num_threads(threads)
    assert equal_states(first, second)
    assert first.curve == second.curve
    assert not equal_states(first, fit(classification, replace(config, seed=1), goal=goal_named("error")))


@pytest.mark.parametrize("task", GOALS)
@pytest.mark.parametrize("optimizer", ["sgd", "momentum", "adam"])
@pytest.mark.parametrize("lr", [1e20, 1e25, 1e37])  # the squares of the last two's weights overflow in float32
def test_a_training_that_diverges_says_so_in_finite_numbers(lr, optimizer, task, request):
    data = request.getfixturevalue(task)
    wild = replace(QUICK, optimization=replace(QUICK.optimization, optimizer=optimizer, lr=lr, epochs=8))
    outcome = fit(data, wild, goal=GOALS[task])
    assert outcome.status is Status.DIVERGED
    assert outcome.updates < 80
    json.dumps(outcome.to_json(), allow_nan=False)
    assert all(np.isfinite(value).all() for value in outcome.predictions.values())
    assert np.isfinite(outcome.train_losses).all()


def test_a_training_with_every_regularizer_diverges_in_finite_numbers_too(classification):
    everything = Regularization(l2=9.0, l1=9.0, keep_prob=0.7, label_smoothing=0.1, input_noise=0.1, mixup=0.2, ema=0.9)
    wild = replace(QUICK.optimization, lr=1e37, clip_norm=1.0, schedule="coslog4", early_stopping=2)
    outcome = fit(classification, replace(regularized(everything), optimization=wild), goal=goal_named("error"))
    assert outcome.status is Status.DIVERGED
    json.dumps(outcome.to_json(), allow_nan=False)
    assert all(np.isfinite(value).all() for value in outcome.arrays.values())


def test_a_deadline_ends_the_training_with_what_it_has(classification):
    long = replace(QUICK, optimization=replace(QUICK.optimization, epochs=100_000))
    outcome = fit(classification, long, goal=goal_named("error"), deadline=time.monotonic() + 0.3)
    assert outcome.status is Status.OUT_OF_BUDGET
    assert 0 < outcome.updates < 1_000_000
    assert outcome.curve[-1].update == outcome.updates
    assert outcome.seconds < 5


def test_a_rare_class_is_among_the_rows_of_the_curve(classification, monkeypatch):
    monkeypatch.setattr(learning_curve, "MOST_ROWS", 50)
    rare = np.zeros(600, dtype=np.int64)
    rare[[7, 300]] = 1
    data = replace(classification, train=replace(classification.train, target=rare))
    assert len(fit(data, QUICK, goal=goal_named("auc")).curve) == MOST_POINTS


@pytest.mark.parametrize("updates", [1, 2, 19, 20, 21, 1_000_003])
def test_the_curve_has_few_points_and_both_ends(updates):
    points = check_points(updates)
    assert {0, updates} <= points <= set(range(updates + 1))
    assert len(points) == min(updates + 1, MOST_POINTS)


@pytest.mark.parametrize("task", GOALS)
def test_the_state_predicts_what_the_outcome_predicted(task, request):
    data = request.getfixturevalue(task)
    outcome = fit(data, QUICK, goal=GOALS[task])
    predictions = predict(data.preparation, QUICK, outcome.state)(replace(data.dev, target=np.empty(0)))
    assert np.array_equal(predictions, outcome.predictions["dev"])


def test_no_rows_give_no_predictions(classification):
    outcome = fit(classification, QUICK, goal=goal_named("error"))
    dev = classification.dev
    nothing = replace(dev, numeric=dev.numeric[:0], codes=dev.codes[:0], target=dev.target[:0])
    assert predict(classification.preparation, QUICK, outcome.state)(nothing).shape == (0, 2)


def test_values_stay_inside_the_range_of_the_training_targets(regression):
    outcome = fit(regression, QUICK, goal=goal_named("rmse"))
    far = replace(regression.dev, numeric=regression.dev.numeric * 1_000)
    values = predict(regression.preparation, QUICK, outcome.state)(far)
    assert values.min() >= regression.train.target.min()
    assert values.max() <= regression.train.target.max()


def test_train_dev_is_measured_where_there_is_one(classification):
    outcome = fit(replace(classification, train_dev=classification.dev), QUICK, goal=goal_named("log_loss"))
    assert outcome.losses["train_dev"] == outcome.losses["dev"]
    assert set(outcome.predictions) == {"train_dev", "dev"}
