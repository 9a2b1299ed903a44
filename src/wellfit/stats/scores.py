"""Computation of a goal's loss from predictions: row by row, as a mean, and with its interval."""

from __future__ import annotations

import math
from abc import ABC, abstractmethod
from typing import ClassVar, Literal, TypeAlias

import numpy as np

from wellfit.base.typing import Booleans, Floats, Integers
from wellfit.exceptions import BadInput
from wellfit.stats.intervals import LEVEL, Estimate, grouped_mean, grouped_rate, has_groups, mean_interval, wilson

Targets: TypeAlias = Integers | Floats
Planes: TypeAlias = Floats
"""Numbers [planes, candidates, rows] that determine a loss, and that average in the same way as the predictions."""
TreesLoss = Literal["log_loss", "squared_error", "absolute_error"]

SMALLEST_PROBABILITY = float(np.finfo(np.float32).eps)  # log loss is clipped here: networks compute in float32


class Metric(ABC):
    """A loss of predictions; lower is better.

    Targets are class codes [rows] or values [rows] (or [rows, targets], with losses averaged over the targets).
    Predictions are probabilities [rows, classes], or values in the shape of the target.

    Attributes:
        of_all_rows: True if the loss of a row depends on the other rows, so that a row cannot have a fractional weight.
        most: the highest possible loss.
        trees_loss: the loss with which scikit-learn's boosted trees are fitted in its place.
    """

    of_all_rows: ClassVar[bool] = False
    most: ClassVar[float] = math.inf
    trees_loss: ClassVar[TreesLoss]

    def row_losses(self, target: Targets, prediction: Floats) -> Floats:
        """Return losses [rows] whose mean is the loss of all rows; BadInput if shapes do not fit or no loss exists."""
        return self._losses(*self._checked(_array(target), np.asarray(prediction, dtype=np.float64)))

    def loss(self, target: Targets, prediction: Floats) -> float:
        """Return the loss of all rows, the mean of `row_losses`."""
        return float(self.row_losses(target, prediction).mean())

    def estimate(
        self,
        target: Targets,
        prediction: Floats,
        *,
        groups: Integers | None = None,
        level: float = LEVEL,
        seed: int = 0,
    ) -> Estimate:
        """Return the loss of all rows with an interval that resamples rows of the same group [rows] together."""
        codes, checked = self._checked(_array(target), np.asarray(prediction, dtype=np.float64))
        losses = self._losses(codes, checked)
        if groups is not None and has_groups(groups):
            return self._grouped(self._influence(losses, codes), np.asarray(groups), level=level, seed=seed)
        return self._interval(losses, codes, checked, level=level, seed=seed)

    @abstractmethod
    def best_constant(self, target: Targets, *, outputs: int) -> Floats:
        """Return the constant prediction that has the lowest loss (or nearly so)."""

    @abstractmethod
    def planes(self, target: Targets, predictions: Floats) -> Planes:
        """Return the numbers that the loss needs from the predictions of several candidates [candidates, rows, ...]."""

    @abstractmethod
    def losses_of_planes(self, target: Targets, planes: Planes) -> Floats:
        """Return the loss of each candidate [candidates], up to a factor that is the same for all."""

    @abstractmethod
    def _checked(self, target: Targets, prediction: Floats) -> tuple[Targets, Floats]: ...

    @abstractmethod
    def _losses(self, target: Targets, prediction: Floats) -> Floats: ...

    def _influence(self, losses: Floats, _target: Targets) -> Floats:
        """Return values [rows] with the mean of the losses whose variance is, to first order, that of the loss."""
        return losses

    def _interval(self, losses: Floats, target: Targets, _prediction: Floats, *, level: float, seed: int) -> Estimate:
        return self._bounded(mean_interval(self._influence(losses, target), level=level, seed=seed))

    def _grouped(self, influence: Floats, groups: Integers, *, level: float, seed: int) -> Estimate:
        return self._bounded(grouped_mean(influence, groups, level=level, seed=seed))

    def _bounded(self, found: Estimate) -> Estimate:
        return Estimate(found.value, max(0.0, found.low), min(self.most, found.high), found.rows)


class OfClasses(Metric):
    """A loss of class probabilities."""

    trees_loss = "log_loss"

    def best_constant(self, target: Targets, *, outputs: int) -> Floats:
        """Return the frequencies of the classes, which are best for log loss and predict the majority class."""
        return np.asarray(np.bincount(target, minlength=outputs) / len(target))

    def _checked(self, target: Targets, prediction: Floats) -> tuple[Targets, Floats]:
        if target.ndim != 1 or prediction.ndim != 2 or len(target) != len(prediction) or not len(target):
            raise _misshapen("class codes [rows] with probabilities [rows, classes]", target, prediction)
        _require_finite(prediction)
        if not (target.min() >= 0 and target.max() < prediction.shape[1]):
            raise BadInput(
                "class codes must be indices of the probability columns",
                found=f"codes {target.min()} to {target.max()} with {prediction.shape[1]} columns",
                remedy="Give one column of probabilities per class",
            )
        return target.astype(np.int64), prediction


class OfLabels(OfClasses):
    """A loss that depends only on the most probable classes."""

    most = 1.0

    def planes(self, target: Targets, predictions: Floats) -> Planes:
        """Return the probability of each other class minus that of the true class."""
        classes = predictions.shape[2]
        true = np.take_along_axis(predictions, target[None, :, None].astype(np.int64), axis=2)
        others = (target[:, None] + np.arange(1, classes)) % classes
        rivals = np.take_along_axis(predictions, others[None].astype(np.int64), axis=2)
        return np.ascontiguousarray((rivals - true).transpose(2, 0, 1))


class ErrorRate(OfLabels):
    """The share of rows whose most probable class is not the true one."""

    def losses_of_planes(self, _target: Targets, planes: Planes) -> Floats:
        """Return the error rate of each candidate."""
        return np.asarray((planes > 0).any(axis=0).mean(axis=1))

    def _losses(self, target: Targets, prediction: Floats) -> Floats:
        return np.asarray((prediction.argmax(axis=1) != target).astype(np.float64))

    def _interval(self, losses: Floats, _target: Targets, _prediction: Floats, *, level: float, seed: int) -> Estimate:  # noqa: ARG002
        return wilson(float(losses.sum()), losses.size, level=level)

    def _grouped(self, influence: Floats, groups: Integers, *, level: float, seed: int) -> Estimate:  # noqa: ARG002
        return grouped_rate(influence, groups, level=level)


class BalancedErrorRate(OfLabels):
    """The mean of the error rates of the classes that occur, in which a wrong row of class c counts n / (C n_c)."""

    of_all_rows = True

    def losses_of_planes(self, target: Targets, planes: Planes) -> Floats:
        """Return the balanced error rate of each candidate."""
        counts = np.bincount(target.astype(np.int64))
        return np.asarray((planes > 0).any(axis=0) @ (1 / (np.count_nonzero(counts) * counts[target])))

    def _losses(self, target: Targets, prediction: Floats) -> Floats:
        counts = np.bincount(target)
        balance = np.asarray(target.size / (np.count_nonzero(counts) * counts[target]))
        return np.asarray((prediction.argmax(axis=1) != target).astype(np.float64) * balance)

    def _interval(self, losses: Floats, target: Targets, _prediction: Floats, *, level: float, seed: int) -> Estimate:  # noqa: ARG002
        """Combine Wilson's intervals, one for each class, by MOVER for linear combinations (Zou and Donner 2008)."""
        wrong: Booleans = losses > 0
        parts = [wrong[target == c] for c in np.unique(target)]
        rates = [wilson(float(part.sum()), part.size, level=level) for part in parts]
        value = sum(rate.value for rate in rates) / len(rates)
        low = value - math.hypot(*(rate.value - rate.low for rate in rates)) / len(rates)
        high = value + math.hypot(*(rate.high - rate.value for rate in rates)) / len(rates)
        return self._bounded(Estimate(value, low, high, target.size))


class LogLoss(OfClasses):
    """The negative logarithm of the true class's probability, clipped."""

    def planes(self, target: Targets, predictions: Floats) -> Planes:
        """Return the probability of the true class."""
        true = np.take_along_axis(predictions, target[None, :, None].astype(np.int64), axis=2)
        return np.ascontiguousarray(true.transpose(2, 0, 1))

    def losses_of_planes(self, _target: Targets, planes: Planes) -> Floats:
        """Return the log loss of each candidate."""
        return np.asarray(_minus_log(planes[0]).mean(axis=1))

    def _losses(self, target: Targets, prediction: Floats) -> Floats:
        return _minus_log(np.take_along_axis(prediction, target[:, None].astype(np.int64), axis=1)[:, 0])


class OfValues(Metric):
    """A loss of predicted values."""

    def best_constant(self, target: Targets, *, outputs: int) -> Floats:  # noqa: ARG002 - shape is the target's
        """Return the mean of each target."""
        return np.asarray(np.mean(target, axis=0))

    def planes(self, target: Targets, predictions: Floats) -> Planes:
        """Return the residuals."""
        return np.asarray((predictions - target.astype(np.float32))[None])

    def _checked(self, target: Targets, prediction: Floats) -> tuple[Targets, Floats]:
        if target.ndim not in (1, 2) or target.shape != prediction.shape or not len(target):
            raise _misshapen("values [rows] with predicted values [rows]", target, prediction)
        _require_finite(target, prediction)
        return target.astype(np.float64), prediction


class SquaredError(OfValues):
    """The squared error."""

    trees_loss = "squared_error"

    def losses_of_planes(self, _target: Targets, planes: Planes) -> Floats:
        """Return the mean squared error of each candidate."""
        return np.asarray((planes[0] ** 2).mean(axis=1))

    def _losses(self, target: Targets, prediction: Floats) -> Floats:
        return _over_targets((target - prediction) ** 2)


class UnexplainedVariance(SquaredError):
    """The squared error divided by the variance of these targets, 1 - R²."""

    of_all_rows = True

    def _losses(self, target: Targets, prediction: Floats) -> Floats:
        variance = target.var(axis=0)
        if not np.all(variance):
            raise BadInput(
                "r2 must have a target that varies",
                found=f"{len(target)} rows with the value {np.ravel(target[0])[np.argmin(variance)]:g}",
                remedy="Choose the goal rmse or mae",
            )
        return _over_targets((target - prediction) ** 2 / variance)

    def _influence(self, losses: Floats, target: Targets) -> Floats:
        """Return the ratio's influence function [rows] (delta method), since the same rows give the variance."""
        centred = _over_targets((target - target.mean(axis=0)) ** 2 / target.var(axis=0))
        return np.asarray(losses + losses.mean() * (1 - centred))


class AbsoluteError(OfValues):
    """The absolute error."""

    trees_loss = "absolute_error"

    def best_constant(self, target: Targets, *, outputs: int) -> Floats:  # noqa: ARG002 - shape is the target's
        """Return the median of each target."""
        return np.asarray(np.median(target, axis=0))

    def losses_of_planes(self, _target: Targets, planes: Planes) -> Floats:
        """Return the mean absolute error of each candidate."""
        return np.asarray(np.abs(planes[0]).mean(axis=1))

    def _losses(self, target: Targets, prediction: Floats) -> Floats:
        return _over_targets(np.abs(target - prediction))


def _array(target: Targets) -> Targets:
    return np.asarray(target)  # type: ignore[return-value]  # numpy's stubs widen it


def _minus_log(likely: Floats) -> Floats:
    return np.asarray(-np.log(np.clip(likely, SMALLEST_PROBABILITY, 1 - SMALLEST_PROBABILITY)))


def _over_targets(losses: Floats) -> Floats:
    return losses.mean(axis=1) if losses.ndim == 2 else np.asarray(losses)


def _require_finite(*arrays: Floats | Integers) -> None:
    if not all(np.isfinite(array).all() for array in arrays):
        rule = "targets and predictions must be finite"
        raise BadInput(rule, found="a missing or infinite value", remedy="Remove those rows")


def _misshapen(wanted: str, target: Targets, prediction: Floats) -> BadInput:
    return BadInput(
        f"a goal must compare {wanted}, with at least one row",
        found=f"shapes {target.shape} and {prediction.shape}",
        remedy="Give one prediction for each row",
    )
