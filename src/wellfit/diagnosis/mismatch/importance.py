"""Importance of training rows: how much more often rows like them are met in deployment than in train.

A classifier that tells dev from train, both weighing alike, gives each row the probability p to come from dev; p/(1-p)
is the ratio of the two densities at the row (Bayes' rule). To count rows by it is maximum likelihood for deployment
where only the inputs have shifted, and it matters where the network is no exact model of both (Shimodaira 2000, as told
in Jiang's survey of domain adaptation). The ratio of a row comes from trees that were fit without it, or they would
know it by heart, and it is capped: a few rows with huge weights teach little.
"""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np

from wellfit._typing import Floats, Integers
from wellfit.data.features import Features
from wellfit.diagnosis.mismatch.domain_trees import DomainTrees
from wellfit.diagnosis.mismatch.time_columns import time_columns
from wellfit.diagnosis.rows import Rows

FEWEST_ROWS = 100
FOLDS = 5
SIDE_ROWS = 20_000
"""Of each side at most are fit on."""
MOST_TIMES = 20.0
"""A row counts at most this many times as often, and at least so many times more seldom."""


def importance_of(
    train: Rows, dev: Rows, *, others: Mapping[str, Features] | None = None, seed: int = 0
) -> tuple[Floats, dict[str, Floats]] | None:
    """The ratio of deployment's density to train's at every training row.

    Args:
        train: the training rows.
        dev: rows of deployment; their targets are not looked at.
        others: name -> further rows that may be trained on, with the same columns.
        seed: of the folds and the classifiers.

    Returns:
        [train rows] ratios, and by name those of the others; None with fewer than 100 rows on a side, or where every
        column only counts time.
    """
    time = time_columns(train, dev)
    kept = np.array([i for i, column in enumerate(train.features.columns) if column.name not in time], np.int64)
    if min(train.rows, dev.rows) < FEWEST_ROWS or not len(kept):
        return None
    rng = np.random.default_rng(seed)
    fold_of = [_folds(part, rng=rng) for part in (train, dev)]
    columns = [train.features.columns[i] for i in kept]
    own: Floats = np.empty(train.rows)
    sums: dict[str, Floats] = {name: np.zeros(rows.rows) for name, rows in (others or {}).items()}
    for fold in range(FOLDS):
        sides = [_some(np.flatnonzero(folds != fold), rng=rng) for folds in fold_of]
        values = [part.features.values[rows][:, kept] for part, rows in zip((train, dev), sides, strict=True)]
        is_dev = np.repeat([False, True], list(map(len, sides)))
        model = DomainTrees.fit(np.concatenate(values), is_dev, columns, seed=seed)
        held = fold_of[0] == fold
        own[held] = _ratio(model.from_dev(train.features.values[held][:, kept]))
        for name, rows in (others or {}).items():
            sums[name] = sums[name] + _ratio(model.from_dev(rows.values[:, kept])) / FOLDS
    return own, sums


def _folds(part: Rows, *, rng: np.random.Generator) -> Integers:
    """[rows] fold of each row; a group stands in one."""
    if part.groups is None:
        return rng.permutation(np.arange(part.rows) % FOLDS)
    codes = np.unique(part.groups, return_inverse=True)[1]
    return np.asarray(rng.permutation(np.arange(int(codes.max()) + 1) % FOLDS)[codes])


def _some(rows: Integers, *, rng: np.random.Generator) -> Integers:
    return np.sort(rng.permutation(rows)[:SIDE_ROWS])


def _ratio(from_dev: Floats) -> Floats:
    odds = from_dev / np.maximum(1 - from_dev, np.finfo(np.float64).tiny)
    return np.clip(odds, 1 / MOST_TIMES, MOST_TIMES)
