"""Comparing learners over repeated splits, whose training sets overlap."""

from __future__ import annotations

import math

import numpy as np
from scipy import special

from wellfit._typing import Floats
from wellfit.exceptions import BadInput
from wellfit.stats.intervals import LEVEL, Estimate


def resampled_difference(differences: Floats, *, ratio: float, level: float = LEVEL) -> Estimate:
    """Mean difference of two learners over J splits, with Nadeau and Bengio's (2003) variance s^2 (1/J + ratio).

    The training sets of several splits share most rows, so that J differences are far from independent, and s^2/J is
    too small: for ten times ten folds the factor is .1211 instead of .01.

    Args:
        differences: [J] loss of one learner minus that of the other, on the held-out rows of each split.
        ratio: rows held out over rows trained on.
        level: coverage, two-sided.

    Raises:
        BadInput: for fewer than two splits, or a ratio that is not positive.
    """
    if len(differences) < 2 or not ratio > 0:
        raise BadInput(
            "comparing learners needs two splits and a share of rows held out",
            found=f"{len(differences)} splits, {ratio:g} held out per row trained on",
            remedy="Split again",
        )
    value = float(np.mean(differences))
    half = float(special.stdtrit(len(differences) - 1, (1 + level) / 2)) * corrected_error(differences, ratio=ratio)
    return Estimate(value, value - half, value + half, len(differences))


def corrected_error(differences: Floats, *, ratio: float) -> float:
    """Standard error of the mean difference: sqrt(s^2 (1/J + ratio))."""
    return float(np.std(differences, ddof=1)) * math.sqrt(1 / len(differences) + ratio)
