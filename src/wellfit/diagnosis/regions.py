"""Regions in which one loss is above another, found on one half of the rows and tested on the other.

A region is a leaf of a shallow tree, written as a rule such as "age < 25 and region in north, west".
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass, field, replace

import numpy as np
from sklearn.tree import DecisionTreeRegressor

from wellfit.base.typing import Booleans, Floats, Integers
from wellfit.data.features import Feature
from wellfit.diagnosis.findings import Finding, finding
from wellfit.diagnosis.rows import FEWEST_ROWS, NetworkOnRows, OpenRows, Rows
from wellfit.records.units import Unit
from wellfit.stats.differences import holm
from wellfit.stats.intervals import LEVEL, Estimate, normal_quantile

_NAMED_LEVELS = 4


@dataclass(frozen=True)
class Bound:
    """The condition low < value <= high (infinite if open) on the column at index `place`, in the tree's own units."""

    place: int
    low: float
    high: float


@dataclass(frozen=True)
class Rule:
    """A conjunction of bounds, with at most one bound per column."""

    bounds: tuple[Bound, ...] = field(default=())

    def holds(self, values: Floats) -> Booleans:
        """Return for each row of the `encoded` values whether it satisfies the rule [rows]."""
        inside = np.ones(len(values), bool)
        for bound in self.bounds:
            column = values[:, bound.place]
            inside &= (column > bound.low) & (column <= bound.high)
        return inside


@dataclass(frozen=True)
class Encoding:
    """Columns in the form that a tree takes: numbers unchanged, levels as ranks, missing values below all others."""

    columns: tuple[Feature, ...]
    ranks: dict[int, Integers]  # place -> [levels] rank of each level of a category
    least: Floats  # [columns] the number that replaces a missing value

    @classmethod
    def of(cls, columns: Sequence[Feature], values: Floats, signal: Floats) -> Encoding:
        """Rank levels by the mean of the signal [rows] that the tree should explain (Breiman et al., 1984, 8.8)."""
        ranks = {
            place: _ranked(values[:, place], signal, levels=len(column.levels))
            for place, column in enumerate(columns)
            if column.kind == "category"
        }
        known = np.where(np.isnan(values), np.inf, values)
        least = known.min(axis=0, initial=np.inf)
        return cls(tuple(columns), ranks, np.where(np.isfinite(least), least, 0.0) - 1.0)

    def encoded(self, values: Floats) -> Floats:
        """Return the encoded values [rows, columns], none of which is missing."""
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
        """Write the rule as part of a sentence; "all rows" if it has no bounds."""
        return " and ".join(self._bound(bound) for bound in rule.bounds) or "all rows"

    def _bound(self, bound: Bound) -> str:
        column = self.columns[bound.place]
        if column.kind == "category":
            return f"{column.name} {self._levels(bound, column)}"
        low, high = (_shown(end, column) for end in (bound.low, bound.high))
        # Every missing value is below all thresholds.
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
    """Return a rule for each leaf of a scikit-learn tree."""
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


DEPTH = 3
SMALLEST_LEAF = 32
LEAF_SHARE = 0.01
MOST_ROWS = 40_000
WORTH = 12.0
"""A split must explain this multiple of what a fixed split explains of noise; the best of many reaches about ten."""
_PRIOR_ROWS = 2.0  # rows of pooled spread added to a leaf's own: equal losses in a leaf are not certainty


@dataclass(frozen=True, kw_only=True)
class Region:
    """One region, with its gap and its excess over the rest."""

    rule: str  # in words
    share: float  # of the tested rows of the first side
    gap: float  # first loss - second loss inside
    elsewhere: float  # the same in all other rows
    excess: Estimate  # gap - elsewhere
    part: float | None  # of the sum of the gap over all tested rows; None where that sum is not positive
    certain: bool  # the excess and the gap inside are both surely above the tolerance


@dataclass(frozen=True)
class _Half:
    """Encoded values [rows, columns] and losses [rows] of one half of a side."""

    values: Floats
    losses: Floats


def find_regions(first: Rows, second: Rows | None, *, tolerance: float, seed: int = 0) -> tuple[Region, ...] | None:
    """Find regions where the first loss exceeds the second by more than elsewhere, the largest excess first.

    On half A, a shallow tree is fitted to the difference between the first loss and the second. Its leaves are frozen,
    and on half B each is tested against the rest, one-sided, with the tolerance as margin (Holm over the leaves). A
    region that is found and tested on the same rows is "significant" in nearly every table of pure noise. `second` is
    None if the first losses are already differences. The result is None if a side has no losses or fewer than 200 rows.
    """
    sides = [first] if second is None else [first, second]
    if any(side.losses is None or side.rows < FEWEST_ROWS for side in sides) or not first.features.columns:
        return None
    rng = np.random.default_rng(seed)
    halves = [_halved(side, rng) for side in sides]
    found, tested = [pair[0] for pair in halves], [pair[1] for pair in halves]
    encoding, rules = _leaves(first, found)
    coded = [_Half(encoding.encoded(half.values), half.losses) for half in tested]
    effects = [_effect(rule, coded) for rule in rules]
    kept = [(rule, effect) for rule, effect in zip(rules, effects, strict=True) if effect is not None]
    certain = holm([effect.limit for _, effect in kept], above=tolerance) if len(kept) > 1 else [False] * len(kept)
    regions = [
        effect.region(encoding.words(rule), certain=sure) for (rule, effect), sure in zip(kept, certain, strict=True)
    ]
    return tuple(sorted(regions, key=lambda region: -region.excess.value))


@dataclass(frozen=True)
class _Effect:
    share: float
    gap: float
    elsewhere: float
    error: float
    error_inside: float
    part: float | None

    def limit(self, level: float) -> float:
        """Return the lower limit, at a two-sided level, of the excess or of the gap inside, whichever is lower.

        A region is not at fault merely because the gap is more negative elsewhere.
        """
        z = normal_quantile(level)
        return min(self.gap - self.elsewhere - z * self.error, self.gap - z * self.error_inside)

    def region(self, words: str, *, certain: bool) -> Region:
        value, half = self.gap - self.elsewhere, normal_quantile(LEVEL) * self.error
        excess = Estimate(value, value - half, value + half, None)
        return Region(
            rule=words,
            share=self.share,
            gap=self.gap,
            elsewhere=self.elsewhere,
            excess=excess,
            part=self.part,
            certain=certain,
        )


def _halved(side: Rows, rng: np.random.Generator) -> tuple[_Half, _Half]:
    order = rng.permutation(side.rows)[:MOST_ROWS]
    if side.groups is not None:  # whole groups, since their rows err alike
        names = np.unique(side.groups[order], return_inverse=True)[1]
        inside: Booleans = (rng.random(int(names.max()) + 1) < 0.5)[names]
    else:
        inside = np.arange(len(order)) < len(order) // 2
    losses = np.asarray(side.losses, np.float64)
    first, second = (_Half(side.features.values[rows], losses[rows]) for rows in (order[inside], order[~inside]))
    return first, second


def _leaves(first: Rows, halves: list[_Half]) -> tuple[Encoding, list[Rule]]:
    """Return the encoding and the leaves of a tree that explains where the first loss is above the second."""
    signal = halves[0].losses
    if len(halves) > 1:
        encoding = Encoding.of(first.features.columns, halves[1].values, halves[1].losses)
        usual = _tree(halves[1].losses).fit(encoding.encoded(halves[1].values), halves[1].losses)
        signal = signal - usual.predict(encoding.encoded(halves[0].values))
    encoding = Encoding.of(first.features.columns, halves[0].values, signal)
    tree = _tree(signal).fit(encoding.encoded(halves[0].values), signal)
    return encoding, rules_of(tree)


def _tree(signal: Floats) -> DecisionTreeRegressor:
    rows = len(signal)
    return DecisionTreeRegressor(
        max_depth=DEPTH,
        min_samples_leaf=max(SMALLEST_LEAF, math.ceil(LEAF_SHARE * rows)),
        min_impurity_decrease=WORTH * float(signal.var()) / rows,
        random_state=0,
    )


def _effect(rule: Rule, halves: list[_Half]) -> _Effect | None:
    """Return the excess of one fixed leaf on the test halves; None if it contains almost none or all of their rows."""
    inside = [rule.holds(half.values) for half in halves]
    cells = [(half.losses[mask], half.losses[~mask]) for half, mask in zip(halves, inside, strict=True)]
    if min(len(cell) for pair in cells for cell in pair) < SMALLEST_LEAF // 2:
        return None
    signs = (1.0, -1.0)[: len(cells)]
    gap, elsewhere = (
        sum(sign * float(pair[place].mean()) for sign, pair in zip(signs, cells, strict=True)) for place in (0, 1)
    )
    inner, outer = 0.0, 0.0
    for half, pair in zip(halves, cells, strict=True):
        pooled = _PRIOR_ROWS * float(half.losses.var())
        own = [len(cell) * float(cell.var()) for cell in pair]
        # Variances of the cells' means, drawn towards the spread of all rows by two rows.
        variances = [
            (spread + pooled) / (len(cell) + _PRIOR_ROWS) / max(len(cell) - 1, 1)
            for cell, spread in zip(pair, own, strict=True)
        ]
        inner, outer = inner + variances[0], outer + variances[1]
    share = float(inside[0].mean())
    total = share * gap + (1 - share) * elsewhere
    part = share * gap / total if total > 0 else None
    return _Effect(share, gap, elsewhere, math.sqrt(inner + outer), math.sqrt(inner), part)


_NAMED_AT_MOST = 3


def regions_that_underfit(*, tolerance: float, rows: OpenRows, network: NetworkOnRows) -> Finding:
    """WF108: fires for regions in which the network underfits.

    The train loss alone does not show such regions, because classes may overlap more in one region than in another.
    Another model's loss on dev rows of the region is an upper limit on the lowest reachable loss there.
    """
    found = None
    if network.rival is not None:
        train, rival = rows.under(network).train, replace(rows.dev, losses=network.rival)
        found = find_regions(train, rival, tolerance=tolerance, seed=rows.seed)
    base = 0.0 if network.rival is None else float(network.rival.mean())
    said = f"the train {rows.goal.noun} is above that of a reference model on dev"
    return _of_regions("WF108", found, unit=Unit(rows.goal), base=base, said=said)


def regions_that_overfit(*, tolerance: float, rows: OpenRows, network: NetworkOnRows) -> Finding:
    """WF109: fires for regions in which the network overfits."""
    measured = rows.under(network)
    found = find_regions(measured.dev, measured.train, tolerance=tolerance, seed=rows.seed)
    base = 0.0 if measured.train.losses is None else float(measured.train.losses.mean())
    said = f"the dev {rows.goal.noun} is above the train {rows.goal.noun}"
    return _of_regions("WF109", found, unit=Unit(rows.goal), base=base, said=said)


def _of_regions(code: str, regions: tuple[Region, ...] | None, *, unit: Unit, base: float, said: str) -> Finding:
    if regions is None:
        why = (
            f"This check needs losses per row and {FEWEST_ROWS} rows each of train and dev (and a reference model for "
            "WF108)."
        )
        return finding(code, fired=None, evidence=why)
    certain = [region for region in regions if region.certain]
    if not certain:
        return finding(code, fired=False, evidence="No region differs from the rest by more than the tolerance.")
    told = "; ".join(
        f"{region.rule} ({100 * region.share:.0f} % of the rows): {said} by {unit.gap(region.gap, start=base)}, and "
        f"elsewhere by {unit.gap(region.elsewhere, start=base)}"
        for region in certain[:_NAMED_AT_MOST]
    )
    return finding(code, fired=True, evidence=f"{told}.")
