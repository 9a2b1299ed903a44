"""The few SVG shapes that the charts are made of, and an estimate of how wide a text will be.

Colours and line styles live in `charts.css`, so that light, dark and print need no second drawing.
"""

from __future__ import annotations

from collections.abc import Sequence
from html import escape

Point = tuple[float, float]

# Widths in em of DejaVu Sans, the widest of the usual system fonts: what fits in it fits in the others.
_NARROW, _WIDE = "ijlI.,:;|!'()[] ", "mwMWGOQ%—@"
_EM = {"narrow": 0.39, "wide": 0.95, "upper": 0.70, "other": 0.62}
FONT_SIZE = {"t": 12.0, "b": 12.0, "s": 10.5, "c": 10.5}
_BOLD = 1.12


def text_width(words: str, *, style: str = "t") -> float:
    """Pixels that `words` take at most, by the widest usual font.

    Args:
        words: the text.
        style: t (normal), b (bold), s (small), c (in a cell).
    """
    ems = sum(_em(letter) for letter in words)
    return ems * FONT_SIZE[style] * (_BOLD if style == "b" else 1.0)


def _em(letter: str) -> float:
    if letter in _NARROW:
        return _EM["narrow"]
    if letter in _WIDE:
        return _EM["wide"]
    return _EM["upper"] if letter.isupper() else _EM["other"]


def shorten(words: str, *, width: float, style: str = "t") -> str:
    """`words`, cut with an ellipsis to fit `width` pixels."""
    if text_width(words, style=style) <= width:
        return words
    kept = words
    while kept and text_width(kept + "…", style=style) > width:
        kept = kept[:-1]
    return kept.rstrip() + "…"


class Drawing:
    """Collects shapes and writes one `<svg>` with a title and a description.

    Args:
        key: a prefix of the ids, unique in the page.
        title: what the chart shows, in a few words.
        desc: what there is to see, in a sentence or two with the numbers.
    """

    def __init__(self, width: float, *, key: str, title: str, desc: str) -> None:
        self.width = width
        self._head = (
            f'<title id="{escape(key)}-t">{escape(title)}</title><desc id="{escape(key)}-d">{escape(desc)}</desc>'
        )
        self._key = escape(key)
        self._shapes: list[str] = []

    def text(self, at: Point, words: str, *, style: str = "t", tone: str = "", anchor: str = "start") -> None:
        """Write `words` with the baseline at `at`, pushed sideways where they would leave the drawing."""
        wide = text_width(words, style=style)
        left = at[0] - {"start": 0.0, "middle": wide / 2, "end": wide}[anchor]
        shift = max(0.0, 1 - left) + min(0.0, self.width - 1 - (left + wide))
        x = at[0] + (shift if wide < self.width else 0.0)
        hook = "" if anchor == "start" else f' text-anchor="{anchor}"'
        self._add(f'<text class="{_css(style, tone)}" x="{_n(x)}" y="{_n(at[1])}"{hook}>{escape(words)}</text>')

    def phrase(self, at: Point, words: tuple[str, str], *, tone: str) -> None:
        """Write two texts after each other, the second bold; they must fit (see `text_width`)."""
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
        """Draw the mark of one part: a shape of its own, so that colour is never alone."""
        x, y = at
        if part in ("dev", "dot", "effect"):
            extra = "" if opacity is None else f' fill-opacity="{opacity:.2f}"'
            self._add(f'<circle class="m-{part}" cx="{_n(x)}" cy="{_n(y)}" r="{_n(size)}"{extra}/>')
            return
        corners = _SHAPES.get(part, _SHAPES["train"])
        self.path([(x + size * dx, y + size * dy) for dx, dy in corners], tone=f"m-{part}", closed=True)

    def ring(self, at: Point, *, size: float, tone: str) -> None:
        """Draw a circle around a mark."""
        self._add(f'<circle class="{tone}" cx="{_n(at[0])}" cy="{_n(at[1])}" r="{_n(size)}"/>')

    def render(self, height: float) -> str:
        """The finished drawing."""
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


def _css(style: str, tone: str) -> str:
    return f"{style} {tone}".strip()


def _n(value: float) -> str:
    return f"{value:.1f}".removesuffix(".0")
