"""The area under the ROC curve, with DeLong's interval."""

from __future__ import annotations

import math

import numpy as np
from scipy import optimize, special

from wellfit.base.typing import Booleans, Floats
from wellfit.exceptions import BadInput
from wellfit.stats.intervals import Estimate, normal_quantile, on_logit_scale
from wellfit.stats.scores import OfClasses, Planes, Targets
from wellfit.stats.sizes import auc_error

MANY = 100
"""Number of rows of the smallest class from which DeLong's interval alone holds its level."""


class AreaAboveCurve(OfClasses):
    """The loss 1 - AUC; for more than two classes, the mean over the classes, each against the rest.

    The losses of rows are DeLong's pseudo-losses: their mean is 1 - AUC, and their variance divided by n is DeLong's.
    Each positive row is placed among the negatives, and each negative row among the positives (DeLong, DeLong and
    Clarke-Pearson 1988, with the ranks of Sun and Xu 2014). A class without rows has no area, and raises BadInput.
    """

    of_all_rows = True
    most = 1.0

    def planes(self, target: Targets, predictions: Floats) -> Planes:  # noqa: ARG002 - scores are those of all rows
        """Return a score for each class; for two classes, the second column is the score."""
        return np.ascontiguousarray(predictions.transpose(2, 0, 1))[1 if predictions.shape[2] == 2 else 0 :]

    def losses_of_planes(self, target: Targets, planes: Planes) -> Floats:
        """Return 1 - AUC of each candidate."""
        classes = [1] if len(planes) == 1 else range(len(planes))
        found = [_misordered(target == c, plane) for c, plane in zip(classes, planes, strict=True)]
        return np.asarray(np.mean(found, axis=0))

    def _losses(self, target: Targets, prediction: Floats) -> Floats:
        classes = [1] if prediction.shape[1] == 2 else list(range(prediction.shape[1]))
        return np.asarray(np.mean([_binary_losses(target == c, prediction[:, c]) for c in classes], axis=0))

    def _interval(self, losses: Floats, target: Targets, prediction: Floats, *, level: float, seed: int) -> Estimate:  # noqa: ARG002
        """Return DeLong's interval on the logit scale, which keeps it inside (0, 1).

        If every pair is ordered in the same way, DeLong's variance is zero. Then the interval is Wilson's for as many
        disjoint, and therefore independent, pairs as there are rows in the smallest class. A class with few rows gives
        a poor estimate of the variance: with 3 to 20 positives, DeLong's interval contained the area in 70 to 90 of 100
        tables. Below 100 rows, Student's quantile is used, and on each side the wider of the resulting limit and that
        of Hanley and McNeil.
        """
        rows, loss = losses.size, float(np.clip(losses.mean(), 0, 1))
        error = math.sqrt(float(losses.var(ddof=1)) / rows)
        fewest = float(np.bincount(target, minlength=prediction.shape[1]).min())
        is_few = fewest < MANY
        quantile = float(special.stdtrit(max(fewest - 1, 1), (1 + level) / 2)) if is_few else normal_quantile(level)
        low, high = on_logit_scale(loss, error=error, quantile=quantile, sure_rows=fewest, level=level)
        if is_few:
            least, most = _of_few_rows(target, prediction, z=normal_quantile(level))
            low, high = min(low, least), max(high, most)
        return Estimate(loss, low, high, rows)


def _of_few_rows(target: Targets, prediction: Floats, *, z: float) -> tuple[float, float]:
    """Return limits of the loss, by Hanley and McNeil's variance at the limits themselves (as in Wilson's interval).

    For more than two classes, MOVER combines the limits of each class against the rest, with the correlation of their
    pseudo-losses, as for macro F1.
    """
    classes = [1] if prediction.shape[1] == 2 else range(prediction.shape[1])
    losses = np.stack([_binary_losses(target == c, prediction[:, c]) for c in classes])
    values = np.clip(losses.mean(axis=1), 0.0, 1.0)
    counts = [int((target == c).sum()) for c in classes]
    limits = [
        (
            1 - _farthest(1 - value, (count, len(target) - count), z=z),
            _farthest(value, (count, len(target) - count), z=z),
        )
        for value, count in zip(values, counts, strict=True)
    ]
    spread = losses.std(axis=1)
    known = np.outer(spread, spread) > 0
    # A class whose every pair is ordered alike shares its errors, should there be any, with the others.
    correlation = np.where(known, np.cov(losses, ddof=0) / np.where(known, np.outer(spread, spread), 1.0), 1.0)
    sides = (values - [low for low, _ in limits], [high for _, high in limits] - values)
    down, up = (math.sqrt(max(0.0, float(side @ correlation @ side))) / len(values) for side in sides)
    return max(0.0, float(values.mean()) - down), min(1.0, float(values.mean()) + up)


def _farthest(loss: float, counts: tuple[int, int], *, z: float) -> float:
    """Return the largest loss that is z standard errors away from this one, with the larger of two standard errors."""

    def excess(other: float) -> float:
        forms = ((counts[0], counts[1]), (counts[1], counts[0]))
        return other - loss - z * max(auc_error(auc=1 - other, positives=m, negatives=n) for m, n in forms)

    start, end = max(loss, 1e-9), 1 - 1e-12
    return float(optimize.brentq(excess, start, end)) if start < end and excess(start) < 0 else loss


def _binary_losses(positive: Booleans, score: Floats) -> Floats:
    rows, positives = positive.size, int(positive.sum())
    negatives = rows - positives
    if not (positives and negatives):
        raise BadInput(
            "auc must have rows of every class",
            found=f"{positives} positive and {negatives} negative rows for one class",
            remedy="Choose another goal, or give rows of both classes",
        )
    below_positives, below_negatives = _counts_below(positive, score)
    placement = np.where(positive, below_negatives / negatives, 1 - below_positives / positives)
    auc = float(placement[positive].mean())
    share = np.where(positive, rows / positives, rows / negatives)
    return (1 - auc) - share * (placement - auc)


def _counts_below(positive: Booleans, score: Floats) -> tuple[Floats, Floats]:
    """Count, for each row, the positives and the negatives that score lower, where ties count half; sort only once."""
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


def _misordered(positive: Booleans, scores: Floats) -> Floats:
    """Return the share of pairs of a positive and a negative row that scores [candidates, rows] >= 0 order wrongly.

    Floats that are not negative sort like the integers with the same bits, so the last bit can carry the class, and one
    plain sort is several times faster than an argsort. Ties are broken once for and once against the positives.
    """
    keys = np.ascontiguousarray(scores, dtype=np.float32).view(np.int32) & ~1
    positives, negatives = int(positive.sum()), int((~positive).sum())
    places = np.arange(positive.size, dtype=np.float64)
    least = positives * (positives - 1) / 2
    below = np.zeros(len(keys))
    for marked in (positive, ~positive):
        ordered = np.sort(keys | marked, axis=1) & 1
        ranks = ordered @ places
        # Either the ranks of the positives were summed, or those of all others.
        below += (ranks if marked is positive else places.sum() - ranks) - least
    return np.asarray(1 - below / (2 * positives * negatives))
