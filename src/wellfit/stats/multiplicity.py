"""Several verdicts at once: Holm's step-down procedure, written for lower limits instead of p-values."""

from __future__ import annotations

from collections.abc import Callable, Sequence

ALPHA = 0.05
"""Family-wise error rate of two-sided intervals, so that half of it is spent on the lower side."""

LowerLimit = Callable[[float], float]
"""Level of a two-sided interval -> its lower limit; falls as the level rises."""


def holm(limits: Sequence[LowerLimit], *, above: float) -> list[bool]:
    """Return True for each quantity that lies above a threshold, with at most 5 % chance of any false one (Holm 1979).

    With k quantities undecided, each is held to an interval of level 1 - .05/k; those whose lower limit is above
    the threshold are decided and leave, and the rest are held to the milder level of the fewer that remain.

    Args:
        limits: one function per quantity: level -> lower limit.
        above: the threshold.
    """
    decided = [False] * len(limits)
    while not all(decided):
        level = 1 - ALPHA / decided.count(False)
        found = [i for i, limit in enumerate(limits) if not decided[i] and limit(level) > above]
        if not found:
            break
        for i in found:
            decided[i] = True
    return decided
