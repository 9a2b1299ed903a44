"""Arguments -> config -> the network of the fused engine: names, defaults, and what is refused."""

from __future__ import annotations

import inspect
import pickle
from dataclasses import replace

import numpy as np
import pytest
from sklearn.base import clone

import wellfit as wf
from wellfit.records.knobs import KNOBS as EVERY_KNOB
from wellfit.records.knobs import NAMES
from wellfit.training.tensors import Inputs, network_from, outputs_of, predictions_of

SINGLE = (wf.NetClassifier, wf.NetRegressor)
SEARCHING = (wf.NetClassifierCV, wf.NetRegressorCV)
KNOBS = [name for name in inspect.signature(wf.NetClassifier).parameters if name in EVERY_KNOB]


def fitted(data, **knobs):
    return wf.NetClassifier(**{"epochs": 3, "random_state": 0, **knobs}).fit(*data)


def test_nothing_is_regularized_by_default(two_classes, one_number):
    for estimator, data in ((wf.NetClassifier(epochs=1), two_classes), (wf.NetRegressor(epochs=1), one_number)):
        assert estimator.fit(*data).config_.regularization == wf.Regularization()


@pytest.mark.parametrize("kind", [*SINGLE, *SEARCHING])
def test_every_argument_is_a_knob_or_explained(kind):
    arguments = list(inspect.signature(kind).parameters)
    known = {*NAMES, "class_weight", "random_state", "cv", "over", "members", "goal", "rule"}
    known |= {"human_error", "n_jobs", "networks"}
    assert set(arguments) <= known
    text = inspect.getdoc(kind) if kind in SINGLE else inspect.getdoc(kind) + inspect.getdoc(SINGLE[0])
    assert [name for name in arguments if f"{name}:" not in text] == []
    parameters = inspect.signature(kind).parameters.values()
    assert {parameter.kind for parameter in parameters} == {inspect.Parameter.KEYWORD_ONLY}


KNOB_VALUES = {
    "widths": (5,),
    "activation": "tanh",
    "embedding": "none",
    "bins": 3,
    "optimizer": "momentum",
    "lr": 0.01,
    "epochs": 2,
    "batch_size": 50,
    "schedule": "constant",
    "momentum": 0.5,
    "betas": (0.8, 0.9),
    "clip_norm": 1.0,
    "l2": 3.0,
    "l1": 0.5,
    "keep_prob": (0.9, 0.7),
    "label_smoothing": 0.1,
    "input_noise": 0.1,
    "input_keep_prob": 0.8,
    "mixup": 0.2,
    "ema": 0.9,
    "l2_schedule": "flat_cos",
    "keep_prob_schedule": "flat_cos",
}


@pytest.mark.parametrize("knob", KNOBS)
def test_an_argument_reaches_the_config(knob, two_classes):
    value = KNOB_VALUES[knob]
    config = fitted(two_classes, **{knob: value}).config_
    boards = [vars(board) for board in (config.network, config.optimization, config.regularization)]
    assert [board[knob] for board in boards if knob in board] == [value]


def test_second_names(two_classes):
    config = fitted(two_classes, weight_decay=0.1, dropout=0.25).config_
    assert config.regularization.l2 == pytest.approx(0.1 * 240)
    assert config.regularization.keep_prob == 0.75
    assert fitted(two_classes, dropout=(0.5, 0.0)).config_.regularization.keep_prob == (0.5, 1.0)


@pytest.mark.parametrize(
    ("knobs", "message"),
    [
        ({"l2": 3.0, "weight_decay": 0.1}, "two names for the same knob; found l2=3.0 and weight_decay=0.1"),
        ({"keep_prob": 0.5, "dropout": 0.5}, "two names for the same knob; found keep_prob=0.5 and dropout=0.5"),
        ({"keep_prob": (0.5, 0.5, 0.5)}, "one per layer; found 3 values for 2 hidden layers"),
        ({"dropout": (0.5,)}, "one per layer; found 1 values for 2 hidden layers"),
        ({"keep_prob": 0.0}, "keep_prob must be finite"),
        ({"l2": -1.0}, "l2 must be finite"),
        ({"l2": "much"}, "l2 must have numbers as values; found l2='much'"),
        ({"widths": 64}, r"widths must have several numbers at a time; found widths=64. Write widths=\(64,\)"),
        ({"epochs": 1.5}, "epochs must have whole numbers as values"),
        ({"epochs": 0}, "epochs must be a whole number, at least 1; found epochs=0. Pass such a number"),
        ({"batch_size": -1}, "batch_size must be a whole number"),
        ({"activation": "swish"}, "activation must be one of relu, tanh, gelu"),
        ({"optimizer": "lion"}, "optimizer must be one of"),
        ({"networks": 0}, "networks must be a whole number of at least 1; found networks=0"),
        ({"networks": 2.5}, "networks must be a whole number of at least 1; found networks=2.5"),
        ({"random_state": "seed"}, "cannot be used to seed"),
    ],
)
def test_arguments_that_cannot_be_are_refused_at_fit(knobs, message, two_classes):
    with pytest.raises(ValueError, match=message):
        fitted(two_classes, **knobs)


def test_label_smoothing_is_no_argument_of_a_regression():
    with pytest.raises(TypeError, match="label_smoothing"):
        wf.NetRegressor(label_smoothing=0.1)


def test_the_estimator_is_the_network_of_the_engine(two_classes):
    """What it predicts in float64 is what the engine's own network predicts in float32."""
    X, _ = two_classes
    estimator = fitted(two_classes, epochs=20, l2=5.0, keep_prob=0.9)
    model = estimator.model_
    arrays = model.preparation.transform(estimator._table(X), with_target=False)
    network = network_from(model.parts[0].state, model.preparation, estimator.config_.network)
    outputs = outputs_of(network, Inputs.of(arrays))
    expected = predictions_of(outputs, model.preparation, output_range=np.array([-np.inf, np.inf]))
    np.testing.assert_allclose(estimator.predict_proba(X), expected, atol=1e-6)


def test_each_regularizer_does_what_it_says(one_number):
    def norms(**knobs):
        state = wf.NetRegressor(random_state=0, epochs=30, lr=0.01, **knobs).fit(*one_number).model_.parts[0].state
        weights = [value for name, value in state.items() if name.endswith("weight")]
        return sum((value**2).sum() for value in weights), np.mean([(value == 0).mean() for value in weights])

    (plain, zeros), (shrunk, _), (_, sparse) = norms(), norms(l2=200.0), norms(l1=30.0)
    assert shrunk < 0.7 * plain
    assert zeros < 0.05
    assert sparse > 0.2


def test_a_seed_gives_one_network_and_no_seed_another_each_time(two_classes):
    X, _ = two_classes
    first, second = (fitted(two_classes, random_state=7).predict_proba(X) for _ in range(2))
    np.testing.assert_array_equal(first, second)
    assert not np.array_equal(fitted(two_classes, random_state=8).predict_proba(X), first)
    assert not np.array_equal(*(fitted(two_classes, random_state=None).predict_proba(X) for _ in range(2)))
    generator = np.random.RandomState(0)
    assert not np.array_equal(*(fitted(two_classes, random_state=generator).predict_proba(X) for _ in range(2)))


def alone(estimator):
    """The estimator's networks, each as a model of its own."""
    return [replace(estimator.model_, parts=(replace(part, weight=1.0),)) for part in estimator.model_.parts]


def test_networks_with_seeds_of_their_own_are_averaged(two_classes):
    X, _ = two_classes
    average = fitted(two_classes, networks=3)
    seeds = [part.config.seed for part in average.model_.parts]
    assert seeds == [average.config_.seed + place for place in range(3)]
    each = [model.probabilities(average._table(X)) for model in alone(average)]
    assert not np.array_equal(each[0], each[1])
    np.testing.assert_allclose(average.predict_proba(X), np.mean(each, axis=0), rtol=1e-12)
    np.testing.assert_array_equal(fitted(two_classes).predict_proba(X), each[0])


def test_several_targets_are_averaged_in_their_own_units(one_number):
    X, y = one_number
    average = wf.NetRegressor(epochs=2, networks=2, random_state=0).fit(X, np.column_stack([y, -50 * y]))
    each = [model.values(average._table(X)) for model in alone(average)]
    np.testing.assert_allclose(average.predict(X), np.mean(each, axis=0), rtol=1e-12)


def test_a_fitted_estimator_pickles_and_a_clone_is_not_fitted(two_classes):
    X, _ = two_classes
    estimator = fitted(two_classes, keep_prob=(0.9, 0.8))
    again = pickle.loads(pickle.dumps(estimator))
    np.testing.assert_array_equal(again.predict_proba(X), estimator.predict_proba(X))
    copy = clone(estimator)
    assert copy.get_params() == estimator.get_params()
    assert not hasattr(copy, "model_")


def test_a_training_that_diverges_says_so(one_number):
    X, y = one_number
    with pytest.warns(UserWarning, match="diverged. The loss stopped being finite: lower the learning rate"):
        fitted_one = wf.NetRegressor(optimizer="sgd", lr=1e12, epochs=5, random_state=0).fit(X, y)
    assert np.isfinite(fitted_one.predict(X)).all()


def test_few_distinct_rows_get_the_updates_of_many():
    X, y = np.tile([[0.0], [1.0], [2.0], [3.0]], (250, 1)), np.tile([0, 1, 1, 0], 250)
    estimator = wf.NetClassifier(random_state=0).fit(X, y)
    assert estimator.n_iter_ == 2_500
    assert estimator.score(X, y) == 1
