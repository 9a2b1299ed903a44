"""Columns and targets that shift, each judged by limits for the total variation of that column alone.

Every shift is judged on the same scale, the total variation.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Literal

import numpy as np

from wellfit.base.typing import Floats, Integers
from wellfit.data.features import Feature
from wellfit.diagnosis.findings import Finding, finding
from wellfit.diagnosis.rows import OpenRows, Rows
from wellfit.stats.differences import difference
from wellfit.stats.intervals import Estimate, wilson

MATERIAL = 0.10  # tau: total variation that is worth an alarm (docs/methods.md, "Mismatch")
ALPHA = 0.05  # one-sided

Verdict = Literal["yes", "no", "cannot tell"]


@dataclass(frozen=True)
class TvBound:
    """One-sided limits of a total variation from one set (or one family of half lines)."""

    value: float  # difference of the two shares of the set, a lower bound on the total variation in expectation
    low: float
    high: float  # of what this set shows; another set may show more
    rows: int  # of the smaller side

    def verdict(self, tau: float = MATERIAL) -> Verdict:
        """Return "yes" if the lower limit is above `tau`, "no" if the upper one is below it, else "cannot tell"."""
        if self.low > tau:
            return "yes"
        return "no" if self.high < tau else "cannot tell"

    def rows_to_decide(self, tau: float = MATERIAL) -> int | None:
        """Return how many rows on the smaller side would decide if the value stayed the same; None if none would."""
        apart = self.value - tau
        if abs(apart) < 1e-3:
            return None
        width = self.value - self.low if apart > 0 else self.high - self.value
        return max(self.rows + 1, math.ceil(self.rows * (width / apart) ** 2))


def bound_from_counts(dev: tuple[int, int], train: tuple[int, int], *, alpha: float = ALPHA) -> TvBound:
    """Return J = TPR + TNR - 1 of a set chosen on other rows, with one-sided limits at level 1 - alpha (Newcombe 10).

    Each side is (rows in the set, rows). For any set S, TV(P, Q) >= Q(S) - P(S), so the lower limit of J is also a
    lower limit for the total variation.
    """
    sides: list[Estimate] = [wilson(inside, rows, level=1 - 2 * alpha) for inside, rows in (dev, train)]
    found = difference(sides[0], sides[1])
    return TvBound(found.value, found.low, found.high, min(dev[1], train[1]))


def dkw_bound(distance: float, rows: tuple[int, int], *, alpha: float = ALPHA) -> TvBound:
    """Return the Kolmogorov-Smirnov distance with the two-sided band of Dvoretzky, Kiefer and Wolfowitz.

    D - sqrt(ln(4 / alpha) / 2) (1 / sqrt(n) + 1 / sqrt(m)): each side gets half of alpha.
    """
    n, m = rows
    band = math.sqrt(math.log(4 / alpha) / 2) * (1 / math.sqrt(n) + 1 / math.sqrt(m))
    return TvBound(distance, max(0.0, distance - band), min(1.0, distance + band), min(n, m))


_MISSING_APART = 0.05  # difference of missing shares that is reported before anything else


def direction(column: Feature, train: Floats, dev: Floats) -> str:
    """Return a phrase such as 'dev is higher by 0.12 (median 0.5, train 0.38)', or name the level that changed most."""
    lost = [float(np.isnan(side).mean()) for side in (train, dev)]
    if abs(lost[1] - lost[0]) > _MISSING_APART:
        return f"missing in {100 * lost[1]:.0f} % of dev, {100 * lost[0]:.0f} % of train"
    known = [side[~np.isnan(side)] for side in (train, dev)]
    if not all(len(side) for side in known):
        return "missing on one side"
    return _level(column, known) if column.kind == "category" else _number(known)


def _number(known: list[Floats]) -> str:
    for name, of in (("median", np.median), ("mean", np.mean)):
        before, after = (float(of(side)) for side in known)
        if abs(after - before) > 0.1 * float(np.std(known[0])):
            word = "higher" if after > before else "lower"
            return f"dev is {word} by {abs(after - before):.3g} ({name} {after:.4g}, train {before:.4g})"
    spread = [float(np.std(side)) for side in known]
    return f"dev is spread differently (standard deviation {spread[1]:.3g}, train {spread[0]:.3g})"


def _level(column: Feature, known: list[Floats]) -> str:
    before, after = (np.bincount(side.astype(np.int64), minlength=len(column.levels)) / len(side) for side in known)
    most = int(np.argmax(np.abs(after - before)))
    return f"'{column.levels[most]}' is {100 * after[most]:.0f} % of dev, {100 * before[most]:.0f} % of train"


COLUMN_ROWS = 100_000  # of each side: the DKW band of 50 columns is then .013
FEWEST_ROWS = 30
_NAMED = 6


@dataclass(frozen=True)
class ColumnShift:
    """The shift of one column: its limits, and a phrase for how dev differs."""

    column: str
    bound: TvBound
    how: str


@dataclass(frozen=True)
class ColumnShifts:
    """The shifts of all columns that were compared."""

    columns: tuple[ColumnShift, ...]  # by falling lower bound
    time: tuple[str, ...]  # columns that only count time or rows; not compared
    tau: float  # total variation that is material

    def judged(self, verdict: Verdict) -> tuple[ColumnShift, ...]:
        """Return the columns with this verdict."""
        return tuple(each for each in self.columns if each.bound.verdict(self.tau) == verdict)


Describe = Callable[[Feature, Floats, Floats], str]
"""Function of a column and its values in train and in dev that returns a phrase."""


def column_shifts(
    train: Rows, dev: Rows, *, tau: float = MATERIAL, seed: int = 0, describe: Describe = direction
) -> ColumnShifts | None:
    """Compare each column of two parts, Bonferroni-corrected; None for fewer than 30 rows on a side or no columns."""
    if min(train.rows, dev.rows) < FEWEST_ROWS or not train.features.columns:
        return None
    rng = np.random.default_rng(seed)
    time = time_columns(train, dev)
    rows = [
        np.sort(rng.choice(part.rows, COLUMN_ROWS, replace=False)) if part.rows > COLUMN_ROWS else np.arange(part.rows)
        for part in (train, dev)
    ]
    compared = [(i, c) for i, c in enumerate(train.features.columns) if c.name not in time]
    found = []
    for place, column in compared:
        sides = (train.features.values[rows[0], place], dev.features.values[rows[1], place])
        bound = shift_of(column, sides, alpha=ALPHA / len(compared), rng=rng)
        found.append(ColumnShift(column.name, bound, describe(column, *sides)))
    return ColumnShifts(tuple(sorted(found, key=lambda each: (-each.bound.low, -each.bound.value))), time, tau)


def shift_of(column: Feature, sides: tuple[Floats, Floats], *, alpha: float, rng: np.random.Generator) -> TvBound:
    """Return the limits for one column with values `sides` in train and dev; missing is a value like any other."""
    train, dev = sides
    if column.kind != "category":
        return dkw_bound(ks_distance(train, dev), (len(train), len(dev)), alpha=alpha)
    levels = len(column.levels) + 1
    codes = [np.where(np.isnan(side), levels - 1, side).astype(np.int64) for side in sides]
    return _of_levels(codes, levels=levels, alpha=alpha, rng=rng)


def ks_distance(first: Floats, second: Floats) -> float:
    """Return the largest difference between two distribution functions; missing counts as below every value."""
    ordered = [np.sort(np.where(np.isnan(side), -np.inf, side)) for side in (first, second)]
    at = np.concatenate(ordered)
    shares = [np.searchsorted(side, at, side="right") / len(side) for side in ordered]
    return float(np.abs(shares[0] - shares[1]).max())


def shifted_columns(*, rows: OpenRows) -> Finding:
    """WF303: fires for columns that differ between train and dev."""
    describe = picture_direction if rows.pictures else direction
    found = column_shifts(rows.train, rows.dev, seed=rows.seed, describe=describe)
    if found is None or not found.columns:
        why = f"This check needs at least {FEWEST_ROWS} rows on each side and a column that does not merely count time."
        return finding("WF303", fired=None, evidence=why)
    apart = f" Columns that merely count time are left out: {', '.join(found.time)}." if found.time else ""
    shifted = found.judged("yes")
    if shifted:
        named = "; ".join(
            f"{each.column}: {each.how} (total variation at least {each.bound.low:.2f})" for each in shifted[:_NAMED]
        )
        more = f"; and {len(shifted) - _NAMED} more" if len(shifted) > _NAMED else ""
        return finding("WF303", fired=True, evidence=f"{named}{more}.{apart}")
    undecided = found.judged("cannot tell")
    if not undecided:
        said = f"No single column differs by {found.tau:.2f} of total variation or more.{apart}"
        return finding("WF303", fired=False, evidence=said)
    needed = [most for each in undecided if (most := each.bound.rows_to_decide(found.tau))]
    decides = f"; about {max(needed):,} rows on each side would decide" if needed else ""
    said = f"Cannot tell for {len(undecided)} of {len(found.columns)} columns{decides}.{apart}"
    return finding("WF303", fired=None, evidence=said)


def _of_levels(codes: Sequence[Integers], *, levels: int, alpha: float, rng: np.random.Generator) -> TvBound:
    """Return limits from the levels that are more frequent in dev, chosen on half of the rows, counted on the other."""
    mixed = [rng.permutation(side) for side in codes]
    chosen, tested = zip(*((side[: len(side) // 2], side[len(side) // 2 :]) for side in mixed), strict=True)
    shares = [np.bincount(side, minlength=levels) / len(side) for side in chosen]
    inside = shares[1] > shares[0]
    counts = [(int(inside[side].sum()), len(side)) for side in tested]
    return bound_from_counts(counts[1], counts[0], alpha=alpha)


@dataclass(frozen=True)
class LabelShift:
    """The limits for the total variation of the targets alone, and a phrase for how dev differs."""

    bound: TvBound
    how: str
    tau: float


def label_shift(
    train: Rows, dev: Rows, *, levels: tuple[str, ...] = (), tau: float = MATERIAL, seed: int = 0
) -> LabelShift | None:
    """Compare the targets of two parts, whose classes are called `levels`; None for fewer than 30 rows on a side."""
    if min(train.rows, dev.rows) < FEWEST_ROWS:
        return None
    named = levels or tuple(str(code) for code in range(train.classes))
    column = Feature("target", "category", named) if train.classes else Feature("target", "number")
    sides = (train.target.astype(np.float64), dev.target.astype(np.float64))
    bound = shift_of(column, sides, alpha=ALPHA, rng=np.random.default_rng(seed))
    return LabelShift(bound, direction(column, *sides), tau)


def shifted_targets(*, rows: OpenRows) -> Finding:
    """WF304: fires if the targets of train and dev differ."""
    found = label_shift(rows.train, rows.dev, levels=rows.levels, seed=rows.seed)
    if found is None:
        return finding(
            "WF304", fired=None, evidence=f"This check needs at least {FEWEST_ROWS} labelled rows on each side."
        )
    bound, verdict = found.bound, found.bound.verdict(found.tau)
    if verdict == "yes":
        said = f"The target: {found.how} (total variation at least {bound.low:.2f})."
        return finding("WF304", fired=True, evidence=said)
    if verdict == "no":
        said = f"In this comparison the targets differ by at most {bound.high:.2f} of total variation."
        return finding("WF304", fired=False, evidence=said)
    needed = bound.rows_to_decide(found.tau)
    decides = f" About {needed:,} rows on each side would decide." if needed else ""
    said = f"Cannot tell: the total variation is {max(bound.low, 0):.2f} to {bound.high:.2f}.{decides}"
    return finding("WF304", fired=None, evidence=said)


WORDS: Mapping[str, tuple[str, str]] = {
    "sharpness": ("sharper", "blurrier"),
    "brightness": ("brighter", "darker"),
    "contrast": ("of higher contrast", "flatter"),
    "blockiness": ("blockier (JPEG)", "less blocky"),
    "bytes_per_pixel": ("less compressed", "more compressed"),
    "width": ("wider", "narrower"),
    "height": ("higher", "lower"),
    "colourfulness": ("more colourful", "paler"),
}
"""For each measure, the words for pictures in which it is larger and for pictures in which it is smaller."""
LEAST_FACTOR = 1.1
"""If medians differ by less than this factor, the spread is reported instead."""


def picture_direction(column: Feature, train: Floats, dev: Floats) -> str:
    """Return a phrase such as "dev pictures are blurrier: 3.1x (median 0.41, train 1.27)"."""
    known = [side[~np.isnan(side)] for side in (train, dev)]
    if column.name not in WORDS or not all(len(side) for side in known):
        return direction(column, train, dev)
    before, after = (float(np.median(side)) for side in known)
    least, most = sorted((before, after))
    if least <= 0 or most < LEAST_FACTOR * least:
        return direction(column, train, dev)
    more, less = WORDS[column.name]
    word = more if after > before else less
    return f"dev pictures are {word}: {most / least:.1f}x (median {after:.3g}, train {before:.3g})"


ONE_WAY = 0.99  # share of a column's changes that go the same way, in the order of the rows or of time
DENSE = 0.5  # share of the whole numbers in its range that an identifier uses
_LOOKED_AT = 100_000


def time_columns(train: Rows, dev: Rows) -> tuple[str, ...]:
    """Return the names of columns that are dates, rise (or fall) with time or row order, or number the rows.

    Such columns distinguish any two parts, and are not evidence of a shift.
    """
    sides = [_in_order(part) for part in (train, dev)]
    return tuple(
        column.name
        for place, column in enumerate(train.features.columns)
        if _counts(column, [values[:, place] for values in sides])
    )


def _in_order(part: Rows) -> Floats:
    values = part.features.values
    if part.times is None:
        return values[:_LOOKED_AT]
    return values[np.argsort(part.times, kind="stable")[:_LOOKED_AT]]


def _counts(column: Feature, sides: list[Floats]) -> bool:
    if column.kind == "date":
        return True
    if column.kind == "category":
        return False
    known = [side[np.isfinite(side)] for side in sides]
    return _one_way(known) or _numbers_rows(np.concatenate(known))


def _one_way(sides: list[Floats]) -> bool:
    steps = np.concatenate([np.sign(np.diff(side)) for side in sides])
    ups, downs = int((steps > 0).sum()), int((steps < 0).sum())
    return ups + downs > 0 and max(ups, downs) >= ONE_WAY * (ups + downs)


def _numbers_rows(values: Floats) -> bool:
    if len(values) < 30 or not bool((values == np.round(values)).all()):
        return False
    if len(np.unique(values)) < len(values):
        return False
    return len(values) >= DENSE * (float(values.max() - values.min()) + 1)
