"""Intervals for rows that come in groups: whole groups are resampled, because rows of one group err together."""

from __future__ import annotations

import math

import numpy as np
from scipy import special

from wellfit.base.typing import Floats, Integers
from wellfit.exceptions import BadInput
from wellfit.stats.intervals import LEVEL, Estimate, mean_interval, wilson


def has_groups(groups: Integers | None) -> bool:
    """True if rows share groups; groups of one row each change nothing."""
    return groups is not None and len(np.unique(groups)) < len(groups)


def grouped_mean(losses: Floats, groups: Integers, *, level: float = LEVEL, seed: int = 0) -> Estimate:
    """Interval of a mean loss over rows in groups: t or BCa over the groups instead of the rows.

    A group counts with mean + G/n (its sum of losses - its rows x the mean): these values have the mean of the losses
    and, to first order, the variance that resampling whole groups gives to it (the linearized ratio estimator of
    cluster sampling). The losses may be influence values with the same mean. Raises BadInput for one group.
    """
    values = _by_group(losses, groups)
    found = mean_interval(values, level=level, seed=seed)
    return Estimate(found.value, found.low, found.high, len(losses))


def grouped_rate(wrong: Floats, groups: Integers, *, level: float = LEVEL) -> Estimate:
    """Wilson's interval for an error rate over rows in groups, at the effective number of rows.

    The effective number of rows is n times the variance of a plain share over the one of `grouped_mean`'s values, at
    most n; without any (or with nothing but) errors it is the number of groups. The normal quantile gives way to
    Student's with as many degrees of freedom as groups less one (Korn and Graubard 1998, for Wilson's interval).
    """
    values = _by_group(wrong, groups)
    count, rate = len(values), float(np.mean(wrong))
    variance = float(values.var(ddof=1)) / count
    plain = rate * (1 - rate)
    worth = min(float(len(wrong)), plain / variance) if plain and variance else float(count)
    student = float(special.stdtrit(count - 1, (1 + level) / 2))
    # Wilson's interval knows rows by whole numbers only; its two arguments enter as a ratio and a total.
    found = wilson(rate * worth, worth, level=2 * float(special.ndtr(student)) - 1)
    return Estimate(rate, found.low, found.high, len(wrong))


def _by_group(losses: Floats, groups: Integers) -> Floats:
    """[groups] values whose mean is that of the losses, one for each group."""
    losses, groups = np.asarray(losses, dtype=np.float64), np.asarray(groups)
    if losses.shape != groups.shape:
        raise BadInput(
            "every row must have its group", found=f"{losses.size} losses and {groups.size} groups", remedy="Give both"
        )
    codes = np.unique(groups, return_inverse=True)[1]
    sizes = np.bincount(codes)
    if len(sizes) < 2:
        raise BadInput(
            "an interval over groups needs at least two of them",
            found=f"{len(sizes)} group with {losses.size} rows",
            remedy="Give rows of more groups",
        )
    mean = math.fsum(losses) / losses.size
    sums = np.bincount(codes, weights=losses)
    return np.asarray(mean + len(sizes) / losses.size * (sums - sizes * mean))
