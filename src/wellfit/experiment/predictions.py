"""Predictions for new rows, streamed in their order with the transforms fit on train; and test-time augmentation."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, BinaryIO

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.csv
import pyarrow.parquet as pq

from wellfit.base.files import sweep_parts, whole
from wellfit.base.serialize import OMITTED, Record
from wellfit.base.typing import Floats, Json
from wellfit.data.dialect import DETECTED, CsvFormat
from wellfit.data.pictures.listing import FILE
from wellfit.data.pictures.read import picture_batches
from wellfit.data.prepare import Arrays, Preparation, Prepared
from wellfit.data.read import read_batches
from wellfit.data.readings import LEADING_ZEROS
from wellfit.data.schema import Schema
from wellfit.exceptions import BadInput
from wellfit.records.goals import Goal
from wellfit.records.units import Unit
from wellfit.stats.differences import paired_difference
from wellfit.stats.intervals import Estimate
from wellfit.training.monte_carlo import average_often
from wellfit.training.pictures import averaged_views, require_views, view_of
from wellfit.training.tensors import Part, at_temperature

FORMULA_SIGNS = ("=", "+", "-", "@", "\t", "\r")
"""Spreadsheets execute cells that begin with these signs, so an apostrophe is put before such text."""
UNLIKE_SHARE = 0.1
"""A column is named if its share of such rows exceeds the share on dev by more than this."""
FAR = 2.8
"""A scaled number beyond this (the maximum is 3) is about eight interquartile ranges from train's median."""


def predicted_batches(
    source: Any,
    *,
    preparation: Preparation,
    predict: Callable[[Arrays], Floats],
    watch: Watch | None = None,
    csv_format: CsvFormat = DETECTED,
) -> Iterator[pa.Table]:
    """Yield `prediction` (and `p_<class>`) for each batch of new rows, in order; for pictures also their `file`."""
    schema = preparation.schema
    if schema.picture is None:
        batches = read_batches(source, schema=schema, csv_format=csv_format)
    else:
        (paths,) = (column.note for column in schema.columns if column.role == "picture")
        batches = picture_batches(source, shape=schema.picture, column=paths or None, csv_format=csv_format)
    for batch in batches:
        arrays = preparation.transform(batch, with_target=False)
        if watch is not None:
            watch.see(arrays, batch)
        found = _table(predict(arrays), schema)
        yield found.add_column(0, FILE, batch.column(FILE)) if schema.picture else found


class Watch:
    """Counts values unlike those of train, so that a warning can name the columns of new rows that differ.

    `usual` holds rows like those of train, which are counted for comparison.
    """

    def __init__(self, preparation: Preparation, *, usual: Arrays) -> None:
        self._categories = tuple(fit.name for fit in preparation.categories)
        # A single pixel says nothing about a picture.
        self._numbers = () if preparation.schema.picture else preparation.numeric_names
        self._usual = _unlike(usual)[: len(self)] / max(usual.rows, 1)
        self._counts = np.zeros(len(self))
        self._rows = 0
        codes = {column.name for column in preparation.schema.features if column.reading.why == LEADING_ZEROS}
        self._codes = {
            fit.name: [level for level in (*fit.levels, *fit.rare) if level is not None]
            for fit in preparation.categories
            if fit.name in codes
        }
        self._shortened = dict.fromkeys(self._codes, 0)

    def __len__(self) -> int:
        return len(self._categories) + len(self._numbers)

    def see(self, arrays: Arrays, rows: pa.Table) -> None:
        """Count one batch, as arrays and as the rows themselves."""
        self._rows += arrays.rows
        for name, levels in self._codes.items():
            self._shortened[name] += _without_zeros(rows.column(name), levels)
        self._counts += _unlike(arrays)[: len(self)]

    def warnings(self) -> list[str]:
        """Return one sentence for each column in which many more rows than usual are unlike train."""
        shares = self._counts / max(self._rows, 1)
        why = ["have a level that does not occur in train"] * len(self._categories)
        why += ["are far outside train's range"] * len(self._numbers)
        return [
            f"{name}: {share:.0%} of the rows {reason}, compared with {usual:.0%} on dev"
            for name, share, usual, reason in zip(
                (*self._categories, *self._numbers), shares, self._usual, why, strict=True
            )
            if share - usual > UNLIKE_SHARE
        ] + [
            f"{name}: {count:,} of {self._rows:,} rows have a code that lost its leading zeros; train has it with them"
            for name, count in self._shortened.items()
            if count
        ]


def _without_zeros(column: pa.ChunkedArray, levels: Sequence[str]) -> int:
    """Count the codes that are not known, but would be with zeros before them."""
    known, short = set(levels), {level.lstrip("0") for level in levels}
    counts = pc.value_counts(column).to_pylist()
    return sum(each["counts"] for each in counts if each["values"] in short and each["values"] not in known)


def _unlike(arrays: Arrays) -> Floats:
    return np.concatenate([(arrays.codes == 0).sum(axis=0), (np.abs(arrays.numeric) > FAR).sum(axis=0)]).astype(float)


def write_batches(batches: Iterator[pa.Table], out: Path, *, source: Any = None) -> int:
    """Write batches to a CSV or Parquet file, whole or not at all, and return the number of rows.

    Any other file extension is refused, and so is an `out` equal to `source`, the file from which the rows are read.
    """
    if isinstance(source, str | Path) and out.exists() and out.samefile(source):
        raise BadInput(
            "the output must not be the input file", found=f"{out} for both", remedy="Pass another name with -o"
        )
    batch = next(batches, None)
    if batch is None:
        raise BadInput("NEW must have rows", found="only a header", remedy="Pass a table with rows")
    rows = 0
    sweep_parts(out)
    with whole(out) as file, _writer(file, schema=batch.schema, ending=out.suffix) as writer:
        while batch is not None:
            writer.write_table(batch if out.suffix == ".parquet" else escaped(batch))
            rows += batch.num_rows
            batch = next(batches, None)
    return rows


def escaped(table: pa.Table) -> pa.Table:
    """Return the table with an apostrophe before text that a spreadsheet would execute as a formula."""
    for place, column in enumerate(table.schema):
        if pa.types.is_string(column.type):
            texts = [escaped_text(text) for text in table.column(place).to_pylist()]
            table = table.set_column(place, column.name, pa.array(texts, pa.string()))
    return table.rename_columns([escaped_text(name) for name in table.column_names])


def escaped_text(text: str) -> str:
    """Return the text of one cell, escaped in the same way as those of a table."""
    return f"'{text}" if text.startswith(FORMULA_SIGNS) else text


def _writer(file: BinaryIO, *, schema: pa.Schema, ending: str) -> pa.csv.CSVWriter | pq.ParquetWriter:
    if ending == ".csv":
        return pa.csv.CSVWriter(file, schema)
    if ending == ".parquet":
        return pq.ParquetWriter(file, schema)
    raise BadInput(
        "predictions must be written to a .csv or .parquet file",
        found=f"the file extension {ending!r}",
        remedy="Use one of these extensions for -o",
    )


def _table(predictions: Floats, schema: Schema) -> pa.Table:
    if schema.task == "regression":
        return pa.table({"prediction": pa.array(predictions, pa.float64())})
    columns = {f"p_{name}": pa.array(predictions[:, place], pa.float64()) for place, name in enumerate(schema.classes)}
    labels = pa.array(schema.classes, pa.string())
    if schema.class_kind == "integer":
        labels = labels.cast(pa.int64())
    elif schema.class_kind == "boolean":
        labels = pa.array([name.lower() == "true" for name in schema.classes])
    return pa.table({"prediction": labels.take(pa.array(predictions.argmax(axis=1))), **columns})


@dataclass(frozen=True, kw_only=True)
class Views(Record):
    """Test-time augmentation on dev, in the goal's loss."""

    goal: Goal = field(metadata=OMITTED)
    views: int
    """Number of views of each picture, including the picture itself."""
    without: float
    averaged: float
    gain: Estimate
    """without - averaged, paired, with its 95 % interval."""
    seconds: tuple[float, float] = field(metadata=OMITTED)
    """Seconds for a thousand pictures, without other views and with all of them."""

    @property
    def sentence(self) -> str:
        """The gain and the cost in words."""
        before, after = (Unit(self.goal).show(each) for each in (self.without, self.averaged))
        low, high = (Unit(self.goal).gap(each) for each in (self.gain.low, self.gain.high))
        one, many = self.seconds
        return (
            f"With {self.views} views of each picture, the dev error is {after} instead of {before} (a gain of {low} "
            f"to {high}); a thousand pictures take {many:.2g} s instead of {one:.2g} s, {many / one:.1f} times as long."
        )

    def to_json(self) -> Json:
        """Return plain values."""
        return {
            **super().to_json(),
            "seconds_per_thousand": {"without": self.seconds[0], "averaged": self.seconds[1]},
            "sentence": self.sentence,
        }


def with_views(
    parts: Sequence[Part], preparation: Preparation, *, views: int, passes: int = 1, temperature: float = 1.0
) -> Callable[[Arrays], Floats]:
    """Return a function that averages predictions over views of each picture and passes with dropout.

    The temperature applies to the average. Views of a table and passes of networks without dropout are refused.
    """
    require_views(views, preparation)
    alone = average_often(preparation, parts, passes=passes)
    if views == 1 or preparation.schema.picture is None:
        return at_temperature(alone, temperature)
    several = averaged_views(alone, view_of(parts, preparation), shape=preparation.schema.picture, views=views)
    return at_temperature(several, temperature)


def views_on_dev(parts: Sequence[Part], data: Prepared, *, goal: Goal, views: int, temperature: float = 1.0) -> Views:
    """Measure the gain and the cost of several views of each dev picture."""
    predictors = [with_views(parts, data.preparation, views=each, temperature=temperature) for each in (1, views)]
    losses, seconds = [], []
    for predict in predictors:
        began = time.perf_counter()
        found = predict(data.dev)
        seconds.append((time.perf_counter() - began) * 1_000 / data.dev.rows)
        losses.append(goal.row_losses(data.dev.target, found))
    return Views(
        goal=goal,
        views=views,
        without=float(losses[0].mean()),
        averaged=float(losses[1].mean()),
        gain=paired_difference(*losses),
        seconds=(seconds[0], seconds[1]),
    )
