"""Macro F1, the mean over the classes of the harmonic mean of precision and recall, with its interval."""

from __future__ import annotations

import math

import numpy as np
from scipy import special

from wellfit.base.typing import Floats, Integers
from wellfit.stats.intervals import Estimate, on_logit_scale, wilson
from wellfit.stats.scores import OfLabels, Planes, Targets


class MacroF1Loss(OfLabels):
    """The loss 1 - macro F1, over the classes that occur in the target or among the predictions.

    The F1 of class c is 2 a / s, where a is the number of rows correctly predicted as c, and s is the number of its
    rows plus the number of rows predicted as c. The losses of rows are the influence function around 1 - F1: their mean
    is exactly 1 - F1, and their variance divided by n is that of the delta method.
    """

    of_all_rows = True

    def planes(self, target: Targets, predictions: Floats) -> Planes:  # noqa: ARG002 - the likeliest class is needed
        """Return the probability of each class."""
        return np.ascontiguousarray(predictions.transpose(2, 0, 1))

    def losses_of_planes(self, target: Targets, planes: Planes) -> Floats:
        """Return 1 - macro F1 of each candidate."""
        classes, candidates, _ = planes.shape
        start = classes * np.arange(candidates)[:, None]
        told, cells = planes.argmax(axis=0), classes * candidates

        def counted(codes: Integers) -> Integers:
            return np.bincount(codes, minlength=cells).reshape(candidates, classes)

        right = counted((start + told)[told == target])
        sums = counted((start + told).ravel()) + np.bincount(target.astype(np.int64), minlength=classes)
        f1 = 2 * right / np.maximum(sums, 1)
        return np.asarray(1 - f1.sum(axis=1) / np.count_nonzero(sums, axis=1))

    def _losses(self, target: Targets, prediction: Floats) -> Floats:
        told = prediction.argmax(axis=1)
        confusion = _confusion(target.astype(np.int64), told, classes=prediction.shape[1])
        f1, sums = _f1(confusion)
        occurring = np.count_nonzero(sums)
        share = target.size / (occurring * np.maximum(sums, 1))
        influence = 2 * (told == target) * share[told] - (f1 * share)[told] - (f1 * share)[target]
        return np.asarray(1 - f1.sum() / occurring - influence)

    def _interval(self, losses: Floats, target: Targets, prediction: Floats, *, level: float, seed: int) -> Estimate:  # noqa: ARG002
        """Return, on each side, the wider of two intervals that miss their level in different cases.

        The delta method on the logit scale is too short if a class has few rows, and the combination of the classes'
        own intervals is too short if nearly every row is right (benchmarks/interval_coverage.py).
        """
        confusion = _confusion(target.astype(np.int64), prediction.argmax(axis=1), classes=prediction.shape[1])
        confusion = confusion[np.ix_(*2 * [_f1(confusion)[1] > 0])]
        loss = float(np.clip(losses.mean(), 0, 1))
        rows = losses.size
        error = math.sqrt(float(losses.var(ddof=1)) / rows) if rows > 1 else 0.0
        student = float(special.stdtrit(rows - 1, (1 + level) / 2))
        # Without variance: as many rows as the smallest class has.
        fewest = float(_f1(confusion)[1].min()) / 2
        smooth = on_logit_scale(loss, error=error, quantile=student, sure_rows=fewest, level=level)
        joint = _of_classes(loss, confusion, level=level)
        return self._bounded(Estimate(loss, min(smooth[0], joint[0]), max(smooth[1], joint[1]), rows))


def _confusion(target: Integers, told: Integers, *, classes: int) -> Integers:
    """Return the number of rows of each true and each predicted class [classes, classes]."""
    return np.bincount(classes * target + told, minlength=classes**2).reshape(classes, classes)


def _f1(confusion: Integers) -> tuple[Floats, Integers]:
    """Return F1 [classes], which is 0 for a class that does not occur, and its denominator."""
    sums = confusion.sum(axis=0) + confusion.sum(axis=1)
    return 2 * confusion.diagonal() / np.maximum(sums, 1), sums


def _of_classes(loss: float, confusion: Integers, *, level: float) -> tuple[float, float]:
    """Combine the classes' own intervals by MOVER, with their correlation (Zou and Donner 2008).

    Of the m = s - a rows that concern a class, a are right. Wilson's interval for J = a / m gives that of F1 = 2 J / (1
    + J).
    """
    f1, sums = _f1(confusion)
    right = confusion.diagonal()
    found = [wilson(float(a), float(m), level=level) for a, m in zip(right, sums - right, strict=True)]
    below, above = (
        np.abs(f1 - [2 * share / (1 + share) for share in limits])
        for limits in ([each.low for each in found], [each.high for each in found])
    )
    correlation = _correlation(confusion, f1, sums)
    down, up = (math.sqrt(max(0.0, float(side @ correlation @ side))) / len(f1) for side in (above, below))
    return loss - down, loss + up


def _correlation(confusion: Integers, f1: Floats, sums: Integers) -> Floats:
    """Return the correlation between the F1 of two classes [classes, classes]; only confused rows concern both."""
    right = confusion.diagonal()
    covariance = (confusion + confusion.T) * np.outer(f1 / sums, f1 / sums)
    variance = (right * (2 - 2 * f1) ** 2 + (sums - 2 * right) * f1**2) / sums**2
    spread = np.sqrt(variance)
    known = np.outer(spread, spread) > 0
    # A class that is always right (or never) shares its errors, should there be any, with the others.
    found = np.where(known, covariance / np.where(known, np.outer(spread, spread), 1.0), 1.0)
    np.fill_diagonal(found, 1.0)
    return np.asarray(found)
