"""Rows in readable form, every feature in its own unit, for checks and for models that are not networks."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from functools import cached_property
from typing import Literal

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from wellfit.base.typing import Floats, Integers
from wellfit.data.columns import numbers_of, texts_of
from wellfit.data.prepare import part_of
from wellfit.data.schema import Column, Schema


@dataclass(frozen=True)
class Feature:
    """One feature: a number, a date (days since 1970), or a category with its levels."""

    name: str
    kind: Literal["number", "date", "category"]
    levels: tuple[str, ...] = ()


@dataclass(frozen=True)
class Features:
    """Rows of features.

    `values` is float64 [rows, columns]: numbers in their own unit, dates in days, categories as the position of their
    level; NaN where missing.
    """

    columns: tuple[Feature, ...]
    values: Floats

    @property
    def rows(self) -> int:
        """Number of rows."""
        return int(self.values.shape[0])

    @cached_property
    def names(self) -> tuple[str, ...]:
        """Names of the columns."""
        return tuple(column.name for column in self.columns)

    def take(self, rows: Integers) -> Features:
        """Return some of the rows."""
        return replace(self, values=self.values[rows])


def features_of(tables: Mapping[str, pa.Table], schema: Schema) -> dict[str, Features]:
    """Return the features of several parts of one table; a level has the same position in all of them."""
    columns = [
        _features(column, [table.column(column.name) for table in tables.values()]) for column in schema.features
    ]
    features = tuple(feature for feature, _ in columns)
    return {
        part: Features(features, np.column_stack([np.empty((table.num_rows, 0)), *(parts[at] for _, parts in columns)]))
        for at, (part, table) in enumerate(tables.items())
    }


def _features(column: Column, parts: Sequence[pa.ChunkedArray]) -> tuple[Feature, list[Floats]]:
    if column.kind == "number":
        return Feature(column.name, "number"), [numbers_of(part, name=column.name) for part in parts]
    if column.kind == "date":
        return Feature(column.name, "date"), [part_of(part, column=column, part="value") for part in parts]
    texts = [texts_of(part) for part in parts]
    levels = sorted({level for part in texts for level in pc.unique(part).to_pylist() if level is not None})
    known = pa.array(levels, pa.string())
    places = [pc.index_in(part.cast(pa.string()), value_set=known).cast(pa.float64()) for part in texts]
    return Feature(column.name, "category", tuple(levels)), [
        np.asarray(place.to_numpy(zero_copy_only=False)) for place in places
    ]
