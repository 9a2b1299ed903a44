"""The mean of passes with dropout, over the networks of an ensemble."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from oracle.stack import new_network
from wellfit.exceptions import BadInput
from wellfit.records.config import Config, Network, Optimization, Regularization
from wellfit.training.monte_carlo import average_often, predict_often
from wellfit.training.tensors import Part, predict, predict_average, state_of

QUICK = Config(network=Network(widths=(16, 8)), optimization=Optimization(epochs=1))


def part(data, keep_prob, *, weight=1.0, seed=0):
    """An untrained network, whose output layer is not the zeros that it starts from."""
    config = replace(QUICK, seed=seed, regularization=Regularization(keep_prob=keep_prob))
    state = state_of(new_network(data, config.network, seed=seed), data)
    last = state["layers.2.weight"]
    state["layers.2.weight"] = np.random.default_rng(seed).normal(size=last.shape).astype(np.float32) / 8
    if "output_range" in state:
        state["output_range"] = np.array([-np.inf, np.inf])
    return Part(weight, config, state)


@pytest.fixture(params=["classification", "regression"])
def data(request):
    return request.getfixturevalue(request.param)


def test_one_network_gives_the_mean_of_its_passes(data):
    one = part(data, 0.6)
    expected, _ = predict_often(data.preparation, one.config, one.state, passes=7)(data.dev)
    np.testing.assert_array_equal(average_often(data.preparation, [one], passes=7)(data.dev), expected)


def test_an_ensemble_gives_the_weighted_mean_and_no_passes_to_a_network_without_dropout(data):
    dropping, plain = part(data, 0.6, weight=0.3), part(data, 1.0, weight=0.7, seed=1)
    expected = 0.3 * predict_often(data.preparation, dropping.config, dropping.state, passes=7)(data.dev)[0]
    expected = expected + 0.7 * predict(data.preparation, plain.config, plain.state)(data.dev).astype(np.float64)
    found = average_often(data.preparation, [dropping, plain], passes=7)(data.dev)
    np.testing.assert_allclose(found, expected, rtol=1e-12)


def test_many_passes_come_near_the_single_one_within_their_standard_error(regression):
    """Dropout before a linear output layer leaves its expectation, so only the noise of the passes is left."""
    passes = 400
    parts = [part(regression, (1.0, 0.6), weight=0.4), part(regression, (1.0, 0.8), weight=0.6, seed=1)]
    single = predict_average(regression.preparation, parts)(regression.dev)
    spreads = [
        each.weight * predict_often(regression.preparation, each.config, each.state, passes=passes)(regression.dev)[1]
        for each in parts
    ]
    found = average_often(regression.preparation, parts, passes=passes)(regression.dev)
    deviations = (found - single) / (np.hypot(*spreads) / np.sqrt(passes))
    assert np.sqrt(np.mean(deviations**2)) == pytest.approx(1, abs=0.3)
    assert np.abs(deviations).max() < 6


def test_one_pass_is_the_usual_prediction(data):
    parts = [part(data, 0.6, weight=0.3), part(data, 0.8, weight=0.7, seed=1)]
    found = average_often(data.preparation, parts, passes=1)(data.dev)
    np.testing.assert_array_equal(found, predict_average(data.preparation, parts)(data.dev))


@pytest.mark.parametrize("passes", [0, -3])
def test_less_than_one_pass_is_refused(data, passes):
    with pytest.raises(BadInput, match=rf"passes must be 1 or more.*{passes}"):
        average_often(data.preparation, [part(data, 0.6)], passes=passes)


@pytest.mark.parametrize("keep_prob", [1.0, (1.0, 1.0)])
def test_passes_that_are_all_the_same_are_refused(data, keep_prob):
    with pytest.raises(BadInput, match="trained with dropout"):
        average_often(data.preparation, [part(data, keep_prob)] * 2, passes=30)
