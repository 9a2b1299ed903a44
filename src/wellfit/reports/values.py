"""Plain readers of JSON: what is missing becomes None or empty, and no number that is not finite gets past them.

A loss with its interval, and the error that cannot be avoided.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any

from wellfit._typing import Json


def number(value: object) -> float | None:
    """A finite float, or None."""
    if isinstance(value, bool) or not isinstance(value, int | float):
        return None
    return float(value) if math.isfinite(value) else None


def count(value: object) -> int | None:
    """A whole number, or None."""
    found = number(value)
    return None if found is None else int(found)


def text(value: object) -> str:
    """A string; nothing for None."""
    return "" if value is None else str(value)


def section(body: Mapping[str, Any], name: str) -> Json:
    """A nested object, empty where there is none."""
    found = body.get(name)
    return dict(found) if isinstance(found, Mapping) else {}


def items(body: Mapping[str, Any], name: str) -> list[Any]:
    """A nested list, empty where there is none."""
    found = body.get(name)
    return list(found) if isinstance(found, list | tuple) else []


def objects(body: Mapping[str, Any], name: str) -> Iterable[Json]:
    """The objects of a nested list."""
    return (dict(item) for item in items(body, name) if isinstance(item, Mapping))


def measure(value: object) -> Measure | None:
    """An estimate with its interval, or a bare number."""
    if not isinstance(value, Mapping):
        bare = number(value)
        return None if bare is None else Measure(value=bare, low=bare, high=bare)
    point = number(value.get("value"))
    if point is None:
        return None
    low, high = number(value.get("low")), number(value.get("high"))
    return Measure(
        value=point,
        low=point if low is None else low,
        high=point if high is None else high,
        rows=count(value.get("rows")),
    )


def reference(body: Json) -> Reference | None:
    """The optimal error of a diagnosis or a sweep."""
    low, high = number(body.get("low")), number(body.get("high"))
    if low is None or high is None:
        return None
    return Reference(
        low=low, high=high, source=text(body.get("source")) or "none", upper_bound=bool(body.get("upper_bound"))
    )


def keep_prob(value: object) -> tuple[float, str]:
    """The mean keep_prob over the layers, and how it is written."""
    keeps = [found for found in map(number, value if isinstance(value, list | tuple) else [value]) if found is not None]
    if not keeps:
        return 1.0, "1"
    return sum(keeps) / len(keeps), ", ".join(dict.fromkeys(f"{keep:.3g}" for keep in keeps))


@dataclass(frozen=True, kw_only=True)
class Measure:
    """One loss with its 95 % interval; `rows` is None where the number of rows is unknown."""

    value: float
    low: float
    high: float
    rows: int | None = None

    @property
    def is_fixed(self) -> bool:
        """Whether the number is exact for this model, like the error over all training rows."""
        return self.high <= self.low


@dataclass(frozen=True, kw_only=True)
class Reference:
    """The optimal error: an interval and where it comes from."""

    low: float
    high: float
    source: str
    upper_bound: bool

    @property
    def middle(self) -> float:
        """The point from which the avoidable bias runs."""
        return (self.low + self.high) / 2

    @property
    def name(self) -> str:
        """The source in words."""
        words = {"human": "human error", "given": "as given", "none": "no reference given"}
        return words.get(self.source, self.source)
