"""The loss of each goal, per row, in the mean, and with its interval."""

from __future__ import annotations

import math
from typing import TypeAlias

import numpy as np

from wellfit._typing import Booleans, Floats, Integers
from wellfit.exceptions import BadInput
from wellfit.goals import Goal
from wellfit.stats.auc import auc_estimate, auc_losses
from wellfit.stats.groups import grouped_mean, grouped_rate, has_groups
from wellfit.stats.intervals import LEVEL, Estimate, mean_interval, wilson

Targets: TypeAlias = Integers | Floats

SMALLEST_PROBABILITY = float(np.finfo(np.float32).eps)  # log loss is clipped here: networks compute in float32


def row_losses(goal: Goal, target: Targets, prediction: Floats) -> Floats:
    """Losses whose mean is the goal's loss.

    Args:
        goal: error: 0 or 1; log_loss: -log of the true class's probability, clipped; balanced_error: 0 or n / (C n_c),
            C = the classes that occur; auc: DeLong pseudo-losses; rmse: squared error; mae: absolute error;
            r2: squared error over this target's variance.
        target: [rows] class codes, or values; or [rows, targets] values, whose losses are averaged over the targets.
        prediction: [rows, classes] probabilities, or values of the target's shape.

    Raises:
        BadInput: when shapes do not fit, there are no rows, a value is not finite or the goal is not defined here.
    """
    target = np.asarray(target)  # type: ignore[assignment]  # numpy's stubs widen it
    prediction = np.asarray(prediction, dtype=np.float64)
    _check_shapes(goal, target, prediction)
    if goal.task == "regression":
        return _value_losses(goal, target.astype(np.float64), prediction)
    codes = target.astype(np.int64)
    if goal.name == "auc":
        return auc_losses(codes, prediction)
    if goal.name == "log_loss":
        likely = np.take_along_axis(prediction, codes[:, None], axis=1)[:, 0]
        return np.asarray(-np.log(np.clip(likely, SMALLEST_PROBABILITY, 1 - SMALLEST_PROBABILITY)))
    wrong = (prediction.argmax(axis=1) != codes).astype(np.float64)
    return np.asarray(wrong if goal.name == "error" else wrong * _balance(codes))


def loss(goal: Goal, target: Targets, prediction: Floats) -> float:
    """The goal's loss: the mean of `row_losses`."""
    return float(row_losses(goal, target, prediction).mean())


def estimate(
    goal: Goal,
    target: Targets,
    prediction: Floats,
    *,
    groups: Integers | None = None,
    level: float = LEVEL,
    seed: int = 0,
) -> Estimate:
    """The goal's loss with its interval.

    Wilson for error, Wilson per class joined by MOVER for balanced_error, DeLong for auc, t or BCa otherwise (r2 by
    the delta method, since its variance is estimated on the same rows). Where rows share `groups` ([rows] codes),
    groups are resampled whole: t or BCa over groups, and for error Wilson at the rows that they are worth.

    Raises:
        BadInput: as `row_losses`; also for one row, where the mean of a loss has no interval.
    """
    losses = row_losses(goal, target, prediction)
    if has_groups(groups):
        return _over_groups(goal, losses, target, groups=np.asarray(groups), level=level, seed=seed)
    if goal.name == "error":
        return wilson(float(losses.sum()), losses.size, level=level)
    if goal.name == "balanced_error":
        return _balanced(losses > 0, np.asarray(target, dtype=np.int64), level=level)
    if goal.name == "auc":
        return auc_estimate(np.asarray(target, dtype=np.int64), np.asarray(prediction), level=level)
    if goal.name == "r2":
        losses = _linearised(losses, np.asarray(target, dtype=np.float64))
    found = mean_interval(losses, level=level, seed=seed)
    return Estimate(found.value, max(0.0, found.low), found.high, found.rows)


def _over_groups(goal: Goal, losses: Floats, target: Targets, *, groups: Integers, level: float, seed: int) -> Estimate:
    if goal.name == "error":
        return grouped_rate(losses, groups, level=level)
    if goal.name == "r2":
        losses = _linearised(losses, np.asarray(target, dtype=np.float64))
    found = grouped_mean(losses, groups, level=level, seed=seed)
    highest = 1.0 if goal.name in ("auc", "balanced_error") else found.high
    return Estimate(found.value, max(0.0, found.low), min(highest, found.high), found.rows)


def in_unit_of(goal: Goal, found: Estimate) -> Estimate:
    """A loss as the goal's own score; the limits change places where higher is better."""
    # A t-interval of a squared error can reach below 0, where it has no root.
    low, high = sorted(goal.score_of(max(limit, 0.0)) for limit in (found.low, found.high))
    return Estimate(goal.score_of(found.value), low, high, found.rows)


def _value_losses(goal: Goal, target: Floats, prediction: Floats) -> Floats:
    if goal.name == "mae":
        return _over_targets(np.abs(target - prediction))
    squared = (target - prediction) ** 2
    if goal.name == "rmse":
        return _over_targets(squared)
    variance = target.var(axis=0)
    if not np.all(variance):
        raise BadInput(
            "r2 needs a target that varies",
            found=f"{len(target)} rows that are all {np.ravel(target[0])[np.argmin(variance)]:g}",
            remedy="Choose the goal rmse or mae",
        )
    return _over_targets(squared / variance)


def _over_targets(losses: Floats) -> Floats:
    return losses.mean(axis=1) if losses.ndim == 2 else np.asarray(losses)


def _linearised(losses: Floats, target: Floats) -> Floats:
    """Rows of the ratio's influence function: their mean is the ratio, their variance that of the ratio."""
    centred = (target - target.mean()) ** 2 / target.var()
    return np.asarray(losses + losses.mean() * (1 - centred))


def _balance(target: Integers) -> Floats:
    counts = np.bincount(target)
    return np.asarray(target.size / (np.count_nonzero(counts) * counts[target]))


def _balanced(wrong: Booleans, target: Integers, *, level: float) -> Estimate:
    """Mean of the classes' error rates; MOVER for a linear combination (Zou and Donner 2008)."""
    parts = [wrong[target == c] for c in np.unique(target)]
    rates = [wilson(float(part.sum()), part.size, level=level) for part in parts]
    value = sum(rate.value for rate in rates) / len(rates)
    low = value - math.hypot(*(rate.value - rate.low for rate in rates)) / len(rates)
    high = value + math.hypot(*(rate.high - rate.value for rate in rates)) / len(rates)
    return Estimate(value, max(0.0, low), min(1.0, high), target.size)


def _check_shapes(goal: Goal, target: Targets, prediction: Floats) -> None:
    wanted = 1 if goal.task == "regression" else 2
    several = wanted == 1 and target.ndim == 2 and target.shape == prediction.shape
    single = target.ndim == 1 and prediction.ndim == wanted and len(target) == len(prediction)
    if not (several or single) or not len(target):
        shape = "[rows]" if wanted == 1 else "[rows, classes]"
        raise BadInput(
            f"{goal.name} compares a target [rows] with predictions {shape}, at least one row",
            found=f"shapes {target.shape} and {prediction.shape}",
            remedy="Give one prediction for each row",
        )
    if not np.isfinite(prediction).all() or (wanted == 1 and not np.isfinite(target).all()):
        raise BadInput(
            "targets and predictions are finite", found="a missing or infinite value", remedy="Remove those rows"
        )
    if wanted == 2 and not (target.min() >= 0 and target.max() < prediction.shape[1]):
        raise BadInput(
            "class codes point into the probability columns",
            found=f"codes {target.min()} to {target.max()} with {prediction.shape[1]} columns",
            remedy="Give one column of probabilities per class",
        )
