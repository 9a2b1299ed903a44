from __future__ import annotations

import time
from itertools import combinations_with_replacement

import numpy as np
import pytest

from wellfit.records.goals import GOALS, goal_named
from wellfit.sweeps import forward_selection
from wellfit.sweeps.forward_selection import START, greedy_weights

CASES = [
    (goal_named(name), classes)
    for name in GOALS
    for classes in ((2, 4) if goal_named(name).task == "classification" else (1,))
]
NAMES = [f"{goal.name} {classes}" for goal, classes in CASES]


def problem(goal, *, classes=2, rows=400, candidates=9, seed=0):
    """A target and predictions of candidates that share some of their mistakes."""
    source = np.random.default_rng(seed)
    skill = source.uniform(0.5, 2, size=(candidates, 1))
    if goal.task == "regression":
        target = source.normal(size=rows)
        return target, target + source.normal(size=(candidates, rows)) / skill + 0.3 * source.normal(size=rows)
    target = source.integers(0, classes, rows)
    logits = skill[..., None] * np.eye(classes)[target] + source.normal(size=(candidates, rows, classes))
    odds = np.exp(logits + source.normal(size=(rows, classes)))
    return target, odds / odds.sum(axis=-1, keepdims=True)


def blended(goal, target, predictions, weights):
    return goal.loss(target, np.tensordot(weights, predictions, axes=1))


@pytest.mark.parametrize(("goal", "classes"), CASES, ids=NAMES)
def test_the_fast_losses_are_those_of_the_goal(goal, classes):
    target, predictions = problem(goal, classes=classes)
    fast = goal.metric.losses_of_planes(target, goal.metric.planes(target, predictions.astype(np.float32)))
    slow = np.array([goal.loss(target, each) for each in predictions])
    scale = target.var() if goal.name == "r2" else 1.0
    np.testing.assert_allclose(fast / scale, slow, rtol=1e-4)


def test_tied_scores_count_half_in_the_auc():
    target, scores = np.array([0, 1, 0, 1, 1]), np.array([0.5, 0.5, 0.2, 0.2, 0.9])
    predictions = np.stack([1 - scores, scores], axis=1)[None]
    for each in (predictions, np.full_like(predictions, 0.5)):
        fast = goal_named("auc").metric.losses_of_planes(
            target, goal_named("auc").metric.planes(target, each.astype(np.float32))
        )
        assert fast[0] == pytest.approx(goal_named("auc").loss(target, each[0]))


@pytest.mark.parametrize(("goal", "classes"), CASES, ids=NAMES)
def test_an_ensemble_beats_its_best_candidate(goal, classes):
    target, predictions = problem(goal, classes=classes)
    weights = greedy_weights(goal, target, predictions, seed=0)
    assert weights.sum() == pytest.approx(1)
    assert weights.min() >= 0
    alone = min(goal.loss(target, each) for each in predictions)
    assert blended(goal, target, predictions, weights) < alone


@pytest.mark.parametrize("seed", range(5))
def test_few_candidates_are_mixed_nearly_as_well_as_possible(seed):
    goal = goal_named("rmse")
    target, predictions = problem(goal, candidates=START + 1, seed=seed)
    found = blended(goal, target, predictions, greedy_weights(goal, target, predictions, seed=0))
    # Every mixture in twelfths.
    places = combinations_with_replacement(range(len(predictions)), 12)
    best = min(goal.loss(target, predictions[list(each)].mean(axis=0)) for each in places)
    assert found <= 1.01 * best


def test_candidates_that_are_wrong_in_opposite_ways_are_found():
    goal, source = goal_named("mae"), np.random.default_rng(0)
    target, error = source.normal(size=(2, 300))
    predictions = np.stack([target + error, target - error, target + 3.0])
    weights = greedy_weights(goal, target, predictions, seed=0)
    np.testing.assert_allclose(weights, [0.5, 0.5, 0.0])


def test_copies_of_the_best_candidate_add_nothing():
    goal = goal_named("log_loss")
    target, predictions = problem(goal, candidates=1)
    weights = greedy_weights(goal, target, np.repeat(predictions, 8, axis=0), seed=0)
    assert weights.tolist() == [1.0, 0, 0, 0, 0, 0, 0, 0]


def test_only_the_best_of_very_many_are_tried():
    goal = goal_named("rmse")
    target, predictions = problem(goal, candidates=3 * forward_selection.MOST, rows=100)
    weights = greedy_weights(goal, target, predictions, seed=0)
    alone = np.array([goal.loss(target, each) for each in predictions])
    assert set(np.flatnonzero(weights)) <= set(np.argsort(alone)[: forward_selection.MOST])


@pytest.mark.parametrize("name", ["log_loss", "error", "auc", "rmse"])
def test_64_candidates_on_6000_rows_take_less_than_two_seconds(name):
    goal = goal_named(name)
    target, predictions = problem(goal, rows=6_000, candidates=64)
    began = time.process_time()
    greedy_weights(goal, target, predictions, seed=0)
    assert time.process_time() - began < 2
