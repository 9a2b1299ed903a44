"""The types, roles and classes of the columns, decided once, at the split."""

from __future__ import annotations

import difflib
import unicodedata
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from functools import cached_property
from typing import Any, Literal, cast

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from wellfit.base.serialize import Record, omitted_if
from wellfit.base.typing import Task
from wellfit.data.columns import (
    KINDS,
    Kind,
    Stored,
    infer_kind,
    missing_in,
    numbers_of,
    reason_to_drop,
    require_finite,
    stored_as,
    texts_of,
)
from wellfit.data.missing import Missing, missing_option
from wellfit.data.moments import ORDERS
from wellfit.data.numerals import DECIMALS
from wellfit.data.readings import Reading
from wellfit.data.reasons import MOSTLY, few_strays, like_numbers, why_text
from wellfit.exceptions import BadInput
from wellfit.stats.sizes import FEWEST_ROWS

Role = Literal["feature", "target", "group", "time", "split", "dropped", "picture"]
ClassKind = Literal["string", "integer", "boolean", ""]
Spellings = Literal["merge", "keep"]

MOST_INTEGER_CLASSES = 20  # more distinct integers are a regression target: they are more often counts than classes
TYPES = (*KINDS, *(f"date-{order}" for order in ORDERS), *(f"number-{name}" for name in DECIMALS))
"""The types that --types accepts for a column; a date may come with the order of day, month and year, and numbers with
their decimal sign."""


@dataclass(frozen=True)
class Column:
    """One column: its `kind` and its `role`, why it was dropped (`note`), and how it was stored and read."""

    name: str
    kind: Kind
    role: Role
    note: str = ""
    stored: Stored = "nothing"
    reading: Reading = field(default=Reading(), metadata=omitted_if(Reading()))


@dataclass(frozen=True)
class Schema(Record):
    """All columns of DATA in order, the task, and the classes as sorted text (empty for regression).

    For pictures, `picture` holds their height, width and channels, and the features are their measures.
    `counts` holds the rows of each class at the split; `spellings` says how classes that differ by case or blanks are
    handled; `missing` and `no_header` say how cells and text files were read.
    """

    columns: tuple[Column, ...]
    target: str
    task: Task
    classes: tuple[str, ...] = ()
    class_kind: ClassKind = ""
    picture: tuple[int, int, int] | None = field(default=None, metadata=omitted_if(None))
    counts: Mapping[str, int] = field(default_factory=dict, metadata=omitted_if({}))
    spellings: Spellings | None = field(default=None, metadata=omitted_if(None))
    missing: Missing = field(default=Missing(), metadata=omitted_if(Missing()))
    no_header: bool = field(default=False, metadata=omitted_if(False))

    @cached_property
    def features(self) -> tuple[Column, ...]:
        """The columns that the network sees."""
        return tuple(column for column in self.columns if column.role == "feature")

    @property
    def feature_names(self) -> tuple[str, ...]:
        """Names of the features."""
        return tuple(column.name for column in self.features)

    @property
    def shape(self) -> tuple[int, int, int]:
        """Height, width and channels of the pictures; zeros for a table."""
        return self.picture or (0, 0, 0)

    @property
    def compared(self) -> tuple[str, ...]:
        """The columns that are compared to find copies of a row."""
        pixels = tuple(column.name for column in self.columns if column.role == "picture")
        return pixels or self.feature_names

    @property
    def dropped(self) -> tuple[Column, ...]:
        """The columns that were left out, each with its reason in `note`."""
        return tuple(column for column in self.columns if column.role == "dropped")


def infer_schema(  # noqa: PLR0913 - one argument an option of `wellfit split`
    table: pa.Table,
    *,
    target: str,
    task: Task | None = None,
    drop: Sequence[str] = (),
    types: Mapping[str, str] | None = None,
    group_on: str | None = None,
    time_on: str | None = None,
    split_on: str | None = None,
    stratify_on: str | None = None,
    readings: Mapping[str, Reading] | None = None,
    spellings: Spellings | None = None,
) -> Schema:
    """Decide the kind and role of every column: the one place that may look at all rows (docs/design.md, promise 1).

    Strings, booleans, two values and at most 20 distinct whole numbers mean classification, unless `task` is given.
    The columns of `group_on`, `time_on` and `split_on` are not features; that of `stratify_on` remains one. `readings`
    are kept with the columns. Raises BadInput for an unknown column or type, an unusable target, classes that differ
    only by case or blanks (unless `spellings` says what they are), infinite values, no feature, or fewer than 30 rows.
    """
    types = dict(types or {})
    special: dict[str, Role] = {target: "target"}
    for name, role in ((group_on, "group"), (time_on, "time"), (split_on, "split")):
        if name is not None:
            _require_free(name, special)
            special[name] = cast(Role, role)
    require_columns(table.column_names, [target], rule="the target must be a column")
    require_columns(table.column_names, [*special, *drop, *types, *([stratify_on] if stratify_on else [])])
    if target in drop:
        raise BadInput("the target must not be dropped", found=f"{target!r} under drop", remedy="Remove it from drop")
    _require_kinds(types)
    rows = _labelled(table, target)
    kinds = {
        name: cast(Kind, types[name].partition("-")[0]) if types.get(name) else infer_kind(table.column(name))
        for name in table.column_names
    }
    task = _asked_task(task, types.get(target, ""), name=target)
    if task != "classification":
        _require_all_numbers(table.column(target), name=target, readings=readings or {})
    task = task or _infer_task(rows.column(target), name=target, kind=kinds[target])
    columns = tuple(
        _column(rows.column(name), name=name, kind=kinds[name], role=special.get(name), asked=name in drop)
        for name in table.column_names
    )
    columns = tuple(replace(column, reading=(readings or {}).get(column.name, Reading())) for column in columns)
    _require_finite_features(table, columns)
    if not any(column.role == "feature" for column in columns):
        dropped = [f"{column.name!r} ({column.note})" for column in columns if column.role == "dropped"]
        found = f"that every column was dropped: {', '.join(dropped[:8])}" if dropped else "only the target"
        raise BadInput("DATA must have at least one feature", found=found, remedy="Add columns, or drop fewer")
    if task == "regression":
        require_finite(numbers_of(table.column(target), name=target), name=target)
        return Schema(columns, target, task)
    counts, class_kind = _classes(rows.column(target), name=target, spellings=spellings)
    return Schema(columns, target, task, tuple(counts), class_kind, counts=counts, spellings=spellings)


def require_columns(present: Sequence[str], wanted: Iterable[str], *, rule: str = "a named column must exist") -> None:
    """Raise BadInput for the first wanted column that is missing, suggesting the nearest names that exist."""
    known = set(present)
    for name in wanted:
        if name not in known:
            raise BadInput(rule, found=f"no column {name!r}", remedy=did_you_mean(name, present))


def did_you_mean(name: str, known: Sequence[str]) -> str:
    """Return the remedy for a wrong name: the nearest names, or the first few that exist."""
    close = difflib.get_close_matches(name, known, n=3, cutoff=0.5)
    folded = [other for other in known if other.casefold() == name.casefold()]
    if near := (folded or close):
        return f"Did you mean {' or '.join(map(repr, near))}?"
    shown = ", ".join(map(repr, known[:8])) + (", ..." if len(known) > 8 else "")
    return f"Choose one of {shown}"


def labelled_rows(table: pa.Table, schema: Schema) -> pa.Table:
    """Return the rows whose target is known."""
    unknown = missing_in(table.column(schema.target))
    return table.filter(pa.array(~unknown)) if unknown.any() else table


def target_values(table: pa.Table, schema: Schema) -> np.ndarray[Any, Any]:
    """Return targets for the losses, int64 class codes or float64 values; BadInput for a new class or no target."""
    column = table.column(schema.target)
    if schema.task == "regression":
        values = numbers_of(column, name=schema.target)
        require_finite(values, name=schema.target)
        unknown = np.isnan(values)
        codes = values
    else:
        texts = texts_of(column)
        indices = pc.index_in(texts, value_set=pa.array(schema.classes, pa.string()))
        codes = np.asarray(pc.fill_null(indices, -1).to_numpy(zero_copy_only=False), dtype=np.int64)
        unknown = codes < 0
    if unknown.any():
        row = int(np.argmax(unknown))
        raise BadInput(
            "every target must be a known class" if schema.classes else "every row must have a target",
            found=f"{column[row].as_py()!r} in column {schema.target!r}, row {row + 1}",
            remedy="Remove the row, or split again from data that has this class",
        )
    return codes


def feature_columns(table: pa.Table) -> Schema:
    """Return the schema of features without a target: kinds are inferred, useless columns dropped."""
    kinds = {name: infer_kind(table.column(name)) for name in table.column_names}
    columns = tuple(
        _column(table.column(name), name=name, kind=kind, role=None, asked=False) for name, kind in kinds.items()
    )
    _require_finite_features(table, columns)
    return Schema(columns, "", "classification")


def group_codes(table: pa.Table, schema: Schema) -> np.ndarray[Any, Any] | None:
    """Return int64 codes [rows] of the rows' groups, None without a group column; unknown groups share one code."""
    name = next((column.name for column in schema.columns if column.role == "group"), None)
    if name is None or name not in table.column_names:
        return None
    encoded = pc.fill_null(table.column(name).cast(pa.string()), "").combine_chunks().dictionary_encode()
    return np.asarray(encoded.indices.to_numpy(), dtype=np.int64)


def _require_finite_features(table: pa.Table, columns: Iterable[Column]) -> None:
    for column in columns:
        if column.role == "feature" and column.kind == "number":
            require_finite(numbers_of(table.column(column.name), name=column.name), name=column.name)


def _require_free(name: str, special: Mapping[str, Role]) -> None:
    if name in special:
        raise BadInput(
            "a column must have only one role",
            found=f"{name!r}, which is already the {special[name]} column",
            remedy="Choose another column",
        )


def _require_kinds(types: Mapping[str, str]) -> None:
    for name, kind in types.items():
        if kind not in TYPES:
            raise BadInput(f"a type must be one of {', '.join(TYPES)}", found=f"{name} = {kind!r}", remedy="Choose one")


def _labelled(table: pa.Table, target: str) -> pa.Table:
    unknown = missing_in(table.column(target))
    if unknown.all():
        raise BadInput(
            "the target must have values",
            found=f"column {target!r} empty in all {table.num_rows} rows",
            remedy="Choose another target",
        )
    rows = table.filter(pa.array(~unknown)) if unknown.any() else table
    if rows.num_rows < FEWEST_ROWS:
        raise BadInput(
            f"DATA must have at least {FEWEST_ROWS} rows with a target",
            found=f"{rows.num_rows} rows",
            remedy="Collect more rows",
        )
    return rows


def _asked_task(task: Task | None, kind: str, *, name: str) -> Task | None:
    """Return the task that the user asked for, or that follows from the type passed for the target."""
    if not kind or kind.startswith("date"):
        return task
    meant: Task = "regression" if kind.startswith("number") else "classification"
    if task not in (None, meant):
        raise BadInput(
            "the type of the target must fit the task",
            found=f"--types {name}={kind} ({meant}) and --task {task}",
            remedy="Remove one of them",
        )
    return meant


def _require_all_numbers(column: pa.ChunkedArray, *, name: str, readings: Mapping[str, Reading]) -> None:
    """Refuse a target of many different numbers that has a few words among them, or is written in several ways."""
    if stored_as(column) != "string" or readings.get(name, Reading()).why.startswith("codes"):
        return
    texts = column.combine_chunks()
    looks = like_numbers(texts)
    share = pc.mean(looks.cast(pa.int8())).as_py() or 0.0
    if share >= MOSTLY and pc.count_distinct(texts.filter(looks)).as_py() > MOST_INTEGER_CLASSES:
        raise BadInput(
            "a target must have numbers in all rows or classes",
            found=f"column {name!r}: {why_text(texts) or 'numbers as text'}",
            remedy=_way_out(texts, readings),
        )


def _way_out(texts: pa.Array, readings: Mapping[str, Reading]) -> str:
    words = few_strays(texts)
    if not words:
        return "Correct the file, or pass --task classification if these are classes"
    known = {word for reading in readings.values() for word in reading.missing}
    named = " and ".join(map(repr, words))
    means = "means" if len(words) == 1 else "mean"
    return (
        f"Pass {missing_option(known, words)} if {named} {means} missing, correct the values, "
        "or pass --task classification if these are classes"
    )


def _infer_task(column: pa.ChunkedArray, *, name: str, kind: Kind) -> Task:
    stored = stored_as(column)
    if stored == "date" or kind == "date":
        raise BadInput(
            "a target must be a class or a number", found=f"dates in column {name!r}", remedy="Choose another target"
        )
    if kind != "number" or stored == "string":
        return "regression" if kind == "number" else "classification"
    values = column.cast(pa.float64(), safe=False)
    if not pc.all(pc.is_finite(values)).as_py():
        return "regression"  # there the message names the place of the infinite value
    distinct = pc.count_distinct(values, mode="only_valid").as_py()
    if distinct == 2:
        return "classification"
    # Whole numbers are classes however they are stored: in 1.0 a program may have added the point.
    whole = pc.all(pc.equal(pc.floor(values), values)).as_py()
    return "classification" if whole and distinct <= MOST_INTEGER_CLASSES else "regression"


def _classes(column: pa.ChunkedArray, *, name: str, spellings: Spellings | None) -> tuple[dict[str, int], ClassKind]:
    """Return the classes in order, with their rows and the kind of their values."""
    stored = stored_as(column)
    counts = {each["values"]: each["counts"] for each in pc.value_counts(texts_of(column)).to_pylist()}
    counts.pop(None, None)
    if spellings != "keep" and stored == "string":
        counts = _by_spelling(counts, name=name, merge=spellings == "merge")
    if len(counts) < 2:
        (only, *_) = counts
        raise BadInput(
            "a target must have at least two classes",
            found=f"only {only!r} in column {name!r}",
            remedy="Choose another target, or add rows of another class",
        )
    if stored in ("integer", "float"):
        whole = all(text.lstrip("-").isdigit() for text in counts)
        return dict(sorted(counts.items(), key=lambda each: float(each[0]))), "integer" if whole else "string"
    return dict(sorted(counts.items())), "boolean" if stored == "boolean" else "string"


def _by_spelling(counts: Mapping[str, int], *, name: str, merge: bool) -> dict[str, int]:
    """Return the rows of each class, joining spellings that differ only by case or blanks under the most frequent."""
    alike: dict[str, list[str]] = {}
    for text in sorted(counts, key=lambda text: (-counts[text], text)):
        alike.setdefault(_spelling(text), []).append(text)
    several = [texts for texts in alike.values() if len(texts) > 1]
    if several and not merge:
        shown = "; ".join(
            " ".join(f"{_visibly(text, texts)} ({counts[text]:,})" for text in texts) for texts in several[:5]
        )
        raise BadInput(
            f"classes of {name!r} must not differ only by case, blanks or the way in which accents are stored",
            found=shown,
            remedy="Pass --spellings merge if these are one class, or --spellings keep if they are different classes",
        )
    return {texts[0]: sum(counts[text] for text in texts) for texts in alike.values()}


def _visibly(text: str, others: Sequence[str]) -> str:
    """Return the text in quotes, with escapes if it looks like another one."""
    alike = [unicodedata.normalize("NFC", other) for other in others].count(unicodedata.normalize("NFC", text)) > 1
    hidden = any(unicodedata.category(each) == "Cf" for each in text)
    return ascii(text) if alike or hidden else repr(text)


def _spelling(text: str) -> str:
    """Return a class without case, blanks and invisible characters, with composed accents."""
    composed = unicodedata.normalize("NFKC", unicodedata.normalize("NFKC", text).casefold())
    return "".join(each for each in composed if not each.isspace() and unicodedata.category(each) != "Cf")


def with_merged_classes(table: pa.Table, schema: Schema) -> pa.Table:
    """Return the rows with one spelling for each class, if the user asked for that."""
    if schema.spellings != "merge" or schema.target not in table.column_names or schema.class_kind != "string":
        return table
    classes = {_spelling(name): name for name in schema.classes}
    encoded = texts_of(table.column(schema.target)).combine_chunks().dictionary_encode()
    levels = [classes.get(_spelling(text), text) for text in encoded.dictionary.to_pylist()]
    merged = pa.array(levels, pa.string()).take(encoded.indices)
    return table.set_column(table.column_names.index(schema.target), schema.target, merged)


def _column(column: pa.ChunkedArray, *, name: str, kind: Kind, role: Role | None, asked: bool) -> Column:
    stored = stored_as(column)
    if role is not None:
        return Column(name, kind, role, "", stored)
    note = "asked" if asked else reason_to_drop(column, name=name, kind=kind)
    return Column(name, kind, "dropped" if note else "feature", note, stored)
