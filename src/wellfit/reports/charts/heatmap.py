"""Dev loss over lambda and keep_prob: cells if the sweep is a grid, dots if it was drawn at random."""

from __future__ import annotations

from collections.abc import Callable, Sequence

from wellfit.records.units import Unit, knob
from wellfit.reports.charts.svg import Drawing, LambdaAxis, Scale, text_width
from wellfit.reports.sweep_card import WHOLE, Member

_TOP, _ROW, _DOTS = 8.0, 30.0, 200.0
_LABEL = 62.0
_FULL_GRID = 0.6  # share of the cells that must be there before cells are drawn
_MOST_ROWS, _MOST_COLUMNS = 14, 26
_PALE, _STRONG = 0.05, 0.60  # words on a cell keep their contrast in this range


def heatmap_chart(members: Sequence[Member], unit: Unit, *, key: str, width: float = 780) -> str:
    """Draw the dev loss of members, one for each lambda and keep_prob; "" unless both vary."""
    # A training run that was cut short shows nothing about its knobs: its cell stays empty.
    usable = [member for member in members if member.dev is not None and member.status in WHOLE]
    l2s = sorted({member.l2 for member in usable})
    keeps = sorted({round(member.keep_prob, 6) for member in usable}, reverse=True)
    if len(l2s) < 2 or len(keeps) < 2:
        return ""
    drawing = Drawing(width, key=key, title="Dev loss over lambda and keep_prob", desc=_description(usable, unit))
    full = len(usable) >= _FULL_GRID * len(l2s) * len(keeps)
    if full and len(l2s) <= _MOST_COLUMNS and len(keeps) <= _MOST_ROWS:
        floor, tied = _grid(drawing, usable, unit, axes=(l2s, keeps)), "underlined"
    else:
        floor, tied = _dots(drawing, usable, unit), "hollow"
    words = f"framed: chosen; {tied}: tied with the best"
    return drawing.render(_legend(drawing, usable, unit, floor=floor, words=words))


def _strength(members: Sequence[Member], unit: Unit) -> Callable[[Member], float]:
    """The opacity for each dev loss: lower losses are stronger; the worst quarter shares the palest tone."""
    losses = sorted(unit.position(member.dev.value) for member in members if member.dev)
    low, high = losses[0], losses[(3 * len(losses)) // 4]

    def opacity(member: Member) -> float:
        place = unit.position(member.dev.value) if member.dev else high
        share = (high - place) / (high - low) if high > low else 1.0
        return _PALE + (_STRONG - _PALE) * min(max(share, 0.0), 1.0)

    return opacity


def _grid(drawing: Drawing, members: Sequence[Member], unit: Unit, *, axes: tuple[list[float], list[float]]) -> float:
    l2s, keeps = axes
    wide = (drawing.width - _LABEL - 4) / len(l2s)
    opacity = _strength(members, unit)
    for member in sorted(members, key=lambda it: it.chosen):
        column, row = l2s.index(member.l2), keeps.index(round(member.keep_prob, 6))
        corner = (_LABEL + column * wide, _TOP + row * _ROW)
        drawing.box((corner[0] + 1, corner[1] + 1), (wide - 2, _ROW - 2), tone="heat", opacity=opacity(member))
        _cell(drawing, member, unit, box=(*corner, wide))
    for row, keep in enumerate(keeps):
        drawing.text((_LABEL - 8, _TOP + (row + 0.5) * _ROW + 4), f"{keep:.3g}", style="s", anchor="end")
    floor = _TOP + len(keeps) * _ROW
    _column_names(drawing, l2s, wide=wide, floor=floor)
    return floor


def _cell(drawing: Drawing, member: Member, unit: Unit, *, box: tuple[float, float, float]) -> None:
    left, top, wide = box
    words = unit.show(member.dev.value).removesuffix("%") if member.dev else ""
    middle = (left + wide / 2, top + _ROW / 2 + 4)
    if text_width(words, style="c") <= wide - 8:
        drawing.text(middle, words, style="c", anchor="middle")
    elif member.best:
        drawing.mark((left + wide / 2, top + _ROW / 2), part="dot", size=3)
    if member.tied:
        drawing.line((left + 4, top + _ROW - 4), (left + wide - 4, top + _ROW - 4), tone="tied-line")
    if member.chosen:
        drawing.box((left + 1.5, top + 1.5), (wide - 3, _ROW - 3), tone="chosen", round_by=3)


def _column_names(drawing: Drawing, l2s: list[float], *, wide: float, floor: float) -> None:
    widest = max(text_width(knob(l2), style="s") for l2 in l2s) + 8
    every = max(1, -int(-widest // wide))
    for column, l2 in enumerate(l2s):
        if column % every == 0:
            drawing.note((_LABEL + (column + 0.5) * wide, floor + 15), knob(l2), anchor="middle")


def _dots(drawing: Drawing, members: Sequence[Member], unit: Unit) -> float:
    x = LambdaAxis([member.l2 for member in members], (_LABEL + 12, drawing.width - 16))
    keeps = [member.keep_prob for member in members]
    y = Scale((min(keeps), max(keeps)), (_TOP + _DOTS - 12, _TOP + 12))
    opacity = _strength(members, unit)
    ticks, step = y.ticks(4)
    for tick in ticks:
        drawing.line((_LABEL, y(tick)), (drawing.width - 4, y(tick)), tone="grid")
        decimals = 2 if step < 0.1 else 1
        drawing.text((_LABEL - 8, y(tick) + 4), f"{tick:.{decimals}f}", style="s", anchor="end")
    for member in members:
        at = (x(member.l2), y(member.keep_prob))
        drawing.mark(at, part="dot", size=8, opacity=opacity(member))
        if member.tied:
            drawing.ring(at, size=3, tone="tied-ring")
        if member.chosen:
            drawing.ring(at, size=11, tone="chosen")
    floor = _TOP + _DOTS
    x.draw(drawing, y=floor - 2, most=7 if drawing.width > 560 else 4)
    return floor


def _legend(drawing: Drawing, members: Sequence[Member], unit: Unit, *, floor: float, words: str) -> float:
    drawing.note((_LABEL - 8, floor + 15), "keep_prob", anchor="end")
    losses = [member.dev.value for member in members if member.dev]
    limits = [unit.show(min(losses)), unit.show(max(losses))]
    stronger = f"stronger: lower dev {unit.noun} ({' to '.join(limits)})"
    if limits[0] == limits[1]:
        stronger = f"all have a dev {unit.noun} of {limits[0]}"
    lines = [f"across: λ; {stronger}", words]
    if text_width("; ".join(lines), style="s") < drawing.width - _LABEL:
        lines = ["; ".join(lines)]
    for index, line in enumerate(lines):
        drawing.note((4 if drawing.width < 560 else _LABEL, floor + 36 + 15 * index), line)
    return floor + 30 + 15 * len(lines)


def _description(members: Sequence[Member], unit: Unit) -> str:
    best = min((member for member in members if member.dev), key=lambda it: it.dev.value if it.dev else 0.0)
    return (
        f"{len(members)} networks; the lowest dev {unit.noun} is {unit.show(best.dev.value if best.dev else None)} "
        f"at λ {knob(best.l2)} and keep_prob {best.keep_probs}."
    )
