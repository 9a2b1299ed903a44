"""The numbers of a goal as people read them: positions on an axis, values, gaps."""

from __future__ import annotations

import math
import re
from collections.abc import Iterable
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
        """Whether the loss is a rate that is written as a percentage."""
        return self.goal.is_percent

    @property
    def axis_title(self) -> str:
        """The title of an axis on which better is always to the left (or below)."""
        if self.goal.higher_is_better:
            return f"{self.noun} (higher is better)"
        return f"{self.noun} in the unit of the target" if self.goal.task == "regression" else self.noun

    def position(self, loss: float) -> float:
        """Return the position of `loss` on an axis: its root for rmse, percent for rates, otherwise the loss itself."""
        if self.goal.is_squared:
            return math.sqrt(max(loss, 0.0))
        return 100 * loss if self.is_percent else loss

    def tick(self, position: float, *, step: float) -> str:
        """Return the label of a tick at `position` of an axis whose ticks are `step` apart."""
        if self.goal.higher_is_better:
            return f"{1 - position:.{_decimals(step)}f}"
        label = f"{position:,.{_decimals(step)}f}"
        return f"{label}%" if self.is_percent else label

    def show(self, loss: float | None) -> str:
        """Return `loss` in the goal's own unit: 14.6%, 0.931, 48,210."""
        if loss is None or not math.isfinite(loss):
            return "—"
        loss = max(loss, 0.0)
        if self.is_percent:
            return f"{_percent(loss)}%"
        return f"{1 - loss:.3f}" if self.goal.higher_is_better else plain(self.position(loss))

    def interval(self, found: Estimate) -> str:
        """Return the limits of an error, the lower score first."""
        low, high = (found.high, found.low) if self.goal.higher_is_better else (found.low, found.high)
        return f"{self.show(low)} to {self.show(high)}"

    def gap(self, value: float, *, start: float | None = None, end: float | None = None, sign: bool = False) -> str:
        """Return a difference of losses in the goal's own unit: points for rates; for rmse, a step between errors.

        Roots do not subtract like losses, so rmse needs one of the losses at which the difference starts and ends.
        With `sign`, a plus stands in front of an increase in loss.
        """
        mark = "−" if value < 0 else "+" if sign else ""
        if self.is_percent:
            return f"{mark}{_percent(value)} {'point' if _percent(value) == '1.0' else 'points'}"
        return f"{mark}{plain(abs(self._step(value, start=start, end=end)))}"

    def _step(self, value: float, *, start: float | None, end: float | None) -> float:
        if not self.goal.is_squared or (start is None and end is None):
            return self.position(abs(value)) if self.goal.is_squared else value
        low = start if start is not None else (end or 0.0) - value
        return self.position(low + value) - self.position(low)

    def gap_range(self, low: float, high: float, *, start: float | None = None, end: float | None = None) -> str:
        """Return the limits of a difference of losses, with one unit."""
        first, last = (self.gap(limit, start=start, end=end) for limit in (low, high))
        return f"{first.partition(' ')[0]} to {last}" + ("s" if last.endswith("point") else "")

    def size(self, value: float, *, start: float | None = None, end: float | None = None) -> str:
        """Return a difference as written in a sentence, with its unit."""
        size = self.gap(value, start=start, end=end)
        return size if self.is_percent else f"{size} {self.noun}"


def plain(value: float) -> str:
    """Return a number with four significant digits and thousands separators: 0.01234, 12.35, 48,210."""
    size = abs(value)
    if size >= 1000 or (value == round(value) and size < 1000):
        return f"{value:,.0f}"
    return f"{value:.4g}"


MOST_WRITTEN_OUT = 1e12
"""Above it a number is written with a power of ten."""


def knob(value: float | None) -> str:
    """Return a value on a logarithmic range in short form: 0, 0.053, 1e-06, 316, 1,230,000."""
    if value is None:
        return "—"
    if value == 0:
        return "0"
    if abs(value) < 1000:
        return f"{value:.3g}"
    if abs(value) < 1e6:
        return f"{value:,.0f}"
    short = f"{value:.3g}"
    return f"{float(short):,.0f}" if abs(value) < MOST_WRITTEN_OUT else short.replace("e+", "e")


def spread(texts: Iterable[str]) -> str:
    """Return the values of one knob in several networks: "0.5", "0 to 1,200", "64 × 64 or 256"."""
    found = list(dict.fromkeys(texts))
    try:
        found.sort(key=lambda text: 0.0 if text == "off" else float(text.replace(",", "")))
    except ValueError:
        return " or ".join(found)
    return found[0] if len(found) == 1 else f"{found[0]} to {found[-1]}"


def seconds(value: float | None) -> str:
    """Return a duration in words: 0.4 s, 12 s, 3 min 20 s."""
    if value is None:
        return "—"
    if value < 60:
        return f"{value:.1f} s" if value < 10 else f"{value:.0f} s"
    return f"{int(value // 60)} min {int(value % 60)} s"


def typeset(words: str) -> str:
    """Return a journal's ASCII text with the characters that people read, such as λ and ×."""
    shown = re.sub(r"(?<=\d)x(?=\d)", "×", re.sub(r"\blambda\b", "λ", punctuated(words)))
    switched = re.sub(r"(?<=→ )True\b|\bTrue(?= →)", "on", shown)
    return re.sub(r"(?<=→ )False\b|\bFalse(?= →)", "off", switched)


def punctuated(words: str) -> str:
    """Return a text with one way of writing percentages and arrows; names in it, like 4x4, stay as they are."""
    return re.sub(r"(\d) %", r"\1%", words.replace("->", "→").replace("+-", "±"))


def _percent(rate: float) -> str:
    points = abs(100 * rate)
    return f"{points:.2f}" if 0.005 <= points < 0.95 else f"{points:.1f}"


def _decimals(step: float) -> int:
    return max(0, -math.floor(math.log10(step) + 1e-9)) if step > 0 else 0
