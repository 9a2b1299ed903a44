"""X and y as scikit-learn's users give them -> an Arrow table and a target; what a column is, is decided at fit.

An array, or a frame of numbers and truth values, goes through scikit-learn's own validation. In a frame with text,
categories or dates every column is taken by its type: text and categories are categories, dates are dates.
"""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import Any

import narwhals as nw
import numpy as np
import pyarrow as pa
from sklearn.utils.validation import check_consistent_length, check_X_y, validate_data

from wellfit.data.columns import Kind, stored_as, texts_of
from wellfit.data.read import read_table
from wellfit.data.schema import Column
from wellfit.exceptions import BadInput

_WORDS = (nw.String, nw.Categorical, nw.Enum)
_MOMENTS = (nw.Date, nw.Datetime, nw.Time, nw.Duration)


def read_both(estimator: Any, X: Any, y: Any, *, numbers: bool) -> tuple[pa.Table, tuple[Column, ...], Any]:
    """Return the features of the training rows, what their columns are, and y as an array.

    Sets `n_features_in_` and, for a frame, `feature_names_in_`.

    Args:
        estimator: that is being fitted.
        X: [rows, features] array or data frame; NaN is a missing value.
        y: [rows] classes; or with `numbers` [rows] or [rows, targets] numbers.
        numbers: whether y is to be numbers.

    Raises:
        ValueError: for X or y that scikit-learn refuses, or with `numbers` a y that is no number.
        TypeError: for a sparse X.
        BadInput: for a column of a frame that holds neither numbers, text nor dates, an array of texts, and classes
            with missing values.
    """
    options = {"multi_output": numbers, "y_numeric": numbers}
    _require_whole(y)
    if not _is_mixed(X):
        with _told_of_words():
            values, y = validate_data(estimator, X, y, dtype=np.float64, ensure_all_finite="allow-nan", **options)
        names = getattr(estimator, "feature_names_in_", None)
        names = _names(values.shape[1]) if names is None else [*map(str, names)]
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
    """Return new rows as a table of the columns that were decided at fit.

    Raises:
        ValueError: for other columns than those of the fit: names that are missing, unknown or in another order, or
            another number of them.
        TypeError: for a sparse X.
        BadInput: for an array where the fit had a frame with categories or dates, or values of another type.
    """
    if all(column.kind == "number" and column.stored == "float" for column in columns):
        with _told_of_words():
            values = validate_data(estimator, X, reset=False, dtype=np.float64, ensure_all_finite="allow-nan")
        return _numbers(values, [column.name for column in columns])
    if not nw.dependencies.is_into_dataframe(X):
        words = [column.name for column in columns if column.kind != "number"]
        raise BadInput(
            "an estimator fitted on a frame with categories or dates predicts for such a frame",
            found=f"{type(X).__name__} in place of a frame with {', '.join(words[:4])}",
            remedy="Give a frame with the columns of the fit",
        )
    validate_data(estimator, X, reset=False, skip_check_array=True)
    table = read_table(X, name="X").frame.rename_columns([column.name for column in columns])
    return _with_texts(table, columns)


def _require_whole(y: Any) -> None:
    """Refuse classes with missing values: of texts scikit-learn says only "Input contains NaN"."""
    # Among texts in a list, NumPy would make the text "nan" of a missing one.
    values = np.asarray(y, dtype=object if isinstance(y, list | tuple) else None)
    if y is None or values.dtype != object:
        return  # that y is not there at all, scikit-learn says itself
    missing = [place for place, value in enumerate(values.ravel()) if _is_missing(value)]
    if missing:
        found = f"{values.ravel()[missing[0]]} in row {missing[0]} ({len(missing)} such rows)"
        raise BadInput("y has a value in every row", found=found, remedy="Leave those rows out")


def _is_missing(value: Any) -> bool:
    return value is None or type(value).__name__ == "NAType" or (isinstance(value, float) and math.isnan(value))


@contextmanager
def _told_of_words() -> Iterator[None]:
    """Say what to do where an array, or a column of objects, holds text."""
    try:
        yield
    except ValueError as error:
        if "could not convert string" not in str(error):
            raise
        raise BadInput(
            "an array, or a column of mixed objects, holds numbers",
            found=str(error),
            remedy="Give a data frame whose columns of text are of a text type, and they are categories",
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
    """Return the table with every category as text, whatever the frame stored."""
    parts = [texts_of(part) if column.kind == "category" else part for column, part in zip(columns, table, strict=True)]
    return pa.table(parts, names=table.column_names)


def _names(columns: int) -> list[str]:
    return [f"x{place}" for place in range(columns)]


def _numbers(values: Any, names: Sequence[str]) -> pa.Table:
    return pa.table([pa.array(column) for column in np.ascontiguousarray(values.T)], names=names)
