"""The temperature of a classifier from rows that did not train it, kept where it helps on rows that did not fit it."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from wellfit._typing import Booleans, Floats, Integers, Json
from wellfit.goals import Goal
from wellfit.stats.halves import halves
from wellfit.stats.scores import Targets, loss, row_losses
from wellfit.stats.temperature import best_temperature, tempered

LOG_LOSS = Goal("log_loss")


@dataclass(frozen=True)
class Calibration:
    """What a temperature buys.

    Attributes:
        fitted: the temperature with the lowest log-loss on all rows.
        before: log-loss as the classifier is.
        honest: log-loss at temperatures fitted on one half of the rows and measured on the other, both ways. A half
            fits worse than all rows do, so this errs on the high side.
    """

    fitted: float
    before: float
    honest: float

    @property
    def temperature(self) -> float:
        """The one to be used: 1 where the fitted one does not help on rows that did not fit it."""
        return self.fitted if self.honest < self.before else 1.0

    def to_json(self) -> Json:
        """Plain values, for the journal."""
        return {
            "temperature": self.temperature,
            "fitted": self.fitted,
            "log_loss_before": self.before,
            "log_loss_honest": self.honest,
        }


def calibrated(
    target: Targets, probabilities: Floats, *, groups: Integers | None = None, seed: int = 0
) -> Calibration | None:
    """Fit a temperature; None where it cannot be: a half in which nothing is wrong would have any network surer yet.

    Args:
        target: [rows] class codes.
        probabilities: [rows, classes].
        groups: [rows] group of each row, which no half divides.
        seed: of the halves.
    """
    one, other = halves(target, seed=seed, groups=groups)
    wrong: Booleans = np.argmax(probabilities, axis=1) != target
    if not (wrong[one].any() and wrong[other].any()):
        return None

    def crossed(fit: Integers, measured: Integers) -> Floats:
        temperature = best_temperature(target[fit], probabilities[fit])
        return row_losses(LOG_LOSS, target[measured], tempered(probabilities[measured], temperature))

    return Calibration(
        fitted=best_temperature(target, probabilities),
        before=loss(LOG_LOSS, target, probabilities),
        honest=float(np.concatenate([crossed(one, other), crossed(other, one)]).mean()),
    )
