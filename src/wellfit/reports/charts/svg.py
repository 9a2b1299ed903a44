"""The SVG shapes and axes that the charts share, and an estimate of the width of a text.

Colours and line styles live in `charts.css`, so that light, dark and print need no second drawing.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from html import escape

from wellfit.records.units import Unit, knob

Point = tuple[float, float]

# Widths in em of DejaVu Sans, the widest of the usual system fonts: what fits in it fits in the others.
_NARROW, _WIDE = "ijlI.,:;|!'()[] ", "mwMWGOQ%—@"
_EM = {"narrow": 0.39, "wide": 0.95, "upper": 0.70, "other": 0.62}
FONT_SIZE = {"t": 12.0, "b": 12.0, "s": 10.5, "c": 10.5}
_BOLD = 1.12


def text_width(words: str, *, style: str = "t") -> float:
    """Return the most pixels that `words` take in the widest usual font; styles: normal, bold, small and in a Cell."""
    ems = sum(_em(letter) for letter in words)
    return ems * FONT_SIZE[style] * (_BOLD if style == "b" else 1.0)


def _em(letter: str) -> float:
    if letter in _NARROW:
        return _EM["narrow"]
    if letter in _WIDE:
        return _EM["wide"]
    return _EM["upper"] if letter.isupper() else _EM["other"]


def shorten(words: str, *, width: float, style: str = "t") -> str:
    """Return `words`, cut with an ellipsis to fit `width` pixels."""
    if text_width(words, style=style) <= width:
        return words
    while words and text_width(words + "…", style=style) > width:
        words = words[:-1]
    return words.rstrip() + "…"


class Drawing:
    """Collects shapes and writes one `<svg>`; its title names the chart, its description gives the numbers in words."""

    def __init__(self, width: float, *, key: str, title: str, desc: str) -> None:
        self.width = width
        self._head = (
            f'<title id="{escape(key)}-t">{escape(title)}</title><desc id="{escape(key)}-d">{escape(desc)}</desc>'
        )
        self._key = escape(key)
        self._shapes: list[str] = []

    def text(self, at: Point, words: str, *, style: str = "t", tone: str = "", anchor: str = "start") -> None:
        """Write `words` with the baseline at `at`, moved sideways if they would leave the drawing."""
        wide = text_width(words, style=style)
        left = at[0] - {"start": 0.0, "middle": wide / 2, "end": wide}[anchor]
        shift = max(0.0, 1 - left) + min(0.0, self.width - 1 - (left + wide))
        x = at[0] + (shift if wide < self.width else 0.0)
        hook = "" if anchor == "start" else f' text-anchor="{anchor}"'
        css = f"{style} {tone}".strip()
        self._add(f'<text class="{css}" x="{_n(x)}" y="{_n(at[1])}"{hook}>{escape(words)}</text>')

    def note(self, at: Point, words: str, *, anchor: str = "start") -> None:
        """Write `words` small and pale."""
        self.text(at, words, style="s", tone="soft", anchor=anchor)

    def tick(self, at: Point, words: str) -> None:
        """Draw a tick under the axis at `at`, and its label."""
        self.line(at, (at[0], at[1] + 4), tone="axis")
        self.note((at[0], at[1] + 17), words, anchor="middle")

    def phrase(self, at: Point, words: tuple[str, str], *, tone: str) -> None:
        """Write two texts on one line, the second in bold; they must fit (see `text_width`)."""
        first, second = (escape(part) for part in words)
        bold = f'<tspan class="b {tone}">{second}</tspan>'
        self._add(f'<text class="t" x="{_n(at[0])}" y="{_n(at[1])}">{first} {bold}</text>')

    def line(self, start: Point, end: Point, *, tone: str) -> None:
        """Draw a straight line."""
        self._add(f'<line class="{tone}" x1="{_n(start[0])}" y1="{_n(start[1])}" x2="{_n(end[0])}" y2="{_n(end[1])}"/>')

    def path(self, points: Sequence[Point], *, tone: str, closed: bool = False) -> None:
        """Join points by straight lines."""
        steps = " ".join(f"{'L' if index else 'M'}{_n(x)} {_n(y)}" for index, (x, y) in enumerate(points))
        self._add(f'<path class="{tone}" d="{steps}{" Z" if closed else ""}"/>')

    def box(self, corner: Point, size: Point, *, tone: str, opacity: float | None = None, round_by: float = 0) -> None:
        """Draw a rectangle; a negative width is drawn to the left."""
        x, wide = (corner[0], size[0]) if size[0] >= 0 else (corner[0] + size[0], -size[0])
        extra = "" if opacity is None else f' fill-opacity="{opacity:.2f}"'
        extra += f' rx="{_n(round_by)}"' if round_by else ""
        where = f'x="{_n(x)}" y="{_n(corner[1])}" width="{_n(wide)}" height="{_n(size[1])}"'
        self._add(f'<rect class="{tone}" {where}{extra}/>')

    def mark(self, at: Point, *, part: str, size: float = 5, opacity: float | None = None) -> None:
        """Draw the mark of one part: each part has its own shape, so that colour is never the only difference."""
        x, y = at
        if part in ("dev", "dot", "effect"):
            extra = "" if opacity is None else f' fill-opacity="{opacity:.2f}"'
            self._add(f'<circle class="m-{part}" cx="{_n(x)}" cy="{_n(y)}" r="{_n(size)}"{extra}/>')
            return
        corners = _SHAPES.get(part, _SHAPES["train"])
        self.path([(x + size * dx, y + size * dy) for dx, dy in corners], tone=f"m-{part}", closed=True)

    def series(self, points: Sequence[Point], *, part: str, size: float, tone: str | None) -> None:
        """Mark points; if `tone` is given, join them by a line."""
        if tone is not None:
            self.path(points, tone=tone)
        for point in points:
            self.mark(point, part=part, size=size)

    def end_names(self, ends: Mapping[str, float], *, x: float, least: float, limits: Domain, style: str = "t") -> None:
        """Name the lines at their ends, at least `least` pixels apart; given name -> y of its line's end."""
        for name, y in zip(ends, apart(list(ends.values()), least=least, limits=limits), strict=True):
            self.text((x, y + 4), name, style=style, tone=f"say-{name.replace('‖W‖', 'norm')}")

    def ring(self, at: Point, *, size: float, tone: str) -> None:
        """Draw a circle around a mark."""
        self._add(f'<circle class="{tone}" cx="{_n(at[0])}" cy="{_n(at[1])}" r="{_n(size)}"/>')

    def render(self, height: float) -> str:
        """Return the finished drawing."""
        ids = f'aria-labelledby="{self._key}-t {self._key}-d"'
        frame = f'viewBox="0 0 {_n(self.width)} {_n(height)}" width="{_n(self.width)}" height="{_n(height)}"'
        return (
            f'<svg xmlns="http://www.w3.org/2000/svg" class="chart" role="img" {frame} {ids}>'
            f"{self._head}{''.join(self._shapes)}</svg>"
        )

    def _add(self, shape: str) -> None:
        self._shapes.append(shape)


_SHAPES: dict[str, list[Point]] = {
    "train": [(-0.9, -0.9), (0.9, -0.9), (0.9, 0.9), (-0.9, 0.9)],
    "train_dev": [(0, -1.25), (1.25, 0), (0, 1.25), (-1.25, 0)],
    "test": [(0, -1.2), (1.15, 0.9), (-1.15, 0.9)],
    "other": [(-1, -1), (1, -1), (0, 1)],
}


def _n(value: float) -> str:
    return f"{value:.1f}".removesuffix(".0")


_ZERO_ROOM = 44.0
_KEEP_ROOM = 30.0
_FEWEST_POWERS = 3  # for an axis that shows powers of ten only


class LambdaAxis:
    """Pixels of lambda values, with exact 0 set apart on the left."""

    def __init__(self, values: Sequence[float], pixels: Domain) -> None:
        self._values = sorted({value for value in values if value > 0})
        powers = [math.log10(value) for value in self._values] or [0.0]
        self._zero = pixels[0] if any(value == 0 for value in values) else None
        left = pixels[0] + (_ZERO_ROOM if self._zero is not None else 0)
        self._log = Scale((min(powers), max(powers)), (left, pixels[1]))

    def __call__(self, value: float) -> float:
        """Return the pixel of one lambda."""
        if value <= 0:
            return self._log.pixels[0] if self._zero is None else self._zero
        return self._log(math.log10(value))

    def ticks(self, most: int) -> list[float]:
        """Return ticks: 0 if present, and at most `most` powers of ten, or the values themselves if powers are few."""
        low, high = self._log.domain
        powers = list(range(math.ceil(low - 1e-9), math.floor(high + 1e-9) + 1))
        every = max(1, math.ceil(len(powers) / most))
        ticks = [10.0**power for power in powers[::every]] if len(powers) >= _FEWEST_POWERS else self._spaced()
        return ticks if self._zero is None else [0.0, *ticks]

    def _spaced(self) -> list[float]:
        ticks: list[float] = []
        for value in self._values:
            if not ticks or self(value) - self(ticks[-1]) >= _ZERO_ROOM:
                ticks.append(value)
        return ticks

    def draw(self, drawing: Drawing, *, y: float, most: int = 7) -> None:
        """Write the ticks under the plot, and the break between 0 and the logarithmic part."""
        for value in self.ticks(most):
            drawing.tick((self(value), y), knob(value))
        if self._zero is not None:
            middle = (self._zero + self._log.pixels[0]) / 2
            for x in (middle - 2.5, middle + 2.5):
                drawing.line((x - 2, y + 5), (x + 2, y - 5), tone="axis")


class KeepProbAxis:
    """Pixels of keep_prob values: the highest on the left."""

    def __init__(self, values: Sequence[float], pixels: Domain) -> None:
        self._values = sorted(set(values), reverse=True)
        self._scale = Scale((-self._values[0], -self._values[-1]), pixels)

    def __call__(self, value: float) -> float:
        """Return the pixel of one keep_prob."""
        return self._scale(-value)

    def draw(self, drawing: Drawing, *, y: float, most: int = 7) -> None:
        """Write the values under the plot if there is room; `most` is the number of ticks wanted."""
        least = max((self._scale.pixels[1] - self._scale.pixels[0]) / most, _KEEP_ROOM)
        last = -math.inf
        for value in self._values:
            if self(value) - last >= least * (1 - 1e-9):
                last = self(value)
                drawing.tick((last, y), f"{value:.3g}")


def draw_losses(drawing: Drawing, y: Scale, *, unit: Unit, pixels: Domain, wanted: int = 6) -> None:
    """Draw horizontal rules with their labels to the left of the plot, in the goal's own unit."""
    _, step = y.ticks(wanted)
    draw_rules(drawing, y, label=lambda tick: unit.tick(tick, step=step), pixels=pixels, wanted=wanted)


def draw_rules(drawing: Drawing, y: Scale, *, label: Callable[[float], str], pixels: Domain, wanted: int = 6) -> None:
    """Draw horizontal rules with their labels to the left of the plot."""
    for tick in y.ticks(wanted)[0]:
        drawing.line((pixels[0], y(tick)), (pixels[1], y(tick)), tone="grid")
        drawing.note((pixels[0] - 7, y(tick) + 4), label(tick), anchor="end")


Domain = tuple[float, float]
MOST_POINTS = 240  # in one drawn curve; redrawing stays under 15 ms (docs/methods.md, "Charts and notebooks")


@dataclass(frozen=True)
class Scale:
    """A linear map from values to pixels."""

    domain: Domain
    pixels: Domain

    def __call__(self, value: float) -> float:
        """Return the pixel of `value`, kept inside the axis."""
        low, high = self.domain
        share = (value - low) / (high - low) if high > low else 0.5
        return self.pixels[0] + min(max(share, 0.0), 1.0) * (self.pixels[1] - self.pixels[0])

    def ticks(self, wanted: int = 5) -> tuple[list[float], float]:
        """Return about `wanted` multiples of 1, 2 or 5 times a power of ten inside the domain, and their step."""
        low, high = self.domain
        if not high > low:
            return [low], 1.0
        rough = (high - low) / max(wanted, 1)
        power = 10.0 ** math.floor(math.log10(rough))
        step = next(factor * power for factor in (1, 2, 5, 10) if factor * power >= rough * (1 - 1e-9))
        first, last = math.ceil(low / step - 1e-9), math.floor(high / step + 1e-9)
        return [index * step for index in range(first, last + 1)], step


def padded(values: Sequence[float], *, share: float = 0.08, zero_below: float = 0.5) -> Domain:
    """Return a domain around `values`; it starts at 0 if the lowest value is below `zero_below` times the highest."""
    low, high = min(values), max(values)
    room = share * (high - low) or abs(high) * share or 1.0
    if 0 <= low <= zero_below * high:
        return 0.0, high + room
    return low - room, high + room


def apart(places: Sequence[float], *, least: float, limits: Domain) -> list[float]:
    """Move label positions so that neighbours are at least `least` apart, in order and inside `limits`."""
    order = sorted(range(len(places)), key=lambda index: places[index])
    moved = list(places)
    edge = limits[0] - least
    for index in order:
        moved[index] = max(moved[index], edge + least)
        edge = moved[index]
    edge = limits[1] + least
    for index in reversed(order):
        moved[index] = min(moved[index], edge - least)
        edge = moved[index]
    return moved


def thinned(points: Sequence[tuple[float, float]], *, most: int = MOST_POINTS) -> list[tuple[float, float]]:
    """Thin a curve to at most `most` points: both ends, and the lowest and highest of every bucket."""
    if len(points) <= most:
        return list(points)
    inner, buckets = points[1:-1], (most - 2) // 2
    kept = [points[0]]
    for bucket in range(buckets):
        part = inner[bucket * len(inner) // buckets : (bucket + 1) * len(inner) // buckets]
        kept.extend(sorted({min(part, key=lambda it: it[1]), max(part, key=lambda it: it[1])}))
    return [*kept, points[-1]]
