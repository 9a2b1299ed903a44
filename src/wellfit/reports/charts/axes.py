"""Axes of the knobs, on which regularization grows to the right; and the ruled y axis.

The lambda axis has a place of its own for exactly 0, then a logarithmic scale; keep_prob falls from left to right.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from typing import TypeAlias

from wellfit.reports.charts.scale import Domain, Scale
from wellfit.reports.charts.svg import Drawing
from wellfit.reports.units import Unit, knob

_ZERO_ROOM = 44.0
_KEEP_ROOM = 30.0
_FEWEST_POWERS = 3  # for an axis that shows powers of ten only


class LambdaAxis:
    """Pixels of lambda values, with exact 0 apart at the left."""

    def __init__(self, values: Sequence[float], pixels: Domain) -> None:
        self._values = sorted({value for value in values if value > 0})
        powers = [math.log10(value) for value in self._values] or [0.0]
        self._zero = pixels[0] if any(value == 0 for value in values) else None
        left = pixels[0] + (_ZERO_ROOM if self._zero is not None else 0)
        self._log = Scale((min(powers), max(powers)), (left, pixels[1]))

    def __call__(self, value: float) -> float:
        """The pixel of one lambda."""
        if value <= 0:
            return self._log.pixels[0] if self._zero is None else self._zero
        return self._log(math.log10(value))

    @property
    def has_zero(self) -> bool:
        """Whether exact 0 is on the axis."""
        return self._zero is not None

    def ticks(self, most: int) -> list[float]:
        """Zero where there is one, and at most `most` powers of ten; the values themselves where powers are few."""
        low, high = self._log.domain
        powers = list(range(math.ceil(low - 1e-9), math.floor(high + 1e-9) + 1))
        every = max(1, math.ceil(len(powers) / most))
        ticks = [10.0**power for power in powers[::every]] if len(powers) >= _FEWEST_POWERS else self._spaced()
        return [0.0, *ticks] if self.has_zero else ticks

    def _spaced(self) -> list[float]:
        ticks: list[float] = []
        for value in self._values:
            if not ticks or self(value) - self(ticks[-1]) >= _ZERO_ROOM:
                ticks.append(value)
        return ticks

    def draw(self, drawing: Drawing, *, y: float, most: int = 7) -> None:
        """Write the ticks under the plot, and the break between 0 and the logarithmic part."""
        for value in self.ticks(most):
            drawing.line((self(value), y), (self(value), y + 4), tone="axis")
            drawing.text((self(value), y + 17), knob(value), style="s", tone="soft", anchor="middle")
        if self.has_zero:
            middle = (self(0) + self._log.pixels[0]) / 2
            for x in (middle - 2.5, middle + 2.5):
                drawing.line((x - 2, y + 5), (x + 2, y - 5), tone="axis")


class KeepProbAxis:
    """Pixels of keep_prob values: the highest at the left."""

    def __init__(self, values: Sequence[float], pixels: Domain) -> None:
        self._values = sorted(set(values), reverse=True)
        self._scale = Scale((-self._values[0], -self._values[-1]), pixels)

    def __call__(self, value: float) -> float:
        """The pixel of one keep_prob."""
        return self._scale(-value)

    def draw(self, drawing: Drawing, *, y: float, most: int = 7) -> None:
        """Write the values under the plot, as far as they have room; `most` is the number of ticks wanted."""
        least = max((self._scale.pixels[1] - self._scale.pixels[0]) / most, _KEEP_ROOM)
        last = -math.inf
        for value in self._values:
            if self(value) - last >= least * (1 - 1e-9):
                last = self(value)
                drawing.line((last, y), (last, y + 4), tone="axis")
                drawing.text((last, y + 17), f"{value:.3g}", style="s", tone="soft", anchor="middle")


KnobAxis: TypeAlias = LambdaAxis | KeepProbAxis


def draw_losses(drawing: Drawing, y: Scale, *, unit: Unit, pixels: Domain, wanted: int = 6) -> None:
    """Horizontal rules with their labels at the left of the plot, in the goal's own unit."""
    _, step = y.ticks(wanted)
    draw_rules(drawing, y, label=lambda tick: unit.tick(tick, step=step), pixels=pixels, wanted=wanted)


def draw_rules(drawing: Drawing, y: Scale, *, label: Callable[[float], str], pixels: Domain, wanted: int = 6) -> None:
    """Horizontal rules with their labels at the left of the plot."""
    for tick in y.ticks(wanted)[0]:
        drawing.line((pixels[0], y(tick)), (pixels[1], y(tick)), tone="grid")
        drawing.text((pixels[0] - 7, y(tick) + 4), label(tick), style="s", tone="soft", anchor="end")
