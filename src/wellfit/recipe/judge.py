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


def closing(work: Work, trials: Sequence[Outcome], board: Board) -> list[Outcome]:
    """The trials that close the board's gap as far as any of them; all of them where it is closed on dev alone."""
    if board != "optimization" or not trials:
        return list(trials)
    diagnosis = work.turn.diagnosis
    lowest = min(trial.losses["train"] for trial in trials)
    most = max(lowest, diagnosis.errors.optimal.high) + diagnosis.tolerance
    return [trial for trial in trials if trial.losses["train"] <= most]


def best_of(work: Work, trials: Sequence[Outcome], board: Board) -> Outcome:
    """The trial to go on with, or the network of now where none is surely better.

    Against bias: of those that close the gap, the one with the lowest dev loss.
    """
    found = closing(work, helpful(work, trials, board), board)
    return min(found, key=lambda trial: trial.losses["dev"], default=work.turn.outcome)
