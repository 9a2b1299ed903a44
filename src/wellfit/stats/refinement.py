"""What a classifier knows apart from how sure it is: the log-loss after the best temperature.

An error counts rows that fell on the wrong side, a few dozen of a small dev set; a log-loss reads every row, but mostly
how over-confident a network is, which moves no row to another side. Divided into refinement and calibration (Berta et
al., 2025, "Rethinking early stopping"), the first of the two ranks networks that are compared by their error.
"""

from __future__ import annotations

import numpy as np

from wellfit._typing import Floats
from wellfit.goals import Goal
from wellfit.stats.scores import SMALLEST_PROBABILITY, Targets, row_losses
from wellfit.stats.temperature import best_temperature, tempered


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
    surest = np.clip(prediction, SMALLEST_PROBABILITY, 1.0)
    return row_losses(Goal("log_loss"), target, tempered(surest, best_temperature(target, surest)))
