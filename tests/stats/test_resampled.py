from __future__ import annotations

import numpy as np
import pytest

from wellfit.exceptions import BadInput
from wellfit.stats.differences import corrected_error, resampled_difference


def test_known_factor_of_ten_times_ten_folds():
    differences = np.random.default_rng(0).normal(size=100)
    factor = (corrected_error(differences, ratio=1 / 9) / differences.std(ddof=1)) ** 2
    assert factor == pytest.approx(0.12111, abs=5e-6)
    assert np.sqrt(factor / 0.01) == pytest.approx(3.48, abs=0.005)


def test_equal_learners_are_rarely_told_apart():
    """The null: two learners that predict the mean of half of their training rows, over overlapping splits."""
    rng, wrong, naive = np.random.default_rng(0), 0, 0
    for _ in range(300):
        values = rng.normal(size=60)
        differences = []
        for _ in range(15):
            order = rng.permutation(60)
            train, test = order[:48], order[48:]
            first, second = values[train[:24]].mean(), values[train[24:]].mean()
            differences.append(np.mean((values[test] - first) ** 2 - (values[test] - second) ** 2))
        found = resampled_difference(np.array(differences), ratio=12 / 48)
        wrong += not found.low <= 0 <= found.high
        half = (found.high - found.low) / 2 * np.sqrt((1 / 15) / (1 / 15 + 0.25))
        naive += abs(found.value) > half
    assert wrong / 300 <= 0.05 + 4 * np.sqrt(0.05 * 0.95 / 300)
    assert wrong <= naive


@pytest.mark.parametrize(("splits", "ratio"), [(1, 0.1), (5, 0.0), (5, float("nan"))])
def test_bad_input_says_so(splits, ratio):
    with pytest.raises(BadInput):
        resampled_difference(np.arange(splits, dtype=float), ratio=ratio)
