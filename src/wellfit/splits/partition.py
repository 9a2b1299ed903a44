"""The train, train-dev, dev and test tables, from one table or with separate files for test and deployment."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
import pyarrow as pa

from wellfit.base.typing import Part
from wellfit.data.schema import Schema, labelled_rows, require_columns, target_values
from wellfit.exceptions import BadInput
from wellfit.splits.assign import (
    PARTS,
    Counts,
    Rows,
    assign_by_column,
    assign_by_time,
    assign_groups,
    assign_stratified,
    codes_of,
    described,
    strata_of,
    three_counts,
    times_of,
    train_dev_rows,
)

FEWEST_EXTRA_ROWS = 2  # a file for test or deployment needs a row for each part, and two for an interval


@dataclass(frozen=True, kw_only=True)
class SplitOptions:
    """How to split; `test_data` and `deployment_data` are tables read from separate files."""

    stratify_on: str | None = None
    group_on: str | None = None
    time_on: str | None = None
    split_on: str | None = None
    sizes: str | None = None
    test_data: pa.Table | None = None
    deployment_data: pa.Table | None = None
    seed: int = 0


@dataclass(frozen=True)
class Partition:
    """The parts as tables, with all of their columns; `unlabelled` rows had no target and belong to no part."""

    tables: Mapping[Part, pa.Table]
    policy: str
    unlabelled: int

    @property
    def rows(self) -> dict[Part, int]:
        """Number of rows in each existing part."""
        return {part: self.tables[part].num_rows for part in PARTS if part in self.tables}


def partition(table: pa.Table, schema: Schema, options: SplitOptions) -> Partition:
    """Divide the rows that have a target into parts.

    Raises BadInput for options that exclude each other, a class with fewer rows than there are parts, sizes that do not
    fit, a column missing from a file, groups that occur in two files, and a training part with only one class.
    """
    _require_one_way(options)
    sources = {"DATA": table, "test_data": options.test_data, "deployment_data": options.deployment_data}
    given = {name: source for name, source in sources.items() if source is not None}
    usable = {name: _usable(source, schema, name=name) for name, source in given.items()}
    unlabelled = sum(given[name].num_rows - usable[name].num_rows for name in given)
    _require_separate_groups(usable, options.group_on)
    if options.split_on:
        rows = assign_by_column(usable["DATA"].column(options.split_on), name=options.split_on)
        tables, how = _taken(usable["DATA"], rows), f"by column {options.split_on!r}"
    else:
        counts, how = _plan(usable, schema, options)
        tables = {}
        for name, source in usable.items():
            tables |= _taken(source, _assigned(source, schema, options, counts=counts[name]))
    _require_two_classes(tables["train"], schema)
    found = Partition(tables, how, unlabelled)
    left_out = f" (rows left out because they have no target: {unlabelled:,})" if unlabelled else ""
    return Partition(tables, f"{how}: {described(found.rows)}{left_out}", unlabelled)


def _require_one_way(options: SplitOptions) -> None:
    ways = {
        "--group-on": options.group_on,
        "--time-on": options.time_on,
        "--split-on": options.split_on,
        "--stratify-on": options.stratify_on,
    }
    chosen = [way for way, column in ways.items() if column]
    if options.split_on:
        files = {"--test-data": options.test_data, "--deployment-data": options.deployment_data}
        chosen += [way for way, source in files.items() if source is not None]
        chosen += ["--sizes"] if options.sizes else []
    if len(chosen) > 1:
        raise BadInput(
            "rows must be split in one way", found=" together with ".join(chosen), remedy="Choose one of these options"
        )


def _usable(table: pa.Table, schema: Schema, *, name: str) -> pa.Table:
    require_columns(
        table.column_names, [*schema.feature_names, schema.target], rule=f"{name} must have the columns of DATA"
    )
    usable = labelled_rows(table, schema)
    if usable.num_rows < FEWEST_EXTRA_ROWS:
        raise BadInput(f"{name} must have rows with a target", found=f"only {usable.num_rows}", remedy="Add rows")
    target_values(usable, schema)
    return usable


def _plan(usable: Mapping[str, pa.Table], schema: Schema, options: SplitOptions) -> tuple[Mapping[str, Counts], str]:
    """Return the number of rows that each part gets from every source, and the policy in words."""
    rows = usable["DATA"].num_rows
    train, dev, test, how = three_counts(options.sizes, rows=rows, task=schema.task)
    counts: dict[str, dict[Part, int]] = {}
    if "test_data" in usable:
        train, test = (train + test if options.sizes is None else train), 0
        counts["test_data"] = {"test": usable["test_data"].num_rows}
        how += "; test from a separate file"
    if "deployment_data" in usable:
        there = usable["deployment_data"].num_rows
        dev_there = there if "test_data" in usable else there // 2
        counts["deployment_data"] = {"dev": dev_there, "test": there - dev_there}
        train_dev = train_dev_rows(train=rows, dev=dev_there)
        how = "dev and test from deployment data, train and train-dev from DATA"
        return {"DATA": {"train": rows - train_dev, "train_dev": train_dev}, **counts}, how
    train_dev = train_dev_rows(train=train, dev=dev) if options.time_on else 0
    how = f"{how}, {_way(schema, options)}"
    return {"DATA": {"train": train - train_dev, "train_dev": train_dev, "dev": dev, "test": test}, **counts}, how


def _way(schema: Schema, options: SplitOptions) -> str:
    if options.time_on:
        return (
            f"the latest rows by {options.time_on!r} are test, and those before them dev; "
            "train-dev is drawn at random from the training period"
        )
    if options.group_on:
        return f"whole groups of {options.group_on!r}"
    column = f" and {options.stratify_on!r}" if options.stratify_on else ""
    return f"stratified on {'tenths of ' if schema.task == 'regression' else ''}{schema.target!r}{column}"


def _assigned(table: pa.Table, schema: Schema, options: SplitOptions, *, counts: Counts) -> Rows:
    parts = sum(count > 0 for count in counts.values())
    if parts == 1:
        (part,) = (part for part, count in counts.items() if count)
        return {part: np.arange(table.num_rows)}
    if options.time_on and counts.get("dev"):
        kind = next(column.kind for column in schema.columns if column.name == options.time_on)
        require_columns(table.column_names, [options.time_on])
        times = times_of(table.column(options.time_on), name=options.time_on, kind=kind)
        return assign_by_time(times, counts, seed=options.seed)
    if options.group_on:
        require_columns(table.column_names, [options.group_on])
        return assign_groups(codes_of(table.column(options.group_on)), counts, seed=options.seed)
    _require_rows_of_each_class(table, schema, parts=parts)
    stratify_on = options.stratify_on if options.stratify_on in table.column_names else None
    return assign_stratified(strata_of(table, schema, stratify_on=stratify_on), counts, seed=options.seed)


def _require_rows_of_each_class(table: pa.Table, schema: Schema, *, parts: int) -> None:
    if schema.task == "regression":
        return
    counts = np.bincount(target_values(table, schema), minlength=len(schema.classes))
    scarce = [(name, int(count)) for name, count in zip(schema.classes, counts, strict=True) if 0 < count < parts]
    if scarce:
        name, count = scarce[0]
        more = f" (and {len(scarce) - 1} more classes)" if len(scarce) > 1 else ""
        raise BadInput(
            f"every class must have at least one row for each of the {parts} parts",
            found=f"{count} of class {name!r} in column {schema.target!r}{more}",
            remedy="Remove the rare class, merge it with another, or collect more of its rows",
        )


def _require_separate_groups(usable: Mapping[str, pa.Table], group_on: str | None) -> None:
    if group_on is None:
        return
    seen: set[str] = set()
    for name, table in usable.items():
        if group_on not in table.column_names:
            continue
        here = set(map(str, table.column(group_on).unique().to_pylist()))
        if both := sorted(seen & here):
            raise BadInput(
                "a group must be in only one file",
                found=f"{len(both)} groups of {name} that are also in another file, such as {both[0]!r}",
                remedy="Remove these groups from one of the files",
            )
        seen |= here


def _require_two_classes(train: pa.Table, schema: Schema) -> None:
    if schema.task == "classification" and np.unique(target_values(train, schema)).size < 2:
        raise BadInput(
            "the training part must have at least two classes",
            found="only one class in train",
            remedy="Choose another way to split",
        )


def _taken(table: pa.Table, rows: Rows) -> dict[Part, pa.Table]:
    whole: Sequence[Part] = [part for part, indices in rows.items() if indices.size == table.num_rows]
    return {part: table if part in whole else table.take(pa.array(indices)) for part, indices in rows.items()}
