"""WF209 of a model's predictions on dev, with a second model's opinion and the reference."""

from __future__ import annotations

import numpy as np

from wellfit._typing import Floats
from wellfit.diagnosis.findings import Finding
from wellfit.diagnosis.label_noise import Yardstick, label_noise_finding, suspicious_labels
from wellfit.diagnosis.optimal_error import Optimal
from wellfit.diagnosis.rows import Rows
from wellfit.goals import Goal
from wellfit.stats.intervals import wilson


def doubted_labels(
    dev: Rows, predictions: Floats, *, goal: Goal, opinion: Floats | None, optimal: Optimal | None
) -> Finding:
    """Whether labels of dev are wrong.

    Args:
        dev: rows that the models were not trained on.
        predictions: [rows, classes] probabilities of the model; values for regression.
        goal: of the model.
        opinion: the same of another model.
        optimal: the reference, in the goal's loss.
    """
    if goal.task != "classification":
        return label_noise_finding(None)
    target = np.asarray(dev.target, np.int64)
    yardstick = None
    if goal.name == "error" and optimal is not None:
        told = [predictions] if opinion is None else [predictions, opinion]
        least = min(int((each.argmax(axis=1) != target).sum()) for each in told)
        yardstick = Yardstick(wilson(least, len(target)), optimal, predictions.shape[1])
    return label_noise_finding(suspicious_labels(target, predictions, rival=opinion), yardstick=yardstick)
