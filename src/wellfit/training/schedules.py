"""Schedules over a training run, of the learning rate, a regularizer's strength and the decay of the average.

They are pure functions of (update, updates), with update counted from 0; every engine uses them.
"""

from __future__ import annotations

import math
from collections.abc import Iterable
from dataclasses import dataclass
from typing import TypeVar

from wellfit.base.typing import Floats
from wellfit.records.config import Config
from wellfit.records.knobs import Schedule, Strength

Number = TypeVar("Number", float, Floats)

RUNGS = (1 / 15, 3 / 15, 7 / 15)
"""The places where "coslog4" reaches 0 before the end: 1 + 15 t is a power of two there."""


def share_of_lr(schedule: Schedule, *, update: int, updates: int) -> float:
    """Return the learning rate of one of `updates` updates as a share of lr.

    "cosine" is half a cosine from 1 down to 0; "coslog4" is (1 - cos(2 pi log2(1 + 15 t))) / 2 with
    t = update / updates (Holzmueller et al., 2024): four humps, each twice as long as the one before.
    """
    if schedule == "constant":
        return 1.0
    if schedule == "coslog4":
        return (1 - math.cos(2 * math.pi * math.log2(1 + 15 * update / updates))) / 2
    return (1 + math.cos(math.pi * update / updates)) / 2


def strength(schedule: Strength, *, update: int, updates: int) -> float:
    """Return the fraction in [0, 1] of a regularizer's strength that acts at one update.

    "flat_cos" is 1 for half of the training, then half a cosine down to 0 (Holzmueller et al., 2024).
    """
    through = update / updates
    if schedule == "constant" or through < 1 / 2:
        return 1.0
    return (1 + math.cos(math.pi * (2 * through - 1))) / 2


def keep_prob_at(full: Number, *, strength: Number) -> Number:
    """Return 1 - (1 - full) * strength, for numbers or arrays: the share of units kept at this strength of dropout."""
    # In this form, a strength of 1 gives `full` to the last bit, and one of 0 gives 1.
    return full + (1 - full) * (1 - strength)


def averaging_decay(ema: float, *, update: int, updates: int) -> float:  # noqa: ARG001 - called as all schedules are
    """Return the decay of the moving average: min(ema, (1 + update) / (10 + update)), which soon forgets the start."""
    return min(ema, (1 + update) / (10 + update))


def rung_updates(updates: int) -> tuple[int, ...]:
    """Return the numbers of updates (out of `updates`) after which members are compared: about where "coslog4" is 0."""
    return tuple(sorted({rung for share in RUNGS if 0 < (rung := round(share * updates)) < updates}))


@dataclass(frozen=True, kw_only=True)
class Update:
    """Update number `update` (from 0) of the `updates` planned ones, with the noise of one config and stream."""

    config: Config
    stream: str
    update: int
    updates: int

    @property
    def keep_probs(self) -> tuple[float, ...]:
        """The shares of units kept in each hidden layer at this update."""
        return self.scheduled(self.config.keep_probs)

    def scheduled(self, keep_probs: Iterable[float]) -> tuple[float, ...]:
        """Return the shares of units kept at this update, given those at full strength."""
        schedule = self.config.regularization.keep_prob_schedule
        share = strength(schedule, update=self.update, updates=self.updates)
        return tuple(keep_prob_at(keep, strength=share) for keep in keep_probs)
