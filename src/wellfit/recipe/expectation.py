"""What a step is expected to buy before it is taken, and whether what came was inside.

The shares of a ceiling that a remedy wins are priors set by hand, after looking at cases of benchmarks/recipe_cases.py,
not yet calibrated: so the interval is wide, and the journal keeps the score.
Whether a trial worked: paired with the network from before, on train against bias, on dev against variance.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field

from wellfit._typing import Board
from wellfit.outcome import Outcome, Status
from wellfit.recipe.state import StepContext
from wellfit.serialize import Record, named
from wellfit.stats.differences import paired_difference

LEVEL = 0.9
"""Coverage that the interval claims."""


@dataclass(frozen=True)
class Shares:
    """Shares of the ceiling that a remedy is thought to win: 5 %, the middle, and 95 %."""

    low: float
    middle: float
    high: float


@dataclass(frozen=True, kw_only=True)
class Expected(Record):
    """A gain in the goal's loss, with a 90 % interval, and its cost in the unit of the budget."""

    value: float = field(metadata=named("expected"))
    low: float = field(metadata=named("expected_low"))
    high: float = field(metadata=named("expected_high"))
    ceiling: float
    cost: float

    @property
    def rate(self) -> float:
        """Gain for cost: what remedies are ranked by."""
        return self.value / self.cost if self.cost > 0 else 0.0

    def holds(self, got: float) -> bool:
        """Whether a gain is inside the interval."""
        return self.low <= got <= self.high


def expect(shares: Shares, *, ceiling: float, room: float, cost: float) -> Expected:
    """Turn shares into a gain.

    Args:
        shares: of the remedy.
        ceiling: the most that closing the gap can buy.
        room: the most that the measured loss can fall: a train error may fall below the reference.
        cost: in the unit of the budget.
    """
    highest = max(shares.high * room, shares.middle * ceiling)
    # A remedy that does not help is not kept, so what comes is never below 0; those that are say so themselves.
    return Expected(value=shares.middle * ceiling, low=shares.low * ceiling, high=highest, ceiling=ceiling, cost=cost)


DOUBT = 0.16
"""Chance of keeping a trial that is no better on dev, shared among a step's trials: one standard error for one."""
ENDED = (Status.FINISHED, Status.STOPPED_EARLY)


def helpful(context: StepContext, trials: Sequence[Outcome], board: Board) -> list[Outcome]:
    """The trials that are surely better than the network of now."""
    ended = [trial for trial in trials if trial.status in ENDED]
    if board == "optimization":
        return [
            trial
            for trial in ended
            if paired_difference(context.state.outcome.train_losses, trial.train_losses).low > 0
        ]
    before, level = context.run.dev_losses(context.state.outcome), 1 - 2 * DOUBT / max(len(ended), 1)
    return [trial for trial in ended if paired_difference(before, context.run.dev_losses(trial), level=level).low > 0]


def is_behind(context: StepContext, trial: Outcome, best: Outcome) -> bool:
    """Whether a trial is surely worse on dev than another one."""
    return paired_difference(context.run.dev_losses(trial), context.run.dev_losses(best)).low > 0


def best_of(context: StepContext, trials: Sequence[Outcome], board: Board) -> Outcome:
    """The trial to go on with: of those that are surely better the one with the lowest dev loss, or the network of now.

    Against bias too: a trial must fit train better, but of two that do, the one that fits it best may only memorize.
    """
    return min(helpful(context, trials, board), key=lambda trial: trial.losses["dev"], default=context.state.outcome)
