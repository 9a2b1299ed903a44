from __future__ import annotations

import numpy as np
import pytest
from scipy import special
from sklearn import metrics

from wellfit.exceptions import BadInput
from wellfit.records.goals import goal_named
from wellfit.stats.intervals import wilson


def _classified(classes, rows=400, seed=0):
    rng = np.random.default_rng(seed)
    target = rng.integers(0, classes, rows)
    scores = rng.normal(size=(rows, classes)) + 1.2 * np.eye(classes)[target]
    probabilities = np.exp(scores) / np.exp(scores).sum(axis=1, keepdims=True)
    return target, probabilities


def _valued(rows=400):
    rng = np.random.default_rng(1)
    target = rng.normal(5, 3, rows)
    return target, target + rng.normal(0, 1, rows)


ORACLES = {
    "error": lambda y, p: 1 - metrics.accuracy_score(y, p.argmax(1)),
    "balanced_error": lambda y, p: 1 - metrics.balanced_accuracy_score(y, p.argmax(1)),
    "log_loss": metrics.log_loss,
    "auc": lambda y, p: 1 - metrics.roc_auc_score(y, p[:, 1] if p.shape[1] == 2 else p, multi_class="ovr"),
    "f1": lambda y, p: 1 - metrics.f1_score(y, p.argmax(1), average="macro"),
    "rmse": metrics.mean_squared_error,
    "mae": metrics.mean_absolute_error,
    "r2": lambda y, p: 1 - metrics.r2_score(y, p),
}


@pytest.mark.parametrize("classes", [2, 5])
@pytest.mark.parametrize("name", list(ORACLES))
def test_each_goal_agrees_with_scikit_learn(name, classes):
    goal = goal_named(name)
    target, prediction = _valued() if goal.task == "regression" else _classified(classes)
    assert goal.loss(target, prediction) == pytest.approx(ORACLES[name](target, prediction))
    found = goal.estimate(target, prediction)
    assert found.value == pytest.approx(ORACLES[name](target, prediction))
    assert found.low < found.value < found.high
    assert found.rows == goal.row_losses(target, prediction).size == 400


def test_ties_in_the_scores_count_half():
    target, scores = np.array([0, 0, 1, 1, 1]), np.array([0.2, 0.5, 0.5, 0.9, 0.1])
    prediction = np.c_[1 - scores, scores]
    assert goal_named("auc").loss(target, prediction) == pytest.approx(1 - metrics.roc_auc_score(target, scores))


def test_delongs_variance_from_the_pairs_themselves():
    target, prediction = _classified(2, rows=80)
    positive, negative = prediction[target == 1, 1], prediction[target == 0, 1]
    wins = positive[:, None] > negative[None, :]
    delong = wins.mean(1).var(ddof=1) / len(positive) + wins.mean(0).var(ddof=1) / len(negative)
    losses = goal_named("auc").row_losses(target, prediction)
    assert losses.var(ddof=1) / losses.size == pytest.approx(delong, rel=0.03)


@pytest.mark.parametrize("positives", [3, 5, 10, 20])
@pytest.mark.parametrize("kind", ["normal", "exponential", "ties"])
def test_an_area_of_few_positives_is_held_in_at_least_93_of_100(positives, kind):
    """With DeLong's interval alone it is 75 to 90."""
    rng, rows, runs = np.random.default_rng(positives), positives + 150, 300
    target = (np.arange(rows) < positives).astype(np.int64)
    truth = {"normal": 0.9, "exponential": 0.9, "ties": 0.79}[kind]
    held = 0
    for _ in range(runs):
        if kind == "normal":
            scores = special.expit(rng.normal(size=rows) + np.sqrt(2) * special.ndtri(truth) * target)
        elif kind == "exponential":
            scores = 1 - np.exp(-rng.exponential(np.where(target, 9.0, 1.0)))
        else:  # four levels: P(higher) + P(equal) / 2
            scores = (
                np.where(
                    target, rng.choice(4, rows, p=[0.1, 0.1, 0.3, 0.5]), rng.choice(4, rows, p=[0.4, 0.3, 0.2, 0.1])
                )
                / 4
            )
        found = goal_named("auc").estimate(target, np.c_[1 - scores, scores])
        held += found.low <= 1 - truth <= found.high
    assert held / runs >= 0.93


def test_the_limits_of_several_small_classes_hold_their_mean_area():
    rng, held = np.random.default_rng(0), 0
    target = np.repeat([0, 1, 2], [5, 12, 60])
    truth = goal_named("auc").loss(*_three_normals(np.repeat([0, 1, 2], [1_000, 2_400, 12_000]), rng))
    for _ in range(200):
        found = goal_named("auc").estimate(*_three_normals(target, rng))
        held += found.low <= truth <= found.high
    assert held / 200 >= 0.93


def _three_normals(target, rng):
    odds = np.exp(rng.normal(size=(len(target), 3)) + 1.2 * np.eye(3)[target])
    return target, odds / odds.sum(axis=1, keepdims=True)


def test_a_perfect_order_is_not_certainty():
    target = np.array([0] * 20 + [1] * 10)
    scores = np.linspace(0, 1, 30)
    found = goal_named("auc").estimate(target, np.c_[1 - scores, scores])
    assert (found.value, found.high) == (0, pytest.approx(wilson(0, 10).high))


def test_confident_mistakes_stay_finite():
    assert np.isfinite(goal_named("log_loss").loss(np.array([0, 1]), np.array([[0.0, 1.0], [0.0, 1.0]])))


@pytest.mark.parametrize(
    ("name", "target", "prediction"),
    [
        pytest.param("auc", [0, 0], [[0.2, 0.8], [0.3, 0.7]], id="auc-of-one-class"),
        pytest.param("r2", [1.0, 1.0], [1.0, 2.0], id="r2-of-a-constant"),
        pytest.param("error", [0, 1, 0], [[0.2, 0.8], [0.3, 0.7]], id="lengths"),
        pytest.param("error", [0, 2], [[0.2, 0.8], [0.3, 0.7]], id="code-without-column"),
        pytest.param("rmse", [0.0, 1.0], [0.0, np.nan], id="missing-prediction"),
        pytest.param("rmse", [], [], id="no-rows"),
    ],
)
def test_bad_input_says_so(name, target, prediction):
    with pytest.raises(BadInput):
        goal_named(name).row_losses(np.array(target), np.array(prediction))


@pytest.mark.proof
@pytest.mark.parametrize("name", ["auc", "balanced_error", "r2"])
def test_intervals_cover(name):
    goal, covered, runs = goal_named(name), 0, 600
    draw = (lambda seed, rows: _classified(2, rows, seed)) if goal.task == "classification" else _noisy
    truth = goal.loss(*draw(10**6, 400_000))
    for seed in range(runs):
        found = goal.metric.estimate(*draw(seed, 300), seed=seed)
        covered += found.low <= truth <= found.high
    assert wilson(covered, runs).high >= 0.945


def _noisy(seed, rows):
    rng = np.random.default_rng(seed)
    target = rng.normal(5, 3, rows)
    return target, target + rng.normal(0, 2, rows)


@pytest.mark.parametrize(("name", "expected"), [("rmse", [2.5, 0.5]), ("mae", [1.5, 0.5]), ("r2", [1.0, 0.125])])
def test_several_targets_are_averaged_row_by_row(name, expected):
    target, prediction = np.array([[0.0, 0.0], [2.0, 4.0]]), np.array([[1.0, 2.0], [2.0, 3.0]])
    np.testing.assert_allclose(goal_named(name).row_losses(target, prediction), expected)
