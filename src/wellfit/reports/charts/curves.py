"""Learning curves: train and dev against updates, for one network."""

from __future__ import annotations

from collections.abc import Sequence

from wellfit.reports.charts.axes import draw_losses
from wellfit.reports.charts.scale import Domain, Scale, apart, thinned
from wellfit.reports.charts.svg import Drawing
from wellfit.reports.records import Network
from wellfit.reports.units import Unit

_TOP, _HEIGHT, _BOTTOM = 12.0, 150.0, 42.0
_SETTLED = 0.95  # share of the points that the y axis must hold: the first updates may be far above


def curve_domain(networks: Sequence[Network | None], unit: Unit) -> Domain:
    """One y axis for several networks; the first, wild updates may lie above it."""
    losses = sorted(
        unit.position(loss) for network in networks if network for _, *pair in network.curve for loss in pair
    )
    if not losses:
        return 0.0, 1.0
    high = losses[min(len(losses) - 1, int(_SETTLED * len(losses)))]
    low = losses[0]
    room = 0.08 * (high - low) or 0.1 * abs(high) or 1.0
    return (0.0 if 0 <= low < 0.4 * high else low - room), high + room


def learning_curve_chart(
    network: Network, unit: Unit, *, key: str, domain: Domain | None = None, width: float = 350
) -> str:
    """Draw one network's curve; nothing for fewer than two points.

    Args:
        network: with its curve.
        unit: the unit of the goal.
        key: a prefix for the ids, unique in the page.
        domain: the y axis, in positions of `unit`; by default that of this network.
        width: pixels.
    """
    if len(network.curve) < 2:
        return ""
    drawing = Drawing(width, key=key, title="Learning curve", desc=_description(network, unit))
    pixels = (58.0, width - 46)
    last = network.curve[-1][0]
    x, floor = Scale((0, max(last, 1)), pixels), _TOP + _HEIGHT
    y = Scale(domain or curve_domain([network], unit), (floor, _TOP))
    draw_losses(drawing, y, unit=unit, pixels=pixels)
    ends = {}
    for part, column in (("train", 1), ("dev", 2)):
        points = thinned([(float(point[0]), unit.position(point[column])) for point in network.curve])
        drawing.path([(x(update), y(place)) for update, place in points], tone=f"l-{part}")
        ends[part] = y(points[-1][1])
        drawing.mark((x(points[-1][0]), ends[part]), part=part, size=3.5)
    for part, place in zip(ends, apart(list(ends.values()), least=14, limits=(_TOP + 4, floor)), strict=True):
        drawing.text((pixels[1] + 8, place + 4), part, tone=f"say-{part}")
    _updates(drawing, x, floor)
    return drawing.render(floor + _BOTTOM)


def _updates(drawing: Drawing, x: Scale, floor: float) -> None:
    ticks, _ = x.ticks(3)
    for tick in ticks:
        drawing.line((x(tick), floor), (x(tick), floor + 4), tone="axis")
        drawing.text((x(tick), floor + 17), f"{tick:,.0f}", style="s", tone="soft", anchor="middle")
    drawing.text((x.pixels[1], floor + 34), "updates", style="s", tone="soft", anchor="end")


def _description(network: Network, unit: Unit) -> str:
    first, last = network.curve[0], network.curve[-1]
    spans = (
        f"{part} {unit.noun} from {unit.show(first[column])} to {unit.show(last[column])}"
        for part, column in (("train", 1), ("dev", 2))
    )
    return f"{'; '.join(spans)}, after {last[0]:,} updates."
