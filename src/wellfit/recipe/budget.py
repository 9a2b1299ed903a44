"""How long a run may go on: a time, or a number of updates."""

from __future__ import annotations

import math
import re
from dataclasses import dataclass

from wellfit.exceptions import BadInput

_SECONDS = {"s": 1.0, "m": 60.0, "h": 3600.0}
_BUDGET = re.compile(r"(?P<amount>[0-9]+(?:[._][0-9]+)*)\s*(?P<unit>updates?|[a-z]*)", re.IGNORECASE)


@dataclass(frozen=True)
class Budget:
    """An upper limit: exactly one of the two is set.

    Attributes:
        seconds: wall-clock time of the whole run, counted over its continuations.
        updates: optimizer steps, summed over all networks of the run; the same result on a slow and a fast machine.
    """

    seconds: float | None
    updates: int | None

    def __str__(self) -> str:
        return f"{self.updates}updates" if self.seconds is None else f"{self.seconds:g}s"


def parse_budget(text: str | float | Budget) -> Budget:
    """Read `60s`, `10m`, `1.5h` or `20000updates`; a plain number from Python means seconds.

    Raises:
        BadInput: for anything else, and for a budget that is not positive.
    """
    if isinstance(text, Budget):
        return text
    if isinstance(text, int | float) and not isinstance(text, bool):
        return _positive(Budget(seconds=float(text), updates=None), found=repr(text))
    match = _BUDGET.fullmatch(str(text).strip())
    if match is None:
        raise _unreadable(text)
    amount, unit = match["amount"].replace("_", ""), match["unit"].lower()
    if unit.startswith("update") and amount.isdigit():
        return _positive(Budget(seconds=None, updates=int(amount)), found=repr(text))
    if unit not in _SECONDS or amount.count(".") > 1:
        raise _unreadable(text)
    return _positive(Budget(seconds=float(amount) * _SECONDS[unit], updates=None), found=repr(text))


def _positive(budget: Budget, *, found: str) -> Budget:
    amount = budget.updates if budget.seconds is None else budget.seconds
    if not (amount and math.isfinite(amount) and amount > 0):
        raise BadInput("a budget must be positive", found=found, remedy="Give for example 60s, 10m or 20000updates")
    return budget


def _unreadable(text: object) -> BadInput:
    return BadInput(
        "a budget is a time with its unit (s, m, h) or a number of updates",
        found=repr(text),
        remedy="Write it as 60s, 10m, 1h or 20000updates",
    )
