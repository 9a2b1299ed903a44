"""Exact copies of training rows in other parts, found by hashing the features; the error with and without them."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TypeAlias

import numpy as np
import pyarrow as pa

from wellfit.base.typing import Booleans, Floats
from wellfit.data.features import Features
from wellfit.data.hashing import row_hashes
from wellfit.diagnosis.findings import Finding, finding
from wellfit.diagnosis.rows import NetworkOnRows, OpenRows, Rows
from wellfit.records.goals import Goal
from wellfit.records.units import Unit
from wellfit.stats.differences import difference
from wellfit.stats.intervals import Estimate, mean_interval, wilson

FEWEST_ROWS = 2  # on each side, for an interval


MATERIAL = 0.01  # copies of one row in a hundred matter: with fewer, no error moves by more than a point
DIFFERENT = 0.99  # share of rows with a unique value from which a column is said to number them
COARSE = 0.5  # above this share of training rows with a twin in train, columns with few values give equal rows anyway
MOST_COPIES = 4  # of a row, on average, where a table may consist of copies: rows of few different values have more
_NAMED_AT_MOST = 5  # rows listed in evidence
_IN_WORDS = {"test_in_dev": "test (copies of dev rows)"}
Keys: TypeAlias = np.ndarray[tuple[int], np.dtype[np.uint64]]


@dataclass(frozen=True)
class WithAndWithout:
    """The error with and without suspect rows."""

    with_them: Estimate
    without_them: Estimate
    flattery: Estimate  # without - with: by how much the suspect rows make the error look too low

    def text(self, goal: Goal) -> str:
        """Return the comparison as a sentence to append to the evidence."""
        unit = Unit(goal)
        limits = unit.gap_range(self.flattery.low, self.flattery.high, start=self.with_them.value)
        with_them, without = (unit.show(each.value) for each in (self.with_them, self.without_them))
        return f" The error with them is {with_them}, and without them {without} (higher by {limits})."


def with_and_without(losses: Floats | None, suspect: Booleans) -> WithAndWithout | None:
    """Compare the losses [rows] of all rows with those of the others; None for fewer than two rows on either side.

    with = share * suspect + (1 - share) * others, so without - with = share * (others - suspect). The difference in
    brackets is between different rows, so its interval is MOVER's.
    """
    count = int(suspect.sum())
    if losses is None or count < FEWEST_ROWS or len(losses) - count < FEWEST_ROWS:
        return None
    others = error_of(losses[~suspect])
    gap = difference(others, error_of(losses[suspect]))
    share = count / len(losses)
    flattery = Estimate(share * gap.value, share * gap.low, share * gap.high, gap.rows)
    return WithAndWithout(error_of(losses), others, flattery)


def error_of(losses: Floats) -> Estimate:
    """Return the mean loss with its interval, which is Wilson's if every loss is 0 or 1."""
    if np.isin(losses, (0.0, 1.0)).all():
        return wilson(float(losses.sum()), len(losses))
    return mean_interval(losses)


@dataclass(frozen=True)
class Duplicates:
    """Rows of one part, by index, whose features equal those of a training row."""

    part: str
    rows: int
    copies: tuple[int, ...]
    other_target: int  # copies with a target that none of their training twins has
    own: float  # share of training rows that have a twin in train
    coarse: bool  # whether so many twins may be due to few values
    alone: bool  # whether the rows differ in one column at most, in which equal values are no copies
    errors: WithAndWithout | None


def compared_columns(*parts: Rows) -> tuple[int, ...]:
    """Return the indices of the columns in which a copy must be equal: all except those that number the rows.

    Such a column (an identifier, a time stamp) contains whole numbers or dates that are all different, so it hides
    every copy. All columns are compared if chance alone would make rows equal in the others.
    """
    features, train = parts[0].features, parts[0].features.values
    places = range(len(features.columns))
    numbered = [place for place in places if _numbers_rows([part.features for part in parts], place)]
    kept = [place for place in places if place not in numbered]
    return tuple(kept if _tell_apart(features, kept, train) else places)


def _tell_apart(features: Features, places: Sequence[int], values: Floats) -> bool:
    """Return True if chance alone would hardly make rows equal in these columns."""
    chances = {}  # that two rows have the same value, where missing counts as a value
    for place in places:
        counts = np.unique(values[:, place], return_counts=True)[1]
        chances[place] = float(((counts / max(len(values), 1)) ** 2).sum())
    numbers = [chances[place] for place in places if features.columns[place].kind != "category"]
    # Categories may follow from one another, so that only one of them counts.
    category = min((chances[place] for place in places if features.columns[place].kind == "category"), default=1.0)
    return bool(numbers) and len(values) * math.prod([*numbers, category]) <= MATERIAL


def _numbers_rows(parts: Sequence[Features], place: int) -> bool:
    values = np.concatenate([part.values[:, place] for part in parts])
    if parts[0].columns[place].kind == "category" or (values != np.round(values)).any():
        return False
    return len(np.unique(values)) >= DIFFERENT * len(values)


def find_duplicates(parts: Mapping[str, Rows]) -> dict[str, Duplicates]:
    """Find copies of rows of "train" in every other part."""
    train, columns = parts["train"], compared_columns(*parts.values())
    known = keys_of(train.features, columns)
    distinct, firsts, counts = np.unique(known, return_index=True, return_counts=True)
    own = float(counts[counts > 1].sum() / max(train.rows, 1))
    # The copies would make any column look as if it had few values.
    singles = train.features.values[firsts]
    coarse = own > COARSE and not (
        MOST_COPIES * len(distinct) >= train.rows and _tell_apart(train.features, columns, singles)
    )
    alone = sum(len(np.unique(train.features.values[:, place])) > 1 for place in columns) <= 1
    labelled = np.sort(_with_target(known, train))
    found = {}
    for part, rows in parts.items():
        if part == "train":
            continue
        keys = keys_of(rows.features, columns)
        copied = among(keys, distinct)
        other = copied & ~among(_with_target(keys, rows), labelled)
        places = tuple(int(place) for place in np.flatnonzero(copied))
        errors = with_and_without(rows.losses, copied)
        found[part] = Duplicates(part, rows.rows, places, int(other.sum()), own, coarse, alone, errors)
    return found


def same_rows(*, rows: OpenRows, network: NetworkOnRows | None = None) -> Finding:
    """WF203: fires if more than one row in a hundred is a copy; gives the error without copies if it is known."""
    found = find_duplicates(rows.under(network).parts)
    counts = {part: (len(each.copies), each.rows) for part, each in found.items()} | dict(rows.sealed)
    said = [
        f"{count:,} of {of:,} rows of {_IN_WORDS.get(part, part.replace('_', '-'))}"
        for part, (count, of) in counts.items()
        if count
    ]
    if not said:
        return finding("WF203", fired=False, evidence="No row is in two splits.")
    if any(each.alone for each in found.values()):
        evidence = f"Cannot tell: rows differ in one column only, so equal rows need not be copies ({', '.join(said)})."
        return finding("WF203", fired=None, evidence=evidence)
    if any(each.coarse for each in found.values()):
        share = max(each.own for each in found.values())
        evidence = (
            f"Cannot tell: {100 * share:.0f} % of the training rows are equal to another training row, so the columns "
            f"have too few distinct values to show that equal rows are copies ({', '.join(said)})."
        )
        return finding("WF203", fired=None, evidence=evidence)
    if all(count <= MATERIAL * of for count, of in counts.values()):
        evidence = f"Few rows are in two splits: {', '.join(said)}. Up to {100 * MATERIAL:g} % does not matter."
        return finding("WF203", fired=False, evidence=evidence)
    every = rows.train.features.columns
    compared = compared_columns(*rows.parts.values())
    but_for = [column.name for place, column in enumerate(every) if place not in compared]
    but = f" except for {', '.join(but_for)} (different in every row)" if but_for else ""
    details = "".join(_details(each, rows.goal) for each in found.values() if each.copies)
    return finding("WF203", fired=True, evidence=f"Exact copies of training rows{but}: {', '.join(said)}.{details}")


def keys_of(features: Features, columns: Sequence[int] | None = None) -> Keys:
    """Return 64-bit keys [rows]; rows that are equal in these columns have equal keys."""
    places = range(features.values.shape[1]) if columns is None else columns
    if not places:
        return np.zeros(features.rows, dtype=np.uint64)
    table = pa.table({str(place): pa.array(features.values[:, place]) for place in places})
    return np.ascontiguousarray(row_hashes(table)[:, 0])


def among(keys: Keys, known: Keys) -> Booleans:
    """Return for each key [keys] whether it is among the known ones, which are sorted."""
    if not len(known):
        return np.zeros(len(keys), dtype=bool)
    places = np.searchsorted(known, keys).clip(0, len(known) - 1)
    return np.asarray(known[places] == keys)


def _with_target(keys: Keys, rows: Rows) -> Keys:
    target = row_hashes(pa.table({"target": pa.array(np.asarray(rows.target, dtype=np.float64))}))[:, 0]
    return np.asarray(keys + target)


def _details(each: Duplicates, goal: Goal) -> str:
    shown = ", ".join(str(place + 1) for place in each.copies[:_NAMED_AT_MOST])
    other = f"; {each.other_target:,} of them with a different target" if each.other_target else ""
    more = ", ..." if len(each.copies) > _NAMED_AT_MOST else ""
    errors = each.errors.text(goal) if each.errors else ""
    return f" In {each.part.replace('_', '-')}, rows {shown}{more}{other}.{errors}"
