from __future__ import annotations

import numpy as np
import pytest
from sklearn.metrics import f1_score

from wellfit.diagnosis.predictions import diagnose_predictions
from wellfit.records.goals import goal_named

F1 = goal_named("f1")
# Frequency of each class, and how often it is told rightly; the others share the errors.
CASES = {
    "even": ([0.5, 0.5], [0.9, 0.9]),
    "weak": ([0.5, 0.5], [0.6, 0.65]),
    "rare": ([0.9, 0.1], [0.97, 0.6]),
    "nearly perfect": ([0.7, 0.3], [0.985, 0.97]),
    "five classes": ([0.5, 0.2, 0.15, 0.1, 0.05], [0.9, 0.8, 0.7, 0.6, 0.6]),
    "ten classes": ([0.1] * 10, [0.9] * 10),
}


def chances(frequency, right):
    """[true, told] probability of each pair of classes."""
    frequency, right = np.array(frequency), np.array(right)
    spread = np.repeat(((1 - right) / (len(right) - 1))[:, None], len(right), axis=1)
    np.fill_diagonal(spread, right)
    return frequency[:, None] * spread


def drawn(pairs, rows, source):
    cells = source.choice(pairs.size, size=rows, p=pairs.ravel())
    target, told = np.divmod(cells, len(pairs))
    return target, np.eye(len(pairs))[told]


@pytest.mark.parametrize("case", CASES)
@pytest.mark.parametrize("rows", [7, 40, 500])
def test_the_mean_of_the_row_losses_is_scikit_learns_macro_f1(case, rows):
    target, prediction = drawn(chances(*CASES[case]), rows, np.random.default_rng(rows))
    expected = 1 - f1_score(target, prediction.argmax(axis=1), average="macro")
    assert F1.loss(target, prediction) == pytest.approx(expected)
    found = F1.estimate(target, prediction)
    assert (found.value, found.rows) == (pytest.approx(expected), rows)
    assert 0 <= found.low <= found.value <= found.high <= 1


def test_row_losses_have_the_variance_of_the_delta_method():
    pairs, source = chances(*CASES["five classes"]), np.random.default_rng(0)
    losses = [F1.loss(*drawn(pairs, 2_000, source)) for _ in range(1_000)]
    rows = F1.row_losses(*drawn(pairs, 200_000, source))
    assert rows.std() / np.sqrt(2_000) == pytest.approx(np.std(losses), rel=0.08)


def test_right_on_every_row_is_not_certainty_nor_is_wrong_on_every_row():
    target = np.array([0] * 20 + [1] * 10)
    right, wrong = F1.estimate(target, np.eye(2)[target]), F1.estimate(target, np.eye(2)[1 - target])
    assert (right.value, right.low) == (0, 0)
    assert 0.1 < right.high < 0.4
    assert (wrong.value, wrong.high) == (1, 1)
    assert wrong.low < 0.9


def test_groups_make_the_interval_wider():
    source = np.random.default_rng(0)
    target, prediction = drawn(chances(*CASES["rare"]), 300, source)
    alone = F1.estimate(target, prediction)
    copied = F1.estimate(target.repeat(4), prediction.repeat(4, axis=0), groups=np.arange(300).repeat(4))
    assert copied.high - copied.low == pytest.approx(alone.high - alone.low, rel=0.2)


def test_predictions_are_diagnosed_in_f1():
    pairs, source = chances(*CASES["even"]), np.random.default_rng(0)
    parts = {name: drawn(pairs, rows, source) for name, rows in (("train", 2_000), ("dev", 600))}
    found = diagnose_predictions(
        goal="f1", human_error=0.95, **{name: (y, told.argmax(axis=1)) for name, (y, told) in parts.items()}
    )
    dev = found.to_json()["errors"]["dev"]
    assert dev["value"] == pytest.approx(f1_score(parts["dev"][0], parts["dev"][1].argmax(axis=1), average="macro"))
    assert dev["low"] < dev["value"] < dev["high"]
    assert "F1" in str(found)


@pytest.mark.parametrize("rows", [100, pytest.param(1_000, marks=pytest.mark.proof)])
@pytest.mark.parametrize("case", CASES)
def test_intervals_cover(case, rows):
    """At least 93 % of 95 % intervals contain the F1 of the population, less three standard errors of a simulation."""
    pairs, source, runs = chances(*CASES[case]), np.random.default_rng(rows), 400
    right = pairs.diagonal()
    truth = 1 - np.mean(2 * right / (pairs.sum(axis=0) + pairs.sum(axis=1)))
    covered = 0
    for _ in range(runs):
        found = F1.estimate(*drawn(pairs, rows, source))
        covered += found.low <= truth <= found.high
    assert covered / runs >= 0.93 - 3 * np.sqrt(0.93 * 0.07 / runs)
