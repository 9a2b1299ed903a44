"""Intervals and tests for the difference between two errors.

The errors may be measured on the same rows, on different rows, or over repeated splits, whose training sets overlap.
Holm's step-down procedure, written for lower limits instead of p-values, gives several verdicts at once.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence

import numpy as np
from scipy import special

from wellfit.base.typing import Floats
from wellfit.exceptions import BadInput
from wellfit.stats.intervals import LEVEL, Estimate, mean_interval

ALPHA = 0.05
"""Family-wise error rate of two-sided intervals, half of which is used on the lower side."""

LowerLimit = Callable[[float], float]
"""Function of the level of a two-sided interval that returns its lower limit; it falls as the level rises."""


def difference(first: Estimate, second: Estimate) -> Estimate:
    """Return `first - second` for different rows, by the method of variance estimates recovery (MOVER).

    L = d - sqrt((a - l_a)^2 + (u_b - b)^2), and U likewise (Newcombe 1998, method 10, for two Wilson intervals). The
    method works for any two intervals, so every gap is computed here. `rows` is the smaller number of rows.
    """
    value = first.value - second.value
    low = value - math.hypot(first.value - first.low, second.high - second.value)
    high = value + math.hypot(first.high - first.value, second.value - second.low)
    rows = [side.rows for side in (first, second) if side.rows is not None and not side.is_fixed]
    return Estimate(value, low, high, min(rows, default=None))


def paired_difference(first_losses: Floats, second_losses: Floats, *, level: float = LEVEL) -> Estimate:
    """Return the mean of `first - second` over the same rows, with the t or BCa interval of the row differences."""
    first, second = _paired(first_losses, second_losses)
    return mean_interval(first - second, level=level)


def worse_p(first_losses: Floats, second_losses: Floats) -> float:
    """Return the one-sided p-value of "the mean loss of the first is at most that of the second" on the same rows.

    Losses that are all 0 or 1 get the exact test of McNemar (1947): in rows where only one is wrong, both are equally
    likely to be the wrong one. All others get Student's t of the row differences after Hall's cubic transformation
    (Hall 1992, "On the removal of skewness by transformation"): with T = mean/sd and skewness g, T + g T^2/3 + g^2
    T^3/27 + g/(6n). Without the transformation, a long tail on the sparsely sampled side makes t reject far too often.
    For any losses, k rows that differ are at most as strong evidence as k equal signs: p >= 2^-k.
    """
    first, second = _paired(first_losses, second_losses)
    differences = first - second
    changed = int(np.count_nonzero(differences))
    if not changed:
        return 1.0
    if np.isin((first, second), (0.0, 1.0)).all():
        # P(X >= b), X ~ Binomial(b + c, 1/2).
        return float(special.bdtrc(int((differences > 0).sum()) - 1, changed, 0.5))
    return max(_transformed_t(differences), 0.5**changed)


def _paired(first_losses: Floats, second_losses: Floats) -> tuple[Floats, Floats]:
    first, second = (np.asarray(losses, dtype=np.float64) for losses in (first_losses, second_losses))
    if first.shape != second.shape or not first.size:
        raise BadInput(
            "losses can only be compared on the same rows, at least one",
            found=f"{first.size} and {second.size} losses",
            remedy="Give both losses for the same rows",
        )
    return first, second


def _transformed_t(differences: Floats) -> float:
    rows, mean = differences.size, float(differences.mean())
    spread = float(differences.std())
    if spread <= 1e-12 * abs(mean):
        return 0.0 if mean > 0 else 1.0
    skew = float(np.mean(((differences - mean) / spread) ** 3))
    ratio = mean / spread
    straight = ratio + skew * ratio**2 / 3 + skew**2 * ratio**3 / 27 + skew / (6 * rows)
    return float(special.stdtr(rows - 1, -np.sqrt(rows - 1) * straight))


def resampled_difference(differences: Floats, *, ratio: float, level: float = LEVEL) -> Estimate:
    """Return the mean difference of two learners over J splits, with Nadeau and Bengio's (2003) variance.

    The variance is s^2 (1/J + ratio). The training sets of several splits share most rows, so the J differences are far
    from independent, and s^2/J is too small: for ten times ten folds the factor is .1211 instead of .01. `ratio` is the
    number of rows held out divided by the number of rows trained on.
    """
    if len(differences) < 2 or not ratio > 0:
        raise BadInput(
            "learners must be compared on at least two splits, with some rows held out",
            found=f"{len(differences)} splits, {ratio:g} held out per row trained on",
            remedy="Make more splits",
        )
    value = float(np.mean(differences))
    half = float(special.stdtrit(len(differences) - 1, (1 + level) / 2)) * corrected_error(differences, ratio=ratio)
    return Estimate(value, value - half, value + half, len(differences))


def corrected_error(differences: Floats, *, ratio: float) -> float:
    """Return the standard error of the mean difference, sqrt(s^2 (1/J + ratio))."""
    return float(np.std(differences, ddof=1)) * math.sqrt(1 / len(differences) + ratio)


def holm(limits: Sequence[LowerLimit], *, above: float) -> list[bool]:
    """Return True for each quantity above a threshold, with at most a 5 % chance of any error (Holm 1979).

    While k quantities are undecided, each must pass at level 1 - .05/k. Those whose lower limit is above the threshold
    are decided, and the rest are tested at the milder level for the smaller number that remains.
    """
    decided = [False] * len(limits)
    while not all(decided):
        level = 1 - ALPHA / decided.count(False)
        found = [i for i, limit in enumerate(limits) if not decided[i] and limit(level) > above]
        if not found:
            break
        for i in found:
            decided[i] = True
    return decided
