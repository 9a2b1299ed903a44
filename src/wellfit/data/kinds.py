"""What a column is, and whether it can tell anything: constants, row numbers and names of rows cannot."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Literal, get_args

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from wellfit.data.columns import Stored, missing_in, moments_of, numbers_of, stored_as

Kind = Literal["number", "category", "boolean", "date"]
KINDS: tuple[Kind, ...] = get_args(Kind)
ID_SHARE = 0.95  # text of which more than this share is unique names rows instead of describing them
_GLANCE = 1000  # rows that tell most text from numbers
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
    """Number, category, boolean or date, by the type and, for text, by the values."""
    stored = stored_as(column)
    if stored == "string" and _decimals(column.slice(0, _GLANCE)) and _decimals(column):
        return "number"
    return _KIND_OF[stored]


def _decimals(texts: pa.ChunkedArray) -> bool:
    """Whether every text is a number, and some have a decimal point: whole numbers as text are codes more often."""
    numbers = pc.match_substring_regex(texts, _NUMBER)
    return bool(pc.all(numbers, min_count=1).as_py()) and bool(pc.any(pc.match_substring(texts, ".")).as_py())


def _numbers_spoilt(texts: pa.ChunkedArray) -> str:
    """For measurements that a few words turned into text: which word, and where; else ""."""
    numbers = pc.match_substring_regex(texts, _NUMBER)
    if (pc.mean(numbers.cast(pa.int8())).as_py() or 0) < ID_SHARE:
        return ""
    row = pc.index(numbers, False).as_py()
    word = f"but {texts[row].as_py()!r} among them; correct it, or declare a type" if row >= 0 else "as text"
    return f"id-like: unique numbers, {word}"


def reason_to_drop(column: pa.ChunkedArray, *, name: str, kind: Kind) -> str:
    """Why a column cannot be a feature, or ""; a measurement is never dropped for being unique."""
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
