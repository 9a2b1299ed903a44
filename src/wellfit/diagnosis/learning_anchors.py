"""Points of the learning curve: retrain on subsets of the training rows, and read train and dev error."""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass
from typing import TypeAlias

import numpy as np

from wellfit._typing import Floats, Integers
from wellfit.exceptions import BadInput

Refit: TypeAlias = Callable[[Integers, int], tuple[float, Floats]]
"""(rows to train on, seed) -> (train loss, [dev rows] losses)."""

SMALLEST = 16  # methods.md g (LCDB): anchors 16 * 2^(k/2)
FEWEST_REPEATS = 3
FEWEST_ANCHORS = 4  # pow3 has three parameters
_FASTEST = -2.0  # power by which the spread may fall with the rows
_LEAST_SPREAD = 1e-9  # of the error: refits that agree exactly still leave a weight that is finite
_ROUNDING = 0.01  # anchors are whole rows


@dataclass(frozen=True)
class Anchors:
    """A learning curve as measured.

    Attributes:
        rows: [anchors] training rows, rising; the last is all of them.
        train: [anchors, repeats] train loss.
        dev: [anchors, repeats] mean dev loss; repeat r trains on nested subsets of one permutation.
        dev_noise: [anchors, anchors] covariance of the dev errors over dev sets: what is common to two anchors is in
            their difference no more.
    """

    rows: Integers
    train: Floats
    dev: Floats
    dev_noise: Floats

    @property
    def mean(self) -> Floats:
        """[anchors] dev error."""
        return np.asarray(self.dev.mean(axis=1))

    @property
    def spread(self) -> Floats:
        """[anchors] standard deviation of the dev error over training sets of that size.

        Subsets of the same n rows overlap: at m rows they vary by about sqrt(1 - m/n) of it. It is read off the
        anchors of at most half the rows, and continued to the others as a power of the rows.
        """
        share = self.rows / self.rows[-1]
        few = share <= 0.5 + _ROUNDING
        own = self.dev[few].std(axis=1, ddof=1) / np.sqrt(1 - share[few])
        least = _LEAST_SPREAD * max(float(np.abs(self.mean).max()), _LEAST_SPREAD)
        slope, level = np.polyfit(np.log(share[few]), np.log(np.maximum(own, least)), 1) if few.sum() > 1 else (0, 0)
        return np.asarray(np.maximum(np.exp(level + np.clip(slope, _FASTEST, 0.0) * np.log(share)), least))

    @property
    def luck(self) -> Floats:
        """[anchors] the part of the spread that all subsets share, and that repeats cannot show: of these n rows."""
        return np.asarray(self.spread * np.sqrt(self.rows / self.rows[-1]))

    @property
    def sd(self) -> Floats:
        """[anchors] standard error of the mean dev error as a point of the curve over all training sets."""
        share = self.rows / self.rows[-1]
        return np.asarray(self.spread * np.sqrt((1 - share) / self.dev.shape[1] + share))

    def first(self, count: int) -> Anchors:
        """Without the last anchors."""
        return Anchors(self.rows[:count], self.train[:count], self.dev[:count], self.dev_noise[:count, :count])


def anchor_rows(rows: int, *, most: int | None = None) -> Integers:
    """16 * 2^(k/2) up to all rows; the last anchor is all rows, and of too many the smallest are left out.

    Raises:
        BadInput: for fewer rows than four anchors need.
    """
    steps = math.floor(2 * math.log2(rows / SMALLEST)) if rows > SMALLEST else 0
    found = [round(rows * 2 ** (-k / 2)) for k in range(steps, -1, -1)]
    if len(found) < FEWEST_ANCHORS:
        raise BadInput(
            f"a learning curve needs {FEWEST_ANCHORS} sizes from {SMALLEST} rows on",
            found=f"{rows} training rows",
            remedy=f"Bring at least {math.ceil(SMALLEST * 2 ** ((FEWEST_ANCHORS - 1) / 2))} rows",
        )
    return np.array(found[-(most or len(found)) :], dtype=np.int64)


def measure_anchors(refit: Refit, *, rows: int, refits: int = 30, seed: int = 0) -> Anchors:
    """Retrain on nested subsets.

    Args:
        refit: trains on the rows it is given.
        rows: how many training rows there are.
        refits: how many trainings it may cost; repeats are added before anchors are, up to all anchors.
        seed: decides subsets and the seeds of the trainings.

    Raises:
        BadInput: for too few rows, or fewer refits than four anchors with three repeats.
    """
    if refits < FEWEST_ANCHORS * FEWEST_REPEATS:
        raise BadInput(
            f"a learning curve needs {FEWEST_ANCHORS} sizes with {FEWEST_REPEATS} repeats",
            found=f"{refits} refits",
            remedy=f"Allow {FEWEST_ANCHORS * FEWEST_REPEATS}",
        )
    sizes = anchor_rows(rows, most=refits // FEWEST_REPEATS)
    repeats = refits // len(sizes)
    rng = np.random.default_rng(seed)
    train, dev = np.empty((2, len(sizes), repeats))
    rows_of_dev: list[Floats] = [np.zeros(1)] * len(sizes)
    for repeat in range(repeats):
        order = rng.permutation(rows)
        for place, size in enumerate(sizes):
            loss, losses = refit(order[:size], int(rng.integers(2**31)))
            train[place, repeat], dev[place, repeat] = loss, float(np.mean(losses))
            rows_of_dev[place] = rows_of_dev[place] + np.asarray(losses, dtype=np.float64) / repeats
    _require_finite(train, dev)
    return Anchors(sizes, train, dev, np.cov(np.stack(rows_of_dev)) / len(rows_of_dev[0]))


def _require_finite(train: Floats, dev: Floats) -> None:
    if not (np.isfinite(train).all() and np.isfinite(dev).all()):
        raise BadInput(
            "every refit gives finite losses", found="a loss that is not", remedy="Return finite losses from refit"
        )
