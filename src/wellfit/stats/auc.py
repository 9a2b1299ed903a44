"""The area under the ROC curve, with DeLong's interval."""

from __future__ import annotations

import math

import numpy as np
from scipy import special

from wellfit._typing import Booleans, Floats, Integers
from wellfit.exceptions import BadInput
from wellfit.stats.intervals import Estimate, normal_quantile, wilson


def auc_losses(target: Integers, probabilities: Floats) -> Floats:
    """DeLong pseudo-losses: [rows], their mean is 1 - auc and their variance over n that of DeLong.

    Each positive row is placed among the negatives and each negative among the positives (DeLong, DeLong,
    Clarke-Pearson 1988, in the ranks of Sun and Xu 2014). More than two classes: the mean over one-vs-rest.

    Args:
        target: [rows] class codes.
        probabilities: [rows, classes]; with two classes the second column is the score.

    Raises:
        BadInput: when a class has no row here: then its area is not defined.
    """
    classes = [1] if probabilities.shape[1] == 2 else list(range(probabilities.shape[1]))
    return np.asarray(np.mean([_binary_losses(target == c, probabilities[:, c]) for c in classes], axis=0))


def auc_estimate(target: Integers, probabilities: Floats, *, level: float) -> Estimate:
    """1 - auc with DeLong's interval on the logit scale, which keeps it inside (0, 1).

    Where every pair is ordered the same way DeLong's variance is zero; then the interval is Wilson's for as many
    disjoint, so independent, pairs as there are rows in the smallest class.
    """
    losses = auc_losses(target, probabilities)
    rows, loss = losses.size, float(np.clip(losses.mean(), 0, 1))
    error = math.sqrt(float(losses.var(ddof=1)) / rows)
    if error <= 1e-12 or loss in (0.0, 1.0):
        pairs = int(np.bincount(target, minlength=probabilities.shape[1]).min())
        limits = wilson(loss * pairs, pairs, level=level)
        return Estimate(loss, limits.low, limits.high, rows)
    middle = float(special.logit(loss))
    half = normal_quantile(level) * error / (loss * (1 - loss))
    return Estimate(loss, float(special.expit(middle - half)), float(special.expit(middle + half)), rows)


def _binary_losses(positive: Booleans, score: Floats) -> Floats:
    rows, positives = positive.size, int(positive.sum())
    negatives = rows - positives
    if not (positives and negatives):
        raise BadInput(
            "auc needs rows of every class",
            found=f"{positives} positive and {negatives} negative rows for one class",
            remedy="Choose another goal, or give rows of both classes",
        )
    below_positives, below_negatives = _counts_below(positive, score)
    placement = np.where(positive, below_negatives / negatives, 1 - below_positives / positives)
    auc = float(placement[positive].mean())
    share = np.where(positive, rows / positives, rows / negatives)
    return (1 - auc) - share * (placement - auc)


def _counts_below(positive: Booleans, score: Floats) -> tuple[Floats, Floats]:
    """For each row, how many positives and how many negatives score lower; ties count half. One sort for all."""
    order = np.argsort(score)
    ordered = score[order]
    begins = np.r_[True, ordered[1:] != ordered[:-1]]
    starts = np.flatnonzero(begins)
    ends = np.r_[starts[1:], score.size]
    seen = np.r_[0, np.cumsum(positive[order])]
    positives = (seen[starts] + seen[ends]) / 2
    negatives = (starts + ends) / 2 - positives
    group = np.empty(score.size, dtype=np.int64)
    group[order] = np.cumsum(begins) - 1
    return positives[group], negatives[group]
