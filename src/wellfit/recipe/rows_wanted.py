"""How many training rows would bring a variance inside the tolerance, from how variances shrink with rows."""

from __future__ import annotations

import math

FASTEST, SLOWEST = 1.0, 0.5
"""Exponents of the rows: least squares loses its variance as 1/m, networks mostly slower, down to 1/sqrt(m)."""
FARTHEST = 100.0
"""Times the rows beyond which the answer is "more than that"."""


def rows_wanted(rows: int, *, gap: float, tolerance: float) -> tuple[int, int | None]:
    """From how many to how many rows; None where the upper figure is beyond a hundred times what there is.

    Args:
        rows: training rows now.
        gap: the variance now.
        tolerance: what it should come down to.
    """
    ratio = max(1.0, gap / tolerance)
    low, high = (rows * min(FARTHEST, ratio ** (1 / exponent)) for exponent in (FASTEST, SLOWEST))
    return _rounded(low), _rounded(high) if ratio ** (1 / SLOWEST) <= FARTHEST else None


def _rounded(rows: float) -> int:
    """Two significant digits: more would be pretence."""
    digits = 10 ** max(0, math.floor(math.log10(rows)) - 1)
    return int(math.ceil(rows / digits) * digits)
