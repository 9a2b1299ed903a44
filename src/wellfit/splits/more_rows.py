"""More training rows for a split, checked against dev and the sealed test set before anything is trained on them.

Sealed rows are known only by their hashes, so a row counts as one of them when all its columns are equal. Groups that
also occur in the sealed rows cannot be found this way.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterator
from dataclasses import dataclass, field

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from scipy import stats

from wellfit.base.serialize import OMITTED, Record
from wellfit.base.typing import Booleans, Json
from wellfit.data.columns import stored_as, texts_of
from wellfit.data.hashing import Words, as_bytes, row_hashes
from wellfit.data.prepare import fit_preparation
from wellfit.data.read import Table
from wellfit.data.schema import Schema, labelled_rows
from wellfit.exceptions import BadInput
from wellfit.splits.assign import times_of
from wellfit.splits.split import Split

NAME = "--more-data"
CHANCE = 0.001
"""Equal rows with at least this probability count as a coincidence, in tables with repeated rows."""
_SHOWN = 5
_WORDS = {"test": "of the sealed test set", "dev": "of dev", "train_dev": "of train-dev"}


@dataclass(frozen=True)
class MoreRows(Record):
    """Rows that may be added to the training rows of a split.

    `read` rows were read, with `sha256` over all of them; `unlabelled` had no target, and `copies` are in train.
    """

    table: pa.Table = field(repr=False, metadata=OMITTED)
    sha256: str
    path: str | None
    read: int
    unlabelled: int
    copies: int

    @property
    def name(self) -> str:
        """Name of the rows in configs and in the journal."""
        return f"{self.table.num_rows} rows {self.sha256[:12]}"

    def to_json(self) -> Json:
        """Return the journal's entry."""
        return {"name": self.name, **super().to_json(), "rows": self.table.num_rows}


def more_rows_for(split: Split, more: Table) -> MoreRows:
    """Check more training rows, and leave out those that have no target or are already in train.

    Raises BadInput for different columns, values of another type, unknown classes, rows (or groups, or times) of dev
    or test, and if no row is new.
    """
    schema = split.schema
    if schema.picture is not None:
        raise BadInput(f"{NAME} must be rows of a table", found="an experiment with pictures", remedy="Remove it")
    _require_same_columns(schema, more.frame)
    whole = _as_stored(more.frame, schema)
    usable = labelled_rows(whole, schema)
    _require_known_classes(usable, schema)
    _require_usable_values(split, usable)
    _require_separate(split, usable)
    _require_other_groups(split, usable)
    _require_the_past(split, usable)
    copies = _equal_to(split, usable, part="train", usual="dev")
    fresh = usable.filter(pa.array(~copies)).select(split.train.column_names)
    if not fresh.num_rows:
        raise BadInput(
            f"{NAME} must contain rows that are not in train",
            found=f"{copies.sum():,} rows already in train and {whole.num_rows - usable.num_rows:,} without a target",
            remedy="Pass new rows",
        )
    return MoreRows(
        table=fresh,
        sha256=hashlib.sha256(row_hashes(whole).tobytes()).hexdigest(),
        path=more.source.path,
        read=whole.num_rows,
        unlabelled=whole.num_rows - usable.num_rows,
        copies=int(copies.sum()),
    )


def _require_same_columns(schema: Schema, frame: pa.Table) -> None:
    names = {column.name for column in schema.columns}
    missing = [column.name for column in schema.columns if column.name not in frame.column_names]
    other = [name for name in frame.column_names if name not in names]
    if missing or other:
        found = [
            f"{len(each)} {what} ({', '.join(map(repr, each[:_SHOWN]))})"
            for what, each in (("missing", missing), ("not in DATA", other))
            if each
        ]
        raise BadInput(
            f"{NAME} must have the same columns as DATA",
            found=" and ".join(found),
            remedy="Rename, add or remove these columns",
        )


def _as_stored(frame: pa.Table, schema: Schema) -> pa.Table:
    """Turn columns that are text in DATA into text, even if these few rows look like numbers."""
    columns = {column.name: frame.column(column.name) for column in schema.columns}
    text = {column.name for column in schema.columns if column.stored == "string"}
    return pa.table(
        {
            name: texts_of(column) if name in text and stored_as(column) != "string" else column
            for name, column in columns.items()
        }
    )


def _require_known_classes(usable: pa.Table, schema: Schema) -> None:
    if not schema.classes:
        return
    counts = pc.value_counts(texts_of(usable.column(schema.target))).to_pylist()
    unknown = {str(each["values"]): each["counts"] for each in counts if each["values"] not in schema.classes}
    if unknown:
        shown = ", ".join(f"{count:,} of {name!r}" for name, count in list(unknown.items())[:_SHOWN])
        raise BadInput(
            f"{NAME} must have only classes that occur in DATA",
            found=f"{sum(unknown.values()):,} rows with other classes in column {schema.target!r} ({shown})",
            remedy="Remove these rows, or split again from data with these classes",
        )


def _require_usable_values(split: Split, usable: pa.Table) -> None:
    try:
        fit_preparation(split.train, split.schema).transform(usable)
    except BadInput as error:
        raise BadInput(error.rule, found=f"{error.found}, in {NAME}", remedy=error.remedy) from error


def _require_separate(split: Split, usable: pa.Table) -> None:
    parts = [part for part in _WORDS if part in split.hashes]
    found = {part: int(_equal_to(split, usable, part=part, usual="train").sum()) for part in parts}
    if any(found.values()):
        told = " and ".join(f"{count:,} {_WORDS[part]}" for part, count in found.items() if count)
        raise BadInput(
            f"{NAME} must not contain rows on which a network is measured",
            found=f"{told} among {usable.num_rows:,} rows",
            remedy="Remove these rows: an error measured on rows used for training is worthless",
        )


def _equal_to(split: Split, usable: pa.Table, *, part: str, usual: str) -> Booleans:
    """Return booleans [rows], True for rows of a part; all False if chance, as in the `usual` part, explains them."""
    known = set(as_bytes(split.hashes[part]))

    def equal(words: Words) -> Booleans:
        return np.fromiter((key in known for key in as_bytes(words)), dtype=bool, count=len(words))

    found = np.logical_or.reduce([equal(words) for words in _hashed_as(usable, split.schema, part=part)])
    by_chance = stats.binom.ppf(1 - CHANCE, len(found), equal(split.hashes[usual]).mean())
    return found if found.sum() > by_chance else np.zeros_like(found)


def _hashed_as(usable: pa.Table, schema: Schema, *, part: str) -> Iterator[Words]:
    """Yield the hashes that the rows have in a part.

    A file for test or deployment may lack unused columns of DATA, and its split column holds a value that no training
    row has.
    """
    kept = [column.name for column in schema.columns if column.role != "dropped"]
    needed = [*schema.feature_names, schema.target]
    for columns in ([column.name for column in schema.columns], kept, needed):
        yield row_hashes(usable, columns=columns)
    name = _column_of(schema, "split")
    for spelling in (part, part.title(), part.upper()) if name else ():
        said = pa.array([spelling] * usable.num_rows)
        yield row_hashes(usable.set_column(usable.column_names.index(name), name, said))


def _require_other_groups(split: Split, usable: pa.Table) -> None:
    name = _column_of(split.schema, "group")
    if name is None:
        return
    for part, table in {"dev": split.dev, "train_dev": split.train_dev}.items():
        if table is not None and name in table.column_names:
            both = pc.is_in(texts_of(usable.column(name)), value_set=texts_of(table.column(name)).combine_chunks())
            if count := int(pc.sum(both).as_py() or 0):
                raise BadInput(
                    f"{NAME} must not contain groups on which a network is measured",
                    found=f"{count:,} rows of groups {_WORDS[part]} in column {name!r}",
                    remedy="Remove the rows of these groups",
                )


def _require_the_past(split: Split, usable: pa.Table) -> None:
    name = _column_of(split.schema, "time")
    if name is None or name not in split.dev.column_names:
        return
    kind = next(column.kind for column in split.schema.columns if column.name == name)
    times, dev = (times_of(table.column(name), name=name, kind=kind) for table in (usable, split.dev))
    late = int((times >= dev.min()).sum())
    if late:
        raise BadInput(
            f"{NAME} must be older than dev, like train",
            found=f"{late:,} rows that are not older, according to column {name!r}",
            remedy="Remove these rows: at the time of dev they would not be known yet",
        )


def _column_of(schema: Schema, role: str) -> str | None:
    return next((column.name for column in schema.columns if column.role == role), None)
