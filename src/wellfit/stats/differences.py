"""Intervals and tests for the difference between two errors.

On the same rows, on different ones, or over repeated splits, whose training sets overlap; and several verdicts at once
(Holm's step-down procedure, written for lower limits instead of p-values).
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
"""Family-wise error rate of two-sided intervals, half of which is spent on the lower side."""

LowerLimit = Callable[[float], float]
"""Level of a two-sided interval -> its lower limit; falls as the level rises."""


def difference(first: Estimate, second: Estimate) -> Estimate:
    """`first - second`, measured on different rows: the method of variance estimates recovery (MOVER).

    L = d - sqrt((a - l_a)^2 + (u_b - b)^2), and U likewise (Newcombe 1998, method 10, for two Wilson intervals).
    It works for any two intervals, so every gap goes through here. `rows` is the smaller of the two.
    """
    value = first.value - second.value
    low = value - math.hypot(first.value - first.low, second.high - second.value)
    high = value + math.hypot(first.high - first.value, second.value - second.low)
    rows = [side.rows for side in (first, second) if side.rows is not None and not side.is_fixed]
    return Estimate(value, low, high, min(rows, default=None))


def paired_difference(first_losses: Floats, second_losses: Floats, *, level: float = LEVEL) -> Estimate:
    """Mean of `first - second` over the same rows, with the t or BCa interval of the row differences."""
    first, second = _paired(first_losses, second_losses)
    return mean_interval(first - second, level=level)


def worse_p(first_losses: Floats, second_losses: Floats) -> float:
    """One-sided p-value of "the first has no higher mean loss than the second", measured on the same rows.

    Losses that are all 0 or 1 get the exact test of McNemar (1947): where only one is wrong, either is as likely to
    be the one. Any others get Student's t of the row differences after Hall's cubic transformation (Hall 1992,
    "On the removal of skewness by transformation"): with T = mean/sd and skewness g,
    T + g T^2/3 + g^2 T^3/27 + g/(6n). Without it, a long tail on the sparsely sampled side makes t reject far too
    often. Whatever the losses, k rows that differ are no stronger evidence than k equal signs: p >= 2^-k.
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
            "losses that are compared must be of the same rows, at least one",
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
    """Mean difference of two learners over J splits, with Nadeau and Bengio's (2003) variance s^2 (1/J + ratio).

    The training sets of several splits share most rows, so that J differences are far from independent, and s^2/J is
    too small: for ten times ten folds the factor is .1211 instead of .01. `ratio`: rows held out over rows trained on.
    """
    if len(differences) < 2 or not ratio > 0:
        raise BadInput(
            "learners must be compared on two splits or more, with a share of rows held out",
            found=f"{len(differences)} splits, {ratio:g} held out per row trained on",
            remedy="Split again",
        )
    value = float(np.mean(differences))
    half = float(special.stdtrit(len(differences) - 1, (1 + level) / 2)) * corrected_error(differences, ratio=ratio)
    return Estimate(value, value - half, value + half, len(differences))


def corrected_error(differences: Floats, *, ratio: float) -> float:
    """Standard error of the mean difference: sqrt(s^2 (1/J + ratio))."""
    return float(np.std(differences, ddof=1)) * math.sqrt(1 / len(differences) + ratio)


def holm(limits: Sequence[LowerLimit], *, above: float) -> list[bool]:
    """Return True for each quantity above a threshold, with at most a 5 % chance of any false one (Holm 1979).

    With k quantities undecided, each is held to an interval of level 1 - .05/k; those whose lower limit is above
    the threshold are decided and leave, and the rest are held to the milder level of the fewer that remain.
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
