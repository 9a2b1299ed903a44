"""Whether a trial worked: paired with the network from before, on train against bias, on dev against variance."""

from __future__ import annotations

from collections.abc import Sequence

from wellfit._typing import Board
from wellfit.outcome import Outcome, Status
from wellfit.recipe.turn import Work
from wellfit.stats.differences import paired_difference

DOUBT = 0.16
"""Chance of keeping a trial that is no better on dev, shared among a step's trials: one standard error for one."""
ENDED = (Status.FINISHED, Status.STOPPED_EARLY)


def helpful(work: Work, trials: Sequence[Outcome], board: Board) -> list[Outcome]:
    """The trials that are surely better than the network of now."""
    ended = [trial for trial in trials if trial.status in ENDED]
    if board == "optimization":
        return [
            trial for trial in ended if paired_difference(work.turn.outcome.train_losses, trial.train_losses).low > 0
        ]
    before, level = work.bench.dev_losses(work.turn.outcome), 1 - 2 * DOUBT / max(len(ended), 1)
    return [trial for trial in ended if paired_difference(before, work.bench.dev_losses(trial), level=level).low > 0]


def is_behind(work: Work, trial: Outcome, best: Outcome) -> bool:
    """Whether a trial is surely worse on dev than another one."""
    return paired_difference(work.bench.dev_losses(trial), work.bench.dev_losses(best)).low > 0


def best_of(work: Work, trials: Sequence[Outcome], board: Board) -> Outcome:
    """The trial to go on with: of those that are surely better the one with the lowest dev loss, or the network of now.

    Against bias too: a trial must fit train better, but of two that do, the one that fits it best may only memorize.
    """
    return min(helpful(work, trials, board), key=lambda trial: trial.losses["dev"], default=work.turn.outcome)
