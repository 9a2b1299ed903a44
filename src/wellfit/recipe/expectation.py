"""The expected gain of a step, and the paired comparison that shows whether a trial worked.

The shares of a ceiling that a remedy gains are priors set by hand, after cases of benchmarks/recipe_cases.py, and not
yet calibrated: so the interval is wide, and the journal counts the outcomes that fall within it. A trial is compared
with the network before it on the same rows: of train against bias, of dev against variance.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field

from wellfit.base.serialize import Record, named
from wellfit.base.typing import Board
from wellfit.recipe.state import StepContext
from wellfit.records.outcome import Outcome, Status
from wellfit.stats.differences import paired_difference

LEVEL = 0.9
"""Coverage of the interval."""


@dataclass(frozen=True)
class Shares:
    """Shares of the ceiling that a remedy is expected to gain: 5 % quantile, middle, 95 % quantile."""

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
        """Expected gain divided by cost, by which remedies are ranked."""
        return self.value / self.cost if self.cost > 0 else 0.0

    def contains(self, got: float) -> bool:
        """Return True if a gain is inside the interval."""
        return self.low <= got <= self.high


def expect(shares: Shares, *, ceiling: float, room: float, cost: float) -> Expected:
    """Turn shares of a ceiling into a gain.

    `ceiling` is the largest gain from closing the gap, `room` the largest possible fall of the measured loss: a train
    error may fall below the reference.
    """
    highest = max(shares.high * room, shares.middle * ceiling)
    # A remedy that does not help is not kept, so the gain is never below 0, unless the remedy says so itself.
    return Expected(value=shares.middle * ceiling, low=shares.low * ceiling, high=highest, ceiling=ceiling, cost=cost)


DOUBT = 0.16
"""Probability of keeping a trial that is no better on dev, divided among the trials of a step."""
ENDED = (Status.FINISHED, Status.STOPPED_EARLY)


def helpful(context: StepContext, trials: Sequence[Outcome], board: Board) -> list[Outcome]:
    """Return the trials that are significantly better than the current network."""
    ended = [trial for trial in trials if trial.status in ENDED]
    if board == "optimization":
        losses = context.state.outcome.train_losses
        return [trial for trial in ended if paired_difference(losses, trial.train_losses).low > 0]
    before, level = context.run.dev_losses(context.state.outcome), 1 - 2 * DOUBT / max(len(ended), 1)
    return [trial for trial in ended if paired_difference(before, context.run.dev_losses(trial), level=level).low > 0]


def is_behind(context: StepContext, trial: Outcome, best: Outcome) -> bool:
    """Return True if a trial is significantly worse on dev than another one."""
    return paired_difference(context.run.dev_losses(trial), context.run.dev_losses(best)).low > 0


def best_of(context: StepContext, trials: Sequence[Outcome], board: Board) -> Outcome:
    """Return the significantly better trial with the lowest dev loss, or the current network without any.

    Dev decides against bias too: of two trials that fit train better, the one that fits it best may only memorize.
    """
    return min(helpful(context, trials, board), key=lambda trial: trial.losses["dev"], default=context.state.outcome)
