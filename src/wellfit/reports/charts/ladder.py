"""The ladder: optimal error, train, train-dev, dev and test on one axis, with the gaps between them."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from wellfit.reports.charts.svg import Domain, Drawing, Scale, padded, shorten, text_width
from wellfit.reports.records import Gap, Ladder, OtherMethod, Rung
from wellfit.reports.values import Measure, Reference
from wellfit.units import Unit

_NARROW = 560
_TOP, _RUNG, _OTHER, _AXIS = 8.0, 40.0, 22.0, 40.0
_BAR = 10.0
_NAME = 90.0  # of another method
_WORDS = 235.0  # room for the words beside the longest bar

_YES = {
    "avoidable bias": "yes: underfitting",
    "variance": "yes: overfitting",
    "mismatch": "yes: dev differs from train",
    "dev overfit": "yes: dev was used too often",
}
_TONES = {"yes": "yes", "no": "no", "cannot tell": "unsure"}


@dataclass(frozen=True)
class _Frame:
    """Where things stand: the x scale, the edge of the labels, the height of a gap row."""

    drawing: Drawing
    x: Scale
    unit: Unit
    label: float
    gap: float
    narrow: bool


def ladder_domain(ladders: Iterable[Ladder | None], unit: Unit) -> Domain:
    """One axis for several ladders, so that before and after can be compared by eye."""
    known = [ladder for ladder in ladders if ladder is not None]
    measures = [rung.measure for ladder in known for rung in ladder.rungs if rung.measure]
    losses = [loss for measure in measures for loss in (measure.low, measure.high, measure.value)]
    named = [ladder.optimal for ladder in known if ladder.optimal and ladder.optimal.source != "none"]
    losses += [loss for optimal in named for loss in (optimal.low, optimal.high)]
    return padded([unit.position(loss) for loss in losses] or [0.0, 1.0], zero_below=0.7)


def ladder_chart(
    ladder: Ladder,
    unit: Unit,
    *,
    key: str,
    width: float = 780,
    others: Sequence[OtherMethod] = (),
    domain: Domain | None = None,
) -> str:
    """Draw one ladder.

    Args:
        ladder: the rungs and gaps of one network.
        unit: the unit of the goal.
        key: a prefix for the ids, unique in the page.
        width: pixels; under 560 the gaps' words go below their bars.
        others: reference models, as marks below the ladder.
        domain: the axis, in positions of `unit`; by default that of this ladder.
    """
    drawing = Drawing(width, key=key, title="Where the error comes from", desc=_description(ladder, unit))
    frame = _frame(drawing, unit, domain or ladder_domain([ladder], unit))
    rows = _rows(ladder, frame)
    floor = max(rows.values()) + _RUNG - 6
    others = [method for method in others if method.dev is not None]
    bottom = floor + (_OTHER * (len(others) + 1) if others else 0)
    _axis(frame, bottom)
    _band(frame, ladder.optimal, floor)
    for gap in ladder.gaps:
        _gap(frame, gap, rows)
    if ladder.optimal is not None:
        _optimal(frame, ladder.optimal, rows["optimal"])
    for rung in ladder.rungs:
        _rung(frame, rung, rows[rung.part])
    _others(frame, others, floor)
    return drawing.render(bottom + _AXIS)


def _frame(drawing: Drawing, unit: Unit, domain: Domain) -> _Frame:
    width = drawing.width
    narrow = width < _NARROW
    label = 74.0 if narrow else 118.0
    right = width - (22 if narrow else _WORDS)
    return _Frame(drawing, Scale(domain, (label + 12, right)), unit, label, 54.0 if narrow else 26.0, narrow)


def _rows(ladder: Ladder, frame: _Frame) -> dict[str, float]:
    """The y of every rung: a gap row stands above the rung that it leads to."""
    y, rows = _TOP + 14, {}
    if ladder.optimal is not None:
        rows["optimal"] = y
        y += _RUNG
    led_to = {gap.before for gap in ladder.gaps}
    for rung in ladder.rungs:
        y += frame.gap if rung.part in led_to else 0
        rows[rung.part] = y
        y += _RUNG
    return rows


def _axis(frame: _Frame, bottom: float) -> None:
    ticks, step = frame.x.ticks(4 if frame.narrow else 6)
    for tick in ticks:
        x = frame.x(tick)
        frame.drawing.line((x, _TOP), (x, bottom), tone="grid")
        frame.drawing.text((x, bottom + 15), frame.unit.tick(tick, step=step), style="s", tone="soft", anchor="middle")
    middle = sum(frame.x.pixels) / 2
    frame.drawing.text((middle, bottom + 32), frame.unit.axis_title, style="s", tone="soft", anchor="middle")


def _band(frame: _Frame, optimal: Reference | None, floor: float) -> None:
    if optimal is None:
        return
    low, high = (frame.x(frame.unit.position(loss)) for loss in (optimal.low, optimal.high))
    tone = "band-unknown" if optimal.source == "none" else "band"
    frame.drawing.box((low, _TOP), (max(high - low, 2), floor - _TOP), tone=tone)


def _optimal(frame: _Frame, optimal: Reference, y: float) -> None:
    frame.drawing.text((frame.label, y + 4), "Optimal", anchor="end")
    source = optimal.name if not frame.narrow else optimal.name.replace("no reference given", "not given")
    frame.drawing.text((frame.label, y + 17), source, style="s", tone="soft", anchor="end")
    low, high = (frame.x(frame.unit.position(loss)) for loss in (optimal.low, optimal.high))
    frame.drawing.line((low, y), (high, y), tone="whisker")
    for end in (low, high):
        frame.drawing.line((end, y - 6), (end, y + 6), tone="whisker")
    _beside(frame, (low, high, y + 4), _range(optimal, frame.unit), style="b")


def _range(optimal: Reference, unit: Unit) -> str:
    if optimal.high <= optimal.low:
        return unit.show(optimal.low)
    between = f"{unit.show(optimal.low)} to {unit.show(optimal.high)}"
    return f"unknown: {between}" if optimal.source == "none" else between


def _rung(frame: _Frame, rung: Rung, y: float) -> None:
    frame.drawing.text((frame.label, y + 4), rung.label, anchor="end")
    if rung.measure is None:
        _sealed(frame, y, rung.note or "sealed: opened once, at the end")
        return
    rows = rung.measure.rows
    if rows is not None:
        frame.drawing.text((frame.label, y + 17), f"n={rows:,}", style="s", tone="soft", anchor="end")
    low, high = _whisker(frame, rung.measure, y)
    frame.drawing.mark((frame.x(frame.unit.position(rung.measure.value)), y), part=rung.part)
    note = f" {rung.note}" if rung.note and not frame.narrow else ""
    _beside(frame, (low, high, y + 4), frame.unit.show(rung.measure.value) + note, style="b")


def _sealed(frame: _Frame, y: float, words: str) -> None:
    left, right = frame.x.pixels
    frame.drawing.box((left, y - 10), (right - left, 20), tone="sealed", round_by=4)
    frame.drawing.text((left + 10, y + 4), words, style="s", tone="soft")


def _whisker(frame: _Frame, measure: Measure, y: float) -> tuple[float, float]:
    low, high = (frame.x(frame.unit.position(loss)) for loss in (measure.low, measure.high))
    if not measure.is_fixed:
        frame.drawing.line((low, y), (high, y), tone="whisker")
        for end in (low, high):
            frame.drawing.line((end, y - 5), (end, y + 5), tone="whisker")
    point = frame.x(frame.unit.position(measure.value))
    return min(low, point - 6), max(high, point + 6)


def _beside(frame: _Frame, span: tuple[float, float, float], words: str, *, style: str = "t") -> None:
    """Write `words` right of [left, right]; left of it where the drawing ends before them; else a line lower."""
    left, right, y = span
    wide = text_width(words, style=style)
    if right + 8 + wide <= frame.drawing.width:
        frame.drawing.text((right + 8, y), words, style=style)
    elif left - 8 - wide >= frame.label:
        frame.drawing.text((left - 8, y), words, style=style, anchor="end")
    else:
        frame.drawing.text((frame.x.pixels[0] + 6, y + 13), words, style=style)


def _gap(frame: _Frame, gap: Gap, rows: dict[str, float]) -> None:
    y = rows[gap.before] - _RUNG / 2 - frame.gap / 2 + 1
    start, end = (frame.x(frame.unit.position(loss)) for loss in (gap.start, gap.end))
    tone = _TONES.get(gap.verdict, "plain")
    frame.drawing.line((start, y - 26 if not frame.narrow else y - 34), (start, y), tone="thread")
    frame.drawing.line((end, y), (end, rows[gap.before] - 6), tone="thread")
    left, right = sorted((start, end))
    if gap.below_reference:
        left = right = end
    frame.drawing.box((left, y - _BAR / 2), (max(right - left, 3), _BAR), tone=f"gap-{tone}", round_by=2)
    amount = f"{gap.name} {_amount(gap, frame.unit)}"
    verdict = _verdict(gap)
    if frame.narrow:
        frame.drawing.text((frame.x.pixels[0], y + 17), amount, style="s")
        frame.drawing.text((frame.x.pixels[0], y + 30), verdict, style="b", tone=f"say-{tone}")
        return
    _beside_pair(frame.drawing, (left, right, y + 4), (amount, verdict), tone=f"say-{tone}")


def _beside_pair(drawing: Drawing, span: tuple[float, float, float], words: tuple[str, str], *, tone: str) -> None:
    """The amount and, in bold, the verdict: right of the bar, else left of it, else on two lines."""
    left, right, y = span
    widths = text_width(words[0]), text_width(words[1], style="b")
    whole = sum(widths) + 6
    if right + 8 + whole <= drawing.width:
        drawing.phrase((right + 8, y), words, tone=tone)
    elif left - 8 - whole >= 0:
        drawing.phrase((left - 8 - whole, y), words, tone=tone)
    else:
        drawing.text((right + 8, y - 7), words[0])
        drawing.text((right + 8, y + 8), words[1], style="b", tone=tone)


def _amount(gap: Gap, unit: Unit) -> str:
    return "none" if gap.below_reference else unit.gap(gap.value, start=gap.start, end=gap.end)


def _verdict(gap: Gap) -> str:
    if gap.below_reference:
        return "memorized, or better than the reference"
    if gap.verdict == "yes":
        return _YES[gap.name]
    if gap.verdict == "cannot tell":
        return f"cannot tell: needs {gap.rows_needed:,} rows" if gap.rows_needed else "cannot tell"
    return "no: within the tolerance" if gap.verdict == "no" else gap.verdict


def _others(frame: _Frame, others: Sequence[OtherMethod], floor: float) -> None:
    if not others:
        return
    frame.drawing.text((frame.label, floor + 14), "Others, dev", style="s", tone="soft", anchor="end")
    frame.drawing.line((4, floor), (frame.x.pixels[1], floor), tone="rule")
    for index, method in enumerate(others):
        if method.dev is not None:
            _other(frame, method, floor + 14 + _OTHER * (index + (1 if frame.narrow else 0.5)))


def _other(frame: _Frame, method: OtherMethod, y: float) -> None:
    dev = method.dev
    if dev is None:
        return
    words = f"{shorten(method.name, width=_NAME, style='s')} {frame.unit.show(dev.value)}"
    if frame.unit.position(dev.value) > frame.x.domain[1]:
        edge = frame.x.pixels[1]
        frame.drawing.text((edge, y + 4), f"{words}, further right →", style="s", anchor="end")
        return
    low, high = _whisker(frame, dev, y)
    frame.drawing.mark((frame.x(frame.unit.position(dev.value)), y), part="other", size=4)
    _beside(frame, (low, high, y + 4), words, style="s")


def _description(ladder: Ladder, unit: Unit) -> str:
    rungs = [f"{rung.label} {unit.show(rung.measure.value) if rung.measure else 'sealed'}" for rung in ladder.rungs]
    gaps = [f"{gap.name} {_amount(gap, unit)}, {_verdict(gap)}" for gap in ladder.gaps]
    optimal = [f"Optimal {unit.noun} {_range(ladder.optimal, unit)}"] if ladder.optimal else []
    return "; ".join([*optimal, *rungs, *gaps]) + "."
