"""Training rows with their weights: a row that is there twice is one row of weight two, and the order is no matter.

Rows that are equal in every feature and in the target are merged and their weights added up; then rows are put in the
order of their hashes. So a fit with weights is the fit with rows left out and repeated, to the last bit, and shuffling
the rows changes nothing.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
import pyarrow as pa

from wellfit._typing import Floats, Integers
from wellfit.data.hashing import row_hashes
from wellfit.exceptions import BadInput


@dataclass(frozen=True)
class Rows:
    """Rows of features and target.

    Attributes:
        table: the features.
        target: [rows] int64 class codes, or float64 numbers [rows] or [rows, targets].
        weights: [rows] float64, how many rows each stands for.
        groups: [rows] code of each row's group; None for rows on their own.
    """

    table: pa.Table
    target: Integers | Floats
    weights: Floats
    groups: Integers | None = None

    def __len__(self) -> int:
        return len(self.target)

    @property
    def total(self) -> float:
        """m of the cost: the sum of the weights."""
        return float(self.weights.sum())

    @property
    def targets(self) -> int:
        """Numbers to predict for a row; 1 for a class."""
        return self.target.shape[1] if self.target.ndim == 2 else 1

    def take(self, places: Integers) -> Rows:
        """Some of the rows."""
        groups = None if self.groups is None else self.groups[places]
        return Rows(self.table.take(pa.array(places)), self.target[places], self.weights[places], groups)

    def ungrouped(self) -> Rows:
        """The rows without their groups: rows of two groups may then be equal."""
        return replace(self, groups=None)


def weights_of(sample_weight: Any, *, rows: int) -> Floats:
    """Return the weight of each row [rows]; ones where none are given, and one number for all rows is allowed.

    Raises:
        BadInput: for a wrong length, weights that are negative or not finite, or that are all zero.
    """
    try:
        weights = np.asarray(1.0 if sample_weight is None else sample_weight, dtype=np.float64)
    except (TypeError, ValueError) as error:
        raise BadInput("sample weights are numbers", found=str(error), remedy="Give a number for each row") from error
    weights = np.full(rows, weights) if weights.ndim == 0 else weights
    if weights.shape != (rows,):
        found, rule = f"sample_weight of shape {weights.shape} for {rows} rows", "every row has one sample weight"
        raise BadInput(rule, found=found, remedy="Give one weight for each row of X")
    wrong = np.flatnonzero(~np.isfinite(weights) | (weights < 0))
    if len(wrong):
        found = f"{weights[wrong[0]]} for row {wrong[0]} ({len(wrong)} such weights)"
        raise BadInput("sample weights are finite, zero or positive", found=found, remedy="Correct the weights")
    if not weights.any():
        found = f"sample weights that are all zero, of {rows} rows"
        raise BadInput("some sample weight is above zero", found=found, remedy="Give some row a weight")
    return weights


def groups_of(groups: Any, *, rows: int) -> Integers:
    """Return the code of each row's group [rows].

    Raises:
        BadInput: for a wrong length.
    """
    found = np.asarray(groups)
    if found.shape != (rows,):
        given = f"groups of shape {found.shape} for {rows} rows"
        raise BadInput("every row has its group", found=given, remedy="Give one group for each row of X")
    return np.asarray(np.unique(found, return_inverse=True)[1])


def merged(rows: Rows) -> Rows:
    """Return the distinct rows in the order of their hashes, with their weights added up."""
    hashes = row_hashes(_hashed(rows))
    order = np.lexsort((hashes[:, 1], hashes[:, 0]))
    ordered = hashes[order]
    starts = np.flatnonzero(np.concatenate([[True], (ordered[1:] != ordered[:-1]).any(axis=1)]))
    weights = np.add.reduceat(rows.weights[order], starts)
    return replace(rows.take(order[starts]), weights=weights)


def with_class_weights(rows: Rows, class_weight: Any, *, classes: Any) -> Rows:
    """Return the rows with their weights multiplied by those of their classes.

    Args:
        rows: of classes.
        class_weight: None; "balanced", so that all classes that occur weigh the same; or a weight by class, 1 where
            none is given.
        classes: [classes] in the order of the codes.

    Raises:
        BadInput: for a class that y does not have, another word, or weights that are negative or all zero.
    """
    if class_weight is None:
        return rows
    factors = _balanced(rows, classes=len(classes)) if class_weight == "balanced" else _given(class_weight, classes)
    weights = rows.weights * factors[rows.target]
    if not weights.any():
        found = f"class_weight={class_weight!r}"
        raise BadInput("some class that y has weighs more than zero", found=found, remedy="Give it a weight")
    return replace(rows, weights=weights)


def _hashed(rows: Rows) -> pa.Table:
    """Everything in which rows may differ; names say the place alone, so that a frame is the array of its values."""
    columns = [*rows.table.columns, *map(pa.array, rows.target.reshape(len(rows), -1).T.copy())]
    columns += [] if rows.groups is None else [pa.array(rows.groups)]
    return pa.table(columns, names=[str(place) for place in range(len(columns))])


def _balanced(rows: Rows, *, classes: int) -> Floats:
    totals = np.bincount(rows.target, weights=rows.weights, minlength=classes)
    occurring = np.count_nonzero(totals)
    return np.asarray(np.divide(rows.total, occurring * totals, out=np.ones(classes), where=totals > 0))


def _given(class_weight: Any, classes: Any) -> Floats:
    if not isinstance(class_weight, Mapping):
        found, remedy = f"class_weight={class_weight!r}", "Give 'balanced', or a weight by class"
        raise BadInput("class_weight is None, 'balanced' or a mapping", found=found, remedy=remedy)
    known = classes.tolist()
    strange = [name for name in class_weight if name not in known]
    if strange:
        found = f"{strange[0]!r}; y has {', '.join(map(repr, known[:8]))}"
        raise BadInput("class_weight names classes of y", found=found, remedy="Correct the name")
    factors = np.array([class_weight.get(name, 1.0) for name in known], dtype=np.float64)
    if not (np.isfinite(factors) & (factors >= 0)).all():
        found = f"class_weight={class_weight!r}"
        raise BadInput("class weights are finite, zero or positive", found=found, remedy="Correct the weights")
    return np.asarray(factors)
