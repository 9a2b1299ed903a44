"""Small multiples, each with one measure of the members against one knob, on the same axis; and learning curves."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from wellfit.records.knobs import KNOBS
from wellfit.records.units import Unit, knob
from wellfit.reports.charts.svg import (
    Domain,
    Drawing,
    KeepProbAxis,
    LambdaAxis,
    Scale,
    draw_losses,
    draw_rules,
    padded,
    thinned,
)
from wellfit.reports.records import Network
from wellfit.reports.sweep_card import LEAST_MEMBERS, Measured, Member, is_one_line, strength_of

_TOP, _HEIGHT, _BOTTOM = 10.0, 96.0, 36.0
_TICKS, _RULES = 3, 4


@dataclass(frozen=True)
class _Panel:
    """The drawing of one panel, and the positions in it."""

    drawing: Drawing
    x: LambdaAxis | KeepProbAxis
    pixels: Domain
    members: Sequence[Member]
    along: str

    def place(self, member: Member) -> float:
        return self.x(_value(member, self.along))

    def series(self, heights: Sequence[float], *, tone: str, part: str) -> None:
        """Mark the members, joined by a line if they differ only in this knob."""
        points = [(self.place(member), y) for member, y in zip(self.members, heights, strict=True)]
        joined = is_one_line(self.members, self.along)
        self.drawing.series(points, part=part, size=2.4, tone=tone if joined else None)


def _value(member: Member, along: str) -> float:
    return member.keep_prob if along == "keep_prob" else strength_of(member, along)


def losses_panel(members: Sequence[Member], unit: Unit, *, along: str, key: str, width: float = 244) -> str:
    """Draw train and dev of members, in the order of the knob `along`; "" for fewer than three."""
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
        panel.series([y(place) for place in places], tone=f"l-{part}", part=part)
    ends, limits = {part: y(places[-1]) for part, places in series.items()}, (_TOP + 4, _TOP + _HEIGHT)
    panel.drawing.end_names(ends, x=panel.pixels[1] + 9, least=13, limits=limits, style="s")
    return _finished(panel)


def measure_panel(members: Sequence[Member], measure: Measured, *, along: str, key: str, width: float = 244) -> str:
    """Draw one measure of members, in the order of the knob `along`; "" unless all have it, and at least three."""
    values = [value for member in members if (value := measure.of(member)) is not None]
    if len(values) < max(LEAST_MEMBERS, len(members)):
        return ""
    words = f"from {knob(values[0])} on the left to {knob(values[-1])} on the right"
    panel = _panel(members, along=along, key=key, width=width, about=(measure.title, words))
    y = Scale(padded(values), (_TOP + _HEIGHT, _TOP))
    # A multiple of the step may be a rounding error away from 0.
    draw_rules(panel.drawing, y, label=lambda tick: knob(round(tick, 12)), pixels=panel.pixels, wanted=_RULES)
    _chosen(panel)
    panel.series([y(value) for value in values], tone="l-effect", part="effect")
    return _finished(panel)


def _ends(members: Sequence[Member], unit: Unit) -> str:
    sides = (("left", members[0]), ("right", members[-1]))
    return "; ".join(
        f"on the {side} train {unit.show(member.train)}, dev {unit.show(member.dev.value if member.dev else None)}"
        for side, member in sides
    )


def _panel(members: Sequence[Member], *, along: str, key: str, width: float, about: tuple[str, str]) -> _Panel:
    pixels = (50.0, width - 40)
    inside = (pixels[0] + 8, pixels[1] - 6)
    knobs = [_value(member, along) for member in members]
    axis = KeepProbAxis(knobs, inside) if along == "keep_prob" else LambdaAxis(knobs, inside)
    title = f"{about[0]} against {KNOBS[along].title}"
    return _Panel(Drawing(width, key=key, title=title, desc=f"{about[1]}."), axis, pixels, members, along)


def _chosen(panel: _Panel) -> None:
    for member in panel.members:
        if member.chosen:
            x = panel.place(member)
            panel.drawing.line((x, _TOP - 6), (x, _TOP + _HEIGHT), tone="chosen-line")


def _finished(panel: _Panel) -> str:
    floor = _TOP + _HEIGHT
    panel.x.draw(panel.drawing, y=floor, most=_TICKS)
    panel.drawing.note((panel.pixels[1], floor + 31), KNOBS[panel.along].title, anchor="end")
    return panel.drawing.render(floor + _BOTTOM)


_CURVE_TOP, _CURVE_HEIGHT, _CURVE_BOTTOM = 12.0, 150.0, 42.0
_SETTLED = 0.95  # share of the points that the y axis must hold: the first updates may be far above


def curve_domain(networks: Sequence[Network | None], unit: Unit) -> Domain:
    """Return one y axis for several networks; the unstable first updates may be above it."""
    curves = [network.curve for network in networks if network]
    losses = sorted(unit.position(loss) for curve in curves for _, *pair in curve for loss in pair)
    if not losses:
        return 0.0, 1.0
    high = losses[min(len(losses) - 1, int(_SETTLED * len(losses)))]
    low = losses[0]
    room = 0.08 * (high - low) or 0.1 * abs(high) or 1.0
    return (0.0 if 0 <= low < 0.4 * high else low - room), high + room


def learning_curve_chart(
    network: Network, unit: Unit, *, key: str, domain: Domain | None = None, width: float = 350
) -> str:
    """Draw one network's curve; "" for fewer than two points."""
    if len(network.curve) < 2:
        return ""
    drawing = Drawing(width, key=key, title="Learning curve", desc=_description(network, unit))
    pixels = (58.0, width - 46)
    last = network.curve[-1][0]
    x, floor = Scale((0, max(last, 1)), pixels), _CURVE_TOP + _CURVE_HEIGHT
    y = Scale(domain or curve_domain([network], unit), (floor, _CURVE_TOP))
    draw_losses(drawing, y, unit=unit, pixels=pixels)
    ends = {}
    for part, column in (("train", 1), ("dev", 2)):
        points = thinned([(float(point[0]), unit.position(point[column])) for point in network.curve])
        drawing.path([(x(update), y(place)) for update, place in points], tone=f"l-{part}")
        ends[part] = y(points[-1][1])
        drawing.mark((x(points[-1][0]), ends[part]), part=part, size=3.5)
    drawing.end_names(ends, x=pixels[1] + 8, least=14, limits=(_CURVE_TOP + 4, floor))
    for tick in x.ticks(3)[0]:
        drawing.tick((x(tick), floor), f"{tick:,.0f}")
    drawing.note((pixels[1], floor + 34), "updates", anchor="end")
    return drawing.render(floor + _CURVE_BOTTOM)


def _description(network: Network, unit: Unit) -> str:
    first, last = network.curve[0], network.curve[-1]
    spans = (
        f"{part} {unit.noun} from {unit.show(first[column])} to {unit.show(last[column])}"
        for part, column in (("train", 1), ("dev", 2))
    )
    return f"{'; '.join(spans)}, after {last[0]:,} updates."
