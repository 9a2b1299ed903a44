"""The dev error with and without suspect rows."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from wellfit._typing import Booleans, Floats, Json
from wellfit.diagnosis.words import error_text, gap_unit, number_text
from wellfit.goals import Goal
from wellfit.stats.differences import difference
from wellfit.stats.intervals import Estimate, mean_interval, wilson

FEWEST_ROWS = 2  # on each side, for an interval


@dataclass(frozen=True)
class WithAndWithout:
    """What suspect rows do to an error.

    Attributes:
        with_them: the error over all rows.
        without_them: the error over the others.
        flattery: without - with: by how much the suspect rows make the error look too low.
    """

    with_them: Estimate
    without_them: Estimate
    flattery: Estimate

    def to_json(self) -> Json:
        """Three estimates."""
        return {
            "with": self.with_them.to_json(),
            "without": self.without_them.to_json(),
            "flattery": self.flattery.to_json(),
        }


def with_and_without(losses: Floats | None, suspect: Booleans) -> WithAndWithout | None:
    """Compare; None where there are no losses, or fewer than two rows on either side.

    with = share * suspect + (1 - share) * others, so without - with = share * (others - suspect), and the difference
    in brackets is between different rows: MOVER's.

    Args:
        losses: [rows] loss of each row.
        suspect: [rows] which rows are suspect.
    """
    count = int(suspect.sum())
    if losses is None or count < FEWEST_ROWS or len(losses) - count < FEWEST_ROWS:
        return None
    others = error_of(losses[~suspect])
    gap = difference(others, error_of(losses[suspect]))
    share = count / len(losses)
    flattery = Estimate(share * gap.value, share * gap.low, share * gap.high, gap.rows)
    return WithAndWithout(error_of(losses), others, flattery)


def error_of(losses: Floats) -> Estimate:
    """A mean loss with its interval: Wilson's where every loss is 0 or 1."""
    if np.isin(losses, (0.0, 1.0)).all():
        return wilson(float(losses.sum()), len(losses))
    return mean_interval(losses)


def without_text(found: WithAndWithout | None, goal: Goal | None) -> str:
    """The comparison as the end of a sentence; "" where there is none."""
    if found is None or goal is None:
        return ""
    with_them, without = (error_text(goal, each.value) for each in (found.with_them, found.without_them))
    limits = " to ".join(number_text(goal, limit) for limit in (found.flattery.low, found.flattery.high))
    return f" Error with them {with_them}, without {without} (higher by {limits} {gap_unit(goal)})."
