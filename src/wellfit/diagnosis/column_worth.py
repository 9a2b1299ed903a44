"""The worth of each column to a network: how much its dev loss rises when that column's values are shuffled.

The method is permutation importance (Breiman 2001), paired by row: the same network predicts the same rows with one
column shuffled, and the losses are averaged over several orders. A column is without worth if the upper limit of its
worth, Holm-adjusted over the columns, is at most a quarter of the tolerance. A rule such as "no worth was seen" would
fire on every dev set that is small enough.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np

from wellfit.base.typing import Floats, Integers
from wellfit.diagnosis.findings import Finding, finding
from wellfit.diagnosis.rows import OpenRows, Shuffled
from wellfit.records.units import Unit
from wellfit.stats.differences import LowerLimit, holm
from wellfit.stats.intervals import LEVEL, Estimate, grouped_mean, has_groups, mean_interval, wilson

MARGIN = 0.25  # share of the tolerance that a column without worth is at most worth
FEWEST_ROWS = 200
MOST_ORDERS = 5
MOST_PREDICTED = 100_000  # rows in all: a second of one core, times the networks of an ensemble
MOST_COLUMNS = MOST_PREDICTED // FEWEST_ROWS
FEW_CHANGED = 30  # rows whose loss changes; fewer say little about unseen rows
_NAMED_AT_MOST = 6


@dataclass(frozen=True)
class ColumnWorth:
    """The worth of one column: the mean of the rows' contributions."""

    column: str
    rows: Floats  # [rows] their spread is that of the mean
    changed: int  # rows whose loss changes in any of the orders
    scale: float  # loss of a row on which the network is wrong
    groups: Integers | None  # [rows] code of each row's group; None for rows on their own

    @property
    def value(self) -> float:
        """The mean contribution."""
        return float(self.rows.mean())

    def at_level(self, level: float) -> Estimate:
        """The mean with its interval.

        If hardly any row's loss changes, some kinds of rows whose loss would change may be missing from dev. Their
        share is assumed to be Wilson's upper limit, and each is assumed to lose the whole loss of a row.
        """
        groups = self.groups
        if groups is None or not has_groups(groups):
            found, rows = mean_interval(self.rows, level=level), len(self.rows)
        else:
            found, rows = grouped_mean(self.rows, groups, level=level), len(np.unique(groups))
        if self.changed >= FEW_CHANGED:
            return found
        unseen = self.scale * wilson(min(self.changed, rows), rows, level=level).high
        return Estimate(found.value, found.low, max(found.high, unseen), found.rows)

    def low(self, level: float) -> float:
        """Lower limit of the worth."""
        return self.at_level(level).low

    def negated_high_below(self, margin: float) -> LowerLimit:
        """Return the lower limit of -worth by level; -infinity, uncomputed, if the worth is above the margin."""
        return lambda level: -self.at_level(level).high if self.value <= margin else -math.inf


def columns_without_worth(*, tolerance: float, rows: OpenRows, shuffled: Shuffled) -> Finding:
    """WF211: fires for columns that are worth significantly less than the margin, and passes if all are worth more."""
    margin, unit = MARGIN * tolerance, Unit(rows.goal)
    now = 0.0 if rows.dev.losses is None else float(rows.dev.losses.mean())
    shown = unit.gap(margin, start=now)
    worths = worth_of_columns(rows, shuffled)
    if not worths or margin <= 0:
        why = f"This check needs {FEWEST_ROWS} dev rows, a tolerance above 0 and at most {MOST_COLUMNS:,} columns."
        return finding("WF211", fired=None, evidence=why)
    without = holm([each.negated_high_below(margin) for each in worths], above=-margin)
    if any(without):
        named = [each for each, none in zip(worths, without, strict=True) if none]
        limits = [each.at_level(LEVEL) for each in named[:_NAMED_AT_MOST]]
        told = ", ".join(
            f"{each.column} ({unit.gap_range(found.low, found.high, start=now)})"
            for each, found in zip(named, limits, strict=False)
        )
        more = f" and {len(named) - _NAMED_AT_MOST} more" if len(named) > _NAMED_AT_MOST else ""
        said = f"Each of these columns alone is worth less than {shown} on dev: {told}{more}."
        return finding("WF211", fired=True, evidence=said)
    least = min(worths, key=lambda each: each.value)
    if least.value > margin and all(holm([each.low for each in worths], above=margin)):
        said = f"Each of the {len(worths):,} columns is worth significantly more than {shown}."
        return finding("WF211", fired=False, evidence=said)
    said = (
        f"Cannot tell: no column is worth significantly less than {shown}. The column {least.column} is worth the "
        "least."
    )
    return finding("WF211", fired=None, evidence=said)


def worth_of_columns(rows: OpenRows, shuffled: Shuffled) -> tuple[ColumnWorth, ...]:
    """Measure the worth of every column; return () if there are too few rows or too many columns."""
    dev, goal = rows.dev, rows.goal
    if dev.rows < FEWEST_ROWS or not 0 < len(dev.features.columns) <= MOST_COLUMNS:
        return ()
    columns, rng = dev.features.names, np.random.default_rng(rows.seed)
    kept = np.sort(rng.permutation(dev.rows)[: max(FEWEST_ROWS, MOST_PREDICTED // len(columns))])
    repeats = int(np.clip(MOST_PREDICTED // (len(columns) * len(kept)), 1, MOST_ORDERS))
    orders = np.stack([rng.permutation(len(kept)) for _ in range(repeats)])
    target, groups = dev.target[kept], None if dev.groups is None else dev.groups[kept]
    (as_they_are,) = shuffled(columns[0], kept, kept[None, :])
    base = goal.row_losses(target, as_they_are)
    # With a rate no row can lose more than 1; otherwise, the losses of the rows that make up the loss.
    scale = 1.0 if goal.is_rate else float((base**2).sum() / max(base.sum(), np.finfo(float).tiny))

    def measured(column: str) -> ColumnWorth:
        more = np.stack([goal.row_losses(target, each) - base for each in shuffled(column, kept, kept[orders])])
        # A row enters the mean twice: with its own extra loss, and with that of the row that received its value. Both
        # vary with the rows that were drawn. Without the second one the interval is too narrow (Hoeffding's
        # projection of a U-statistic).
        given = np.take_along_axis(more, np.argsort(orders, axis=1), axis=1)
        shares = np.asarray(more.mean(axis=0) + given.mean(axis=0) - more.mean())
        return ColumnWorth(column, shares, int(more.any(axis=0).sum()), scale, groups)

    return tuple(measured(column) for column in columns)
