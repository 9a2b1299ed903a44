"""Estimates of the optimal error from the rows themselves, if no reference was given; they are never bounds.

They come from equal rows, nearest neighbours, and the variance of the target that remains at distance 0.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from sklearn.neighbors import NearestNeighbors

from wellfit.base.typing import Floats, Integers
from wellfit.diagnosis.leakage.duplicates import keys_of
from wellfit.diagnosis.reference.label_disagreement import FEWEST_ROWS, Disagreement, cover_hart, label_disagreement
from wellfit.diagnosis.rows import Rows
from wellfit.exceptions import BadInput
from wellfit.records.goals import Goal
from wellfit.records.units import Unit
from wellfit.stats.intervals import Estimate, wilson

COVERED = 0.05  # share of the rows that have an equal, below which they represent too few


def said_by_rows(rows: Rows, *, goal: Goal, seed: int = 0) -> str:
    """Return a sentence on the optimal error (for the goals error and rmse); "" if the rows suggest none."""
    if goal.counts_rows:
        return " ".join(filter(None, (_repeated(rows, goal), _neighbours(rows, goal, seed=seed))))
    return _noise(rows, goal, seed=seed) if goal.is_squared else ""


def _repeated(rows: Rows, goal: Goal) -> str:
    try:
        found = repeated_rows(rows)
    except BadInput:  # no two labels to compare
        return ""
    if found is None or found.covered < COVERED:
        return ""
    limits = " to ".join(Unit(goal).show(limit) for limit in (found.found.low, found.found.high))
    return (
        f"Rows with equal inputs ({100 * found.covered:.0f} % of train) suggest an optimal error on them of {limits}."
    )


def _neighbours(rows: Rows, goal: Goal, *, seed: int) -> str:
    found = nearest_neighbours(rows, seed=seed)
    if found is None:
        return ""
    limits = " to ".join(Unit(goal).show(limit) for limit in (found.estimate, found.error.value))
    return f"Nearest neighbours suggest {limits}; this estimate tends to be too high and is never a bound."


def _noise(rows: Rows, goal: Goal, *, seed: int) -> str:
    found = noise_variance(rows, seed=seed)
    if found is None:
        return ""
    variance = found.gamma if found.replicates is None else found.replicates
    source = "Nearest neighbours suggest" if found.replicates is None else "Rows with equal inputs suggest"
    said = f"{source} about {Unit(goal).show(variance)}; this estimate tends to be too high and is never a bound."
    return f"{said} {found.warning}".strip()


@dataclass(frozen=True)
class Repeated:
    """Limits from groups of equal rows, weighted by their sizes; they hold only for rows that are equal to another."""

    found: Disagreement
    covered: float  # share of all rows that have an equal


def repeated_rows(rows: Rows) -> Repeated | None:
    """Compute limits from repeated rows; None for regression, or for fewer than ten groups of equal rows.

    No column can explain why the targets of such rows differ. Rows that were copied together with their targets make
    the limits too low, so look for exact copies first (WF203).
    """
    if not rows.classes:
        return None
    groups = np.unique(keys_of(rows.features), return_inverse=True)[1]
    counts = np.zeros((int(groups.max(initial=-1)) + 1, rows.classes), np.int64)
    np.add.at(counts, (groups, np.asarray(rows.target, np.int64)), 1)
    sizes = counts.sum(axis=1)
    if (sizes > 1).sum() < FEWEST_ROWS:
        return None
    found = label_disagreement(counts, weights=sizes.astype(np.float64))
    return Repeated(found, float(sizes[sizes > 1].sum() / rows.rows))


NEIGHBOURS = 10
FEWEST_POINTS = 100
MANY_COLUMNS = 5  # above it neighbours are far, and every estimate is too high


@dataclass(frozen=True, kw_only=True)
class NoiseVariance:
    """Estimates of the noise variance, which tend to be too high.

    In the Gamma test, half of the squared difference between the targets of k-th neighbours is regressed on their
    squared distance; the intercept is the variance at distance 0.
    """

    gamma: float
    replicates: float | None  # pooled variance within rows of equal inputs, unbiased; None where there are none
    columns: int

    @property
    def warning(self) -> str:
        """The reason not to trust the estimate; "" if there is none."""
        if self.columns <= MANY_COLUMNS:
            return ""
        return f"With {self.columns} columns, neighbours are far apart and the noise is overestimated."


def noise_variance(rows: Rows, *, seed: int = 0) -> NoiseVariance | None:
    """Estimate the variance of a numeric target that no function of the columns explains; None for under 100 rows."""
    if rows.classes or rows.rows < FEWEST_POINTS:
        return None
    drawn = _drawn(rows, seed)
    target = np.asarray(rows.target, np.float64)[drawn]
    points = standardized(rows.features.values[drawn])
    distances, places = NearestNeighbors(n_neighbors=NEIGHBOURS + 1).fit(points).kneighbors(points)
    others = target[places[:, 1:]]
    apart = target[:, None] - others
    delta, gamma = (distances[:, 1:] ** 2).mean(axis=0), (apart**2).mean(axis=0) / 2
    intercept = (
        float(np.polynomial.polynomial.polyfit(delta, gamma, 1)[0]) if np.ptp(delta) > 0 else float(gamma.mean())
    )
    return NoiseVariance(
        gamma=max(0.0, intercept),
        replicates=_within(keys_of(rows.features), np.asarray(rows.target, np.float64)),
        columns=rows.features.values.shape[1],
    )


def _within(keys: np.ndarray[tuple[int], np.dtype[np.uint64]], target: Floats) -> float | None:
    groups, counts = np.unique(keys, return_inverse=True, return_counts=True)[1:]
    freedom = int((counts - 1).sum())
    if not freedom:
        return None
    means = np.bincount(groups, weights=target) / counts
    return float(((target - means[groups]) ** 2).sum() / freedom)


ENOUGH_ROWS = 1_000  # of each class; with fewer the estimate is not given (docs/methods.md, "Optimal error")
MOST_CELLS = 160_000  # 20,000 rows of eight columns: neighbours in more are searched pair by pair
_MISSING = 3.0  # standard deviations from the mean: a place of their own for missing values


@dataclass(frozen=True)
class Neighbours:
    """The leave-one-out error of the nearest neighbour, and the optimal error that it suggests."""

    error: Estimate
    classes: int

    @property
    def estimate(self) -> float:
        """The optimal error for which Cover and Hart's upper bound equals the neighbour's error."""
        return cover_hart(self.error.value, classes=self.classes)


def nearest_neighbours(rows: Rows, *, seed: int = 0) -> Neighbours | None:
    """Estimate the optimal error from neighbours; None for regression, or for fewer than 1,000 rows of a class."""
    target = np.asarray(rows.target, np.int64)
    if rows.classes < 2 or np.bincount(target, minlength=rows.classes).min() < ENOUGH_ROWS:
        return None
    drawn = _drawn(rows, seed)
    points = standardized(rows.features.values[drawn])
    twins = NearestNeighbors(n_neighbors=2).fit(points).kneighbors(points)[1]
    # A row may have an equal, and then need not be its own nearest.
    own = np.arange(len(drawn))
    nearest = np.where(twins[:, 0] == own, twins[:, 1], twins[:, 0])
    wrong = target[drawn][nearest] != target[drawn]
    return Neighbours(wilson(float(wrong.sum()), len(drawn)), rows.classes)


def _drawn(rows: Rows, seed: int) -> Integers:
    most = MOST_CELLS // max(rows.features.values.shape[1], 8)
    return np.sort(np.random.default_rng(seed).permutation(rows.rows)[:most])


def standardized(values: Floats) -> Floats:
    """Return columns in standard deviations from their means, with missing values far out and constant columns at 0."""
    known = np.where(np.isnan(values).all(axis=0), 0.0, values)
    spread = np.nanstd(known, axis=0)
    scaled = (known - np.nanmean(known, axis=0)) / np.where(spread > 0, spread, 1.0)
    return np.asarray(np.nan_to_num(scaled, nan=_MISSING))
