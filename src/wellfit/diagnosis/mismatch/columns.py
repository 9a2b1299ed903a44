"""Which columns shift, each by a lower bound on the total variation of that column alone.

Numbers by the Kolmogorov-Smirnov distance with a DKW band, categories by a set of levels that is chosen on one half
and tested on the other. Missing is a value like any other. Bonferroni over the columns.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np

from wellfit._typing import Floats, Integers, Json
from wellfit.data.features import Feature
from wellfit.diagnosis.findings import Finding, finding
from wellfit.diagnosis.mismatch.bounds import ALPHA, MATERIAL, TvBound, bound_from_counts, dkw_bound
from wellfit.diagnosis.mismatch.describe import direction
from wellfit.diagnosis.mismatch.time_columns import time_columns
from wellfit.diagnosis.rows import Rows

COLUMN_ROWS = 100_000  # of each side: the DKW band of 50 columns is then .013
FEWEST_ROWS = 30
_NAMED = 6


@dataclass(frozen=True)
class ColumnShift:
    """One column: its bound, and in words how dev differs."""

    column: str
    bound: TvBound
    how: str

    def to_json(self) -> Json:
        """Plain values."""
        return {"column": self.column, "bound": self.bound.to_json(), "how": self.how}


@dataclass(frozen=True)
class ColumnShifts:
    """Every column that was compared, the surest shift first.

    Attributes:
        columns: by falling lower bound.
        time: columns that only count time or rows; not compared.
        tau: total variation that is material.
    """

    columns: tuple[ColumnShift, ...]
    time: tuple[str, ...]
    tau: float

    @property
    def shifted(self) -> tuple[ColumnShift, ...]:
        """Columns that shift for certain, by more than tau."""
        return tuple(each for each in self.columns if each.bound.verdict(self.tau) == "yes")

    def to_json(self) -> Json:
        """Plain values."""
        return {"columns": [each.to_json() for each in self.columns], "time": list(self.time), "tau": self.tau}


Describe = Callable[[Feature, Floats, Floats], str]
"""One column, its values in train and those in dev -> one phrase."""


def column_shifts(
    train: Rows, dev: Rows, *, tau: float = MATERIAL, seed: int = 0, describe: Describe = direction
) -> ColumnShifts | None:
    """Compare each column of two parts; None with fewer than 30 rows on a side or no column."""
    if min(train.rows, dev.rows) < FEWEST_ROWS or not train.features.columns:
        return None
    rng = np.random.default_rng(seed)
    time = time_columns(train, dev)
    rows = [_sampled(part.rows, rng) for part in (train, dev)]
    compared = [(i, c) for i, c in enumerate(train.features.columns) if c.name not in time]
    found = []
    for place, column in compared:
        sides = (train.features.values[rows[0], place], dev.features.values[rows[1], place])
        bound = shift_of(column, sides, alpha=ALPHA / len(compared), rng=rng)
        found.append(ColumnShift(column.name, bound, describe(column, *sides)))
    return ColumnShifts(tuple(sorted(found, key=lambda each: (-each.bound.low, -each.bound.value))), time, tau)


def shift_of(column: Feature, sides: tuple[Floats, Floats], *, alpha: float, rng: np.random.Generator) -> TvBound:
    """The bound of one column: `sides` are its values in train and in dev, NaN where missing."""
    train, dev = sides
    if column.kind != "category":
        return dkw_bound(ks_distance(train, dev), (len(train), len(dev)), alpha=alpha)
    levels = len(column.levels) + 1
    codes = [np.where(np.isnan(side), levels - 1, side).astype(np.int64) for side in sides]
    return _of_levels(codes, levels=levels, alpha=alpha, rng=rng)


def ks_distance(first: Floats, second: Floats) -> float:
    """Largest difference of the two distribution functions, missing below every value."""
    ordered = [np.sort(np.where(np.isnan(side), -np.inf, side)) for side in (first, second)]
    at = np.concatenate(ordered)
    shares = [np.searchsorted(side, at, side="right") / len(side) for side in ordered]
    return float(np.abs(shares[0] - shares[1]).max())


def column_finding(found: ColumnShifts | None) -> Finding:
    """WF303."""
    if found is None or not found.columns:
        why = f"This needs at least {FEWEST_ROWS} rows on each side and a column that does not only count time."
        return finding("WF303", fired=None, evidence=why)
    apart = f" Columns that only count time are left out: {', '.join(found.time)}." if found.time else ""
    if found.shifted:
        named = "; ".join(
            f"{each.column}: {each.how} (shift at least {each.bound.low:.2f})" for each in found.shifted[:_NAMED]
        )
        more = f"; and {len(found.shifted) - _NAMED} more" if len(found.shifted) > _NAMED else ""
        return finding("WF303", fired=True, evidence=f"{named}{more}.{apart}")
    undecided = [each for each in found.columns if each.bound.verdict(found.tau) == "cannot tell"]
    if not undecided:
        said = f"No column alone shifts by {found.tau:.2f} of total variation or more.{apart}"
        return finding("WF303", fired=False, evidence=said)
    said = f"Cannot tell for {len(undecided)} of {len(found.columns)} columns{_decides(undecided, found.tau)}.{apart}"
    return finding("WF303", fired=None, evidence=said)


def _decides(undecided: list[ColumnShift], tau: float) -> str:
    needed = [rows for each in undecided if (rows := each.bound.rows_to_decide(tau))]
    return f"; about {max(needed):,} rows on each side would decide" if needed else ""


def _sampled(rows: int, rng: np.random.Generator) -> Integers:
    chosen: Integers = np.arange(rows) if rows <= COLUMN_ROWS else np.sort(rng.choice(rows, COLUMN_ROWS, replace=False))
    return chosen


def _of_levels(codes: Sequence[Integers], *, levels: int, alpha: float, rng: np.random.Generator) -> TvBound:
    """The levels that dev has more of, chosen on one half of the rows and counted on the other."""
    mixed = [rng.permutation(side) for side in codes]
    chosen, tested = zip(*((side[: len(side) // 2], side[len(side) // 2 :]) for side in mixed), strict=True)
    shares = [np.bincount(side, minlength=levels) / len(side) for side in chosen]
    inside = shares[1] > shares[0]
    counts = [(int(inside[side].sum()), len(side)) for side in tested]
    return bound_from_counts(counts[1], counts[0], alpha=alpha)
