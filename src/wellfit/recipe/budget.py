"""The budget of a run (a time or a number of updates), the remainder, and the expected cost of training.

A budget in updates is exact, so such a run takes the same steps on every machine. Seconds are predicted from past
training.
"""

from __future__ import annotations

import itertools
import math
import re
import time
from collections.abc import Callable
from dataclasses import KW_ONLY, dataclass, field
from typing import Protocol

from wellfit.data.prepare import Prepared
from wellfit.data.training_rows import rows_trained_on
from wellfit.exceptions import BadInput
from wellfit.records.config import Config, Network, total_updates
from wellfit.records.outcome import Outcome

# One slow core, before anything was measured. Only the first training relies on it.
ASSUMED_FLOPS = 2e10
# Fixed cost of one update (batch, noise, activations), about a tenth of a millisecond, as operations at that speed.
OVERHEAD_FLOPS = 2e6
CLOSING_SHARE, CLOSING_OF_START, MOST_CLOSING = 0.02, 0.4, 0.25
"""Shares of a budget in seconds, and of the time before the first training, that are reserved for the end of a run.

The end consists of the diagnosis, the report and the end of the process; the last number is its largest share.

The time before the first training shows how busy the machine is.
"""
SLACK_SHARE = 0.1
"""Fraction by which a budget in seconds may be exceeded (docs/design.md, promise 3)."""
LEAST_SHARE = 0.05
"""Share of a budget in seconds for the first network if reading has taken all of the time."""
LOOK_UP_INPUTS = 10  # look-up of a column's bins, in inputs of the first layer that take as long
PERIODIC_INPUTS = 20  # waves and features of a column, likewise, beside 128 units
CATEGORY_INPUTS = 8  # of an embedding; a one-hot category has about as many
LEAST_POOLED = 4
"""Smallest side of a picture that a convolutional network still halves."""


class Means(Protocol):
    """The interface of a budget for the recipe, in updates, fits or seconds."""

    booked: float
    """What has been spent so far, in the unit of the budget (updates for one in seconds); restored on replay."""

    def pay(self, outcome: Outcome) -> None:
        """Record one training run."""

    @property
    def seconds(self) -> float:
        """Seconds since the run began, including its continuations."""

    @property
    def total(self) -> float:
        """The whole budget, in its own unit."""

    @property
    def remaining(self) -> float:
        """The remaining budget; never below zero."""

    @property
    def is_timed(self) -> bool:
        """True if the budget is in seconds."""

    @property
    def unit(self) -> str:
        """The plural noun of what it counts."""

    @property
    def is_over(self) -> bool:
        """True if a budget in seconds is used up to the last second, so that everything optional is left out."""

    @property
    def deadline(self) -> float | None:
        """Monotonic time by which training must end; None without one."""

    @property
    def latest(self) -> float | None:
        """Deadline of the first network."""

    def deadline_at(self, share: float) -> float | None:
        """Return the monotonic time at which a given share of the remaining budget is used up; None without one."""

    def enough_for(self, price: float) -> str:
        """Return a budget that would cover this cost if the same command were given again."""

    def text(self, amount: float) -> str:
        """Return an amount with the budget's unit, for a message."""

    def cost(self, config: Config) -> float:
        """Return the expected cost of training one config."""

    def cost_alone(self, config: Config) -> float:
        """Return the expected cost of training one config while nothing else trains."""

    def affordable(self, config: Config, *, share: float = 1.0) -> int:
        """Return how many times `config` can be trained within this share of the remaining budget."""


@dataclass(eq=False)
class BudgetTracker:
    """The budget of a run and its remainder, in the budget's own unit.

    `spent` is the number of seconds used by earlier sessions of the same run; `start_up` is the number that this
    session has used already, and that the same command would need again. The remainder excludes the `closing` seconds,
    in which nothing more is trained. `clock` returns monotonic seconds.
    """

    budget: Budget
    _: KW_ONLY
    data: Prepared
    workers: int
    spent: float = 0.0
    start_up: float = 0.0
    clock: Callable[[], float] = time.monotonic
    updates: int = field(default=0, init=False)
    """Updates recorded so far."""

    def __post_init__(self) -> None:
        self._started = self.clock() - self.spent - self.start_up
        self._seconds_per_flop = 1 / ASSUMED_FLOPS

    def pay(self, outcome: Outcome) -> None:
        """Record one training run, and update the estimate of this machine's speed."""
        self.updates += outcome.updates
        if outcome.updates:
            self._seconds_per_flop = outcome.seconds / (outcome.updates * self._flops(outcome.config))

    @property
    def booked(self) -> float:
        """Updates booked so far."""
        return self.updates

    @booked.setter
    def booked(self, amount: float) -> None:
        self.updates = int(amount)

    @property
    def unit(self) -> str:
        """The plural noun of what it counts."""
        return "seconds" if self.is_timed else "updates"

    @property
    def seconds(self) -> float:
        """Seconds that the run has taken so far, including its continuations."""
        return self.clock() - self._started

    @property
    def total(self) -> float:
        """The whole budget, in its own unit."""
        return float(self.budget.updates or self.budget.seconds or 0)

    @property
    def closing(self) -> float:
        """Seconds that are reserved for the steps after the last training; 0 for updates."""
        if not self.is_timed:
            return 0.0
        return min(CLOSING_SHARE * self.total + CLOSING_OF_START * self.start_up, MOST_CLOSING * self.total)

    @property
    def is_over(self) -> bool:
        """True if a budget in seconds is used up to the last second, so that everything optional is left out."""
        return self.is_timed and self.seconds >= self.total

    @property
    def remaining(self) -> float:
        """The remaining budget for training; never below zero."""
        return max(0.0, self.total - (self.updates if self.budget.updates else self.seconds + self.closing))

    @property
    def is_timed(self) -> bool:
        """True if the budget is in seconds."""
        return self.budget.updates is None

    @property
    def deadline(self) -> float | None:
        """The monotonic time by which training must end under a budget in seconds; None for updates."""
        return None if self.budget.updates else self.clock() + self.remaining

    def deadline_at(self, share: float) -> float | None:
        """Return the monotonic time at which a given share of the remaining budget is used up; None for updates."""
        return None if self.budget.updates else self.clock() + share * self.remaining

    @property
    def latest(self) -> float | None:
        """The deadline of the first network, which every run needs; it may use the slack if reading took too long."""
        if self.deadline is None:
            return None
        return max(self.deadline, self.clock() + LEAST_SHARE * self.total)

    def enough_for(self, price: float) -> str:
        """Return a budget that would cover this cost if the same command were run again."""
        if self.budget.updates:
            return str(Budget(seconds=None, updates=math.ceil(self.updates + price)))
        needed = self.seconds + (1 + CLOSING_OF_START) * self.start_up + (1 + SLACK_SHARE) * price
        return str(Budget(seconds=math.ceil(needed / (1 - CLOSING_SHARE)), updates=None))

    def text(self, amount: float) -> str:
        """Format an amount with the budget's unit, for a message."""
        return f"{amount:,.1f} s" if self.is_timed else f"{amount:,.0f} updates"

    def cost(self, config: Config) -> float:
        """Return the expected cost of training one config while all workers share the load evenly."""
        updates = float(total_updates(config, rows=self._rows_of(config)))
        if self.budget.updates:
            return updates
        return updates * self._flops(config) * self._seconds_per_flop / self.workers

    def cost_alone(self, config: Config) -> float:
        """Return the expected cost of training one config while the other workers are idle."""
        return self.cost(config) * (self.workers if self.is_timed else 1)

    def affordable(self, config: Config, *, share: float = 1.0) -> int:
        """Return how many times `config` can be trained within this share of the remaining budget."""
        return int(share * self.remaining / self.cost(config))

    def _rows_of(self, config: Config) -> int:
        return rows_trained_on(self.data, config.data)

    def _flops(self, config: Config) -> float:
        bins = min(config.network.bins, LOOK_UP_INPUTS) if config.network.embedding == "ple" else 0
        bins = PERIODIC_INPUTS if config.network.embedding == "periodic" else bins
        train, preparation = self.data.train, self.data.preparation
        inputs = (1 + bins) * train.numeric.shape[1] + CATEGORY_INPUTS * train.codes.shape[1]
        widths = (inputs, *config.network.widths, preparation.outputs)
        weights = sum(ins * outs for ins, outs in itertools.pairwise(widths))
        shape = preparation.schema.picture
        if config.network.kind == "conv" and shape:
            weights = weights_times_places(config.network, shape=shape, outputs=preparation.outputs)
        batch = min(config.optimization.batch_size, self._rows_of(config))
        return OVERHEAD_FLOPS + 6.0 * float(batch * weights)  # two for forward, four for backward, per weight and row


def weights_times_places(network: Network, *, shape: tuple[int, int, int], outputs: int) -> int:
    """Return the number of multiplications in one picture's forward pass through a convolutional network."""
    height, width, channels = shape
    found = 0
    for ins, outs in itertools.pairwise((channels, *network.widths)):
        found += 9 * ins * outs * height * width
        if min(height, width) >= LEAST_POOLED:
            height, width = height // 2, width // 2
    return found + (network.widths or (channels,))[-1] * height * width * outputs


_SECONDS = {"s": 1.0, "m": 60.0, "h": 3600.0}
_BUDGET = re.compile(r"(?P<amount>[0-9]+(?:[._][0-9]+)*)\s*(?P<unit>updates?|[a-z]*)", re.IGNORECASE)


@dataclass(frozen=True)
class Budget:
    """An upper limit on the seconds of a whole run with its continuations, or on the updates of all its networks.

    Exactly one of the two is set; a limit in updates gives the same result on slow and fast machines.
    """

    seconds: float | None
    updates: int | None

    def __str__(self) -> str:
        return f"{self.updates}updates" if self.seconds is None else f"{self.seconds:g}s"


def parse_budget(text: str | float | Budget) -> Budget:
    """Read `60s`, `10m`, `1.5h`, `20000updates` or a number of seconds; refuse anything else and amounts below 0."""
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
        "a budget must be a time with its unit (s, m, h) or a number of updates",
        found=repr(text),
        remedy="Write it as 60s, 10m, 1h or 20000updates",
    )
