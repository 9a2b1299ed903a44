"""Halves of rows: alike targets, every row once, and no group in both."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from wellfit.stats.calibration import halves


@given(st.lists(st.integers(0, 3), min_size=2, max_size=60), st.integers(0, 99))
def test_every_row_is_in_one_half_and_classes_are_alike(target, seed):
    one, other = halves(np.array(target), seed=seed)
    assert sorted([*one, *other]) == list(range(len(target)))
    counts = [np.bincount(np.array(target)[half], minlength=4) for half in (one, other)]
    assert np.abs(counts[0] - counts[1]).max() <= 1


@given(st.lists(st.integers(0, 9), min_size=2, max_size=80), st.integers(0, 99))
def test_a_group_is_in_one_half_alone(groups, seed):
    target = np.random.default_rng(seed).integers(0, 2, len(groups))
    one, other = halves(target, seed=seed, groups=np.array(groups))
    assert sorted([*one, *other]) == list(range(len(groups)))
    if len(set(groups)) > 1:
        assert not {groups[row] for row in one} & {groups[row] for row in other}


@pytest.mark.parametrize("seed", range(5))
def test_groups_with_high_targets_are_shared_out(seed):
    groups = np.repeat(np.arange(40), 5)
    target = (groups >= 20).astype(float)
    one, other = halves(target, seed=seed, groups=groups)
    assert target[one].mean() == pytest.approx(target[other].mean())
