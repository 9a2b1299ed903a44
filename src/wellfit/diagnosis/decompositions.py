"""Exact decompositions of the error of a network that was trained M times (seeds, bootstraps) into bias and variance.

All terms are corrected for the finite number of training runs, so their expectation does not depend on M. Runs with
different seeds differ only in what the seed determines. Runs on bootstraps also differ in their rows, which overstates
both terms, since a bootstrap contains 63 % of the rows. The caller says which kind was used.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Literal

import numpy as np

from wellfit.base.arguments import named
from wellfit.base.serialize import Record
from wellfit.base.typing import Floats, Integers
from wellfit.exceptions import BadInput
from wellfit.stats.intervals import LEVEL, Estimate, normal_quantile

Varied = Literal["seeds", "bootstraps", "halves"]
Loss = Literal["squared", "0-1", "cross-entropy"]
FEWEST = 2
_SMALLEST = 1e-12


@dataclass(frozen=True, kw_only=True)
class Decomposition(Record):
    """A mean loss written as the sum of bias and variance.

    Attributes:
        loss: "squared", "0-1" or "cross-entropy".
        total: mean loss of a training run, over rows and runs.
        bias: bias and noise together (they cannot be separated without the optimal error).
        variance: the variation between runs; for the 0-1 loss, its net effect, which is negative on biased rows.
        trainings: M, the number of runs.
        varied: what differed between the runs.
    """

    loss: str
    total: float
    bias: Estimate
    variance: Estimate
    trainings: int
    varied: Varied


@named
def decompose(
    target: Integers | Floats, predictions: Integers | Floats, *, loss: Loss, varied: Varied = "seeds"
) -> Decomposition:
    """Split the error of M training runs of one configuration into bias (with noise) and variance.

    Args:
        target: [rows] values or class codes.
        predictions: squared: [trainings, rows] values; 0-1: [trainings, rows] class codes; cross-entropy:
            [trainings, rows, classes] probabilities.
        loss: the loss to decompose: squared error, 0-1 loss (Domingos 2000) or cross-entropy (Heskes 1998).
        varied: what differed between the runs; bootstraps overstate both terms.

    Raises:
        BadInput: for an unknown loss, fewer than two training runs, or shapes that differ.
    """
    if loss == "squared":
        return squared(np.asarray(target, np.float64), np.asarray(predictions, np.float64), varied=varied)
    if loss == "0-1":
        return zero_one(np.asarray(target), np.asarray(predictions), varied=varied)
    if loss == "cross-entropy":
        return cross_entropy(np.asarray(target, np.int64), np.asarray(predictions, np.float64), varied=varied)
    raise BadInput(
        "the loss must be squared, 0-1 or cross-entropy to be decomposed", found=repr(loss), remedy="Choose one"
    )


def squared(target: Floats, predictions: Floats, *, varied: Varied = "seeds") -> Decomposition:
    """Squared error: bias^2 + noise = mean (y_bar - y)^2 - s^2 / M, variance = s^2 with 1 / (M - 1)."""
    _check(target, predictions)
    spread = predictions.var(axis=0, ddof=1)
    bias = (predictions.mean(axis=0) - target) ** 2 - spread / len(predictions)
    return _decomposed("squared", bias, spread, trainings=len(predictions), varied=varied)


def zero_one(target: Integers, predictions: Integers, *, varied: Varied = "seeds") -> Decomposition:
    """Domingos (2000): variance raises the error on rows whose main prediction is right, and lowers it on biased rows.

    E loss = mean B + net variance, where B is 1 if the main (most frequent) prediction is wrong. The net variance of an
    unbiased row is the share of other predictions; that of a biased row is minus the share of correct predictions. The
    sum is exact for any M. Among equally frequent predictions, the one with the smallest code is the main one.
    """
    _check(target, predictions)
    counts = np.stack([(predictions == code).sum(axis=0) for code in range(int(predictions.max()) + 1)])
    bias = (counts.argmax(axis=0) != target).astype(np.float64)
    wrong = (predictions != target).mean(axis=0)
    return _decomposed("0-1", bias, wrong - bias, trainings=len(predictions), varied=varied)


def cross_entropy(target: Integers, probabilities: Floats, *, varied: Varied = "seeds") -> Decomposition:
    """Heskes (1998): bias + noise = -log of the geometric mean's probability of y, variance = -log of its normalizer.

    The sum is exactly the mean cross-entropy. Both terms are corrected for finite M by the jackknife.
    """
    _check(target, probabilities)
    logs = np.log(np.clip(probabilities, _SMALLEST, None))
    count = len(logs)
    own = -np.take_along_axis(logs, np.broadcast_to(target[None, :, None], (count, len(target), 1)), axis=2)[..., 0]
    sums = logs.sum(axis=0)
    whole = _log_normalizer(sums / count)
    if count > FEWEST:
        left_out = np.mean([_log_normalizer((sums - each) / (count - 1)) for each in logs], axis=0)
        whole = count * whole - (count - 1) * left_out
    return _decomposed("cross-entropy", own.mean(axis=0) - whole, whole, trainings=count, varied=varied)


def _decomposed(loss: Loss, bias: Floats, variance: Floats, *, trainings: int, varied: Varied) -> Decomposition:
    first, second = _estimate(bias), _estimate(variance)
    return Decomposition(
        loss=loss, total=first.value + second.value, bias=first, variance=second, trainings=trainings, varied=varied
    )


def _log_normalizer(mean_logs: Floats) -> Floats:
    """Return -log sum_c exp(mean log p_c) [rows], which is 0 where all training runs agree."""
    return np.asarray(-np.log(np.exp(mean_logs).sum(axis=1)))


def _estimate(values: Floats) -> Estimate:
    """Return the mean over rows with a normal interval."""
    rows = len(values)
    value = float(values.mean())
    half = normal_quantile(LEVEL) * float(values.std(ddof=1)) / math.sqrt(rows) if rows > 1 else 0.0
    return Estimate(value, value - half, value + half, rows)


def _check(target: Floats | Integers, predictions: Floats | Integers) -> None:
    if predictions.ndim < 2 or len(predictions) < FEWEST or predictions.shape[1] != len(target):
        raise BadInput(
            "a decomposition must get predictions [trainings, rows] from at least two training runs",
            found=f"predictions {predictions.shape} for {len(target)} rows",
            remedy="Train with more seeds",
        )
