"""Numbers in words: errors in the goal's own unit, gaps in points or in loss."""

from __future__ import annotations

from wellfit.diagnosis.gaps import Errors, Gap
from wellfit.goals import Goal
from wellfit.stats.intervals import LEVEL


def error_text(goal: Goal, loss: float) -> str:
    """One error in the goal's own unit."""
    score = goal.score_of(max(loss, 0.0))
    if goal.is_percent:
        return percent(score)
    if goal.is_rate:
        return f"{score:.4f}"
    return f"{score:,.4g}" if abs(score) < 1000 else f"{score:,.0f}"


def percent(rate: float) -> str:
    """A rate in %, with more digits where it is small."""
    return f"{100 * rate:.2f} %" if 0 < rate < 0.005 else f"{100 * rate:.1f} %"


def number_text(goal: Goal, gap: float) -> str:
    """A gap without its unit: points, or loss."""
    if goal.is_rate:
        digits = 2 if 0 < abs(gap) < 0.002 else 1
        return f"{100 * gap:.{digits}f}"
    return f"{gap:.4g}"


def gap_text(goal: Goal, gap: float) -> str:
    """A gap with its unit."""
    return f"{number_text(goal, gap)} {goal.loss_noun}"


def interval_text(goal: Goal, gap: Gap) -> str:
    """A gap with its interval."""
    return f"{gap_text(goal, gap.value)} ({number_text(goal, gap.low)} to {number_text(goal, gap.high)})"


def size_text(goal: Goal, gap: Gap, errors: Errors) -> str:
    """A gap as a sentence says it: in the unit that the reader thinks in."""
    return rmse_text(gap, errors).lstrip("+") if goal.is_squared else gap_text(goal, gap.value)


def rmse_text(gap: Gap, errors: Errors) -> str:
    """A gap of mean squared errors as the difference of their roots."""
    sides = (side.at_level(LEVEL).value for side in errors.sides[gap.name])
    after, before = (max(0.0, loss) ** 0.5 for loss in sides)
    step = max(0.0, after - before) if gap.name == "avoidable_bias" else after - before
    return f"{step:+,.4g} RMSE" if abs(step) < 1000 else f"{step:+,.0f} RMSE"
