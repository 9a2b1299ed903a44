"""Bounds on the total variation between two distributions: the one scale on which every shift is judged."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Literal

from wellfit.stats.differences import difference
from wellfit.stats.intervals import Estimate, wilson

MATERIAL = 0.10  # tau: total variation that is worth an alarm (docs/methods.md, "Mismatch")
ALPHA = 0.05  # one-sided

Verdict = Literal["yes", "no", "cannot tell"]


@dataclass(frozen=True)
class TvBound:
    """One-sided limits of a total variation from one set (or one family of half lines)."""

    value: float  # difference of the two shares of the set, a lower bound on the total variation in expectation
    low: float
    high: float  # of what this set shows; another set may show more
    rows: int  # of the smaller side

    def verdict(self, tau: float = MATERIAL) -> Verdict:
        """Return yes above `tau`, no below it, otherwise cannot tell."""
        if self.low > tau:
            return "yes"
        return "no" if self.high < tau else "cannot tell"

    def rows_to_decide(self, tau: float = MATERIAL) -> int | None:
        """Rows of the smaller side that would decide, the value held; None where no number would."""
        apart = self.value - tau
        if abs(apart) < 1e-3:
            return None
        width = self.value - self.low if apart > 0 else self.high - self.value
        return max(self.rows + 1, math.ceil(self.rows * (width / apart) ** 2))


def bound_from_counts(dev: tuple[int, int], train: tuple[int, int], *, alpha: float = ALPHA) -> TvBound:
    """J = TPR + TNR - 1 of a set chosen on other rows, with one-sided limits of level 1 - alpha (Newcombe 10).

    Each side is (rows in the set, rows). For any set S, TV(P, Q) >= Q(S) - P(S), so the lower limit of J bounds the
    total variation too.
    """
    sides: list[Estimate] = [wilson(inside, rows, level=1 - 2 * alpha) for inside, rows in (dev, train)]
    found = difference(sides[0], sides[1])
    return TvBound(found.value, found.low, found.high, min(dev[1], train[1]))


def dkw_bound(distance: float, rows: tuple[int, int], *, alpha: float = ALPHA) -> TvBound:
    """The Kolmogorov-Smirnov distance with the band of Dvoretzky, Kiefer and Wolfowitz on both sides.

    D - sqrt(ln(4 / alpha) / 2) (1 / sqrt(n) + 1 / sqrt(m)): the half of alpha for each side.
    """
    n, m = rows
    band = math.sqrt(math.log(4 / alpha) / 2) * (1 / math.sqrt(n) + 1 / math.sqrt(m))
    return TvBound(distance, max(0.0, distance - band), min(1.0, distance + band), min(n, m))
