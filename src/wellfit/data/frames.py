"""Data frames and typed columns as Arrow tables of numbers, text, booleans and dates, each column with a name."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Mapping, Sequence
from typing import Any

import narwhals as nw
import pyarrow as pa
import pyarrow.compute as pc
from narwhals.exceptions import NarwhalsError

from wellfit.exceptions import BadInput


def table_of_frame(source: Any, *, name: str, drop: Sequence[str] = ()) -> pa.Table:
    """Accept a mapping of columns, a list of rows, or any data frame; columns to drop may be of any type."""
    try:
        return _arrow_of(source)
    except (NarwhalsError, pa.ArrowException, TypeError, AttributeError, ValueError) as error:
        if (others := _without_columns(source, drop)) is not None:
            return table_of_frame(others, name=name)
        raise BadInput(
            f"{name} must be a path, or a data frame whose columns each have one type",
            found=f"{type(source).__name__}: {str(error).splitlines()[0].rstrip('.')}",
            remedy="Pass a CSV or Parquet file, or a pandas, polars or pyarrow frame, or leave the column out (drop)",
        ) from error


def _without_columns(source: Any, drop: Sequence[str]) -> Any:
    """Return the frame with the columns to drop emptied, so that their types do not matter; None if nothing changed."""
    if not drop or not nw.dependencies.is_into_dataframe(source):
        return None
    frame = nw.from_native(source, eager_only=True)
    unwanted = [name for name in frame.columns if str(name) in set(drop)]
    if not unwanted:
        return None
    return frame.with_columns(nw.lit(None, dtype=nw.String).alias(name) for name in unwanted).to_native()


def _arrow_of(source: Any) -> pa.Table:
    if isinstance(source, pa.Table):
        return source
    if isinstance(source, Mapping):
        return pa.Table.from_pydict(dict(source))
    if isinstance(source, Sequence):
        return pa.Table.from_pylist(list(source))
    frame = nw.from_native(_with_plain_types(source))
    eager = frame.collect() if isinstance(frame, nw.LazyFrame) else frame
    table = eager.rename({column: _written(column) for column in eager.columns}).to_arrow()
    return table.select([column for column in table.column_names if not column.startswith("__index_level_")])


def _written(name: Any) -> str:
    """Return a column's name as text; None and NaN are not names."""
    return "" if name is None or name != name else str(name)  # noqa: PLR0124


_TEXT_IN_PANDAS = re.compile(r"^(interval|period)")


def _with_plain_types(source: Any) -> Any:
    """Return a pandas frame with its intervals and periods (from `cut`, `qcut` and `to_period`) turned into text."""
    if not nw.dependencies.is_pandas_dataframe(source):
        return source
    texts = {}
    for place, kind in enumerate(source.dtypes):
        levels = getattr(kind, "categories", None)
        if _TEXT_IN_PANDAS.match(str(kind if levels is None else levels.dtype)):
            column = source.iloc[:, place].astype(object)
            texts[place] = column.where(column.isna(), column.map(str))
    if not texts:
        return source
    plain = source.copy(deep=False)
    for place, column in texts.items():
        plain.isetitem(place, column)
    return plain


def column_names(written: Sequence[Any]) -> list[str]:
    """Return the names without surrounding blanks; a column without a name is named after its position."""
    stripped = [str(name).strip() for name in written]
    return [name or f"column {place} (no name)" for place, name in enumerate(stripped, start=1)]


def require_unique(names: list[str], *, name: str) -> list[str]:
    """Return the names; BadInput for one that occurs twice."""
    repeated = sorted(column for column, count in Counter(names).items() if count > 1)
    if repeated:
        raise BadInput(
            "column names must be unique",
            found=f"{', '.join(map(repr, repeated))} repeated in {name}",
            remedy="Rename or remove the repeated columns",
        )
    return names


def checked(frame: pa.Table, *, name: str, drop: Sequence[str]) -> pa.Table:
    """Return the columns by name, with values that can be used; BadInput for a table without rows."""
    names = require_unique(column_names(frame.column_names), name=name)
    if frame.num_rows == 0 or not names:
        raise BadInput(f"{name} must have rows", found="only a header", remedy="Pass a table with rows")
    return normalized(frame.rename_columns(names), drop=drop)


def normalized(frame: pa.Table, *, drop: Sequence[str] = ()) -> pa.Table:
    """Return the columns in the form that most columns of their type have; BadInput for nested values and bytes."""
    unwanted = set(drop)
    columns = [
        _normalized_column(column, name, dropped=name in unwanted)
        for name, column in zip(frame.column_names, frame.columns, strict=True)
    ]
    return pa.table(columns, names=frame.column_names)


def _normalized_column(column: pa.ChunkedArray, name: str, *, dropped: bool = False) -> pa.ChunkedArray:
    column = _plain_values(column)
    kind = column.type
    if _is_bytes(kind) and not dropped and (texts := _decoded(column)) is not None:
        column = texts
    if pa.types.is_string(column.type):
        trimmed = pc.utf8_trim_whitespace(column)
        return pc.if_else(pc.equal(trimmed, ""), pa.scalar(None, pa.string()), trimmed)
    if not (pa.types.is_nested(kind) or pa.types.is_interval(kind) or _is_bytes(kind)):
        return column
    if dropped:
        return pa.chunked_array([pa.nulls(len(column))])
    raise BadInput(
        "a column must contain numbers, text, booleans or dates",
        found=f"column {name!r} of type {kind}",
        remedy=f"Leave it out with --drop {name!r}, or spread its values over several columns",
    )


def _plain_values(column: pa.ChunkedArray) -> pa.ChunkedArray:
    """Return the values in the form that most columns of their type have."""
    kind = column.type
    if isinstance(kind, pa.UuidType):
        return pa.chunked_array([[None if each is None else str(each) for each in column.to_pylist()]], pa.string())
    if isinstance(kind, pa.BaseExtensionType):
        return _plain_values(pa.chunked_array([chunk.storage for chunk in column.chunks], kind.storage_type))
    if pa.types.is_run_end_encoded(kind):
        return _plain_values(pc.run_end_decode(column))
    if pa.types.is_dictionary(kind):
        return _plain_values(column.cast(kind.value_type))
    return column.cast(pa.string()) if pa.types.is_large_string(kind) or pa.types.is_string_view(kind) else column


def _is_bytes(kind: pa.DataType) -> bool:
    tests = (pa.types.is_binary, pa.types.is_large_binary, pa.types.is_binary_view, pa.types.is_fixed_size_binary)
    return any(test(kind) for test in tests)


def _decoded(column: pa.ChunkedArray) -> pa.ChunkedArray | None:
    """Return bytes as text, since some programs write text as bytes; None if they are not text."""
    try:
        texts = column.cast(pa.binary()).cast(pa.string())
    except pa.ArrowInvalid:
        return None
    printable = pc.all(pc.invert(pc.match_substring_regex(texts, r"[\x00-\x08\x0e-\x1f]"))).as_py()
    return texts if printable is not False else None
