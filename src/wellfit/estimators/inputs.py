"""Conversion of X and y as scikit-learn's users give them to a table and a target, with the column types of the fit.

An array, or a frame of numbers and booleans, goes through scikit-learn's own validation. In a frame with text,
categories or dates, every column is read by its type. The transforms are fitted on the training rows alone. Equal rows
are merged into one row with their total weight, so neither repetitions nor the order of rows changes a network.
"""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, replace
from typing import Any

import narwhals as nw
import numpy as np
import pyarrow as pa
from sklearn.utils.validation import check_consistent_length, check_X_y, validate_data

from wellfit.base.typing import Floats, Integers
from wellfit.data.columns import Kind, stored_as, texts_of
from wellfit.data.hashing import row_hashes
from wellfit.data.prepare import Arrays, NumberFit, Preparation, Prepared, fit_preparation
from wellfit.data.read import read_table
from wellfit.data.schema import Column, Schema
from wellfit.exceptions import BadInput

_WORDS = (nw.String, nw.Categorical, nw.Enum)
_MOMENTS = (nw.Date, nw.Datetime, nw.Time, nw.Duration)


def read_both(estimator: Any, X: Any, y: Any, *, numbers: bool) -> tuple[pa.Table, tuple[Column, ...], Any]:
    """Return the features of the training rows, their columns, and y as an array of classes or `numbers`.

    The estimator gets `n_features_in_` and, for a frame, `feature_names_in_`.

    Raises:
        ValueError: for X or y that scikit-learn refuses, or for a y that is not numeric if `numbers` is set.
        TypeError: for a sparse X.
        BadInput: for a column of a frame that contains neither numbers nor text nor dates, for an array of texts, and
            for classes with missing values.
    """
    options = {"multi_output": numbers, "y_numeric": numbers}
    _require_whole(y)
    if not _is_mixed(X):
        with _text_refused():
            values, y = validate_data(estimator, X, y, dtype=np.float64, ensure_all_finite="allow-nan", **options)
        names = getattr(estimator, "feature_names_in_", None)
        names = [f"x{place}" for place in range(values.shape[1])] if names is None else [*map(str, names)]
        columns = tuple(Column(name, "number", "feature", stored="float") for name in names)
        return _numbers(values, names), columns, y
    validate_data(estimator, X, skip_check_array=True)
    check_consistent_length(X, y)
    # Of a mixed frame scikit-learn can only check y.
    _, y = check_X_y(np.zeros((len(X), 1)), y, estimator=estimator, **options)
    table = read_table(X, name="X").frame
    columns = _columns(X, table)
    return _with_texts(table, columns), columns, y


def read_features(estimator: Any, X: Any, columns: tuple[Column, ...]) -> pa.Table:
    """Return new rows as a table with the columns of the fit.

    Raises ValueError if the names, number or order of the columns differ from those of the fit, TypeError for a sparse
    X, and BadInput for an array if the fit had a frame with categories or dates, or for values of a different type.
    """
    if all(column.kind == "number" and column.stored == "float" for column in columns):
        with _text_refused():
            values = validate_data(estimator, X, reset=False, dtype=np.float64, ensure_all_finite="allow-nan")
        return _numbers(values, [column.name for column in columns])
    if not nw.dependencies.is_into_dataframe(X):
        words = [column.name for column in columns if column.kind != "number"]
        raise BadInput(
            "an estimator that was fitted on a frame with categories or dates must get such a frame",
            found=f"a {type(X).__name__} instead of a frame with {', '.join(words[:4])}",
            remedy="Give a frame with the same columns as in fit",
        )
    validate_data(estimator, X, reset=False, skip_check_array=True)
    table = read_table(X, name="X").frame.rename_columns([column.name for column in columns])
    return _with_texts(table, columns)


def _require_whole(y: Any) -> None:
    """Refuse classes with missing values; for texts, scikit-learn only says "Input contains NaN"."""
    # Among texts in a list, NumPy would make the text "nan" of a missing one.
    values = np.asarray(y, dtype=object if isinstance(y, list | tuple) else None)
    if y is None or values.dtype != object:
        return  # that y is not there at all, scikit-learn says itself
    missing = [place for place, value in enumerate(values.ravel()) if _is_missing(value)]
    if missing:
        found = f"{values.ravel()[missing[0]]} in row {missing[0]} ({len(missing)} such rows)"
        raise BadInput("y must have a value in every row", found=found, remedy="Leave out those rows")


def _is_missing(value: Any) -> bool:
    return value is None or type(value).__name__ == "NAType" or (isinstance(value, float) and math.isnan(value))


@contextmanager
def _text_refused() -> Iterator[None]:
    """Refuse text in an array or in a column of objects, and say what to do."""
    try:
        yield
    except ValueError as error:
        if "could not convert string" not in str(error):
            raise
        raise BadInput(
            "an array or a column of mixed objects must contain numbers",
            found=str(error),
            remedy="Give a data frame whose text columns have a text type; they will become categories",
        ) from error


def _is_mixed(X: Any) -> bool:
    if not nw.dependencies.is_into_dataframe(X):
        return False
    types = nw.from_native(X, eager_only=True).schema.values()
    return any(isinstance(one, (*_WORDS, *_MOMENTS)) for one in types)


def _columns(X: Any, table: pa.Table) -> tuple[Column, ...]:
    types = nw.from_native(X, eager_only=True).schema.values()
    return tuple(
        Column(name, _kind(table.column(name), one), "feature", stored=stored_as(table.column(name)))
        for name, one in zip(table.column_names, types, strict=True)
    )


def _kind(column: pa.ChunkedArray, declared: Any) -> Kind:
    # A category of integers is a category all the same; Arrow has forgotten it by now.
    if isinstance(declared, _WORDS):
        return "category"
    stored = stored_as(column)
    if stored == "date":
        return "date"
    return "category" if stored in ("string", "nothing") else "number"


def _with_texts(table: pa.Table, columns: tuple[Column, ...]) -> pa.Table:
    """Return the table with every category as text, regardless of how the frame stored it."""
    parts = [texts_of(part) if column.kind == "category" else part for column, part in zip(columns, table, strict=True)]
    return pa.table(parts, names=table.column_names)


def _numbers(values: Any, names: Sequence[str]) -> pa.Table:
    return pa.table([pa.array(column) for column in np.ascontiguousarray(values.T)], names=names)


MEASURED_ROWS = 256
"""Number of training rows that replace dev if nothing is chosen on dev, since the engine must measure something."""


def prepared(train: Rows, dev: Rows | None, *, columns: tuple[Column, ...], classes: int) -> Prepared:
    """Return the arrays of the training rows and of dev (None: some training rows); 0 classes mean regression.

    A single target keeps its unit, and the preparation keeps its mean and scale. Several targets are each standardized
    here by the training rows, so that none outweighs another; `target_moments` returns the moments that undo this.
    """
    # The target is no column of the table, so the transforms are fit as if there were none.
    fitted = _with_an_input(fit_preparation(train.table, Schema(columns, "", "classification")))
    if classes:
        names = tuple(str(code) for code in range(classes))
        preparation = replace(fitted, schema=Schema(columns, "", "classification", names))
    else:
        preparation = replace(fitted, schema=Schema(columns, "", "regression"), targets=train.targets)
        if train.targets == 1:
            mean, scale = target_moments(train)
            preparation = replace(preparation, target_mean=float(mean), target_scale=float(scale))
    dev = train.take(np.arange(min(len(train), MEASURED_ROWS))) if dev is None else dev
    return Prepared(preparation, _arrays(preparation, train, of=train), None, _arrays(preparation, dev, of=train))


def target_moments(train: Rows) -> tuple[Floats, Floats]:
    """Return the mean and standard deviation (1 for a constant) over the training rows; [targets] for several."""
    mean = np.average(train.target, axis=0, weights=train.weights)
    scale = np.sqrt(np.average((train.target - mean) ** 2, axis=0, weights=train.weights))
    # What rounding leaves of a constant is no spread.
    step = 8 * np.finfo(np.float64).eps * np.abs(mean)
    return mean, np.where(scale > step, scale, 1.0)


def _with_an_input(fitted: Preparation) -> Preparation:
    """Return the preparation; if no column varies, with one input that is always 0, because a network needs one."""
    if fitted.numeric_names or fitted.categories:
        return fitted
    nothing = NumberFit(fitted.schema.columns[0].name, "value", fill=0.0, scale=math.inf, indicator=False)
    return replace(fitted, numbers=(nothing,))


def _arrays(preparation: Preparation, rows: Rows, *, of: Rows) -> Arrays:
    target = rows.target
    if preparation.targets > 1:
        mean, scale = target_moments(of)
        target = (target - mean) / scale
    found = preparation.transform(rows.table, with_target=False)
    return replace(found, target=target, weights=rows.weights, groups=rows.groups)


@dataclass(frozen=True)
class Rows:
    """Rows with features, target, weights and groups.

    The target contains int64 class codes, or float64 numbers [rows] or [rows, targets]. `weights` are the numbers of
    rows that each row represents, and `groups` are codes.
    """

    table: pa.Table
    target: Integers | Floats
    weights: Floats
    groups: Integers | None = None

    def __len__(self) -> int:
        return len(self.target)

    @property
    def total(self) -> float:
        """The m of the cost: the sum of the weights."""
        return float(self.weights.sum())

    @property
    def targets(self) -> int:
        """The number of values to predict for a row; 1 for a class."""
        return self.target.shape[1] if self.target.ndim == 2 else 1

    def take(self, places: Integers) -> Rows:
        """Return the rows at the given places."""
        groups = None if self.groups is None else self.groups[places]
        return Rows(self.table.take(pa.array(places)), self.target[places], self.weights[places], groups)

    def ungrouped(self) -> Rows:
        """Return the rows without their groups, so that rows of different groups may be equal."""
        return replace(self, groups=None)


def weights_of(sample_weight: Any, *, rows: int) -> Floats:
    """Return the weight of each row [rows]; 1 if none are given, and a single number holds for all rows."""
    try:
        weights = np.asarray(1.0 if sample_weight is None else sample_weight, dtype=np.float64)
    except (TypeError, ValueError) as error:
        raise BadInput(
            "sample weights must be numbers", found=str(error), remedy="Give a number for each row"
        ) from error
    weights = np.full(rows, weights) if weights.ndim == 0 else weights
    if weights.shape != (rows,):
        found, rule = (
            f"a sample_weight of shape {weights.shape} for {rows} rows",
            "every row must have one sample weight",
        )
        raise BadInput(rule, found=found, remedy="Give one weight for each row of X")
    wrong = np.flatnonzero(~np.isfinite(weights) | (weights < 0))
    if len(wrong):
        found = f"{weights[wrong[0]]} for row {wrong[0]} ({len(wrong)} such weights)"
        raise BadInput("sample weights must be finite and not negative", found=found, remedy="Correct the weights")
    if not weights.any():
        found = f"only zeros for {rows} rows"
        raise BadInput(
            "at least one sample weight must be above zero", found=found, remedy="Give some row a positive weight"
        )
    return weights


def groups_of(groups: Any, *, rows: int) -> Integers:
    """Return the code of each row's group [rows]."""
    found = np.asarray(groups)
    if found.shape != (rows,):
        given = f"groups of shape {found.shape} for {rows} rows"
        raise BadInput("every row must have a group", found=given, remedy="Give one group for each row of X")
    return np.asarray(np.unique(found, return_inverse=True)[1])


def merged(rows: Rows) -> Rows:
    """Return the distinct rows, in the order of their hashes, with the sum of their weights."""
    hashes = row_hashes(_hashed(rows))
    order = np.lexsort((hashes[:, 1], hashes[:, 0]))
    ordered = hashes[order]
    starts = np.flatnonzero(np.concatenate([[True], (ordered[1:] != ordered[:-1]).any(axis=1)]))
    weights = np.add.reduceat(rows.weights[order], starts)
    return replace(rows.take(order[starts]), weights=weights)


def with_class_weights(rows: Rows, class_weight: Any, *, classes: Any) -> Rows:
    """Return the rows with their weights multiplied by those of their classes, which are in the order of codes.

    Raises BadInput for a class that y does not contain, a word other than "balanced", and invalid weights.
    """
    if class_weight is None:
        return rows
    factors = _balanced(rows, classes=len(classes)) if class_weight == "balanced" else _given(class_weight, classes)
    weights = rows.weights * factors[rows.target]
    if not weights.any():
        found = f"class_weight={class_weight!r}"
        raise BadInput(
            "at least one class of y must have a weight above zero",
            found=found,
            remedy="Give a class in y a positive weight",
        )
    return replace(rows, weights=weights)


def _hashed(rows: Rows) -> pa.Table:
    """Return all columns in which rows may differ, named by position, so that frames equal arrays of their values."""
    columns = [*rows.table.columns, *map(pa.array, rows.target.reshape(len(rows), -1).T.copy())]
    columns += [] if rows.groups is None else [pa.array(rows.groups)]
    return pa.table(columns, names=[str(place) for place in range(len(columns))])


def _balanced(rows: Rows, *, classes: int) -> Floats:
    totals = np.bincount(rows.target, weights=rows.weights, minlength=classes)
    occurring = np.count_nonzero(totals)
    return np.asarray(np.divide(rows.total, occurring * totals, out=np.ones(classes), where=totals > 0))


def _given(class_weight: Any, classes: Any) -> Floats:
    if not isinstance(class_weight, Mapping):
        found, remedy = f"class_weight={class_weight!r}", "Give 'balanced', or a mapping from class to weight"
        raise BadInput("class_weight must be None, 'balanced' or a mapping", found=found, remedy=remedy)
    known = classes.tolist()
    strange = [name for name in class_weight if name not in known]
    if strange:
        found = f"{strange[0]!r}, while y contains {', '.join(map(repr, known[:8]))}"
        raise BadInput("class_weight must contain only classes of y", found=found, remedy="Correct the name")
    factors = np.array([class_weight.get(name, 1.0) for name in known], dtype=np.float64)
    if not (np.isfinite(factors) & (factors >= 0)).all():
        found = f"class_weight={class_weight!r}"
        raise BadInput("class weights must be finite and not negative", found=found, remedy="Correct the weights")
    return np.asarray(factors)
