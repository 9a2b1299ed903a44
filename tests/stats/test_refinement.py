from __future__ import annotations

import numpy as np
import pytest

from wellfit.records.goals import goal_named

ERROR = goal_named("error")


def refined_loss(goal, target, prediction):
    return float(goal.refined_losses(target, prediction).mean())


def classifier(*, signal, seed=0, rows=400, classes=3):
    """Targets, and probabilities that are calibrated about them; more signal knows more."""
    source = np.random.default_rng(seed)
    odds = np.exp(signal * source.normal(size=(rows, classes)))
    chances = odds / odds.sum(axis=1, keepdims=True)
    return (source.random((rows, 1)) > chances.cumsum(axis=1)).sum(axis=1), chances


def at_temperature(chances, temperature):
    powers = chances ** (1 / temperature)
    return powers / powers.sum(axis=1, keepdims=True)


@pytest.mark.parametrize("temperature", [0.3, 0.5, 2.0, 5.0])
def test_how_sure_a_network_is_does_not_count(temperature):
    target, chances = classifier(signal=1.0)
    expected = refined_loss(ERROR, target, chances)
    assert refined_loss(ERROR, target, at_temperature(chances, temperature)) == pytest.approx(expected, rel=1e-3)


def test_it_is_the_lowest_log_loss_of_any_temperature_and_near_that_of_calibrated_chances():
    target, chances = classifier(signal=1.5, rows=4_000)
    plain = goal_named("log_loss").loss(target, chances)
    assert 0.99 * plain < refined_loss(ERROR, target, chances) <= plain
    grid = [goal_named("log_loss").loss(target, at_temperature(chances, each)) for each in np.geomspace(0.5, 2, 41)]
    assert refined_loss(ERROR, target, chances) == pytest.approx(min(grid), rel=1e-3)


def test_it_tells_the_better_of_two_networks_more_often_than_the_error_does():
    right = {"refined": 0, "error": 0}
    for seed in range(200):
        target, chances = classifier(signal=1.5, seed=seed, rows=150)
        noise = np.exp(0.3 * np.random.default_rng(1_000 + seed).normal(size=chances.shape))
        worse = at_temperature(chances * noise / (chances * noise).sum(axis=1, keepdims=True), 0.5)
        right["refined"] += refined_loss(ERROR, target, chances) < refined_loss(ERROR, target, worse)
        right["error"] += ERROR.loss(target, chances) < ERROR.loss(target, worse)
    assert right["refined"] > right["error"] + 20


def test_certain_and_wrong_is_finite():
    assert np.isfinite(refined_loss(ERROR, np.array([0, 1, 1]), np.array([[1.0, 0.0], [1.0, 0.0], [0.0, 1.0]])))


@pytest.mark.parametrize("name", ["log_loss", "auc", "balanced_error"])
def test_other_goals_stay_as_they_are(name):
    target, chances = classifier(signal=1.0, classes=2)
    assert refined_loss(goal_named(name), target, chances) == goal_named(name).loss(target, chances)


def test_values_stay_as_they_are():
    target = np.arange(5.0)
    assert refined_loss(goal_named("rmse"), target, target + 1) == 1.0
