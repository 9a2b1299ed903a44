"""The trees behind the bound, against scikit-learn's own binning of weighted rows."""

from __future__ import annotations

import numpy as np
import pytest
from sklearn.ensemble import HistGradientBoostingClassifier

from wellfit.data.features import Feature
from wellfit.diagnosis.mismatch.domain_classifier import DomainTrees

NUMBER = Feature("x", "number")
LEVELS = Feature("kind", "category", tuple("abcd"))


def sides(rows: int, *, dev_rows: int, seed: int = 0) -> tuple[np.ndarray, np.ndarray]:
    """A shifted number, a rounded one with gaps, and a category."""
    rng = np.random.default_rng(seed)
    count = rows + dev_rows
    is_dev = np.arange(count) >= rows
    gaps = np.where(rng.random(count) < 0.1, np.nan, rng.normal(size=count).round(1))
    return np.column_stack([rng.normal(size=count) + 0.7 * is_dev, gaps, rng.integers(0, 4, count)]), is_dev


@pytest.mark.parametrize("dev_rows", [200, 4_000], ids=["few of dev", "as many"])
def test_binning_beforehand_tells_the_sides_apart_as_well_as_the_slow_way(dev_rows):
    columns = (NUMBER, NUMBER, LEVELS)
    values, is_dev = sides(4_000, dev_rows=dev_rows)
    fresh, truth = sides(4_000, dev_rows=dev_rows, seed=1)
    fast = DomainTrees.fit(values, is_dev, columns, seed=0)
    usual = {**fast.model.get_params(), "categorical_features": [False, False, True]}
    slow = HistGradientBoostingClassifier(**usual).fit(values, is_dev)
    told, expected = fast.from_dev(fresh), slow.predict_proba(fresh)[:, 1]
    assert np.corrcoef(told, expected)[0, 1] > 0.95
    apart = [(said[truth] > 0.5).mean() - (said[~truth] > 0.5).mean() for said in (told, expected)]
    # Both see the same rows: what is left is where bins end, of which 200 rows of dev feel more.
    assert apart[0] >= apart[1] - (0.05 if dev_rows < 1_000 else 0.01)


def test_few_values_and_missing_ones_are_taken_as_they_are():
    values, is_dev = sides(500, dev_rows=500)
    found = DomainTrees.fit(values, is_dev, (NUMBER, NUMBER, LEVELS), seed=0)
    assert [edges is None for edges in found.edges] == [False, True, True]
    gap = values.copy()
    gap[:, 0] = np.nan
    assert np.isfinite(found.from_dev(gap)).all()


def test_a_bin_ends_with_its_last_value_and_ties_stay_together():
    rng = np.random.default_rng(0)
    values = np.concatenate([rng.normal(size=2_000), np.zeros(2_000)])[:, None]
    found = DomainTrees.fit(values, np.arange(4_000) % 2 == 0, (NUMBER,), seed=0)
    edges = found.edges[0]
    assert edges is not None
    assert np.all(np.diff(edges) > 0)
    counts = np.bincount(np.searchsorted(edges, values[:, 0]))
    assert sorted(counts)[-1] >= 2_000
    assert np.median(counts) <= 2 * 4_000 / 128
