"""Intervals and tests for the difference between two errors."""

from __future__ import annotations

import math

import numpy as np
from scipy import special

from wellfit._typing import Floats
from wellfit.exceptions import BadInput
from wellfit.stats.intervals import LEVEL, Estimate, mean_interval


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
    """Mean of `first - second` over the same rows, with the t or BCa interval of the row differences.

    Args:
        first_losses: [rows] losses.
        second_losses: [rows] losses of the same rows in the same order.
        level: coverage, two-sided.

    Raises:
        BadInput: when the lengths differ, or fewer than two rows are given.
    """
    first, second = (np.asarray(losses, dtype=np.float64) for losses in (first_losses, second_losses))
    if first.shape != second.shape:
        raise BadInput(
            "a paired difference compares the same rows",
            found=f"{first.size} and {second.size} losses",
            remedy="Give both losses for the same rows",
        )
    return mean_interval(first - second, level=level)


def mcnemar_midp(b: int, c: int) -> float:
    """McNemar's mid-p value: two models on the same rows, b rows wrong only for one and c only for the other.

    P(X < m) * 2 + P(X = m), X ~ Binomial(b + c, 1/2), m = min(b, c) (Fagerland, Lydersen, Laake 2013).

    Raises:
        BadInput: for a negative count.
    """
    if b < 0 or c < 0:
        raise BadInput("counts are not negative", found=f"b = {b}, c = {c}", remedy="Check the two counts")
    total, least = b + c, min(b, c)
    if total == 0:
        return 1.0
    below = float(special.bdtr(least - 1, total, 0.5)) if least else 0.0
    upto = float(special.bdtr(least, total, 0.5))
    return min(1.0, below + upto)
