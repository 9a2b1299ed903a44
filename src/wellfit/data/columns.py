"""One Arrow column as one NumPy array (numbers, text or moments), its kind, and whether it carries information."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Literal, get_args

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from wellfit.base.typing import Booleans, Floats
from wellfit.exceptions import BadInput

Stored = Literal["integer", "float", "boolean", "string", "date", "time", "nothing", "nested"]


def stored_as(column: pa.ChunkedArray) -> Stored:
    """Return the type of a column's values, whatever their width."""
    kind = column.type
    tests: tuple[tuple[Any, Stored], ...] = (
        (pa.types.is_null, "nothing"),
        (pa.types.is_boolean, "boolean"),
        (pa.types.is_integer, "integer"),
        (pa.types.is_floating, "float"),
        (pa.types.is_decimal, "float"),
        (pa.types.is_time, "time"),
        (pa.types.is_duration, "time"),
        (pa.types.is_date, "date"),
        (pa.types.is_timestamp, "date"),
        (pa.types.is_string, "string"),
        (pa.types.is_large_string, "string"),
    )
    return next((stored for test, stored in tests if test(kind)), "nested")


def missing_in(column: pa.ChunkedArray) -> Booleans:
    """Return booleans [rows], True where a value is null or NaN."""
    return np.asarray(pc.is_null(column, nan_is_null=True).to_numpy(zero_copy_only=False), dtype=bool)


def numbers_of(column: pa.ChunkedArray, *, name: str) -> Floats:
    """Return float64 [rows], NaN where missing; booleans become 0 and 1, text is parsed; BadInput for other text."""
    scale = 1.0
    if stored_as(column) == "time":
        # Seconds, whatever the unit: Parquet keeps a clock time of seconds in milliseconds.
        micro = pa.duration("us") if pa.types.is_duration(column.type) else pa.time64("us")
        column, scale = column.cast(micro, safe=False).cast(pa.int64()), 1e-6
    try:
        values = column.cast(pa.float64(), safe=False)
    except (pa.ArrowInvalid, pa.ArrowNotImplementedError) as error:
        raise BadInput(
            "a number column must contain numbers",
            found=f"column {name!r}: {_first_unparsed(column)}",
            remedy="Correct the value, or declare the column as a category under `types`",
        ) from error
    return np.asarray(values.to_numpy(zero_copy_only=False), dtype=np.float64) * scale


def require_finite(values: Floats, *, name: str) -> None:
    """Raise BadInput for infinite values, naming the first row (counted from 1, without the header)."""
    infinite = np.isinf(values)
    if infinite.any():
        row = int(np.argmax(infinite))
        raise BadInput(
            "numbers must be finite",
            found=f"{values[row]} in column {name!r}, row {row + 1} ({int(infinite.sum())} such values)",
            remedy="Replace the infinite values (leave a cell empty if its value is unknown), or drop the column",
        )


def texts_of(column: pa.ChunkedArray) -> pa.ChunkedArray:
    """Return each value as text, null where missing; 1 and 1.0 both become "1": they are one level."""
    stored = stored_as(column)
    if stored == "string":
        return column
    if stored == "float":
        values = column.cast(pa.float64(), safe=False)
        nothing = pa.scalar(None, pa.float64())
        known = pc.if_else(pc.is_nan(values), nothing, values)
        whole = pc.and_(pc.equal(pc.floor(known), known), pc.less(pc.abs(known), pa.scalar(2.0**53)))
        integers = pc.if_else(whole, known, nothing).cast(pa.int64())
        return pc.coalesce(integers.cast(pa.string()), known.cast(pa.string()))
    return column.cast(pa.string())


def moments_of(column: pa.ChunkedArray, *, name: str) -> pa.ChunkedArray:
    """Return timestamps in microseconds, null where missing; BadInput for a column that was not read as dates."""
    if stored_as(column) == "date":
        return column.cast(pa.timestamp("us"), safe=False)
    present = column.drop_null()
    raise BadInput(
        "a date column must contain dates",
        found=f"column {name!r}" + (f": {present[0].as_py()!r}" if len(present) else ""),
        remedy="Write dates as 2026-01-31 or 2026-01-31T12:00:00, or declare another type under `types`",
    )


def _first_unparsed(column: pa.ChunkedArray) -> str:
    for row, value in enumerate(column):
        text = value.as_py()
        if text is None:
            continue
        try:
            float(text)
        except (TypeError, ValueError):
            return f"{text!r} in row {row + 1}"
    return f"values of type {column.type}"


Kind = Literal["number", "category", "boolean", "date"]
KINDS: tuple[Kind, ...] = get_args(Kind)
ID_SHARE = 0.95  # text of which more than this share is unique names rows instead of describing them
_GLANCE = 1000  # rows that suffice to distinguish most text from numbers
_NUMBER = r"^[-+]?(\d+\.?\d*|\.\d+)([eE][-+]?\d+)?$"

_KIND_OF: Mapping[Stored, Kind] = {
    "boolean": "boolean",
    "integer": "number",
    "time": "number",
    "float": "number",
    "string": "category",
    "date": "date",
    "nothing": "category",
    "nested": "category",
}


def infer_kind(column: pa.ChunkedArray) -> Kind:
    """Return number, category, boolean or date, based on the type and, for text, on the values."""
    stored = stored_as(column)
    if stored == "string" and _decimals(column.slice(0, _GLANCE)) and _decimals(column):
        return "number"
    return _KIND_OF[stored]


def _decimals(texts: pa.ChunkedArray) -> bool:
    """Return True if every text is a number and some have a decimal point: whole numbers in text are mostly codes."""
    numbers = pc.match_substring_regex(texts, _NUMBER)
    return bool(pc.all(numbers, min_count=1).as_py()) and bool(pc.any(pc.match_substring(texts, ".")).as_py())


def _numbers_spoilt(texts: pa.ChunkedArray) -> str:
    """Return the first word that turned a column of measurements into text, and its row; "" for other columns."""
    numbers = pc.match_substring_regex(texts, _NUMBER)
    if (pc.mean(numbers.cast(pa.int8())).as_py() or 0) < ID_SHARE:
        return ""
    row = pc.index(numbers, False).as_py()
    word = f"but {texts[row].as_py()!r} is among them; correct it, or declare a type" if row >= 0 else "as text"
    return f"id-like: unique numbers, {word}"


def reason_to_drop(column: pa.ChunkedArray, *, name: str, kind: Kind) -> str:
    """Return the reason why a column cannot be a feature, or ""; unique values alone never exclude a measurement."""
    present = len(column) - int(missing_in(column).sum())
    if present == 0:
        return "all missing"
    stored = stored_as(column)
    if kind == "category" or stored == "string":
        distinct = pc.count_distinct(column, mode="only_valid").as_py()
        if distinct == 1 and present == len(column):
            return "constant"
        named = kind == "category" and stored == "string" and distinct > ID_SHARE * present
        if named:
            return _numbers_spoilt(column) or f"id-like: {distinct} different values in {present} rows"
        if kind == "category":
            return ""
    if kind == "date":
        bounds = pc.min_max(moments_of(column, name=name)).as_py()
        return "constant" if bounds["min"] == bounds["max"] and present == len(column) else ""
    return _reason_to_drop_numbers(column, name=name, present=present)


def _reason_to_drop_numbers(column: pa.ChunkedArray, *, name: str, present: int) -> str:
    values = numbers_of(column, name=name)
    low, high = float(np.nanmin(values)), float(np.nanmax(values))
    # A column of single precision that varies by a rounding step is noise that scaling would blow up.
    step = float(np.finfo(np.float32 if pa.types.is_float32(column.type) else np.float64).eps)
    largest = max(abs(low), abs(high))
    if np.isfinite(largest) and high - low <= 2 * step * largest and present == len(column):
        return "constant" if low == high else "constant up to rounding"
    consecutive = stored_as(column) == "integer" and high - low == present - 1
    if consecutive and pc.count_distinct(column, mode="only_valid").as_py() == present:
        return "id-like: unique consecutive integers"
    return ""
