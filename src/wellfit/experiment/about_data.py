"""The open rows of a split, and what they show before anything is trained.

Random changes of pictures that their labels survive.
Training rows with a copy in dev, as an experiment keeps them for the networks that were trained without them.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import replace

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from safetensors.numpy import save

from wellfit.base.files import write_whole
from wellfit.base.typing import Floats, Integers
from wellfit.data.columns import missing_in
from wellfit.data.features import features_of
from wellfit.data.prepare import Copies, Prepared
from wellfit.data.schema import Schema
from wellfit.diagnosis.checks import run_checks
from wellfit.diagnosis.facts import Columns, Facts
from wellfit.diagnosis.findings import Finding
from wellfit.diagnosis.leakage.near_duplicates import copied_rows
from wellfit.diagnosis.rows import OpenRows, Rows
from wellfit.exceptions import BadInput
from wellfit.experiment.folder import Folder
from wellfit.journal.outcomes import load_arrays
from wellfit.records.augmentation import Augmentation, asked_for
from wellfit.records.goals import Goal
from wellfit.splits.split import NEAR, Split


def open_rows(split: Split, data: Prepared, *, goal: Goal) -> OpenRows:
    """Read the open parts of a split."""
    tables = {"train": split.train, "dev": split.dev} | (
        {} if split.train_dev is None else {"train_dev": split.train_dev}
    )
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
    sealed = {
        part: (count, split.rows["test"])
        for part, count in split.duplicates.items()
        if part.startswith("test") and "test" in split.rows
    }
    look_alikes = {
        part.removeprefix(NEAR): (count, split.rows[part.removeprefix(NEAR)])
        for part, count in split.duplicates.items()
        if part.startswith(NEAR)
    }
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
    """[rows] code of each row's group, over all parts alike; empty without groups."""
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
    """[rows] when each row was measured, in days (or in the column's own unit where it holds numbers)."""
    columns = tuple(replace(column, role="feature") for column in schema.columns if column.role == "time")
    if not columns or any(columns[0].name not in table.column_names for table in tables.values()):
        return {}
    found = features_of(tables, replace(schema, columns=columns))
    return {part: each.values[:, 0] for part, each in found.items()}


DEFAULT_AUGMENT = "strong"


def augmentation_for(schema: Schema, asked: str | None) -> Augmentation:
    """Return the ranges of the random changes for pictures of these classes.

    Raises:
        BadInput: for an augmentation that is none, or on a table.
    """
    if schema.picture is None:
        if asked is None:
            return Augmentation()
        raise BadInput(
            "augment must be given with pictures", found=f"augment={asked!r} with a table", remedy="Leave it out"
        )
    colour = schema.picture[2] == 3
    return asked_for(asked or DEFAULT_AUGMENT, classes=schema.classes, colour=colour)


FILE = "copies.safetensors"


def known_copies(folder: Folder) -> Copies | None:
    """The copies that were found before."""
    stored = load_arrays(folder.models / FILE)
    return None if stored is None else Copies(stored["train"].astype(bool), stored["dev"].astype(bool))


def with_copies(data: Prepared, *, folder: Folder, rows: OpenRows, findings: Iterable[Finding]) -> Prepared:
    """The same data with the copies across train and dev, where a finding on the rows fired.

    Raises:
        NoRoom: when the disk is full.
    """
    if data.copies is not None:
        return data
    found = copied_rows(rows.train, rows.dev, findings=findings, seed=rows.seed)
    if found is None:
        return data
    content = save({"train": found.train.astype(np.uint8), "dev": found.dev.astype(np.uint8)})
    write_whole(folder.models / FILE, lambda file: file.write(content))
    return replace(data, copies=found)
