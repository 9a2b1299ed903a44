"""Importance of training rows against densities that are known; and reweighting as a knob of both engines."""

from __future__ import annotations

import numpy as np
import pytest

from wellfit.data.features import Feature, Features
from wellfit.data.training_rows import effective_rows, flattened
from wellfit.diagnosis.mismatch.attribution import MOST_TIMES, importance_of
from wellfit.diagnosis.rows import Rows


def _part(x: np.ndarray, *, groups: np.ndarray | None = None) -> Rows:
    features = Features((Feature("x", "number"), Feature("noise", "number")), x)
    return Rows(features=features, target=np.zeros(len(x), np.int64), classes=2, groups=groups)


def _normal(rows: int, mean: float, *, seed: int) -> np.ndarray:
    rng = np.random.default_rng(seed)
    return np.column_stack([rng.normal(mean, 1, rows), rng.normal(size=rows)])


def test_the_ratio_follows_the_known_ratio_of_two_normals():
    train, dev = _normal(4_000, 0, seed=1), _normal(2_000, 1, seed=2)
    own, others = importance_of(_part(train), _part(dev), others={"more": _part(train[:500]).features})
    # log q/p of N(1, 1) and N(0, 1) is x - 1/2.
    expected = np.clip(train[:, 0] - 0.5, -np.log(MOST_TIMES), np.log(MOST_TIMES))
    assert np.corrcoef(np.log(own), expected)[0, 1] > 0.8
    assert own.mean() == pytest.approx(1.0, abs=0.15)
    assert np.corrcoef(np.log(others["more"]), expected[:500])[0, 1] > 0.8


def test_where_nothing_differs_rows_count_about_alike():
    train, dev = _normal(3_000, 0, seed=1), _normal(1_000, 0, seed=2)
    own, _ = importance_of(_part(train), _part(dev))
    assert effective_rows(flattened(own, 1.0)) > 0.6 * len(train)
    assert abs(np.corrcoef(own, train[:, 0])[0, 1]) < 0.2


def test_a_row_is_judged_by_trees_that_were_fit_without_it_and_without_its_group():
    """Ten thousandfold copies of a row are no evidence of where it comes from, when they are one group."""
    rng = np.random.default_rng(3)
    groups = np.repeat(np.arange(60), 20)
    values = np.repeat(rng.normal(size=(60, 2)), 20, axis=0)
    apart, _ = importance_of(_part(values[:600], groups=groups[:600]), _part(values[600:], groups=groups[600:]))
    known, _ = importance_of(_part(values[:600]), _part(values[600:]))
    assert np.median(known) < 0.2
    assert np.median(apart) > 2 * np.median(known)


def test_too_few_rows_have_none():
    assert importance_of(_part(_normal(99, 0, seed=1)), _part(_normal(500, 1, seed=2))) is None


@pytest.mark.parametrize(
    ("weights", "rows"),
    [pytest.param([1, 1, 1, 1], 4.0, id="alike"), pytest.param([1, 0, 0, 0], 1.0, id="one"), ([3, 1], 1.6)],
)
def test_effective_rows(weights, rows):
    assert effective_rows(np.array(weights, dtype=float)) == pytest.approx(rows)


def test_flattened_weights_have_mean_one_and_more_effective_rows():
    importance = np.array([0.05, 1.0, 20.0, 4.0])
    whole, half, none = (flattened(importance, power) for power in (1.0, 0.5, 0.0))
    assert whole.mean() == half.mean() == pytest.approx(1.0)
    assert np.array_equal(none, np.ones(4))
    assert effective_rows(whole) < effective_rows(half) < 4
