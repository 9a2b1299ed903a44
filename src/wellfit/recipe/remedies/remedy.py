"""A remedy as a value, which the recipe asks for its price and its expected gain, and then carries out.

The shares of a ceiling that a remedy gains are priors that were set by hand from cases of benchmarks/recipe_cases.py
and are not calibrated yet. The interval is therefore wide, and the journal counts the outcomes that fall within it. A
trial is compared with the network before it on the same rows: those of train for bias, and those of dev for variance.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field

from wellfit.base.serialize import Record, named
from wellfit.base.typing import Board, Json
from wellfit.diagnosis.remedy_kinds import REMEDY_KINDS
from wellfit.recipe.state import StepContext
from wellfit.records.config import Config
from wellfit.records.gaps import GAP_OF_BOARD, GapName
from wellfit.records.outcome import ENDED, Outcome

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
        """The expected gain divided by the cost, by which remedies are ranked."""
        return self.value / self.cost if self.cost > 0 else 0.0

    def contains(self, got: float) -> bool:
        """Return True if a gain is inside the interval."""
        return self.low <= got <= self.high


def expect(shares: Shares, *, ceiling: float, room: float, cost: float) -> Expected:
    """Convert shares of a ceiling into an expected gain.

    `ceiling` is the largest gain from closing the gap, `room` the largest possible fall of the measured loss: a train
    error may fall below the reference.
    """
    highest = max(shares.high * room, shares.middle * ceiling)
    # A remedy that does not help is not kept, so the gain is never below 0, unless the remedy says so itself.
    return Expected(value=shares.middle * ceiling, low=shares.low * ceiling, high=highest, ceiling=ceiling, cost=cost)


DOUBT = 0.16
"""Probability of keeping a trial that is not better on dev, divided among the trials of a step."""


def helpful(context: StepContext, trials: Sequence[Outcome], board: Board) -> list[Outcome]:
    """Return the trials that are significantly better than the current network."""
    before, ended = context.state.outcome, [trial for trial in trials if trial.status in ENDED]
    if board == "optimization":
        return [trial for trial in ended if context.run.gain(before, trial, on="train").low > 0]
    level = 1 - 2 * DOUBT / max(len(ended), 1)
    return [trial for trial in ended if context.run.gain(before, trial, on="dev", level=level).low > 0]


def is_behind(context: StepContext, trial: Outcome, best: Outcome) -> bool:
    """Return True if a trial is significantly worse on dev than another one."""
    return context.run.gain(trial, best, on="dev").low > 0


def best_of(context: StepContext, trials: Sequence[Outcome], board: Board) -> Outcome:
    """Return the significantly better trial with the lowest dev loss, or the current network if there is none.

    Dev also decides among remedies against bias: of two trials that fit train better, the one that fits it best may
    merely memorize.
    """
    return min(helpful(context, trials, board), key=lambda trial: trial.losses["dev"], default=context.state.outcome)


@dataclass(frozen=True)
class Result:
    """The network to continue with (the previous one if nothing was better), and more fields for the step's entry."""

    outcome: Outcome
    entry: Json = field(default_factory=dict)


@dataclass(frozen=True)
class Price:
    """The cost of a remedy for the current network, in the unit of the budget.

    The remedy is not started if less than `least` is left, since the following steps would then lack budget.
    """

    whole: float
    least: float


@dataclass(frozen=True, kw_only=True)
class Remedy:
    """One remedy.

    Attributes:
        kind: its name in the table of kinds, as in `run --only KIND`.
        shares: the shares of the ceiling that it has gained before, given what the training shows.
        price: its cost; None if no trial is left.
        apply: carries it out, and judges the trials by a paired comparison on train (for bias) or dev (for variance).
        pilot: a few of its trials, which show before the step whether it helps here; none if it needs all of them.
        is_wide: True if it has many more trials than its pilot, so that a pilot without gain does not rule it out.
        coupled: True if it turns both boards at once, so that neither is locked.
        needs_leave: True if it is used only when asked for.
        foretold: its expected gain, if it is not a share of a ceiling.
        repairs_measurement: True if a finding on the rows, and not a gap, calls for it. It then precedes all others,
            and results measured before it are not compared with later ones.
    """

    kind: str
    shares: Callable[[StepContext], Shares]
    price: Callable[[StepContext], Price | None]
    apply: Callable[[StepContext], Result]
    pilot: Callable[[StepContext], tuple[Config, ...]] = lambda _work: ()
    is_wide: bool = False
    coupled: bool = False
    needs_leave: bool = False
    foretold: Callable[[StepContext], Expected] | None = None
    repairs_measurement: bool = False

    @property
    def closes(self) -> GapName:
        """The gap that it closes."""
        return REMEDY_KINDS[self.kind].gap

    @property
    def board(self) -> Board:
        """The board whose knobs it turns, while the other board stays fixed."""
        return REMEDY_KINDS[self.kind].board

    @property
    def finding(self) -> str:
        """The code of the finding that calls for it."""
        return REMEDY_KINDS[self.kind].finding

    def expected(self, context: StepContext) -> Expected:
        """Return the expected gain and the cost in the current state."""
        if self.foretold is not None:
            return self.foretold(context)
        state, price = context.state, self.price(context)
        ceiling = state.diagnosis.ceiling(self.closes)
        room = state.outcome.losses["train"] if GAP_OF_BOARD[self.board].judged_on == "train" else ceiling
        return expect(self.shares(context), ceiling=ceiling, room=room, cost=price.whole if price else 0.0)

    def is_affordable(self, context: StepContext) -> bool:
        """Return True if the rest of the budget is enough to start it."""
        price = self.price(context)
        return price is not None and context.run.budget.remaining >= price.least
