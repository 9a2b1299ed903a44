"""Small multiples: one measure of the members against one knob, each in a panel of its own on the same axis."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from wellfit.reports.charts.axes import KeepProbAxis, KnobAxis, LambdaAxis, draw_losses, draw_rules
from wellfit.reports.charts.scale import Domain, Scale, apart, padded
from wellfit.reports.charts.svg import Drawing
from wellfit.reports.measures import Measured
from wellfit.reports.paths import LEAST_MEMBERS, is_one_line, strength_of
from wellfit.reports.sweep_card import Member
from wellfit.reports.units import Unit, knob

_TOP, _HEIGHT, _BOTTOM = 10.0, 96.0, 36.0
_TICKS, _RULES = 3, 4


@dataclass(frozen=True)
class _Panel:
    """The drawing of one panel, and where things are in it."""

    drawing: Drawing
    x: KnobAxis
    pixels: Domain
    members: Sequence[Member]
    along: str

    @property
    def joined(self) -> bool:
        """Whether the members may be joined by a line."""
        return is_one_line(self.members, self.along)

    def place(self, member: Member) -> float:
        """The pixel of the member's knob."""
        return self.x(_value(member, self.along))


def knob_name(knob: str) -> str:
    """How a knob is called on the page."""
    return {"l2": "λ", "l1": "L1", "keep_prob": "keep_prob", "ema": "EMA decay"}.get(knob, knob.replace("_", " "))


def _value(member: Member, along: str) -> float:
    return member.keep_prob if along == "keep_prob" else strength_of(member, along)


def losses_panel(members: Sequence[Member], unit: Unit, *, along: str, key: str, width: float = 244) -> str:
    """Draw train and dev of members against a knob; nothing for fewer than three members.

    Args:
        members: in the order of the knob, each with train and dev.
        unit: the unit of the goal.
        along: the knob.
        key: a prefix for the ids, unique in the page.
        width: pixels.
    """
    if len(members) < LEAST_MEMBERS:
        return ""
    series = {
        "train": [unit.position(member.train) for member in members if member.train is not None],
        "dev": [unit.position(member.dev.value) for member in members if member.dev],
    }
    panel = _panel(members, along=along, key=key, width=width, about=("Train and dev", _ends(members, unit)))
    y = Scale(padded([*series["train"], *series["dev"]], zero_below=0.35), (_TOP + _HEIGHT, _TOP))
    draw_losses(panel.drawing, y, unit=unit, pixels=panel.pixels, wanted=_RULES)
    _chosen(panel)
    for part, places in series.items():
        _series(panel, [y(place) for place in places], tone=f"l-{part}", part=part)
    last = [y(places[-1]) for places in series.values()]
    for part, place in zip(series, apart(last, least=13, limits=(_TOP + 4, _TOP + _HEIGHT)), strict=True):
        panel.drawing.text((panel.pixels[1] + 9, place + 4), part, style="s", tone=f"say-{part}")
    return _finished(panel)


def measure_panel(members: Sequence[Member], measure: Measured, *, along: str, key: str, width: float = 244) -> str:
    """Draw one measure of members against a knob; nothing where fewer than three members have it.

    Args:
        members: in the order of the knob.
        measure: what is drawn.
        along: the knob.
        key: a prefix for the ids, unique in the page.
        width: pixels.
    """
    values = [value for member in members if (value := measure.of(member)) is not None]
    if len(values) < max(LEAST_MEMBERS, len(members)):
        return ""
    words = f"from {knob(values[0])} at the left to {knob(values[-1])} at the right"
    panel = _panel(members, along=along, key=key, width=width, about=(measure.title, words))
    y = Scale(padded(values), (_TOP + _HEIGHT, _TOP))
    draw_rules(panel.drawing, y, label=_label, pixels=panel.pixels, wanted=_RULES)
    _chosen(panel)
    _series(panel, [y(value) for value in values], tone="l-effect", part="effect")
    return _finished(panel)


def _ends(members: Sequence[Member], unit: Unit) -> str:
    sides = (("left", members[0]), ("right", members[-1]))
    return "; ".join(
        f"at the {side} train {unit.show(member.train)}, dev {unit.show(member.dev.value if member.dev else None)}"
        for side, member in sides
    )


def _panel(members: Sequence[Member], *, along: str, key: str, width: float, about: tuple[str, str]) -> _Panel:
    pixels = (50.0, width - 40)
    inside = (pixels[0] + 8, pixels[1] - 6)
    knobs = [_value(member, along) for member in members]
    axis = KeepProbAxis(knobs, inside) if along == "keep_prob" else LambdaAxis(knobs, inside)
    title = f"{about[0]} against {knob_name(along)}"
    return _Panel(Drawing(width, key=key, title=title, desc=f"{about[1]}."), axis, pixels, members, along)


def _series(panel: _Panel, heights: Sequence[float], *, tone: str, part: str) -> None:
    points = [(panel.place(member), y) for member, y in zip(panel.members, heights, strict=True)]
    if panel.joined:
        panel.drawing.path(points, tone=tone)
    for point in points:
        panel.drawing.mark(point, part=part, size=2.4)


def _chosen(panel: _Panel) -> None:
    for member in panel.members:
        if member.chosen:
            x = panel.place(member)
            panel.drawing.line((x, _TOP - 6), (x, _TOP + _HEIGHT), tone="chosen-line")


def _finished(panel: _Panel) -> str:
    floor = _TOP + _HEIGHT
    panel.x.draw(panel.drawing, y=floor, most=_TICKS)
    panel.drawing.text((panel.pixels[1], floor + 31), knob_name(panel.along), style="s", tone="soft", anchor="end")
    return panel.drawing.render(floor + _BOTTOM)


def _label(tick: float) -> str:
    # A multiple of the step may be a rounding error away from 0.
    return knob(round(tick, 12))
