"""One number for how sure a classifier is: the temperature by which its logits are divided (Guo et al., 2017).

p(c) becomes p(c)^(1/T), over the sum of all classes. Above 1 it takes certainty away, below 1 it adds some; which class
is the likeliest never changes.
"""

from __future__ import annotations

import math

import numpy as np
from scipy.optimize import minimize_scalar

from wellfit._typing import Floats
from wellfit.goals import Goal
from wellfit.stats.scores import Targets, row_losses

HOTTEST = 20.0
"""Temperatures are looked for between 1 / HOTTEST and this."""
LEAST = float(np.finfo(np.float32).tiny)
"""Probabilities below have no logarithm that means something: networks compute in float32."""


def tempered(probabilities: Floats, temperature: float) -> Floats:
    """Return probabilities [rows, classes] at a temperature; at 1 they stay as they are."""
    return probabilities if temperature == 1.0 else _at(temperature, _logits(probabilities))


def best_temperature(target: Targets, probabilities: Floats) -> float:
    """Return the temperature with the lowest log-loss.

    Args:
        target: [rows] class codes.
        probabilities: [rows, classes].
    """
    logits = _logits(probabilities)

    def lost(log_temperature: float) -> float:
        return float(row_losses(Goal("log_loss"), target, _at(math.exp(log_temperature), logits)).mean())

    bounds = (-math.log(HOTTEST), math.log(HOTTEST))
    return math.exp(minimize_scalar(lost, bounds=bounds, method="bounded").x)


def _logits(probabilities: Floats) -> Floats:
    return np.asarray(np.log(np.clip(np.asarray(probabilities, dtype=np.float64), LEAST, 1.0)))


def _at(temperature: float, logits: Floats) -> Floats:
    scaled = logits / temperature
    odds = np.exp(scaled - scaled.max(axis=1, keepdims=True))
    return np.asarray(odds / odds.sum(axis=1, keepdims=True))
