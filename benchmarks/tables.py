"""The tables of the benchmarks, divided in one way for wellfit and its rivals.

They are looked for in ../shared/data, or in the folder that WELLFIT_DATA names.
"""

from __future__ import annotations

import json
import os
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq

from wellfit.data.columns import numbers_of
from wellfit.data.prepare import Prepared, fit_preparation
from wellfit.data.read import read_table
from wellfit.data.schema import Schema, infer_schema

DATA = Path(os.environ.get("WELLFIT_DATA", Path(__file__).parents[2] / "shared" / "data"))
TRAIN, DEV = 0.64, 0.16
"""Shares of the published results that the targets come from (Gorishniy et al., 2021); the rest is test."""
PART = "part"
_DAY = 86_400.0


@dataclass(frozen=True)
class Source:
    """One table: its file, what to predict, what leaks or says nothing, and the file of an official test set."""

    name: str
    file: str
    target: str
    drop: tuple[str, ...] = ()
    test: str | None = None


PHONEME = Source("phoneme", "phoneme.csv", "nasal")
CREDIT = Source("credit_g", "credit_g.csv", "class")
CALIFORNIA = Source("california_housing", "california_housing.csv", "medianHouseValue")
ADULT = Source("adult", "adult_train.csv", "income", test="adult_test.csv")
SEGMENT = Source("segment", "segment.csv", "target")
CAR = Source("car", "car.csv", "target")
MAGIC = Source("magic", "magic.csv", "target")
CPU = Source("cpu_act", "cpu_act.csv", "target")
BIKE = Source("bike_hour", "bike_hour.csv", "cnt", drop=("instant", "casual", "registered"))


@dataclass(frozen=True)
class Divided:
    """A table with a column `part` (train, dev, test), and what its columns are."""

    source: Source
    table: pa.Table
    schema: Schema

    def rows(self, part: str) -> pa.Table:
        """Return the rows of one part, without what is dropped."""
        chosen = self.table.filter(pc.equal(self.table[PART], part))
        return chosen.select([*self.schema.feature_names, self.schema.target])

    def prepared(self) -> Prepared:
        """Return train and dev as a network takes them; the test rows stay where they are."""
        train = self.rows("train")
        preparation = fit_preparation(train, self.schema)
        return Prepared(preparation, preparation.transform(train), None, preparation.transform(self.rows("dev")))


def divided(source: Source, *, seed: int) -> Divided:
    """Divide a table at random by `seed`; where there is an official test set, its rows are test."""
    table = read_table(DATA / source.file).frame
    official = read_table(DATA / source.test).frame if source.test else table.slice(0, 0)
    order = np.random.default_rng(seed).permutation(table.num_rows)
    share = TRAIN / (TRAIN + DEV) if source.test else TRAIN
    ends = (np.array([share, 1.0 if source.test else TRAIN + DEV]) * table.num_rows).round().astype(int)
    parts = np.array(["test"] * table.num_rows, dtype=object)
    parts[order[: ends[0]]], parts[order[ends[0] : ends[1]]] = "train", "dev"
    whole = pa.concat_tables([table, official.cast(table.schema)])
    whole = whole.append_column(PART, pa.array([*parts, *["test"] * official.num_rows], pa.string()))
    schema = infer_schema(whole, target=source.target, drop=source.drop, split_on=PART)
    return Divided(source, whole, schema)


def write_parts(data: Divided, folder: Path) -> None:
    """Lay train, dev and test out for a rival: dates as days, the test rows without their target."""
    kinds = {column.name: column.kind for column in data.schema.features}
    for part in ("train", "dev", "test"):
        rows = data.rows(part)
        for place, name in enumerate(rows.column_names):
            if kinds.get(name) == "date":
                days = pa.array(numbers_of(rows[name].cast(pa.timestamp("s")).cast(pa.int64()), name=name) / _DAY)
                rows = rows.set_column(place, name, days)
        pq.write_table(rows.drop_columns([data.schema.target]) if part == "test" else rows, folder / f"{part}.parquet")
    described = {
        "task": data.schema.task,
        "target": data.schema.target,
        "numbers": [name for name, kind in kinds.items() if kind in ("number", "date")],
        "categories": [name for name, kind in kinds.items() if kind not in ("number", "date")],
    }
    (folder / "columns.json").write_text(json.dumps(described))
