"""What a classifier knows apart from how sure it is: the log-loss after the best temperature.

An error counts rows that fell on the wrong side, a few dozen of a small dev set; a log-loss reads every row, but mostly
how over-confident a network is, which moves no row to another side. Divided into refinement and calibration (Berta et
al., 2025, "Rethinking early stopping"), the first of the two ranks networks that are compared by their error.
"""

from __future__ import annotations

import math

import numpy as np
from scipy.optimize import minimize_scalar

from wellfit._typing import Floats
from wellfit.goals import Goal
from wellfit.stats.scores import SMALLEST_PROBABILITY, Targets, row_losses

HOTTEST = 20.0
"""Temperatures are looked for between 1 / HOTTEST and this."""


def refined_losses(goal: Goal, target: Targets, prediction: Floats) -> Floats:
    """Return losses [rows] whose mean ranks as the goal does and varies less with the rows, where the goal is an error.

    Any other goal reads every row already, and its own losses are returned.

    Args:
        goal: what is compared.
        target: [rows] class codes, or values.
        prediction: [rows, classes] probabilities, or values.
    """
    if goal.name != "error":
        return row_losses(goal, target, prediction)
    logits = np.log(np.clip(np.asarray(prediction, dtype=np.float64), SMALLEST_PROBABILITY, 1.0))

    def at(log_temperature: float) -> Floats:
        scaled = logits / math.exp(log_temperature)
        scaled -= scaled.max(axis=1, keepdims=True)
        odds = np.exp(scaled)
        return row_losses(Goal("log_loss"), target, odds / odds.sum(axis=1, keepdims=True))

    bounds = (-math.log(HOTTEST), math.log(HOTTEST))
    return at(minimize_scalar(lambda place: float(at(place).mean()), bounds=bounds, method="bounded").x)
