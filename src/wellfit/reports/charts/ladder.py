"""The ladder: optimal error, train, train-dev, dev and test on one axis, with the gaps between them."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from wellfit.base.typing import Part
from wellfit.diagnosis.gaps import Gap
from wellfit.diagnosis.optimal_error import Optimal
from wellfit.records.units import Unit
from wellfit.reports.charts.svg import Domain, Drawing, Scale, padded, shorten, text_width
from wellfit.reports.records import PARTS, Diagnosed, OtherMethod
from wellfit.reports.sentences import gap_text, optimal_source, optimal_text, shown
from wellfit.stats.intervals import Estimate

_NARROW = 560
_TOP, _RUNG, _OTHER, _AXIS = 8.0, 40.0, 22.0, 40.0
_BAR = 10.0
_NAME = 90.0  # room for the name of another method
_WORDS = 235.0  # room for the words next to the longest bar
_FIRST = _TOP + 14  # y of the optimal error

_TONES = {"yes": "yes", "no": "no", "cannot tell": "unsure"}


@dataclass(frozen=True)
class _Frame:
    """Layout; `label` is the right edge of the labels, `gap` the height of a gap's row."""

    drawing: Drawing
    x: Scale
    unit: Unit
    label: float
    gap: float
    narrow: bool

    def limits(self, known: Optimal | Estimate) -> tuple[float, float]:
        """Return the pixels of both ends of an interval."""
        return self.x(self.unit.position(known.low)), self.x(self.unit.position(known.high))

    def whisker(self, known: Optimal | Estimate, *, y: float, half: float) -> None:
        """Draw an interval with `half` the height of its ends."""
        low, high = self.limits(known)
        self.drawing.line((low, y), (high, y), tone="whisker")
        for end in (low, high):
            self.drawing.line((end, y - half), (end, y + half), tone="whisker")


def ladder_domain(ladders: Iterable[Diagnosed], unit: Unit) -> Domain:
    """Return one axis for several ladders, so that before and after can be compared by eye."""
    known = list(ladders)
    errors = [error for ladder in known for error in ladder.errors.values() if error]
    losses = [loss for error in errors for loss in (error.low, error.high, error.value)]
    # Without a reference too: a band that the axis cuts off would seem to begin where the axis does.
    optima = [ladder.diagnosis.errors.optimal for ladder in known]
    losses += [loss for optimal in optima for loss in (optimal.low, optimal.high)]
    return padded([unit.position(loss) for loss in losses] or [0.0, 1.0], zero_below=0.7)


def ladder_chart(
    ladder: Diagnosed,
    unit: Unit,
    *,
    key: str,
    width: float = 780,
    others: Sequence[OtherMethod] = (),
    domain: Domain | None = None,
) -> str:
    """Draw the errors and gaps of one network, and `others` (reference models) as marks below.

    Under 560 pixels the gaps' words go below their bars. `domain` is the axis, in positions of `unit`; by default that
    of this ladder.
    """
    drawing = Drawing(width, key=key, title="Where the error comes from", desc=_description(ladder, unit))
    narrow = width < _NARROW
    label = 74.0 if narrow else 118.0
    x = Scale(domain or ladder_domain([ladder], unit), (label + 12, width - (22 if narrow else _WORDS)))
    frame = _Frame(drawing, x, unit, label, 54.0 if narrow else 26.0, narrow)
    rows = _rows(ladder, frame)
    floor = max(rows.values()) + _RUNG - 6
    bottom = floor + (_OTHER * (len(others) + 1) if others else 0)
    _axis(frame, bottom)
    _band(frame, ladder.diagnosis.errors.optimal, floor)
    for gap in ladder.gaps:
        _gap(frame, ladder, gap, top=rows[_end_of(ladder, gap)])
    _optimal(frame, ladder.diagnosis.errors.optimal)
    for part, error in ladder.errors.items():
        _rung(frame, part, error, y=rows[part], note=ladder.note if part == "test" else "")
    if others:
        frame.drawing.note((label, floor + 14), "Others, dev", anchor="end")
        frame.drawing.line((4, floor), (x.pixels[1], floor), tone="rule")
    for index, method in enumerate(others):
        _other(frame, method, floor + 14 + _OTHER * (index + (1 if narrow else 0.5)))
    return drawing.render(bottom + _AXIS)


def _rows(ladder: Diagnosed, frame: _Frame) -> dict[Part, float]:
    """Return the y of every part: a gap is drawn above the part where it ends."""
    y, rows = _FIRST + _RUNG, {}
    led_to = {_end_of(ladder, gap) for gap in ladder.gaps}
    for part in ladder.errors:
        y += frame.gap if part in led_to else 0
        rows[part] = y
        y += _RUNG
    return rows


def _end_of(ladder: Diagnosed, gap: Gap) -> Part:
    """Return the part at which a gap ends."""
    held_out: Part = "dev" if ladder.diagnosis.errors.train_dev is None else "train_dev"
    return held_out if gap.name == "variance" else gap.kind.judged_on


def _axis(frame: _Frame, bottom: float) -> None:
    ticks, step = frame.x.ticks(4 if frame.narrow else 6)
    for tick in ticks:
        x = frame.x(tick)
        frame.drawing.line((x, _TOP), (x, bottom), tone="grid")
        frame.drawing.note((x, bottom + 15), frame.unit.tick(tick, step=step), anchor="middle")
    middle = sum(frame.x.pixels) / 2
    frame.drawing.note((middle, bottom + 32), frame.unit.axis_title, anchor="middle")


def _band(frame: _Frame, optimal: Optimal, floor: float) -> None:
    low, high = frame.limits(optimal)
    tone = "band-unknown" if optimal.source == "none" else "band"
    frame.drawing.box((low, _TOP), (max(high - low, 2), floor - _TOP), tone=tone)


def _optimal(frame: _Frame, optimal: Optimal) -> None:
    y = _FIRST
    frame.drawing.text((frame.label, y + 4), "Optimal", anchor="end")
    source = "not given" if frame.narrow and optimal.source == "none" else optimal_source(optimal)
    frame.drawing.note((frame.label, y + 17), source, anchor="end")
    frame.whisker(optimal, y=y, half=6)
    _beside(frame, (*frame.limits(optimal), y + 4), optimal_text(frame.unit, optimal), style="b")


def _rung(frame: _Frame, part: Part, error: Estimate | None, *, y: float, note: str) -> None:
    frame.drawing.text((frame.label, y + 4), PARTS[part], anchor="end")
    if error is None:
        left, right = frame.x.pixels
        frame.drawing.box((left, y - 10), (right - left, 20), tone="sealed", round_by=4)
        frame.drawing.note((left + 10, y + 4), note or "sealed: opened once, at the end")
        return
    if error.rows is not None:
        frame.drawing.note((frame.label, y + 17), f"n={error.rows:,}", anchor="end")
    span = _marked(frame, error, y=y, part=part)
    words = shown(frame.unit, error) + (f" {note}" if note and not frame.narrow else "")
    _beside(frame, (*span, y + 4), words, style="b")


def _marked(frame: _Frame, error: Estimate, *, y: float, part: str, size: float = 5) -> tuple[float, float]:
    """Draw an error with its interval; return its left and right end."""
    if not error.is_fixed:
        frame.whisker(error, y=y, half=5)
    point = frame.x(frame.unit.position(error.value))
    frame.drawing.mark((point, y), part=part, size=size)
    low, high = frame.limits(error)
    return min(low, point - 6), max(high, point + 6)


def _beside(frame: _Frame, span: tuple[float, float, float], words: str, *, style: str = "t") -> None:
    """Write `words` to the right of [left, right]; without room there, to its left; otherwise one line lower."""
    left, right, y = span
    wide = text_width(words, style=style)
    if right + 8 + wide <= frame.drawing.width:
        frame.drawing.text((right + 8, y), words, style=style)
    elif left - 8 - wide >= frame.label:
        frame.drawing.text((left - 8, y), words, style=style, anchor="end")
    else:
        frame.drawing.text((frame.x.pixels[0] + 6, y + 13), words, style=style)


def _gap(frame: _Frame, ladder: Diagnosed, gap: Gap, *, top: float) -> None:
    y = top - _RUNG / 2 - frame.gap / 2 + 1
    start, end = (frame.x(frame.unit.position(loss)) for loss in ladder.diagnosis.errors.ends(gap.name))
    tone = _TONES[gap.verdict]
    frame.drawing.line((start, y - 26 if not frame.narrow else y - 34), (start, y), tone="thread")
    frame.drawing.line((end, y), (end, top - 6), tone="thread")
    left, right = sorted((start, end))
    if gap.below_reference:
        left = right = end
    frame.drawing.box((left, y - _BAR / 2), (max(right - left, 3), _BAR), tone=f"gap-{tone}", round_by=2)
    amount, verdict = _words(ladder, gap, frame.unit)
    if frame.narrow:
        frame.drawing.text((frame.x.pixels[0], y + 17), amount, style="s")
        frame.drawing.text((frame.x.pixels[0], y + 30), verdict, style="b", tone=f"say-{tone}")
        return
    _beside_pair(frame.drawing, (left, right, y + 4), (amount, verdict), tone=f"say-{tone}")


def _beside_pair(drawing: Drawing, span: tuple[float, float, float], words: tuple[str, str], *, tone: str) -> None:
    """Write the amount and, in bold, the verdict: right of the bar, otherwise left of it, otherwise on two lines."""
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


def _words(ladder: Diagnosed, gap: Gap, unit: Unit) -> tuple[str, str]:
    """Return the name of a gap with its size, and its verdict."""
    amount = f"{gap.kind.noun} {gap_text(unit, ladder, gap, sign=True)}"
    if gap.below_reference:
        return amount, "memorized, or better than the reference"
    if gap.verdict == "yes":
        return amount, f"yes: {gap.kind.meaning}"
    if gap.verdict == "no":
        return amount, "no: within the tolerance"
    wanted = ladder.diagnosis.errors.rows_wanted(gap)
    return amount, f"cannot tell: needs {wanted:,} rows" if wanted else "cannot tell"


def _other(frame: _Frame, method: OtherMethod, y: float) -> None:
    dev = method.dev
    words = f"{shorten(method.name, width=_NAME, style='s')} {frame.unit.show(dev.value)}"
    if frame.unit.position(dev.value) > frame.x.domain[1]:
        edge = frame.x.pixels[1]
        frame.drawing.text((edge, y + 4), f"{words}, further right →", style="s", anchor="end")
        return
    span = _marked(frame, dev, y=y, part="other", size=4)
    _beside(frame, (*span, y + 4), words, style="s")


def _description(ladder: Diagnosed, unit: Unit) -> str:
    errors = [f"{PARTS[part]} {shown(unit, error) if error else 'sealed'}" for part, error in ladder.errors.items()]
    gaps = [", ".join(_words(ladder, gap, unit)) for gap in ladder.gaps]
    optimal = f"Optimal {unit.noun} {optimal_text(unit, ladder.diagnosis.errors.optimal)}"
    return "; ".join([optimal, *errors, *gaps]) + "."
