"""The split of an experiment: tables for fitting and choosing, a sealed test set, and the hashes of all rows."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime
from functools import cached_property
from pathlib import Path
from typing import get_args

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq

from wellfit.base.files import make_folder, write_whole
from wellfit.base.plain_files import read_json
from wellfit.base.serialize import OMITTED, Record, omitted_if
from wellfit.base.typing import Floats, Integers, Json, Part
from wellfit.data.containers import Source
from wellfit.data.dialect import Dialect
from wellfit.data.hashing import Words, hashes_over
from wellfit.data.pictures.decode import near_copies
from wellfit.data.pictures.listing import LOOK
from wellfit.data.pictures.schema import pixels_of
from wellfit.data.prepare import Preparation, Prepared, fit_preparation
from wellfit.data.read import Table
from wellfit.data.schema import Schema, group_codes, target_values
from wellfit.exceptions import BadInput
from wellfit.splits.ledger import LEDGER_NAME, Ledger
from wellfit.splits.partition import SplitOptions, partition
from wellfit.splits.seal import SEALED_NAME, Seal, load_seal, seal_rows, store_seal
from wellfit.stats.sizes import precision_of

SPLIT_NAME = "split.json"
HASHES_NAME = "hashes.parquet"
OPEN_PARTS: tuple[Part, ...] = ("train", "train_dev", "dev")


@dataclass(frozen=True, kw_only=True)
class Split(Record):
    """One split; its JSON has everything except the rows and their hashes.

    Attributes:
        rows: number of rows by part, including the sealed test.
        precision: precision of errors on dev and test; its `sentence` puts it in words.
        policy: how the rows were divided, in words.
        duplicates: number of rows by part whose features also occur in train, and "test_in_dev" likewise; for pictures
            also "near_dev" and the like, which count those that resemble one in train without being a copy.
        hashes: uint64 [rows, 2] by part, over all columns that were read, including dropped ones.
        unlabelled: number of rows without a target; they belong to no part.
        skipped: reason by file, for files that could not be read and that the user asked to leave out.
        written: format of a text file.
        seed: seed that determines the division.
        folder: where the split is saved; None in memory.
    """

    skipped: Mapping[str, str] = field(default_factory=dict, repr=False, metadata=omitted_if({}))
    written: Dialect | None = field(default=None, repr=False, metadata=omitted_if(None))
    rows: Mapping[str, int]
    policy: str
    precision: Mapping[str, float | str]
    seal: Seal
    duplicates: Mapping[str, int]
    unlabelled: int
    schema: Schema
    source: Source
    seed: int
    train: pa.Table = field(metadata=OMITTED)
    train_dev: pa.Table | None = field(metadata=OMITTED)
    dev: pa.Table = field(metadata=OMITTED)
    hashes: Mapping[str, Words] = field(repr=False, metadata=OMITTED)
    folder: Path | None = field(default=None, metadata=OMITTED)

    @cached_property
    def ledger(self) -> Ledger:
        """The openings of its test set."""
        return Ledger(self.seal.sha256, self.folder / LEDGER_NAME if self.folder else None)

    @property
    def others(self) -> list[pa.Table]:
        """The parts that are not sealed."""
        return [table for table in (self.train, self.train_dev, self.dev) if table is not None]

    def __repr__(self) -> str:
        rows = ", ".join(f"{part} {count:,}" for part, count in self.rows.items())
        return f"Split({self.schema.target!r}, {rows}, seal {self.seal.sha256[:12]})"

    def prepared(self, preparation: Preparation | None = None) -> Prepared:
        """Return the open parts as arrays, by transforms fit on train, now or earlier."""
        preparation = preparation or fit_preparation(self.train, self.schema)
        train_dev = preparation.transform(self.train_dev) if self.train_dev is not None else None
        return Prepared(preparation, preparation.transform(self.train), train_dev, preparation.transform(self.dev))

    def targets(self, rows: pa.Table) -> Integers | Floats:
        """Return class codes, or values in the target's own unit."""
        return target_values(rows, self.schema)

    def groups(self, rows: pa.Table) -> Integers | None:
        """Return the code [rows] of each row's group; None without groups."""
        return group_codes(rows, self.schema)

    def to_json(self) -> Json:
        """Return the journal's entry; the rows of missing parts are null."""
        return super().to_json() | {"rows": {part: self.rows.get(part) for part in get_args(Part)}}

    def save(self, folder: Path) -> Split:
        """Save the split to a folder; `split.json` comes last, so that a folder that has it is complete.

        Returns:
            The same split, with its test rows on the disk only.

        Raises:
            NoRoom: the folder has no room for it or cannot be written.
            BadInput: the folder already has a split.
        """
        if (folder / SPLIT_NAME).exists():
            raise BadInput(
                "a folder must have at most one split", found=str(folder / SPLIT_NAME), remedy="Choose another folder"
            )
        make_folder(folder)
        for part, table in {"train": self.train, "train_dev": self.train_dev, "dev": self.dev}.items():
            if table is not None:
                _write_table(table, folder / f"{part}.parquet")
        hashes = [
            pa.table({"part": [part] * len(words), "a": words[:, 0], "b": words[:, 1]})
            for part, words in self.hashes.items()
        ]
        _write_table(pa.concat_tables(hashes), folder / HASHES_NAME)
        seal = store_seal(self.seal, folder)
        text = json.dumps({"schema": 1, "split": self.to_json()}, indent=1)
        write_whole(folder / SPLIT_NAME, lambda file: file.write(text.encode()))
        return replace(self, seal=seal, folder=folder)

    def moved_to(self, folder: Path) -> Split:
        """Return the split after its folder was renamed."""
        return replace(self, seal=replace(self.seal, path=folder / SEALED_NAME), folder=folder)


def split_table(
    table: Table, *, schema: Schema, options: SplitOptions | None = None, now: datetime | None = None
) -> Split:
    """Divide a table and seal its test rows in memory; this is the one place that looks at all rows."""
    options = options or SplitOptions()
    parts = partition(table.frame, schema, options)
    hashes, keys = {}, {}
    for part, rows in parts.tables.items():
        hashes[str(part)], compared = hashes_over(rows, rows.column_names, schema.compared)
        keys[part] = compared[:, 0]
    # Columns that the schema drops live on in the hashes.
    present = set(parts.tables["train"].column_names)
    names = [column.name for column in schema.columns if column.role != "dropped" and column.name in present]
    kept = {part: rows.select(names) for part, rows in parts.tables.items()}
    left_out = f" (files left out because they cannot be read: {len(table.skipped):,})" if table.skipped else ""
    return Split(
        schema=schema,
        train=kept["train"],
        train_dev=kept.get("train_dev"),
        dev=kept["dev"],
        seal=seal_rows(kept["test"], now=now or datetime.now(UTC)),
        rows={str(part): count for part, count in parts.rows.items()},
        precision=precision_of(dev=parts.rows["dev"], test=parts.rows["test"], task=schema.task),
        policy=parts.policy + left_out,
        duplicates=_duplicates(keys) | near_copies_of(parts.tables, schema),
        hashes=hashes,
        unlabelled=parts.unlabelled,
        source=table.source,
        seed=options.seed,
        skipped=table.skipped,
        written=table.written,
    )


def load_split(folder: Path) -> Split:
    """Read a saved split but none of its sealed rows; BadInput if it is missing, incomplete or from a newer version."""
    path = folder / SPLIT_NAME
    if not path.is_file():
        raise BadInput("an experiment must have a split", found=f"no {path}", remedy="Run wellfit split first")
    try:
        body = read_json(path)
        if body["schema"] != 1:
            raise BadInput(
                "the split must have a version that this wellfit can read",
                found=f"version {body['schema']} in {path}",
                remedy="Update wellfit with pip install -U wellfit",
            )
        return _loaded(body["split"], folder)
    except (ValueError, KeyError, TypeError, OSError) as error:
        if isinstance(error, BadInput):
            raise
        raise BadInput(
            "a saved split must be complete",
            found=f"{path}: {error!r}",
            remedy="Restore the experiment from a copy, or split again",
        ) from error


def _loaded(body: Json, folder: Path) -> Split:
    rows = {part: count for part, count in body["rows"].items() if count is not None}
    tables = {part: pq.read_table(folder / f"{part}.parquet") for part in OPEN_PARTS if part in rows}
    return Split(
        schema=Schema.from_json(body["schema"]),
        train=tables["train"],
        train_dev=tables.get("train_dev"),
        dev=tables["dev"],
        seal=load_seal(body["seal"], folder),
        rows=rows,
        precision=body["precision"],
        policy=body["policy"],
        duplicates=body["duplicates"],
        hashes=_hashes_from(pq.read_table(folder / HASHES_NAME)),
        unlabelled=body["unlabelled"],
        source=Source.from_json(body["source"]),
        seed=body["seed"],
        folder=folder,
        skipped=body.get("skipped", {}),
        written=Dialect.from_json(body["written"]) if body.get("written") else None,
    )


def _duplicates(keys: Mapping[Part, Integers]) -> dict[str, int]:
    """Count rows of each part whose features (by hash) occur in train, and test rows whose features occur in dev."""
    found: dict[str, int] = {
        part: int(np.isin(key, keys["train"]).sum()) for part, key in keys.items() if part != "train"
    }
    return {**found, "test_in_dev": int(np.isin(keys["test"], keys["dev"]).sum())}


def _write_table(table: pa.Table, path: Path) -> None:
    write_whole(path, lambda file: pq.write_table(table, file))


def _hashes_from(table: pa.Table) -> dict[str, Words]:
    names = np.asarray(table.column("part").to_pylist())
    words = np.stack([table.column(lane).to_numpy() for lane in ("a", "b")], axis=1)
    return {str(part): words[names == part] for part in np.unique(names)}


NEAR = "near_"


def near_copies_of(tables: Mapping[Part, pa.Table], schema: Schema) -> dict[str, int]:
    """Return `near_<part>` -> number of pictures that resemble one of train without being a copy; {} for a table."""
    if schema.picture is None or any(LOOK not in table.column_names for table in tables.values()):
        return {}
    looks = {part: table.column(LOOK).to_numpy() for part, table in tables.items()}
    grey = {}
    for part, table in tables.items():
        pixels = pixels_of(table.column(schema.compared[0]), schema.shape)
        grey[part] = pixels.mean(axis=3, dtype=np.float32).reshape(len(pixels), -1)
    found = {}
    for part in tables:
        if part != "train":
            twins = near_copies((looks[part], looks["train"]), (grey[part], grey["train"]))
            same = (grey[part] == grey["train"][twins]).all(axis=1)
            found[f"{NEAR}{part}"] = int(np.sum((twins >= 0) & ~same))
    return found
