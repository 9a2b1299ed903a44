"""Reweight: training rows count as often as rows like them are met in deployment (diagnosis/mismatch/importance.py).

Whole ratios of densities remove the bias that other inputs cause, and flattened ones (a power below 1) buy less of it
for a smaller variance, since more rows count (Shimodaira 2000); dev tells which is better here. Where the weights leave
too few effective rows, (sum w)^2 / sum w^2, they are not tried.
"""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np

from wellfit._typing import Json
from wellfit.config import Config
from wellfit.data.training_rows import OF_TRAIN, effective_rows, trained_on
from wellfit.outcome import Outcome
from wellfit.recipe.expectation import Shares
from wellfit.recipe.remedies.change import describe_change
from wellfit.recipe.remedies.remedy import Result
from wellfit.recipe.remedies.trials import on_dev
from wellfit.recipe.turn import Work

KIND = "reweight"
POWERS = (0.5, 1.0)
FEWEST_EFFECTIVE = 50.0
"""Effective rows below which nothing can be learned from the weighted ones (methods.md, section c)."""


@dataclass(frozen=True)
class Reweighted:
    """What reweighting came to, with how many rows the weighted ones are worth."""

    before: Outcome
    outcome: Outcome
    rows: int
    effective: float

    def to_json(self) -> Json:
        """What was done, with the effective rows."""
        worth = f"{self.rows:,} weighted rows tell as much as {self.effective:,.0f} alike"
        return {
            "did": f"{KIND}: {describe_change(self.before, self.outcome)} ({worth})",
            "effective_rows": self.effective,
        }


def reweight(work: Work) -> tuple[Config, ...]:
    """The same config on weighted rows; nothing where dev was not told from train, or too few rows would count."""
    config, known = work.config, work.bench.data.importance
    # Without added rows their name is that of train's own.
    if config.data.reweight or not {OF_TRAIN, config.data.more_data} <= known.keys():
        return ()
    trials = [replace(config, data=replace(config.data, reweight=power)) for power in POWERS]
    return tuple(trial for trial in trials if _effective(work, trial) >= FEWEST_EFFECTIVE)


def _effective(work: Work, config: Config) -> float:
    weights = trained_on(work.bench.data, config.data).train.weights
    return effective_rows(np.ones(work.rows) if weights is None else weights)


def _carry_out(work: Work) -> Result:
    before, done = work.turn.outcome, _TRIALS.apply(work)
    if done.outcome is before:
        return done
    return Reweighted(before, done.outcome, work.rows, _effective(work, done.outcome.config))


_TRIALS = on_dev(KIND, reweight, board="data", finding="WF302", shares=lambda _work: Shares(0.0, 0.3, 1.0))
REWEIGHT = replace(_TRIALS, apply=_carry_out)
