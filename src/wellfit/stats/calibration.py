"""Temperature scaling: the logits of a classifier are divided by a single number (Guo et al., 2017).

The temperature is fitted on rows that the classifier was not trained on, and kept if it helps on rows on which it was
not fitted. For this, the rows are divided into two random halves with similar targets; each is used once for fitting
and once for measuring. The log loss at the best temperature measures how well a classifier ranks classes, regardless of
how sure it is.
"""

from __future__ import annotations

import math
from dataclasses import dataclass, field

import numpy as np

from wellfit.base.serialize import Record, named
from wellfit.base.typing import Booleans, Floats, Integers, Json
from wellfit.stats.scores import SMALLEST_PROBABILITY, LogLoss, Targets

LOG_LOSS = LogLoss()


@dataclass(frozen=True)
class Calibration(Record):
    """The best temperature of a classifier, and the log loss with and without it.

    `honest` is the loss on one half of the rows at a temperature fitted on the other half, averaged over both
    directions. A fit on half of the rows is worse than a fit on all rows, so this value tends to be too high.
    """

    fitted: float
    before: float = field(metadata=named("log_loss_before"))
    honest: float = field(metadata=named("log_loss_honest"))

    @property
    def temperature(self) -> float:
        """The temperature to use: 1 if the fitted one does not help on rows on which it was not fitted."""
        return self.fitted if self.honest < self.before else 1.0

    def to_json(self) -> Json:
        """Return plain values, for the journal."""
        return {"temperature": self.temperature, **super().to_json()}


def calibrated(
    target: Targets, probabilities: Floats, *, groups: Integers | None = None, seed: int = 0
) -> Calibration | None:
    """Fit a temperature; None if a half has no wrong row, because its log loss then always falls with certainty.

    The target contains class codes [rows]. No group is divided between the halves.
    """
    one, other = halves(target, seed=seed, groups=groups)
    wrong: Booleans = np.argmax(probabilities, axis=1) != target
    if not (wrong[one].any() and wrong[other].any()):
        return None

    def crossed(fit: Integers, measured: Integers) -> Floats:
        temperature = best_temperature(target[fit], probabilities[fit])
        return LOG_LOSS.row_losses(target[measured], tempered(probabilities[measured], temperature))

    return Calibration(
        fitted=best_temperature(target, probabilities),
        before=LOG_LOSS.loss(target, probabilities),
        honest=float(np.concatenate([crossed(one, other), crossed(other, one)]).mean()),
    )


def halves(target: Targets, *, seed: int, groups: Integers | None = None) -> tuple[Integers, Integers]:
    """Return the row indices of each half: every second row in the order of the target, with ties in random order.

    Groups are not divided, and are sorted by their mean targets. A single group is ignored.
    """
    if groups is not None:
        _, group, sizes = np.unique(groups, return_inverse=True, return_counts=True)
        if len(sizes) > 1:
            first, _ = halves(np.bincount(group, weights=target) / sizes, seed=seed)
            is_first = np.isin(group, first)
            return np.flatnonzero(is_first), np.flatnonzero(~is_first)
    order = np.random.default_rng(seed).permutation(len(target))
    order = order[np.argsort(target[order], kind="stable")]
    return order[::2], order[1::2]


def refined_losses(target: Targets, probabilities: Floats) -> Floats:
    """Return log losses [rows] at the best temperature, which rank classifiers like errors but vary less."""
    surest = np.clip(probabilities, SMALLEST_PROBABILITY, 1.0)
    return LOG_LOSS.row_losses(target, tempered(surest, best_temperature(target, surest)))


HOTTEST = 20.0
"""Highest temperature that is tried; the lowest is 1 / HOTTEST."""
LEAST = float(np.finfo(np.float32).tiny)
"""Smaller probabilities are rounding noise of float32, in which networks compute."""


def tempered(probabilities: Floats, temperature: float) -> Floats:
    """Return probabilities [rows, classes] at a temperature; at 1 they are unchanged."""
    return probabilities if temperature == 1.0 else _at(temperature, _logits(probabilities))


def best_temperature(target: Targets, probabilities: Floats) -> float:
    """Return the temperature with the lowest log loss."""
    logits = _logits(probabilities)

    from scipy.optimize import minimize_scalar  # takes .2 s of every worker's start

    def lost(log_temperature: float) -> float:
        return float(LOG_LOSS.row_losses(target, _at(math.exp(log_temperature), logits)).mean())

    bounds = (-math.log(HOTTEST), math.log(HOTTEST))
    return math.exp(minimize_scalar(lost, bounds=bounds, method="bounded").x)


def _logits(probabilities: Floats) -> Floats:
    return np.asarray(np.log(np.clip(np.asarray(probabilities, dtype=np.float64), LEAST, 1.0)))


def _at(temperature: float, logits: Floats) -> Floats:
    scaled = logits / temperature
    odds = np.exp(scaled - scaled.max(axis=1, keepdims=True))
    return np.asarray(odds / odds.sum(axis=1, keepdims=True))
