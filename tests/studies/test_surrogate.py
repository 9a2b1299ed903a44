"""The model of dev that proposes fits: it finds the minimum of a known surface in few of them."""

from __future__ import annotations

import itertools

import numpy as np
import pytest

import wellfit as wf
from wellfit.studies.surrogate import Surrogate, fitted, proposals

MINIMUM = np.array([0.7, 0.35, 0.5])


def _bowl(place):
    return 0.05 + ((place - MINIMUM) ** 2 * [1.0, 0.3, 0.0]).sum()


def test_it_finds_the_minimum_of_a_bowl_in_twelve_fits_and_random_places_do_not():
    rng = np.random.default_rng(0)
    places = rng.random((4, 3))
    for _ in range(12):
        losses = np.array([_bowl(place) for place in places])
        places = np.vstack([places, next(proposals(places, losses, count=1, seed=len(places)))])
    found = min(_bowl(place) for place in places)
    chance = np.mean([min(_bowl(place) for place in rng.random((16, 3))) for _ in range(200)])
    assert found < 0.051 < chance


def test_a_fit_that_diverged_is_no_better_than_the_worst():
    places = np.array([[0.1], [0.4], [0.9]])
    process = fitted(places, np.array([0.2, 0.1, np.inf]))
    assert np.isfinite(process.values).all()
    assert process.values.argmax() in (0, 2)
    assert process.improvement(np.array([[0.4], [0.3]])).max() > process.improvement(np.array([[0.9]]))[0]


def test_the_mean_passes_through_what_is_known_where_there_is_no_noise():
    places = np.array([[0.1, 0.2], [0.5, 0.5], [0.9, 0.3]])
    process = Surrogate(places, np.array([1.0, -1.0, 0.0]), np.ones(2), 0.0)
    assert process.mean(places) == pytest.approx(process.values, abs=1e-5)


def test_fits_side_by_side_are_apart():
    places = np.random.default_rng(1).random((5, 3))
    losses = np.array([_bowl(place) for place in places])
    one, other = itertools.islice(proposals(places, losses, count=2, seed=0), 2)
    assert np.abs(one - other).max() > 0.01


@pytest.mark.parametrize(
    ("knob", "values"),
    [
        pytest.param(wf.size(2, 512), (2, 32, 512), id="size"),
        pytest.param(wf.learning_rate(1e-5, 1.0), (1e-5, 0.01, 1.0), id="learning rate"),
        pytest.param(wf.decay(0.01, 100), (0.0, 0.01, 1.0, 100.0), id="decay"),
        pytest.param(wf.keep_prob(0.3), (1.0, 0.65, 0.3), id="keep_prob"),
        pytest.param(wf.strength(1, 30), (0.0, 1.0, 15.5, 30.0), id="strength"),
        pytest.param(wf.choice("relu", "tanh"), ("relu", "tanh"), id="choice"),
    ],
)
def test_a_value_has_a_place_and_a_place_its_value(knob, values):
    places = [knob.place(value, lr=0.01) for value in values]
    assert places == sorted(set(places))
    assert 0 <= places[0] <= places[-1] <= 1
    assert [knob.value_at(place, lr=0.01) for place in places] == pytest.approx(list(values)) or knob.choices
    assert [knob.value_at(place, lr=0.01) for place in places] == list(values) or not knob.choices
