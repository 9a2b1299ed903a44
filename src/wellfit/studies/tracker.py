"""The budget of a study: a number of fits, or a time."""

from __future__ import annotations

import math
import re
import time
from collections.abc import Callable
from dataclasses import KW_ONLY, dataclass, field

from wellfit.exceptions import BadInput
from wellfit.recipe.budget import Budget, parse_budget
from wellfit.records.config import Config
from wellfit.records.outcome import Outcome

SLACK_SHARE = 0.1
"""Fraction by which a time budget may be exceeded before a fit in progress is stopped."""
_FITS = re.compile(r"(?P<count>[0-9_]+)\s*fits?", re.IGNORECASE)


@dataclass(frozen=True)
class StudyBudget:
    """An upper limit: a number of fits, or the seconds of the study with its continuations.

    A fit that failed counts; the earlier tries of one that is made again, because it was killed, do not.
    """

    fits: int | None = None
    seconds: float | None = None

    def __str__(self) -> str:
        return f"{self.fits}fits" if self.seconds is None else f"{self.seconds:g}s"


def parse_study_budget(text: str | float | StudyBudget) -> StudyBudget:
    """Read `16fits`, `90s`, `10m`, `2h` or a number of seconds.

    Raises:
        BadInput: for anything else, and for nothing.
    """
    if isinstance(text, StudyBudget):
        return text
    match = _FITS.fullmatch(str(text).strip())
    if match is not None and int(match["count"].replace("_", "") or 0) > 0:
        return StudyBudget(fits=int(match["count"].replace("_", "")))
    seconds = None
    if match is None:
        try:
            seconds = parse_budget(Budget(seconds=text, updates=None) if isinstance(text, float) else text).seconds
        except BadInput:
            seconds = None
    if not seconds or not math.isfinite(seconds) or seconds <= 0:
        raise BadInput(
            "the budget of a study must be a number of fits or a time with its unit (s, m, h)",
            found=repr(text),
            remedy="Write it as 16fits, 90s, 10m or 2h",
        )
    return StudyBudget(seconds=seconds)


@dataclass(eq=False)
class FitTracker:
    """The rest of a study's budget, as the recipe asks for it.

    Seconds are those of the fits over the number of workers, so that a study that is followed again decides as before;
    only when `elapsed`, the time of the workers at work, has used up the budget does the clock end it.
    """

    budget: StudyBudget
    _: KW_ONLY
    workers: int = 1
    elapsed: Callable[[], float] = lambda: 0.0
    booked: float = 0.0
    """Fits, or seconds, paid for so far."""
    _per_epoch: list[float] = field(default_factory=list, init=False)

    def pay(self, outcome: Outcome) -> None:
        """Record one fit."""
        self.booked += 1.0 if self.budget.fits else outcome.seconds / self.workers
        if outcome.seconds > 0:
            self._per_epoch.append(outcome.seconds / self.workers / _epochs(outcome.config))

    @property
    def seconds(self) -> float:
        """Seconds of fits so far, with continuations."""
        return self.elapsed()

    @property
    def total(self) -> float:
        """The whole budget, in its own unit."""
        return float(self.budget.fits or self.budget.seconds or 0.0)

    @property
    def remaining(self) -> float:
        """The remaining budget; never below zero."""
        if self.is_over:
            return 0.0
        return max(0.0, self.total - self.booked)

    @property
    def is_timed(self) -> bool:
        """True if the budget is in seconds."""
        return self.budget.fits is None

    @property
    def unit(self) -> str:
        """The plural noun of what it counts."""
        return "seconds" if self.is_timed else "fits"

    @property
    def is_over(self) -> bool:
        """True if a budget in seconds is used up."""
        return self.is_timed and self.elapsed() >= self.total

    @property
    def deadline(self) -> float | None:
        """None: a study's own loop ends it."""
        return None

    @property
    def latest(self) -> float | None:
        """None, likewise."""
        return None

    def deadline_at(self, share: float) -> float | None:
        """Return the monotonic time at which a share of the rest is used up; None for fits."""
        return time.monotonic() + share * self.remaining if self.is_timed else None

    def enough_for(self, price: float) -> str:
        """Return a budget that would cover this cost."""
        amount = math.ceil(self.booked + price)
        return str(StudyBudget(seconds=amount) if self.is_timed else StudyBudget(fits=amount))

    def text(self, amount: float) -> str:
        """Return an amount with its unit."""
        return f"{amount:,.1f} s" if self.is_timed else f"{amount:,.0f} fits"

    def cost(self, config: Config) -> float:
        """Return the expected cost of one fit: 1, or seconds by the fits before and the epochs."""
        if not self.is_timed:
            return 1.0
        return self._per_epoch[-1] * _epochs(config) if self._per_epoch else 0.0

    def cost_alone(self, config: Config) -> float:
        """Return the cost of one fit while nothing else runs."""
        return self.cost(config) * (self.workers if self.is_timed else 1)

    def affordable(self, config: Config, *, share: float = 1.0) -> int:
        """Return how many such fits this share of the rest pays for."""
        cost = self.cost(config)
        return int(share * self.remaining / cost) if cost else 1_000


def _epochs(config: Config) -> float:
    """Return the epochs of a config, by the value of a knob of that name; 1 without one."""
    value = config.own_on("optimization").get("epochs", 1.0)
    return float(value) if isinstance(value, int | float) and value > 0 else 1.0
