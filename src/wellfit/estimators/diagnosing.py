"""Where the error of the chosen network comes from: the training rows of every fold against their dev rows."""

from __future__ import annotations

import numpy as np

from wellfit._typing import Floats, Integers
from wellfit.config import Config
from wellfit.diagnosis.diagnosis import Diagnosis, diagnose_losses
from wellfit.diagnosis.optimal_error import reference
from wellfit.estimators.comparing import Comparison, repeated
from wellfit.stats.groups import grouped_mean
from wellfit.stats.intervals import Estimate, mean_interval
from wellfit.stats.scores import estimate, row_losses


def diagnose_comparison(
    found: Comparison, config: Config, *, human_error: float | None, counted: bool
) -> Diagnosis | None:
    """Diagnose one of the candidates by the dev rows of all folds; None where there is one dev row or group.

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
    """Return the dev loss with its interval, for which groups are resampled whole; None where that cannot be."""
    parts = [(fold.data.prepared.dev, fold.outcomes[place].predictions["dev"]) for fold in found.folds]
    target = np.concatenate([dev.target for dev, _ in parts])
    prediction = np.concatenate([each for _, each in parts])
    weights = np.concatenate([fold.data.dev_weights for fold in found.folds])
    groups = None if parts[0][0].groups is None else np.concatenate([dev.groups for dev, _ in parts])
    if counted and not (weights % 1).any():
        counts = weights.astype(np.int64)
        target, prediction = repeated(target, prediction, weights)
        groups = None if groups is None else groups.repeat(counts)
        return estimate(found.goal, target, prediction, groups=groups) if _enough(target, groups) else None
    if not _enough(target, groups):
        return None
    return _weighted(row_losses(found.goal, target, prediction), weights, groups)


def _enough(target: Integers | Floats, groups: Integers | None) -> bool:
    """Whether there are two rows, or groups where rows share them: one has no interval."""
    return len(target) > 1 and (groups is None or len(np.unique(groups)) > 1)


def _weighted(losses: Floats, weights: Floats, groups: Integers | None) -> Estimate:
    """The weighted mean of losses with its interval: that of the ratio, linearized."""
    mean = np.average(losses, weights=weights)
    influence = mean + (losses - mean) * (weights / weights.mean())
    found = mean_interval(influence) if groups is None else grouped_mean(influence, groups)
    return Estimate(float(mean), max(0.0, found.low), found.high, len(losses))
