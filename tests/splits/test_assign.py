"""Laws of a split: disjoint, covering, stratified, groups whole, time in order, the same for the same seed."""

from __future__ import annotations

import numpy as np
import pyarrow as pa
import pytest
from hypothesis import given
from hypothesis import strategies as st

from wellfit.exceptions import BadInput
from wellfit.splits.assign import assign_by_column, assign_by_time, assign_groups, assign_stratified

SEEDS = st.integers(0, 2**32 - 1)
STRATA = st.lists(st.integers(0, 6), min_size=10, max_size=200).map(np.array)


def counts_for(rows, *, train_dev=False):
    dev = test = rows // 5
    extra = rows // 10 if train_dev else 0
    return {"train": rows - dev - test - extra, "train_dev": extra, "dev": dev, "test": test}


def assert_divided(rows, counts):
    together = np.concatenate(list(rows.values()))
    assert np.array_equal(np.sort(together), np.arange(sum(counts.values())))


@given(STRATA, SEEDS, st.booleans())
def test_stratified(strata, seed, train_dev):
    counts = counts_for(strata.size, train_dev=train_dev)
    rows = assign_stratified(strata, counts, seed=seed)
    assert_divided(rows, counts)
    assert {part: found.size for part, found in rows.items()} == {part: n for part, n in counts.items() if n}
    for stratum, size in zip(*np.unique(strata, return_counts=True), strict=True):
        for found in rows.values():
            expected = size * found.size / strata.size
            # Within one row of the share, and one more for each end of the stretch that ties of places move.
            assert abs(np.sum(strata[found] == stratum) - expected) <= 2


@given(STRATA, SEEDS)
def test_same_seed_same_rows(strata, seed):
    counts = counts_for(strata.size)
    first, second = (assign_stratified(strata, counts, seed=seed) for _ in range(2))
    assert all(np.array_equal(first[part], second[part]) for part in first)


def test_every_row_is_as_likely_in_test():
    # Null: each of 50 rows is in test with chance 1/5; 2,000 seeds give sd sqrt(.2*.8/2000) = .009.
    strata = np.repeat([0, 1, 2], [30, 15, 5])
    hits = np.zeros(50)
    for seed in range(2000):
        hits[assign_stratified(strata, counts_for(50), seed=seed)["test"]] += 1
    assert np.abs(hits / 2000 - 0.2).max() < 5 * 0.009


@given(st.lists(st.integers(0, 30), min_size=40, max_size=300).map(np.array), SEEDS)
def test_groups_stay_whole(groups, seed):
    counts = counts_for(groups.size)
    if np.unique(groups).size < 3:
        return
    rows = assign_groups(groups, counts, seed=seed)
    assert_divided(rows, counts)
    members = [set(groups[found]) for found in rows.values()]
    assert all(members)
    assert sum(map(len, members)) == len(set.union(*members))


def test_group_sizes_come_near_the_plan():
    groups = np.random.default_rng(0).integers(0, 300, 3000)
    rows = assign_groups(groups, counts_for(3000), seed=0)
    assert abs(rows["test"].size - 600) < 30
    assert abs(rows["dev"].size - 600) < 30


def test_too_few_groups():
    with pytest.raises(BadInput, match="2 groups for 3 parts"):
        assign_groups(np.array([0, 1] * 20), counts_for(40), seed=0)


@given(st.lists(st.integers(0, 10**6), min_size=20, max_size=200).map(np.array), SEEDS)
def test_time_is_in_order(times, seed):
    counts = counts_for(times.size, train_dev=True)
    rows = assign_by_time(times, counts, seed=seed)
    assert_divided(rows, counts)
    period = np.concatenate([rows["train"], rows["train_dev"]])
    assert times[period].max() <= times[rows["dev"]].min()
    assert times[rows["dev"]].max() <= times[rows["test"]].min()


def test_equal_times_are_not_divided():
    days = np.repeat(np.arange(100), 24)
    rows = assign_by_time(days, {"train": 1450, "train_dev": 0, "dev": 470, "test": 480}, seed=0)
    assert not set(days[rows["train"]]) & set(days[rows["dev"]])
    assert not set(days[rows["dev"]]) & set(days[rows["test"]])


def test_two_times_only_are_divided_all_the_same():
    rows = assign_by_time(np.repeat([0, 1], [40, 60]), {"train": 60, "train_dev": 0, "dev": 20, "test": 20}, seed=0)
    assert {part: found.size for part, found in rows.items()} == {"train": 60, "dev": 20, "test": 20}


def test_by_column():
    rows = assign_by_column(pa.chunked_array([["train", "Dev", "test", "train-dev", "train"]]), name="part")
    assert {part: found.tolist() for part, found in rows.items()} == {
        "train": [0, 4],
        "train_dev": [3],
        "dev": [1],
        "test": [2],
    }


BAD_COLUMNS = {
    "unknown": (["train", "tset", "dev", "test"], "'tset' in column 'part', row 2.*Did you mean 'test'"),
    "missing": (["train", None, "dev", "test"], "None in column 'part', row 2"),
    "no-dev": (["train", "test"], "no row marked dev"),
}


@pytest.mark.parametrize(("values", "words"), BAD_COLUMNS.values(), ids=BAD_COLUMNS)
def test_bad_columns(values, words):
    with pytest.raises(BadInput, match=words):
        assign_by_column(pa.chunked_array([values]), name="part")
