"""Dev against a size of the network: the norm of its weights, or the bytes that they take."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

from wellfit.records.units import Unit
from wellfit.reports.charts.svg import Drawing, Scale, draw_losses, padded, text_width
from wellfit.reports.sweep_card import LEAST_MEMBERS, Member

_HEIGHT, _BOTTOM = 170.0, 42.0
_LINE = 18.0
_TICKS = 6


@dataclass(frozen=True)
class Series:
    """Members with a dev loss, drawn with the mark of `part`; `joined` by a line in their order or not."""

    name: str
    part: str
    members: Sequence[Member]
    joined: bool = False


@dataclass(frozen=True)
class Size:
    """The x axis."""

    title: str
    of: Callable[[Member], float]
    show: Callable[[float], str]


def trade_off_chart(series: Sequence[Series], unit: Unit, *, size: Size, key: str, width: float = 780) -> str:
    """Draw dev against a size; "" for fewer than three members."""
    shown = [member for one in series for member in one.members if member.dev]
    if len(shown) < LEAST_MEMBERS:
        return ""
    pixels = (62.0, width - 16)
    x = Scale(padded([size.of(member) for member in shown]), pixels)
    top = _LINE * len(_legend_lines(series, width)) + 10
    y = Scale(padded([_height(member, unit) for member in shown], zero_below=0.35), (top + _HEIGHT, top))
    title = f"Dev {unit.noun} against {size.title}"
    drawing = Drawing(width, key=key, title=title, desc=_description(series, unit, size))
    draw_losses(drawing, y, unit=unit, pixels=pixels)
    for one in series:
        points = [(x(size.of(member)), y(_height(member, unit))) for member in one.members]
        if one.joined:
            drawing.path(points, tone="l-dev")
        for member, point in zip(one.members, points, strict=True):
            drawing.mark(point, part=one.part, size=4)
            if member.chosen:
                drawing.ring(point, size=8, tone="chosen")
    _legend(drawing, series)
    for tick in x.ticks(_TICKS if width > 560 else _TICKS // 2)[0]:
        drawing.tick((x(tick), top + _HEIGHT), size.show(tick))
    drawing.note((pixels[1], top + _HEIGHT + 36), f"{size.title}; ringed: chosen", anchor="end")
    return drawing.render(top + _HEIGHT + _BOTTOM)


def _height(member: Member, unit: Unit) -> float:
    return unit.position(member.dev.value) if member.dev else 0.0


def _legend_lines(series: Sequence[Series], width: float) -> list[Sequence[Series]]:
    """Return all names on one line, or each on its own line if the drawing is too narrow."""
    return [series] if sum(_room(one) for one in series) < width - 66 else [[one] for one in series]


def _room(one: Series) -> float:
    return 30 + text_width(one.name, style="s")


def _legend(drawing: Drawing, series: Sequence[Series]) -> None:
    for row, line in enumerate(_legend_lines(series, drawing.width)):
        left, y = 66.0, 10 + _LINE * row
        for one in line:
            drawing.mark((left, y), part=one.part, size=4)
            drawing.text((left + 10, y + 4), one.name, style="s")
            left += _room(one)


def _description(series: Sequence[Series], unit: Unit, size: Size) -> str:
    words = []
    for one in series:
        best = min(one.members, key=lambda member: _height(member, unit), default=None)
        if best is not None and best.dev is not None:
            words.append(f"{one.name}: lowest dev {unit.show(best.dev.value)} at {size.show(size.of(best))}")
    return f"{'; '.join(words)}."
