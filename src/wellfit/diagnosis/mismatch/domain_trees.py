"""Boosted trees that tell dev from train: the classifier behind the bound on total variation."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from sklearn.ensemble import HistGradientBoostingClassifier
from threadpoolctl import threadpool_limits

from wellfit._typing import Booleans, Floats
from wellfit.data.features import Feature

_MOST_LEVELS = 255  # of a category, in scikit-learn's boosting
_BINS = 128  # of a number: a shift that hides in less than 1 % of the rows is below every threshold


@dataclass(frozen=True)
class DomainTrees:
    """Fitted trees; both sides weigh alike.

    Attributes:
        edges: one for each column: where its bins end; None where its values are taken as they are.
        model: scikit-learn's.
    """

    edges: tuple[Floats | None, ...]
    model: Any

    @classmethod
    def fit(cls, values: Floats, is_dev: Booleans, columns: Sequence[Feature], *, seed: int) -> DomainTrees:
        """Fit to rows [rows, columns], NaN where missing, and to which of them are dev's [rows].

        Numbers are binned here: scikit-learn finds the bins of weighted rows one weighted percentile at a time, which
        takes ten times as long as all its trees.
        """
        categories = [column.kind == "category" and 0 < len(column.levels) <= _MOST_LEVELS for column in columns]
        edges = tuple(None if c else _edges(values[:, place]) for place, c in enumerate(categories))
        model = HistGradientBoostingClassifier(
            max_iter=60,
            max_leaf_nodes=15,
            min_samples_leaf=10,
            l2_regularization=1.0,
            early_stopping=False,
            class_weight="balanced",
            categorical_features=categories if any(categories) else None,
            random_state=seed,
        )
        with threadpool_limits(limits=1):  # two threads stall beside a busy neighbour
            return cls(edges, model.fit(_binned(values, edges), is_dev))

    def from_dev(self, values: Floats) -> Floats:
        """[rows] probability of each row to come from dev, both sides as likely."""
        with threadpool_limits(limits=1):
            return np.asarray(self.model.predict_proba(_binned(values, self.edges))[:, 1])


def _edges(values: Floats) -> Floats | None:
    """Ends of as many bins of equally many rows; None where no more values than bins occur."""
    known = np.sort(values[~np.isnan(values)])
    if np.count_nonzero(np.diff(known)) < _BINS:
        return None
    inner = np.arange(1, _BINS) * len(known) // _BINS
    return np.unique(known[inner - 1] + (known[inner] - known[inner - 1]) / 2)


def _binned(values: Floats, edges: Sequence[Floats | None]) -> Floats:
    """[rows, columns] the number of each value's bin, still missing where it was missing."""
    found = values.copy()
    for place, ends in enumerate(edges):
        if ends is not None:
            known = ~np.isnan(values[:, place])
            found[known, place] = np.searchsorted(ends, values[known, place])
    return found
