"""Regions in which one loss is above another: found on one half of the rows, tested on the other."""

from __future__ import annotations

import math
from dataclasses import dataclass, replace

import numpy as np
from sklearn.tree import DecisionTreeRegressor

from wellfit.base.typing import Booleans, Floats
from wellfit.diagnosis.findings import Finding, finding
from wellfit.diagnosis.regions.rules import Encoding, Rule, rules_of
from wellfit.diagnosis.rows import FEWEST_ROWS, NetworkOnRows, OpenRows, Rows
from wellfit.records.goals import Goal
from wellfit.records.units import Unit
from wellfit.stats.differences import holm
from wellfit.stats.intervals import LEVEL, Estimate, normal_quantile

DEPTH = 3
SMALLEST_LEAF = 32
LEAF_SHARE = 0.01
MOST_ROWS = 40_000
WORTH = 12.0
"""A split must explain so many times what a fixed one explains of noise; the best of many explains about ten times."""
_PRIOR_ROWS = 2.0  # rows of the pooled spread beside a leaf's own: equal losses in a leaf are no certainty


@dataclass(frozen=True, kw_only=True)
class Region:
    """One region."""

    rule: str  # in words
    share: float  # of the tested rows of the first side
    gap: float  # first loss - second loss inside
    elsewhere: float  # the same in all other rows
    excess: Estimate  # gap - elsewhere
    part: float | None  # of the sum of the gap over all tested rows; None where that sum is not positive
    certain: bool  # the excess and the gap inside are both surely above the tolerance


@dataclass(frozen=True)
class _Half:
    """Encoded values [rows, columns] and losses [rows] of a half of one side."""

    values: Floats
    losses: Floats


def find_regions(first: Rows, second: Rows | None, *, tolerance: float, seed: int = 0) -> tuple[Region, ...] | None:
    """Find regions, by falling excess, where the loss of the first rows exceeds that of the second more than elsewhere.

    A shallow tree is fit on half A to how much higher the first loss is than the second; its leaves are frozen, and
    each is tested on half B against the rest, one-sided, with the tolerance as margin (Holm over the leaves). A region
    that was searched and tested on the same rows is "significant" in nearly every table of pure noise. `second` is
    None where the first losses are differences already. None where a side has no losses or fewer than 200 rows.
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
        """Lower limit, at a two-sided level, of the excess or of the gap inside, whichever is lower.

        A region is no fault because the gap is more negative elsewhere.
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
    """Leaves of a tree that explains where the first loss is above the second."""
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
    """Excess of one frozen leaf on the tested halves; None where it contains nearly none or nearly all of them."""
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
    """WF108.

    Where a network underfits cannot be read off its train loss alone: classes may overlap more in one region than in
    another. Another model's loss on dev rows of the region is an upper limit for what is reachable there.
    """
    found = None
    if network.rival is not None:
        train, rival = rows.under(network).train, replace(rows.dev, losses=network.rival)
        found = find_regions(train, rival, tolerance=tolerance, seed=rows.seed)
    return _of_regions("WF108", found, goal=rows.goal, said="train is above what a reference model reaches on dev")


def regions_that_overfit(*, tolerance: float, rows: OpenRows, network: NetworkOnRows) -> Finding:
    """WF109."""
    measured = rows.under(network)
    found = find_regions(measured.dev, measured.train, tolerance=tolerance, seed=rows.seed)
    return _of_regions("WF109", found, goal=rows.goal, said="dev is above train")


def _of_regions(code: str, regions: tuple[Region, ...] | None, *, goal: Goal, said: str) -> Finding:
    if regions is None:
        why = f"This needs losses by row and {FEWEST_ROWS} rows of train and of dev (and a reference model for WF108)."
        return finding(code, fired=None, evidence=why)
    certain = [region for region in regions if region.certain]
    if not certain:
        return finding(code, fired=False, evidence="No region differs from the rest by more than the tolerance.")
    unit = Unit(goal)
    told = "; ".join(
        f"{region.rule} ({100 * region.share:.0f} % of the rows): {said} by "
        f"{unit.gap(region.gap, sign=False)}, elsewhere by {unit.gap(region.elsewhere, sign=False)}"
        for region in certain[:_NAMED_AT_MOST]
    )
    return finding(code, fired=True, evidence=f"{told}.")
