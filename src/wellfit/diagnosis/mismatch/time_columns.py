"""Columns that only count time or rows: they tell any two parts apart and say nothing about a shift."""

from __future__ import annotations

import numpy as np

from wellfit._typing import Floats
from wellfit.data.features import Feature
from wellfit.diagnosis.rows import Rows

ONE_WAY = 0.99  # share of a column's changes that go the same way, in the order of the rows or of time
DENSE = 0.5  # share of the whole numbers in its range that an identifier uses
_LOOKED_AT = 100_000


def time_columns(train: Rows, dev: Rows) -> tuple[str, ...]:
    """Names of the columns that are dates, rise (or fall) with time or row order, or number the rows."""
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
