"""Numbers in the sentences of findings: `Unit` writes them, as it does everywhere."""

from __future__ import annotations

from wellfit.diagnosis.gaps import Errors, Gap
from wellfit.records.goals import Goal
from wellfit.records.units import Unit


def error_text(goal: Goal, loss: float) -> str:
    """One error in the goal's own unit."""
    return Unit(goal).show(loss)


def gap_text(goal: Goal, gap: float) -> str:
    """A gap with its unit."""
    return Unit(goal).gap(gap, sign=False)


def range_text(goal: Goal, low: float, high: float) -> str:
    """The limits of a gap, with one unit."""
    return Unit(goal).gap_range(low, high)


def interval_text(goal: Goal, gap: Gap) -> str:
    """A gap with its interval."""
    return f"{gap_text(goal, gap.value)} ({range_text(goal, gap.low, gap.high)})"


def size_text(goal: Goal, gap: Gap, errors: Errors) -> str:
    """A gap as a sentence says it: in the unit that the reader thinks in."""
    start, end = errors.ends(gap.name)
    return Unit(goal).size(gap.value, start=start, end=end)
