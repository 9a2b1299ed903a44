"""A remedy as a value: the recipe asks it for its price and its expected gain, and lets it act."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Protocol

from wellfit.base.serialize import OMITTED, Record
from wellfit.base.typing import Board, Json
from wellfit.diagnosis.remedy_kinds import REMEDY_KINDS
from wellfit.recipe.expectation import Expected, Shares, expect
from wellfit.recipe.state import StepContext
from wellfit.records.config import Config
from wellfit.records.gaps import GAP_OF_BOARD, GapName
from wellfit.records.outcome import Outcome


class Result(Protocol):
    """Result of carrying out a remedy."""

    @property
    def outcome(self) -> Outcome:
        """The network to go on with: the one from before if nothing was better."""
        ...

    def to_json(self) -> Json:
        """Fields of the step's entry beside those of all steps."""
        ...


@dataclass(frozen=True)
class Done(Record):
    """Result of a remedy that ends with one network."""

    outcome: Outcome = field(metadata=OMITTED)


@dataclass(frozen=True)
class Price:
    """Cost of a remedy for the current network, in the unit of the budget.

    It is not begun with less than `least` left, since what follows would lack the means.
    """

    whole: float
    least: float


@dataclass(frozen=True, kw_only=True)
class Remedy:
    """One remedy.

    Attributes:
        kind: its name in the table of kinds, as `run --only KIND` takes it.
        shares: of the ceiling that it has gained before, in the light of what the training shows.
        price: its cost; None without a trial (left).
        apply: carries it out, and judges the trials by a paired comparison on train (bias) or dev (variance).
        pilot: a few of its trials, which show before the step whether it helps here; none if it takes all of them.
        is_wide: True if it has much more to try than its pilot, which then does not speak against it.
        coupled: True if it turns both boards at once, so that none is locked.
        needs_leave: True if it is used only when asked for.
        foretold: its expected gain, if that is no share of a ceiling.
        repairs_measurement: True if a finding on the rows calls for it, no gap: it then precedes all others, and
            results measured before it are not compared with later ones.
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
        """The board that it turns; the other is locked."""
        return REMEDY_KINDS[self.kind].board

    @property
    def finding(self) -> str:
        """The code of the finding that calls for it."""
        return REMEDY_KINDS[self.kind].finding

    def expected(self, context: StepContext) -> Expected:
        """Return the expected gain and cost in the current state."""
        if self.foretold is not None:
            return self.foretold(context)
        state, price = context.state, self.price(context)
        ceiling = state.diagnosis.ceiling(self.closes)
        room = state.outcome.losses["train"] if GAP_OF_BOARD[self.board].judged_on == "train" else ceiling
        return expect(self.shares(context), ceiling=ceiling, room=room, cost=price.whole if price else 0.0)

    def is_affordable(self, context: StepContext) -> bool:
        """Return True if the rest of the budget lets it begin."""
        price = self.price(context)
        return price is not None and context.run.budget.remaining >= price.least
