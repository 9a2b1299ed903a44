"""What a step is expected to buy before it is taken, and whether what came was inside.

The shares of a ceiling that a remedy wins are priors set by hand, after looking at cases of benchmarks/recipe_cases.py,
not yet calibrated: so the interval is wide, and the journal keeps the score.
"""

from __future__ import annotations

from dataclasses import dataclass

from wellfit._typing import Json

LEVEL = 0.9
"""Coverage that the interval claims."""


@dataclass(frozen=True)
class Shares:
    """Shares of the ceiling that a remedy is thought to win: 5 %, the middle, and 95 %."""

    low: float
    middle: float
    high: float


@dataclass(frozen=True, kw_only=True)
class Expected:
    """A gain in the goal's loss, with a 90 % interval, and its cost in the unit of the budget."""

    value: float
    low: float
    high: float
    ceiling: float
    cost: float

    @property
    def rate(self) -> float:
        """Gain for cost: what remedies are ranked by."""
        return self.value / self.cost if self.cost > 0 else 0.0

    def holds(self, got: float) -> bool:
        """Whether a gain is inside the interval."""
        return self.low <= got <= self.high

    def to_json(self) -> Json:
        """The fields of a step's journal entry."""
        return {
            "expected": self.value,
            "expected_low": self.low,
            "expected_high": self.high,
            "ceiling": self.ceiling,
            "cost": self.cost,
        }


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
