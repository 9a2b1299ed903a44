"""The lambda path: train, dev and ||W|| against lambda, for the keep_prob that was chosen."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from wellfit.diagnosis.optimal_error import Optimal
from wellfit.records.units import Unit, knob
from wellfit.reports.charts.svg import Drawing, LambdaAxis, Scale, draw_losses, padded, text_width
from wellfit.reports.sweep_card import LEAST_MEMBERS, Member

_TOP, _HEIGHT, _BOTTOM = 38.0, 190.0, 44.0


@dataclass(frozen=True)
class _Plot:
    """The two axes of one path."""

    x: LambdaAxis
    y: Scale
    pixels: tuple[float, float]
    unit: Unit


def lambda_path_chart(
    members: Sequence[Member], unit: Unit, *, key: str, optimal: Optimal | None = None, width: float = 780
) -> str:
    """Draw members in the order of lambda, with the optimal error if it is known; "" for fewer than three."""
    if len(members) < LEAST_MEMBERS:
        return ""
    drawing = Drawing(width, key=key, title="Train and dev against lambda", desc=_description(members, unit))
    plot = _plot(members, unit, width)
    draw_losses(drawing, plot.y, unit=unit, pixels=plot.pixels)
    _tied(drawing, plot, members)
    _optimal(drawing, plot, optimal)
    _dev_band(drawing, plot, members)
    ends, floor = _lines(drawing, plot, members), _TOP + _HEIGHT
    _chosen(drawing, plot, members)
    drawing.end_names(ends, x=plot.pixels[1] + 4, least=14, limits=(_TOP + 4, floor))
    plot.x.draw(drawing, y=floor, most=4 if width < 560 else 7)
    title = "λ, log scale" + (f"; ‖W‖ on its own scale, 0 to {_top_norm(members):.3g}" if _top_norm(members) else "")
    drawing.note((plot.pixels[1], floor + 36), title, anchor="end")
    return drawing.render(floor + _BOTTOM)


def _plot(members: Sequence[Member], unit: Unit, width: float) -> _Plot:
    pixels = (62.0, width - 48)
    losses = [member.train for member in members if member.train is not None]
    losses += [loss for member in members if (dev := member.dev) for loss in (dev.value, dev.low, dev.high)]
    y = Scale(padded([unit.position(loss) for loss in losses], zero_below=0.35), (_TOP + _HEIGHT, _TOP))
    return _Plot(LambdaAxis([member.l2 for member in members], (pixels[0] + 10, pixels[1] - 10)), y, pixels, unit)


def _tied(drawing: Drawing, plot: _Plot, members: Sequence[Member]) -> None:
    places = [plot.x(member.l2) for member in members if member.tied]
    if not places:
        return
    left, right = min(places) - 6, max(places) + 6
    drawing.box((left, _TOP), (right - left, _HEIGHT), tone="tied")
    drawing.note(((left + right) / 2, 12), "shaded: tied with the best", anchor="middle")


def _optimal(drawing: Drawing, plot: _Plot, optimal: Optimal | None) -> None:
    if optimal is None or optimal.source == "none":
        return
    place = plot.unit.position(optimal.high)
    if plot.y.domain[0] <= place <= plot.y.domain[1]:
        y = plot.y(place)
        drawing.line((plot.pixels[0], y), (plot.pixels[1], y), tone="optimal")
        label = y - 5 if y > _TOP + 16 else y + 13
        drawing.note((plot.pixels[0] + 4, label), f"optimal {plot.unit.show(optimal.high)}")


def _dev_band(drawing: Drawing, plot: _Plot, members: Sequence[Member]) -> None:
    known = [(plot.x(member.l2), member.dev) for member in members if member.dev and not member.dev.is_fixed]
    if len(known) < LEAST_MEMBERS:
        return
    above = [(x, plot.y(plot.unit.position(dev.high))) for x, dev in known]
    below = [(x, plot.y(plot.unit.position(dev.low))) for x, dev in known]
    drawing.path([*above, *reversed(below)], tone="dev-band", closed=True)


def _lines(drawing: Drawing, plot: _Plot, members: Sequence[Member]) -> dict[str, float]:
    """Draw the three lines; return the y at which each ends."""
    top = _top_norm(members)
    norms = [(plot.x(it.l2), _TOP + _HEIGHT * (1 - it.norm / top)) for it in members if it.norm is not None and top]
    train = [(plot.x(it.l2), plot.y(plot.unit.position(it.train))) for it in members if it.train is not None]
    dev = [(plot.x(it.l2), plot.y(plot.unit.position(it.dev.value))) for it in members if it.dev]
    if norms:
        drawing.path(norms, tone="l-norm")
    for part, points in (("train", train), ("dev", dev)):
        drawing.series(points, part=part, size=3, tone=f"l-{part}")
    ends = {"train": train[-1][1], "dev": dev[-1][1]}
    return ends | ({"‖W‖": norms[-1][1]} if norms else {})


def _chosen(drawing: Drawing, plot: _Plot, members: Sequence[Member]) -> None:
    chosen = next((member for member in members if member.chosen), None)
    if chosen is None or chosen.dev is None:
        return
    x = plot.x(chosen.l2)
    drawing.line((x, _TOP), (x, _TOP + _HEIGHT), tone="chosen-line")
    drawing.ring((x, plot.y(plot.unit.position(chosen.dev.value))), size=7, tone="chosen")
    words = _chosen_words(chosen)
    if text_width(words, style="b") > drawing.width:
        words = f"chosen: λ {knob(chosen.l2)}"
    drawing.text((x, 29), words, style="b", anchor="middle")


def _chosen_words(chosen: Member) -> str:
    decay = f", weight_decay {knob(chosen.weight_decay)}" if chosen.weight_decay is not None else ""
    shrink = f", shrink {knob(chosen.shrink)}" if chosen.shrink is not None else ""
    return f"chosen: λ {knob(chosen.l2)}{decay}{shrink}"


def _top_norm(members: Sequence[Member]) -> float:
    return max((member.norm for member in members if member.norm is not None), default=0.0)


def _description(members: Sequence[Member], unit: Unit) -> str:
    ends = [
        f"at λ {knob(it.l2)}: train {unit.show(it.train)}, dev {unit.show(it.dev.value)}"
        for it in (members[0], members[-1])
        if it.dev
    ]
    chosen = [_chosen_words(member) for member in members if member.chosen]
    return "; ".join([*ends, *chosen]) + "."
