"""Leaves of a shallow tree as rules that a person reads: "age < 25 and region in north, west"."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field

import numpy as np

from wellfit.base.typing import Booleans, Floats, Integers
from wellfit.data.features import Feature

_NAMED_LEVELS = 4


@dataclass(frozen=True)
class Bound:
    """Condition on the column at a place: low < value <= high (infinite without an end) in the tree's own units."""

    place: int
    low: float
    high: float


@dataclass(frozen=True)
class Rule:
    """A conjunction of bounds, at most one a column."""

    bounds: tuple[Bound, ...] = field(default=())

    def holds(self, values: Floats) -> Booleans:
        """True [rows] for each row of `encoded` values that obeys it."""
        inside = np.ones(len(values), bool)
        for bound in self.bounds:
            column = values[:, bound.place]
            inside &= (column > bound.low) & (column <= bound.high)
        return inside


@dataclass(frozen=True)
class Encoding:
    """Columns as a tree takes them: numbers as they are, levels by their rank, missing below everything."""

    columns: tuple[Feature, ...]
    ranks: dict[int, Integers]  # place -> [levels] rank of each level of a category
    least: Floats  # [columns] the number that stands for a missing value

    @classmethod
    def of(cls, columns: Sequence[Feature], values: Floats, signal: Floats) -> Encoding:
        """Rank levels by the mean of the signal [rows] that the tree is to explain (Breiman et al., 1984, 8.8)."""
        ranks = {
            place: _ranked(values[:, place], signal, levels=len(column.levels))
            for place, column in enumerate(columns)
            if column.kind == "category"
        }
        known = np.where(np.isnan(values), np.inf, values)
        least = known.min(axis=0, initial=np.inf)
        return cls(tuple(columns), ranks, np.where(np.isfinite(least), least, 0.0) - 1.0)

    def encoded(self, values: Floats) -> Floats:
        """Return [rows, columns] without missing values."""
        found = values.copy()
        for place, ranks in self.ranks.items():
            known = ~np.isnan(values[:, place])
            found[known, place] = ranks[values[known, place].astype(np.int64)]
            found[~known, place] = -1.0
        numbers = [place for place in range(len(self.columns)) if place not in self.ranks]
        for place in numbers:
            found[np.isnan(values[:, place]), place] = self.least[place]
        return found

    def words(self, rule: Rule) -> str:
        """Return the rule as part of a sentence; "all rows" for none."""
        return " and ".join(self._bound(bound) for bound in rule.bounds) or "all rows"

    def _bound(self, bound: Bound) -> str:
        column = self.columns[bound.place]
        if column.kind == "category":
            return f"{column.name} {self._levels(bound, column)}"
        low, high = (_shown(end, column) for end in (bound.low, bound.high))
        # Every value that is missing lies below all thresholds.
        if bound.low == -np.inf:
            return f"{column.name} <= {high}"
        return f"{column.name} > {low}" if bound.high == np.inf else f"{low} < {column.name} <= {high}"

    def _levels(self, bound: Bound, column: Feature) -> str:
        ranks = self.ranks[bound.place]
        inside = [name for name, rank in zip(column.levels, ranks, strict=True) if bound.low < rank <= bound.high]
        outside = [name for name in column.levels if name not in inside]
        if bound.low < -1.0:
            inside = [*inside, "missing"] if not outside else inside
        few, word = (inside, "in") if len(inside) <= len(outside) or not outside else (outside, "not in")
        if len(few) == 1:
            return f"{'=' if word == 'in' else '!='} {few[0]}"
        more = f" and {len(few) - _NAMED_LEVELS} more" if len(few) > _NAMED_LEVELS else ""
        return f"{word} {', '.join(few[:_NAMED_LEVELS])}{more}"


def rules_of(tree: object) -> list[Rule]:
    """One rule for each leaf of a scikit-learn tree."""
    inner = tree.tree_  # type: ignore[attr-defined]  # scikit-learn has no types
    found: list[Rule] = []
    pending: list[tuple[int, dict[int, tuple[float, float]]]] = [(0, {})]
    while pending:
        node, ends = pending.pop()
        left, right = int(inner.children_left[node]), int(inner.children_right[node])
        if left == right:
            found.append(Rule(tuple(Bound(place, low, high) for place, (low, high) in sorted(ends.items()))))
            continue
        place, at = int(inner.feature[node]), float(inner.threshold[node])
        low, high = ends.get(place, (-np.inf, np.inf))
        pending.append((left, {**ends, place: (low, min(high, at))}))
        pending.append((right, {**ends, place: (max(low, at), high)}))
    return found


def _ranked(values: Floats, signal: Floats, *, levels: int) -> Integers:
    known = ~np.isnan(values)
    codes = values[known].astype(np.int64)
    counts = np.bincount(codes, minlength=levels)
    sums = np.bincount(codes, weights=signal[known], minlength=levels)
    overall = float(signal.mean())
    means = (sums + overall) / (counts + 1)
    return np.asarray(np.argsort(np.argsort(means, kind="stable"), kind="stable"))


def _shown(end: float, column: Feature) -> str:
    if column.kind == "date" and np.isfinite(end):
        return str(np.datetime64(0, "D") + np.timedelta64(int(end), "D"))
    return f"{end:.4g}"
