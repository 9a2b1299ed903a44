"""The optimal error as nearest neighbours see it: an estimate from the columns alone, never a bound.

Cover and Hart (1967): with ever more rows the error R of one nearest neighbour has R* <= R <= R* (2 - C R*/(C - 1)).
With the rows at hand R is too high, and the more so the more columns there are; so is the estimate.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from sklearn.neighbors import NearestNeighbors

from wellfit._typing import Floats, Json
from wellfit.diagnosis.reference.label_disagreement import cover_hart
from wellfit.diagnosis.rows import Rows
from wellfit.stats.intervals import Estimate, wilson

ENOUGH_ROWS = 1_000  # of each class; with fewer the estimate is not given (methods.md d)
MOST_CELLS = 160_000  # 20,000 rows of eight columns: neighbours in more are searched pair by pair
_MISSING = 3.0  # standard deviations from the mean: a place of its own for what is missing


@dataclass(frozen=True)
class Neighbours:
    """What one nearest neighbour says.

    Attributes:
        error: leave-one-out error of the nearest neighbour.
        classes: number of classes.
        rows: rows that were looked at.
    """

    error: Estimate
    classes: int
    rows: int

    @property
    def estimate(self) -> float:
        """The optimal error at which Cover and Hart's upper bound is that error."""
        return cover_hart(self.error.value, classes=self.classes)

    def to_json(self) -> Json:
        """Plain values."""
        return {"estimate": self.estimate, "error": self.error.to_json(), "classes": self.classes, "rows": self.rows}


def nearest_neighbours(rows: Rows, *, seed: int = 0) -> Neighbours | None:
    """Estimate the optimal error; None for regression, or with fewer than 1,000 rows of a class.

    Args:
        rows: with features and classes.
        seed: of the subsample.
    """
    target = np.asarray(rows.target, np.int64)
    if rows.classes < 2 or np.bincount(target, minlength=rows.classes).min() < ENOUGH_ROWS:
        return None
    drawn = np.sort(
        np.random.default_rng(seed).permutation(rows.rows)[: MOST_CELLS // max(rows.features.values.shape[1], 8)]
    )
    points = standardized(rows.features.values[drawn])
    twins = NearestNeighbors(n_neighbors=2).fit(points).kneighbors(points)[1]
    # A row may have an equal, and then need not be its own nearest.
    own = np.arange(len(drawn))
    nearest = np.where(twins[:, 0] == own, twins[:, 1], twins[:, 0])
    wrong = target[drawn][nearest] != target[drawn]
    return Neighbours(wilson(float(wrong.sum()), len(drawn)), rows.classes, len(drawn))


def standardized(values: Floats) -> Floats:
    """Columns in standard deviations from their means; missing values far out, constant columns at 0."""
    known = np.where(np.isnan(values).all(axis=0), 0.0, values)
    spread = np.nanstd(known, axis=0)
    scaled = (known - np.nanmean(known, axis=0)) / np.where(spread > 0, spread, 1.0)
    return np.asarray(np.nan_to_num(scaled, nan=_MISSING))
