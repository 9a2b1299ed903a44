"""Train all candidates on every fold, one stack a fold, and choose by the dev rows of all folds together.

A fold has transforms, bins and target moments of its own, fit on its training rows alone, so that its members are a
stack of their own: they share what they read with each other, and nothing with another fold.
"""

from __future__ import annotations

from collections.abc import Generator, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, replace

import numpy as np
from threadpoolctl import threadpool_limits

from wellfit._typing import Floats, Integers
from wellfit.config import Config
from wellfit.data.prepare import Prepared
from wellfit.exceptions import BadInput
from wellfit.goals import Goal
from wellfit.outcome import Outcome, Status
from wellfit.stats.scores import row_losses
from wellfit.sweeps.executor import InProcess
from wellfit.sweeps.selection import Choice, choose
from wellfit.training.threads import one_thread

_WHOLE_SET = ("balanced_error", "auc", "r2")
"""Goals whose losses of rows depend on how many rows of which kind there are."""
_WORST_FIRST = (Status.DIVERGED, Status.DROPPED, Status.OUT_OF_BUDGET, Status.STOPPED_EARLY, Status.FINISHED)


@dataclass(frozen=True)
class FoldData:
    """One fold before training.

    Attributes:
        prepared: what the engine trains on and measures.
        weights: [training rows] how many rows each stands for, whatever its class weighs in the cost.
    """

    prepared: Prepared
    weights: Floats

    @property
    def dev_weights(self) -> Floats:
        """[dev rows] how many rows each stands for."""
        dev = self.prepared.dev
        return np.ones(dev.rows) if dev.weights is None else dev.weights


@dataclass(frozen=True)
class FoldResult:
    """One fold, and what every candidate came to there, in the order of the candidates."""

    data: FoldData
    outcomes: tuple[Outcome, ...]


@dataclass(frozen=True)
class Comparison:
    """All candidates on all folds, in the goal's loss (of several targets: standardized by the training rows).

    Attributes:
        goal: in whose loss they were compared.
        configs: [members].
        train: [members, folds] mean loss of the training rows.
        dev: [members, folds] mean loss of the dev rows.
        statuses: [members] the worst of all folds.
        choice: by the dev rows of all folds together.
        folds: [folds].
    """

    goal: Goal
    configs: tuple[Config, ...]
    train: Floats
    dev: Floats
    statuses: tuple[Status, ...]
    choice: Choice
    folds: tuple[FoldResult, ...]


def train_folds(
    folds: Sequence[FoldData], configs: Sequence[Config], *, goal: Goal, jobs: int
) -> Generator[FoldResult]:
    """Train the candidates on every fold, `jobs` folds at a time, and yield what they came to, fold by fold.

    The compiled updates let go of Python's lock, so threads are enough.
    """

    def trained(fold: FoldData) -> FoldResult:
        return FoldResult(fold, tuple(InProcess(fold.prepared, goal=goal, effects=False).train(configs)))

    # What each thread would set and restore for itself is set here once: one of them must not undo it for another.
    with one_thread(), threadpool_limits(1, user_api="blas"), ThreadPoolExecutor(jobs) as pool:
        yield from pool.map(trained, folds)


def compare(folds: Sequence[FoldResult], *, goal: Goal) -> Comparison:
    """Compare the candidates, and choose.

    Raises:
        BadInput: for a goal that the weights are not defined for.
        Refusal: when every candidate diverged.
    """
    configs = tuple(outcome.config for outcome in folds[0].outcomes)
    scored = [_scored(fold, goal=goal) for fold in folds]
    dev = np.array([np.average(losses, axis=1, weights=weights) for losses, weights in scored]).T
    train = np.array([_train_losses(fold, goal=goal) for fold in folds]).T
    statuses = tuple(_worst([fold.outcomes[place].status for fold in folds]) for place in range(len(configs)))
    pooled = np.concatenate([weights for _, weights in scored])
    # Losses [members, rows] whose plain mean is the weighted mean over the dev rows of all folds.
    losses = np.concatenate([losses for losses, _ in scored], axis=1) * (pooled / pooled.mean())
    totals = [fold.data.weights.sum() for fold in folds]
    outcomes = [
        replace(outcome, status=status, losses={"train": float(fit), "dev": float(mean)})
        for outcome, status, fit, mean in zip(
            folds[0].outcomes, statuses, np.average(train, axis=1, weights=totals), losses.mean(axis=1), strict=True
        )
    ]
    named = {config.identity: each for config, each in zip(configs, losses, strict=True)}
    return Comparison(goal, configs, train, dev, statuses, choose(outcomes, named), tuple(folds))


def repeated(target: Integers | Floats, prediction: Floats, weights: Floats) -> tuple[Integers | Floats, Floats]:
    """Return target and predictions with every row as often as it counts, for goals that look at all rows at once.

    Raises:
        BadInput: for weights that are no whole numbers.
    """
    if (weights % 1).any():
        raise BadInput(
            f"{', '.join(_WHOLE_SET)} count rows, so that weights are whole numbers",
            found=f"a weight of {weights[weights % 1 > 0][0]:g}",
            remedy="Choose the goal error, log_loss, rmse or mae, or give whole weights",
        )
    counts = weights.astype(np.int64)
    return target.repeat(counts, axis=0), prediction.repeat(counts, axis=0)


def _scored(fold: FoldResult, *, goal: Goal) -> tuple[Floats, Floats]:
    """Return the losses [members, rows] of the dev rows, and their weights [rows]."""
    target, weights = fold.data.prepared.dev.target, fold.data.dev_weights
    pairs = [(target, outcome.predictions["dev"]) for outcome in fold.outcomes]
    if goal.name in _WHOLE_SET:
        pairs = [repeated(*pair, weights) for pair in pairs]
        weights = np.ones(len(pairs[0][0]))
    return np.array([row_losses(goal, *pair) for pair in pairs]), weights


def _train_losses(fold: FoldResult, *, goal: Goal) -> list[float]:
    """Return the mean loss of the training rows [members]."""
    weights = None if goal.name in _WHOLE_SET else fold.data.weights
    return [float(np.average(outcome.train_losses, weights=weights)) for outcome in fold.outcomes]


def _worst(statuses: Sequence[Status]) -> Status:
    return min(statuses, key=_WORST_FIRST.index)
