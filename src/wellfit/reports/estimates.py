"""A loss with its interval, and the error that cannot be avoided."""

from __future__ import annotations

from dataclasses import dataclass


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
