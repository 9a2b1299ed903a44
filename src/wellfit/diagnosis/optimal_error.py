"""The optimal (Bayes) error, the reference that defines what counts as high."""

from __future__ import annotations

import math
from dataclasses import dataclass, field, replace
from numbers import Integral, Real
from typing import Literal

from wellfit.base.serialize import OMITTED, Record
from wellfit.exceptions import BadInput
from wellfit.records.goals import Goal
from wellfit.stats.intervals import LEVEL, Estimate, wilson

Source = Literal["human", "given", "labels", "none"]
"""Sources of a reference: a person's error, a given interval, several labels per row, or none."""


@dataclass(frozen=True)
class Optimal(Record):
    """The lowest reachable loss, as an interval in the goal's loss."""

    low: float
    high: float
    source: Source
    upper_bound: bool  # whether the true optimum may lie below (a person's error is reached, never proven best)
    point: float | None = field(default=None, metadata=OMITTED)  # the human error that `rows` widened
    rows: int | None = field(default=None, metadata=OMITTED)  # on which the human error was measured

    def at_level(self, level: float) -> Estimate:
        """Return the reference with its interval at a level; only that of a measured human error depends on it."""
        if self.rows and self.point is not None:
            return wilson(self.point * self.rows, self.rows, level=level)
        middle = (self.low + self.high) / 2 if self.point is None else self.point
        return Estimate(middle, self.low, self.high, self.rows)

    def in_unit_of(self, goal: Goal) -> Optimal:
        """Return the reference in the goal's own unit, with the limits swapped if higher is better."""
        low, high = sorted((goal.score_of(self.low), goal.score_of(self.high)))
        return replace(self, low=low, high=high, point=None if self.point is None else goal.score_of(self.point))


def no_reference(best_dev_high: float) -> Optimal:
    """Return the interval from 0 to the smallest upper limit of any dev loss on this split."""
    return Optimal(0.0, max(0.0, best_dev_high), source="none", upper_bound=False)


def reference(
    *,
    goal: Goal,
    human_error: float | None = None,
    human_rows: int | None = None,
    optimal_error: tuple[float, float] | float | None = None,
) -> Optimal | None:
    """Return the reference that a user gave in the goal's own unit (such as a person's AUC); None without one.

    A human error takes the place of the optimal error: as a point, or with `human_rows` as its Wilson interval.

    Raises:
        BadInput: for two references at once, rows without a human error, or values out of range or in the wrong order.
    """
    if human_error is not None and optimal_error is not None:
        raise BadInput(
            "there must be at most one reference for the optimal error",
            found="both human_error and optimal_error",
            remedy="Give one of them",
        )
    if human_rows is not None and (human_error is None or not goal.counts_rows):
        raise BadInput(
            "human_rows must be the number of rows on which human_error was measured, for the goal error",
            found=f"human_rows = {human_rows}, human_error = {human_error}, goal {goal.name}",
            remedy="Leave human_rows out, or give human_error; for other goals give optimal_error as (low, high)",
        )
    if human_error == 1 and goal.is_rate and not goal.higher_is_better:
        raise BadInput(
            "human_error must be below 1, because people who are always wrong are not a reference",
            found="1, which is 100%",
            remedy="Write 1% as .01",
        )
    if human_error is not None:
        return _human(checked_loss("human_error", human_error, goal=goal), human_rows)
    return None if optimal_error is None else _given(optimal_error, goal)


def checked_loss(name: str, value: float, *, goal: Goal) -> float:
    """Convert a value in the goal's own unit to a loss.

    Raises:
        BadInput: if no such loss exists: for a rate outside [0, 1], or a negative or infinite loss.
    """
    if not _is_a(Real, value):
        raise BadInput(f"{name} must be a number", found=repr(value), remedy="Give a number")
    number = float(value)
    if goal.is_rate and not 0 <= number <= 1:
        raise BadInput(f"{name} must be between 0 and 1", found=f"{number:g}", remedy="Write 5 % as .05")
    legal = number <= 1 if goal.higher_is_better else number >= 0
    if not (math.isfinite(number) and legal):
        limit = "at most 1" if goal.higher_is_better else "not negative"
        raise BadInput(f"{name} ({goal.name}) must be finite and {limit}", found=f"{number:g}", remedy="Correct it")
    return goal.loss_of(number)


def checked_rows(name: str, rows: int | None) -> int | None:
    """Check a number of rows, and return it; None stays None.

    Raises:
        BadInput: unless it is a whole number of at least 1.
    """
    if rows is None:
        return None
    if not _is_a(Integral, rows) or rows < 1:
        rule = f"{name} must be a whole number of at least 1"
        raise BadInput(rule, found=repr(rows), remedy="Give the number of rows")
    return int(rows)


def _is_a(kind: type, value: object) -> bool:
    """Return True if a value is a number of this kind, including numpy's; booleans do not count."""
    return isinstance(value, kind) and not isinstance(value, bool)


def _human(error: float, rows: int | None) -> Optimal:
    rows = checked_rows("human_rows", rows)
    if rows is None:
        return Optimal(error, error, source="human", upper_bound=True)
    found = wilson(error * rows, rows, level=LEVEL)
    return Optimal(found.low, found.high, source="human", upper_bound=True, point=error, rows=rows)


def _given(limits: tuple[float, float] | float, goal: Goal) -> Optimal:
    pair = (limits, limits) if isinstance(limits, int | float) else tuple(limits)
    if len(pair) != 2:
        raise BadInput("optimal_error must be (low, high)", found=repr(limits), remedy="Give two numbers")
    if pair[0] > pair[1]:
        raise BadInput(
            "the lower limit of optimal_error must come first and be at most the upper one",
            found=f"{pair[0]:g} and {pair[1]:g}",
            remedy="Swap them",
        )
    low, high = sorted(checked_loss("optimal_error", value, goal=goal) for value in pair)
    return Optimal(low, high, source="given", upper_bound=False)
