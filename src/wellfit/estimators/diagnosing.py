"""Where the error of the chosen network comes from: the training rows of every fold against their dev rows."""

from __future__ import annotations

import numpy as np

from wellfit._typing import Floats
from wellfit.config import Config
from wellfit.diagnosis.diagnosis import Diagnosis, diagnose_losses
from wellfit.diagnosis.optimal_error import reference
from wellfit.estimators.comparing import Comparison, repeated
from wellfit.stats.intervals import Estimate, mean_interval
from wellfit.stats.scores import estimate, row_losses


def diagnose_comparison(
    found: Comparison, config: Config, *, human_error: float | None, counted: bool
) -> Diagnosis | None:
    """Diagnose one of the candidates by the dev rows of all folds; None where there is one dev row.

    Args:
        found: the comparison.
        config: the candidate.
        human_error: in the goal's own unit; None where it is not known.
        counted: whether weights count rows that are there so often; else they are weights of single rows, of which
            an interval may not be surer than these rows make it.

    Raises:
        BadInput: for a human_error out of range.
    """
    place = found.configs.index(config)
    dev = _dev_estimate(found, place, counted=counted)
    if dev is None:
        return None
    totals = [fold.data.weights.sum() for fold in found.folds]
    train = float(np.average(found.train[place], weights=totals))
    folds = "1 dev split" if len(found.folds) == 1 else f"{len(found.folds)} folds"
    return diagnose_losses(
        goal=found.goal,
        optimal=reference(goal=found.goal, human_error=human_error),
        train=Estimate.fixed(train, rows=round(float(np.mean(totals)))),
        dev=dev,
        notes=(
            f"measured on {folds}; dev chose among {len(found.configs)} networks, so its error is a little too good.",
        ),
    )


def _dev_estimate(found: Comparison, place: int, *, counted: bool) -> Estimate | None:
    parts = [(fold.data.prepared.dev.target, fold.outcomes[place].predictions["dev"]) for fold in found.folds]
    target, prediction = (np.concatenate(side) for side in zip(*parts, strict=True))
    weights = np.concatenate([fold.data.dev_weights for fold in found.folds])
    if counted and not (weights % 1).any():
        target, prediction = repeated(target, prediction, weights)
        return estimate(found.goal, target, prediction) if len(target) > 1 else None
    return _weighted(row_losses(found.goal, target, prediction), weights) if len(target) > 1 else None


def _weighted(losses: Floats, weights: Floats) -> Estimate:
    """The weighted mean of losses with its interval: that of the ratio, linearized."""
    mean = np.average(losses, weights=weights)
    found = mean_interval(mean + (losses - mean) * (weights / weights.mean()))
    return Estimate(float(mean), max(0.0, found.low), found.high, len(losses))
