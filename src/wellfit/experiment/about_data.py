"""The open rows of a split, and the findings on them before anything is trained."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from wellfit.base.typing import Floats, Integers
from wellfit.data.columns import missing_in
from wellfit.data.features import features_of
from wellfit.data.prepare import Prepared
from wellfit.data.schema import Schema
from wellfit.diagnosis.checks import run_checks
from wellfit.diagnosis.facts import Columns, Facts
from wellfit.diagnosis.findings import Finding
from wellfit.diagnosis.rows import OpenRows, Rows
from wellfit.records.goals import Goal
from wellfit.splits.split import NEAR, Split


def open_rows(split: Split, data: Prepared, *, goal: Goal) -> OpenRows:
    """Read the open parts of a split."""
    tables = {"train": split.train, "dev": split.dev}
    if split.train_dev is not None:
        tables["train_dev"] = split.train_dev
    features = features_of(tables, split.schema)
    groups, times = _groups(tables, split.schema), _times(tables, split.schema)
    arrays = {"train": data.train, "dev": data.dev, "train_dev": data.train_dev}
    parts = {
        part: Rows(
            features=features[part],
            target=found.target,
            classes=len(split.schema.classes),
            groups=groups.get(part),
            times=times.get(part),
        )
        for part, found in arrays.items()
        if found is not None
    }
    sealed, look_alikes = {}, {}
    for part, count in split.duplicates.items():
        if part.startswith(NEAR):
            near = part.removeprefix(NEAR)
            look_alikes[near] = (count, split.rows[near])
        elif part.startswith("test") and "test" in split.rows:
            sealed[part] = (count, split.rows["test"])
    return OpenRows(
        train=parts["train"],
        dev=parts["dev"],
        train_dev=parts.get("train_dev"),
        goal=goal,
        sealed=sealed,
        look_alikes=look_alikes,
        levels=split.schema.classes,
        pictures=split.schema.picture is not None,
        seed=split.seed,
    )


def findings_on_data(split: Split, data: Prepared, rows: OpenRows) -> tuple[Finding, ...]:
    """Check what the split shows before anything is trained; test rows enter by their hashes alone."""
    unseen = (data.dev.codes == 0).mean(axis=0) if data.dev.rows else np.zeros(data.dev.codes.shape[1])
    columns = Columns(
        dropped={column.name: column.note for column in split.schema.dropped},
        missing={
            column.name: float(missing_in(split.train.column(column.name)).mean()) for column in split.schema.features
        },
        unseen={fit.name: float(share) for fit, share in zip(data.preparation.categories, unseen, strict=True)},
    )
    return run_checks(Facts(goal=rows.goal, columns=columns, rows=rows))


def _groups(tables: Mapping[str, pa.Table], schema: Schema) -> dict[str, Integers]:
    """Return [rows] the code of each row's group, over all parts alike; empty without groups."""
    name = next((column.name for column in schema.columns if column.role == "group"), None)
    if name is None or any(name not in table.column_names for table in tables.values()):
        return {}
    columns = {part: table.column(name).cast(pa.string()) for part, table in tables.items()}
    known = pc.unique(pa.chunked_array([chunk for column in columns.values() for chunk in column.chunks], pa.string()))
    return {
        part: np.asarray(pc.fill_null(pc.index_in(column, value_set=known), -1).to_numpy(), np.int64)
        for part, column in columns.items()
    }


def _times(tables: Mapping[str, pa.Table], schema: Schema) -> dict[str, Floats]:
    """Return [rows] the time of each row, in days (or in the column's own unit if that has numbers)."""
    columns = tuple(replace(column, role="feature") for column in schema.columns if column.role == "time")
    if not columns or any(columns[0].name not in table.column_names for table in tables.values()):
        return {}
    found = features_of(tables, replace(schema, columns=columns))
    return {part: each.values[:, 0] for part, each in found.items()}
