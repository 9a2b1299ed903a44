"""Axes: round ticks, linear scales, spacing labels apart, thinning long curves."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

Domain = tuple[float, float]
MOST_POINTS = 240  # of one drawn curve; redrawing stays under 15 ms (ux.md)


@dataclass(frozen=True)
class Scale:
    """A linear map from values to pixels."""

    domain: Domain
    pixels: Domain

    def __call__(self, value: float) -> float:
        """The pixel of `value`, kept inside the axis."""
        low, high = self.domain
        share = (value - low) / (high - low) if high > low else 0.5
        return self.pixels[0] + min(max(share, 0.0), 1.0) * (self.pixels[1] - self.pixels[0])

    def ticks(self, wanted: int = 5) -> tuple[list[float], float]:
        """Round values inside the domain, about `wanted` of them, and their step."""
        return round_ticks(self.domain, wanted=wanted)


def round_ticks(domain: Domain, *, wanted: int = 5) -> tuple[list[float], float]:
    """Multiples of 1, 2, 2.5 or 5 times a power of ten inside `domain`, and the step between them."""
    low, high = domain
    if not high > low:
        return [low], 1.0
    rough = (high - low) / max(wanted, 1)
    power = 10.0 ** math.floor(math.log10(rough))
    step = next(factor * power for factor in (1, 2, 5, 10) if factor * power >= rough * (1 - 1e-9))
    first, last = math.ceil(low / step - 1e-9), math.floor(high / step + 1e-9)
    return [index * step for index in range(first, last + 1)], step


def padded(values: Sequence[float], *, share: float = 0.08, zero_below: float = 0.5) -> Domain:
    """A domain around `values`; it starts at 0 where the lowest value is under `zero_below` of the highest."""
    low, high = min(values), max(values)
    room = share * (high - low) or abs(high) * share or 1.0
    if 0 <= low <= zero_below * high:
        return 0.0, high + room
    return low - room, high + room


def apart(places: Sequence[float], *, least: float, limits: Domain) -> list[float]:
    """Move label positions so that neighbours are at least `least` apart, in their order, inside `limits`."""
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
    """At most `most` points of a curve, with the lowest and highest of every bucket, and both ends."""
    if len(points) <= most:
        return list(points)
    inner, buckets = points[1:-1], (most - 2) // 2
    kept = [points[0]]
    for bucket in range(buckets):
        part = inner[bucket * len(inner) // buckets : (bucket + 1) * len(inner) // buckets]
        kept.extend(sorted({min(part, key=lambda it: it[1]), max(part, key=lambda it: it[1])}))
    return [*kept, points[-1]]
