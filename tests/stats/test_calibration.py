"""A temperature is used where it helps on other rows, and hardly ever where there is nothing to gain."""

from __future__ import annotations

import numpy as np
import pytest
from scipy.special import softmax

from wellfit.records.goals import goal_named
from wellfit.stats.calibration import calibrated, tempered

LOG_LOSS = goal_named("log_loss")


def rows_of(count, *, factor, seed):
    """Targets, and probabilities of a network that is `factor` times too sure."""
    source = np.random.default_rng(seed)
    logits = 1.5 * source.normal(size=(count, 3))
    target = (source.random((count, 1)) > softmax(logits, axis=1).cumsum(axis=1)).sum(axis=1)
    return target, softmax(factor * logits, axis=1)


def test_an_overconfident_network_is_told_so_and_gains_on_new_rows():
    found = calibrated(*rows_of(500, factor=2.5, seed=0))
    assert found.temperature == found.fitted == pytest.approx(2.5, rel=0.25)
    target, new = rows_of(20_000, factor=2.5, seed=1)
    gained = LOG_LOSS.loss(target, new) - LOG_LOSS.loss(target, tempered(new, found.temperature))
    assert gained == pytest.approx(found.before - found.honest, rel=0.3)


def test_under_the_null_it_is_seldom_used_and_then_costs_next_to_nothing():
    """Used where both halves err to the same side: a third of the time, by the angle between two normal numbers."""
    used, costs, fitted = 0, [], []
    target, new = rows_of(20_000, factor=1.0, seed=10_000)
    for seed in range(200):
        found = calibrated(*rows_of(300, factor=1.0, seed=seed), seed=seed)
        used += found.temperature != 1.0
        fitted.append(np.log(found.fitted))
        costs.append(LOG_LOSS.loss(target, tempered(new, found.temperature)) - LOG_LOSS.loss(target, new))
    assert 0.2 < used / 200 < 0.47
    assert abs(np.mean(fitted)) < 4 * np.std(fitted) / np.sqrt(200)
    assert np.mean(costs) < 0.005


def test_the_honest_loss_is_on_the_high_side_of_what_new_rows_show():
    honest, seen = [], []
    target, new = rows_of(20_000, factor=2.0, seed=10_000)
    for seed in range(60):
        found = calibrated(*rows_of(100, factor=2.0, seed=seed), seed=seed)
        honest.append(found.honest)
        seen.append(LOG_LOSS.loss(target, tempered(new, found.temperature)))
    assert np.mean(honest) > np.mean(seen) - 2 * np.std(honest) / np.sqrt(60)


def test_the_same_rows_and_seed_give_the_same():
    rows = rows_of(200, factor=2.0, seed=3)
    assert calibrated(*rows, seed=4) == calibrated(*rows, seed=4)


@pytest.mark.parametrize("wrong", [(), (0,)])
def test_where_a_half_errs_nowhere_there_is_no_temperature(wrong):
    target = np.arange(40) % 2
    probabilities = np.where(target[:, None] == np.arange(2), 0.8, 0.2)
    probabilities[list(wrong)] = probabilities[list(wrong), ::-1]
    assert calibrated(target, probabilities) is None


def test_one_row_is_too_few():
    assert calibrated(np.array([1]), np.array([[0.9, 0.1]])) is None
