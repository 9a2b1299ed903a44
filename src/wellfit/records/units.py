"""Numbers of a goal as people read them: positions on an axis, values, gaps."""

from __future__ import annotations

import math
import re
from dataclasses import dataclass
from typing import TYPE_CHECKING

from wellfit.records.goals import Goal

if TYPE_CHECKING:
    from wellfit.stats.intervals import Estimate


@dataclass(frozen=True)
class Unit:
    """The unit of one goal. Every number comes in as the goal's loss and leaves in the goal's own unit."""

    goal: Goal

    @property
    def noun(self) -> str:
        """The name of the number in a sentence."""
        return self.goal.noun

    @property
    def is_percent(self) -> bool:
        """True if the loss is a rate that is written as a percentage."""
        return self.goal.is_percent

    @property
    def axis_title(self) -> str:
        """The title of an axis on which better is always to the left (or below)."""
        if self.goal.higher_is_better:
            return f"{self.noun} (higher is better)"
        return f"{self.noun} in the unit of the target" if self.goal.task == "regression" else self.noun

    def position(self, loss: float) -> float:
        """Position of `loss` on an axis: the root for rmse, percent for rates, else the loss itself."""
        if self.goal.is_squared:
            return math.sqrt(max(loss, 0.0))
        return 100 * loss if self.is_percent else loss

    def tick(self, position: float, *, step: float) -> str:
        """The label of a tick at `position` of an axis whose ticks are `step` apart."""
        if self.goal.higher_is_better:
            return f"{1 - position:.{_decimals(step)}f}"
        label = f"{position:,.{_decimals(step)}f}"
        return f"{label}%" if self.is_percent else label

    def show(self, loss: float | None) -> str:
        """`loss` in the goal's own unit: 14.6%, 0.931, 48,210."""
        if loss is None or not math.isfinite(loss):
            return "—"
        loss = max(loss, 0.0)
        if self.is_percent:
            return f"{_percent(loss)}%"
        return f"{1 - loss:.3f}" if self.goal.higher_is_better else plain(self.position(loss))

    def interval(self, found: Estimate) -> str:
        """The limits of an error, the lower score first."""
        low, high = (found.high, found.low) if self.goal.higher_is_better else (found.low, found.high)
        return f"{self.show(low)} to {self.show(high)}"

    def gap(self, value: float, *, start: float | None = None, end: float | None = None, sign: bool = False) -> str:
        """A difference of losses: points for rates; for rmse the step between the two rungs, and the MSE.

        For rmse the step needs the losses at which the gap starts and ends, since roots do not subtract. `sign` writes
        a plus in front of a gain in loss.
        """
        mark = "−" if value < 0 else "+" if sign else ""
        if self.is_percent:
            return f"{mark}{_percent(value)} {'point' if _percent(value) == '1.0' else 'points'}"
        if not self.goal.is_squared:
            return f"{mark}{plain(abs(value))}"
        squared = f"{mark}{knob(abs(value))} {self.goal.loss_noun}"
        if start is None or end is None:
            return squared
        return f"{mark}{plain(abs(self.position(end) - self.position(start)))} ({squared})"

    def gap_range(self, low: float, high: float) -> str:
        """The limits of a difference of losses, with one unit."""
        first, last = (self.gap(limit) for limit in (low, high))
        return f"{first.partition(' ')[0]} to {last}" + ("s" if last.endswith("point") else "")

    def size(self, value: float, *, start: float, end: float) -> str:
        """A gap as written in a sentence, in the unit that readers know best: for rmse the step between two errors."""
        size = self.gap(value)
        if self.goal.is_squared:
            size = plain(abs(self.position(end) - self.position(start)))
        return size if self.is_percent else f"{size} {self.noun}"


def plain(value: float) -> str:
    """A number with four significant digits and thousands separators: 0.01234, 12.35, 48,210."""
    size = abs(value)
    if size >= 1000 or (value == round(value) and size < 1000):
        return f"{value:,.0f}"
    return f"{value:.4g}"


def knob(value: float | None) -> str:
    """A value on a logarithmic range, in short form: 0, 0.053, 1e-06, 316."""
    if value is None:
        return "—"
    if value == 0:
        return "0"
    return f"{value:,.0f}" if 1000 <= abs(value) < 1e6 else f"{value:.3g}"


def seconds(value: float | None) -> str:
    """A duration: 0.4 s, 12 s, 3 min 20 s."""
    if value is None:
        return "—"
    if value < 60:
        return f"{value:.1f} s" if value < 10 else f"{value:.0f} s"
    return f"{int(value // 60)} min {int(value % 60)} s"


def typeset(words: str) -> str:
    """Return a journal's ASCII text with the characters that a page uses."""
    return re.sub(r"\blambda\b", "λ", words).replace("->", "→").replace("+-", "±")


def _percent(rate: float) -> str:
    points = abs(100 * rate)
    return f"{points:.2f}" if 0.005 <= points < 0.95 else f"{points:.1f}"


def _decimals(step: float) -> int:
    return max(0, -math.floor(math.log10(step) + 1e-9)) if step > 0 else 0
