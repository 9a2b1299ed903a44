"""Training of all candidates on every fold, the choice by the dev rows of all folds together, and its diagnosis."""

from __future__ import annotations

from collections.abc import Generator, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, replace

import numpy as np
from threadpoolctl import threadpool_limits

from wellfit.base.typing import Floats, Integers
from wellfit.data.prepare import Prepared
from wellfit.diagnosis.diagnosis import Diagnosis, diagnose_losses
from wellfit.diagnosis.optimal_error import reference
from wellfit.exceptions import BadInput
from wellfit.records.config import Config
from wellfit.records.goals import GOALS, Goal
from wellfit.records.outcome import Outcome, Status
from wellfit.stats.intervals import Estimate, grouped_mean, mean_interval
from wellfit.sweeps.executor import InProcess
from wellfit.sweeps.selection import Choice, choose
from wellfit.training.tensors import one_thread


def diagnose_comparison(
    found: Comparison, config: Config, *, human_error: float | None, counted: bool
) -> Diagnosis | None:
    """Diagnose one candidate by the dev rows of all folds; None if there is only one dev row or group.

    If `counted`, a weight is the number of times that a row is repeated. Otherwise it weights a single row, and does
    not make intervals narrower.
    """
    place = found.configs.index(config)
    dev = _dev_estimate(found, place, counted=counted)
    if dev is None:
        return None
    totals = [fold.weights.sum() for fold in found.folds]
    train = float(np.average(found.train[place], weights=totals))
    folds = "1 dev split" if len(found.folds) == 1 else f"{len(found.folds)} folds"
    return diagnose_losses(
        goal=found.goal,
        optimal=reference(goal=found.goal, human_error=human_error),
        train=Estimate.fixed(train, rows=round(float(np.mean(totals)))),
        dev=dev,
        notes=(
            (
                f"the errors were measured on {folds}; dev chose among {len(found.configs)} networks, so its error is "
                "slightly optimistic."
            ),
        ),
    )


def _dev_estimate(found: Comparison, place: int, *, counted: bool) -> Estimate | None:
    """Return the dev loss with an interval that resamples whole groups; None if it is undefined."""
    parts = [(fold.prepared.dev, fold.outcomes[place].predictions["dev"]) for fold in found.folds]
    target = np.concatenate([dev.target for dev, _ in parts])
    prediction = np.concatenate([each for _, each in parts])
    weights = np.concatenate([fold.dev_weights for fold in found.folds])
    groups = None if parts[0][0].groups is None else np.concatenate([dev.groups for dev, _ in parts])
    if counted and not (weights % 1).any():
        counts = weights.astype(np.int64)
        target, prediction = repeated(target, prediction, weights)
        groups = None if groups is None else groups.repeat(counts)
        return found.goal.estimate(target, prediction, groups=groups) if _enough(target, groups) else None
    if not _enough(target, groups):
        return None
    return _weighted(found.goal.row_losses(target, prediction), weights, groups)


def _enough(target: Integers | Floats, groups: Integers | None) -> bool:
    """Return True if there are at least two rows or groups, which an interval needs."""
    return len(target) > 1 and (groups is None or len(np.unique(groups)) > 1)


def _weighted(losses: Floats, weights: Floats, groups: Integers | None) -> Estimate:
    """Return the weighted mean of losses with the interval of the linearized ratio."""
    mean = np.average(losses, weights=weights)
    influence = mean + (losses - mean) * (weights / weights.mean())
    found = mean_interval(influence) if groups is None else grouped_mean(influence, groups)
    return Estimate(float(mean), max(0.0, found.low), found.high, len(losses))


_WORST_FIRST = (Status.DIVERGED, Status.DROPPED, Status.OUT_OF_BUDGET, Status.STOPPED_EARLY, Status.FINISHED)


@dataclass(frozen=True)
class FoldData:
    """One fold, with the outcome of every candidate once they are trained.

    Its `weights` [training rows] are the weights of the rows, without those of their classes.
    """

    prepared: Prepared
    weights: Floats
    outcomes: tuple[Outcome, ...] = ()

    @property
    def dev_weights(self) -> Floats:
        """Return the number of rows that each dev row represents [dev rows]."""
        dev = self.prepared.dev
        return np.ones(dev.rows) if dev.weights is None else dev.weights


@dataclass(frozen=True)
class Comparison:
    """All candidates on all folds, in the goal's loss (several targets are standardized by the training rows).

    `train` and `dev` are mean losses [members, folds], and `statuses` [members] are the worst of all folds. The choice
    is made on the dev rows of all folds together.
    """

    goal: Goal
    configs: tuple[Config, ...]
    train: Floats
    dev: Floats
    statuses: tuple[Status, ...]
    choice: Choice
    folds: tuple[FoldData, ...]


def train_folds(folds: Sequence[FoldData], configs: Sequence[Config], *, goal: Goal, jobs: int) -> Generator[FoldData]:
    """Train the candidates on every fold, `jobs` folds at a time, and yield the results fold by fold.

    The compiled updates release Python's lock, so threads are enough.
    """

    def trained(fold: FoldData) -> FoldData:
        return replace(fold, outcomes=tuple(InProcess(fold.prepared, goal=goal, effects=False).train(configs)))

    # What each thread would set and restore for itself is set here once: one of them must not undo it for another.
    with one_thread(), threadpool_limits(1, user_api="blas"), ThreadPoolExecutor(jobs) as pool:
        yield from pool.map(trained, folds)


def compare(folds: Sequence[FoldData], *, goal: Goal) -> Comparison:
    """Compare the candidates, and choose one; Refusal if every candidate diverged."""
    configs = tuple(outcome.config for outcome in folds[0].outcomes)
    scored = [_scored(fold, goal=goal) for fold in folds]
    dev = np.array([np.average(losses, axis=1, weights=weights) for losses, weights in scored]).T
    counted = [None if goal.metric.of_all_rows else fold.weights for fold in folds]
    train = np.array(
        [
            [float(np.average(outcome.train_losses, weights=weights)) for outcome in fold.outcomes]
            for fold, weights in zip(folds, counted, strict=True)
        ]
    ).T
    statuses = tuple(
        min((fold.outcomes[place].status for fold in folds), key=_WORST_FIRST.index) for place in range(len(configs))
    )
    pooled = np.concatenate([weights for _, weights in scored])
    # Losses [members, rows] whose plain mean is the weighted mean over the dev rows of all folds.
    losses = np.concatenate([losses for losses, _ in scored], axis=1) * (pooled / pooled.mean())
    totals = [fold.weights.sum() for fold in folds]
    outcomes = [
        replace(outcome, status=status, losses={"train": float(fit), "dev": float(mean)})
        for outcome, status, fit, mean in zip(
            folds[0].outcomes, statuses, np.average(train, axis=1, weights=totals), losses.mean(axis=1), strict=True
        )
    ]
    named = {config.identity: each for config, each in zip(configs, losses, strict=True)}
    return Comparison(goal, configs, train, dev, statuses, choose(outcomes, named), tuple(folds))


def repeated(target: Integers | Floats, prediction: Floats, weights: Floats) -> tuple[Integers | Floats, Floats]:
    """Repeat each row of target and predictions as often as it counts, for goals computed on all rows at once."""
    if (weights % 1).any():
        counting = [name for name, goal in GOALS.items() if goal.metric.of_all_rows]
        others = [name for name in GOALS if name not in counting]
        raise BadInput(
            f"weights must be whole numbers for the goals {', '.join(counting)}, which count rows",
            found=f"a weight of {weights[weights % 1 > 0][0]:g}",
            remedy=f"Choose one of the goals {', '.join(others)}, or give whole numbers as weights",
        )
    counts = weights.astype(np.int64)
    return target.repeat(counts, axis=0), prediction.repeat(counts, axis=0)


def _scored(fold: FoldData, *, goal: Goal) -> tuple[Floats, Floats]:
    """Return the losses [members, rows] of the dev rows, and the weights [rows] of these rows."""
    target, weights = fold.prepared.dev.target, fold.dev_weights
    pairs = [(target, outcome.predictions["dev"]) for outcome in fold.outcomes]
    if goal.metric.of_all_rows:
        pairs = [repeated(*pair, weights) for pair in pairs]
        weights = np.ones(len(pairs[0][0]))
    return np.array([goal.row_losses(*pair) for pair in pairs]), weights
