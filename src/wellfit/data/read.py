"""Files and data frames read into Arrow tables, with one notion of missing and one message for each bad input."""

from __future__ import annotations

import csv
import hashlib
import io
import os
import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any
from urllib.parse import unquote

import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.csv
import pyarrow.feather
import pyarrow.parquet as pq

from wellfit.data.containers import Container, Source, container_of, files_of, source_of
from wellfit.data.dialect import BLANKS, DETECTED, CsvFormat, Dialect, detect_dialect, ragged_row, rows_of
from wellfit.data.frames import checked, column_names, normalized, require_unique, table_of_frame
from wellfit.data.hashing import row_hashes
from wellfit.data.missing import IN_FRAMES, Missing
from wellfit.data.numerals import DECIMALS
from wellfit.data.readings import Reading, Unlike, Wishes, read_as, read_columns
from wellfit.data.schema import Column, Schema, require_columns, with_merged_classes
from wellfit.exceptions import BadInput

BATCH_ROWS = 65_536
NEW_COLUMNS = "new rows must have the columns on which the network was trained"
_DAMAGE = (pa.ArrowException, OSError, UnicodeDecodeError)
_RULE = re.compile(r"(:?-{2,}:?)?")
_HIVE_NULL = "__HIVE_DEFAULT_PARTITION__"
SWALLOWED_LINES = 12  # a value of this many lines, most of them like rows, began with a quote that was never closed


@dataclass(frozen=True)
class Table:
    """The rows as an Arrow table, their source, and the files that were left out, with the reasons.

    `readings` says how columns were read; `written` is the format of a text file; `missing` holds the words for a
    missing value.
    """

    frame: pa.Table
    source: Source
    skipped: Mapping[str, str] = field(default_factory=dict)
    readings: Mapping[str, Reading] = field(default_factory=dict)
    written: Dialect | None = None
    missing: Missing = IN_FRAMES


def read_table(
    source: Any,
    *,
    name: str = "DATA",
    csv_format: CsvFormat = DETECTED,
    wishes: Wishes | None = None,
    drop: Sequence[str] = (),
    schema: Schema | None = None,
) -> Table:
    """Read a file, a folder or several files, or accept a mapping of columns, a list of rows, or any data frame.

    Text is read by `wishes`, or as `schema` says it was read before; without either, text in a frame stays text.
    Columns in `drop` may have any type. Messages call a source without a path `name`. Raises BadInput for a missing,
    empty or binary file, a header without rows, ragged rows, repeated column names and nested values.
    """
    if schema is not None and schema.no_header and csv_format.no_header is None:
        csv_format = replace(csv_format, no_header=True)
    if not _is_path(source):
        frame = checked(table_of_frame(source, name=name, drop=drop), name=name, drop=drop)
        digest = hashlib.sha256(row_hashes(frame).tobytes()).hexdigest()
        raw = Table(frame, Source(None, frame.nbytes, 0.0, digest))
        return raw if wishes is None and schema is None else _read(raw, wishes, csv_format, schema=schema, name=name)
    paths = files_of(source, name=name)
    known = () if schema is None else schema.feature_names
    parts = [_raw(path, csv_format, name=name, known=known) for path in paths]
    above = _above(source, paths)
    parts = [
        (_with(_said_by_folders(path, above, schema=schema), part), dialect)
        for (part, dialect), path in zip(parts, paths, strict=True)
    ]
    frame = checked(_joined([part for part, _ in parts], paths), name=str(source), drop=drop)
    written = next((dialect for _, dialect in parts if dialect), None)
    missing = csv_format.missing_words if written else IN_FRAMES
    raw = Table(frame, source_of(source, paths), written=written, missing=missing)
    return _read(raw, wishes, csv_format, schema=schema, name=name)


def is_several(source: Any) -> bool:
    """Return True for a list of files."""
    return (
        not isinstance(source, str)
        and isinstance(source, Sequence)
        and bool(source)
        and all(isinstance(one, str | Path) for one in source)
    )


def _is_path(source: Any) -> bool:
    return isinstance(source, str | Path) or is_several(source)


def _read(raw: Table, wishes: Wishes | None, csv_format: CsvFormat, *, schema: Schema | None, name: str) -> Table:
    if schema is not None:
        return replace(raw, frame=as_split(raw.frame, schema, csv_format, rows=RowsOf(name)))
    missing = csv_format.missing_words if csv_format.missing is not None else raw.missing
    wishes = replace(wishes or Wishes(), missing=missing, decimal=csv_format.decimal, thousands=csv_format.thousands)
    frame, readings = read_columns(raw.frame, wishes)
    return replace(raw, frame=frame, readings=readings, missing=missing)


@dataclass(frozen=True)
class RowsOf:
    """The source of rows, and how many were read before, for messages."""

    name: str
    before: int = 0


def as_split(
    frame: pa.Table, schema: Schema, csv_format: CsvFormat = DETECTED, *, rows: RowsOf = RowsOf("the rows")
) -> pa.Table:
    """Read columns as they were read at the split; words for missing values and signs passed now prevail."""
    missing = schema.missing if csv_format.missing is None else csv_format.missing_words
    known = {column.name: column for column in schema.columns if column.role not in ("dropped", "picture")}
    columns = []
    for name, values in zip(frame.column_names, frame.columns, strict=True):
        if name in known:
            column = known[name]
            reading = _signed(column.reading, csv_format) if column.stored in ("integer", "float") else column.reading
            try:
                read = read_as(values, stored=column.stored, reading=reading, missing=missing)
            except Unlike as error:
                raise _unlike(error, column=column, rows=rows) from error
            columns.append(read)
        else:
            columns.append(values)
    return with_merged_classes(pa.table(columns, names=frame.column_names), schema)


def _signed(reading: Reading, csv_format: CsvFormat) -> Reading:
    """Return the reading of numbers with the signs that were passed; a sign kept from the split gives way to them."""
    decimal = csv_format.decimal or reading.decimal
    if decimal == csv_format.thousands:
        decimal = next(sign for sign in DECIMALS.values() if sign != decimal)
    thousands = csv_format.thousands or ("" if reading.thousands == decimal else reading.thousands)
    return replace(reading, decimal=decimal, thousands=thousands)


def _unlike(error: Unlike, *, column: Column, rows: RowsOf) -> BadInput:
    return BadInput(
        f"a column must have values of the same type as in training: {error.wanted}",
        found=f"column {column.name!r}: {error.text!r} in row {rows.before + error.row + 1} of {rows.name}",
        remedy="Correct the value, or leave it empty where it is missing",
    )


def read_batches(
    source: Any, *, schema: Schema, rows: int = BATCH_ROWS, csv_format: CsvFormat = DETECTED
) -> Iterator[pa.Table]:
    """Yield the feature columns of new rows in order, at most `rows` at a time, in constant memory for files."""
    if schema.no_header and csv_format.no_header is None:
        csv_format = replace(csv_format, no_header=True)
    if not _is_path(source):
        unread = [column.name for column in schema.columns if column.role != "feature"]
        frame = read_table(source, name="NEW", drop=unread).frame
        require_columns(frame.column_names, schema.feature_names, rule=NEW_COLUMNS)
        frame = as_split(frame.select(list(schema.feature_names)), schema, csv_format, rows=RowsOf("NEW"))
        for start in range(0, frame.num_rows, rows):
            yield frame.slice(start, rows)
        return
    for path in files_of(source, name="NEW"):
        before = 0
        said = _said_by_folders(path, path.parent, schema=schema)
        for batch in _batches(container_of(path, name="NEW"), schema, rows=rows, csv_format=csv_format, said=said):
            table = as_split(normalized(batch), schema, csv_format, rows=RowsOf(str(path), before))
            before += table.num_rows
            for start in range(0, table.num_rows, rows):
                yield table.slice(start, rows)


def _batches(
    container: Container, schema: Schema, *, rows: int, csv_format: CsvFormat, said: Mapping[str, str | None]
) -> Iterator[pa.Table]:
    """Yield the feature columns of one file; those that only the names of its folders give are in `said`."""
    features = list(schema.feature_names)
    if container.kind == "parquet":
        file = _open_parquet(container)
        present = file.schema_arrow.names
        require_columns([*present, *said], features, rule=NEW_COLUMNS)
        read = [name for name in features if name in present]
        for batch in _parquet_batches(file, container, rows=rows, columns=read):
            yield _with(said, pa.Table.from_batches([batch])).select(features)
    elif container.kind == "text":
        for table in _csv_batches(container, csv_format, schema=schema, said=said):
            yield table.select(features)
    else:
        frame = _with(said, _named(_whole(container), container.path))
        require_columns(frame.column_names, features, rule=NEW_COLUMNS)
        yield frame.select(features)


def _raw(path: Path, csv_format: CsvFormat, *, name: str, known: Sequence[str]) -> tuple[pa.Table, Dialect | None]:
    """Return the columns of a file; those of a text file stay text, to be read with those of other files."""
    container = container_of(path, name=name)
    if container.kind != "text":
        return _named(_whole(container), path), None
    dialect = detect_dialect(container, csv_format, known=known)
    names = require_unique(column_names(dialect.names), name=str(path))
    try:
        frame = pa.csv.read_csv(_text_of(container, dialect), **_options(dialect))
    except pa.ArrowInvalid as error:
        raise _unreadable(container, dialect, error) from error
    if dialect.quoted and _has_long_values(frame):
        _require_closed_quotes(container, dialect)
    if dialect.header:
        _require_one_header(frame, container, dialect)
    _require_no_rule(frame, container)
    return frame.rename_columns(names), dialect


def _require_one_header(frame: pa.Table, container: Container, dialect: Dialect, *, before: int = 0) -> None:
    """Refuse files that were put one behind the other with their headers; `before` counts the rows read earlier."""
    same = pc.equal(frame.column(0), dialect.names[0])
    for name, column in zip(dialect.names[1:], frame.columns[1:], strict=True):
        if not pc.any(same).as_py():
            return
        same = pc.and_(same, pc.equal(column, name))
    if len(dialect.names) > 1 and pc.any(same).as_py():
        raise BadInput(
            "a text file must name its columns once",
            found=f"{container.path} repeats the names in row {before + pc.index(same, True).as_py() + 1}",
            remedy="Remove that line, or give the files one by one",
        )


def _require_no_rule(frame: pa.Table, container: Container) -> None:
    """Refuse a line of dashes below the names, as in tables of Markdown and of databases."""
    cells = [(column[0].as_py() or "").strip() for column in frame.columns] if frame.num_rows else []
    # Cells of two dashes alone are missing values.
    is_rule = any("---" in cell or ":" in cell for cell in cells)
    if len(cells) > 1 and is_rule and all(_RULE.fullmatch(cell) for cell in cells):
        raise BadInput(
            "the line below the names must be a row",
            found=f"a rule of dashes in {container.path}",
            remedy="Remove that line",
        )


def _whole(container: Container) -> pa.Table:
    """Return the columns of a file whose columns have types."""
    try:
        if container.kind == "parquet":
            frame = _open_parquet(container).read()
        else:
            frame = pa.feather.read_table(container.seekable())
        frame.validate(full=True)  # Arrow reads text that is not UTF-8 without a word, and fails where it is used
    except _DAMAGE as error:
        raise _broken(container, error) from error
    return frame


def _open_parquet(container: Container) -> pq.ParquetFile:
    try:
        file = pq.ParquetFile(container.seekable())
        _ = file.schema_arrow.names  # decodes them
    except _DAMAGE as error:
        raise _broken(container, error) from error
    return file


def _parquet_batches(
    file: pq.ParquetFile, container: Container, *, rows: int, columns: list[str]
) -> Iterator[pa.RecordBatch]:
    try:
        for batch in file.iter_batches(batch_size=rows, columns=columns):
            batch.validate(full=True)
            yield batch
    except _DAMAGE as error:
        raise _broken(container, error) from error


def _broken(container: Container, error: Exception) -> BadInput:
    return BadInput(
        f"a {container.kind.title()} file must be complete",
        found=f"{container.path}: {str(error).splitlines()[0]}",
        remedy="Write the file again",
    )


def _above(source: Any, paths: Sequence[Path]) -> Path:
    """Return the folder below which the names of folders give columns: the one passed, or that above all files."""
    if isinstance(source, str | Path) and Path(source).is_dir():
        return Path(source)
    return Path(os.path.commonpath(map(_full, paths))) if len(paths) > 1 else paths[0].parent


def _said_by_folders(path: Path, above: Path, *, schema: Schema | None = None) -> dict[str, str | None]:
    """Return the columns that the names of folders give, as Hive writes them: year=2024/part-0.parquet.

    Later rows may lie in one such folder alone: then all folders count, for the columns of `schema`.
    """
    within = _full(path).relative_to(_full(above)) if schema is None else _full(path)
    parts = (part.partition("=") for part in within.parts[:-1])
    said = {name: None if value == _HIVE_NULL else unquote(value) for name, sign, value in parts if name and sign}
    return (
        said if schema is None else {name: said[name] for name in said.keys() & {each.name for each in schema.columns}}
    )


def _full(path: Path) -> Path:
    """Return the absolute path as it was typed: links may lie in folders with other names."""
    return Path(os.path.normpath(path.absolute()))


def _with(said: Mapping[str, str | None], frame: pa.Table) -> pa.Table:
    """Return the rows with the columns given by folders, unless the file itself has them."""
    for name, value in said.items():
        if name not in frame.column_names:
            frame = frame.append_column(name, pa.array([value] * frame.num_rows, pa.string()))
    return frame


def _joined(parts: Sequence[pa.Table], paths: Sequence[Path]) -> pa.Table:
    """Return the rows of several files with the same columns, in any order."""
    first = parts[0]
    for part, path in zip(parts, paths, strict=True):
        if set(part.column_names) != set(first.column_names):
            other = sorted(set(part.column_names) ^ set(first.column_names))
            raise BadInput(
                "several files must have the same columns",
                found=f"{', '.join(map(repr, other[:5]))} in only one of {paths[0]} and {path}",
                remedy="Leave out one of the files, or give both the same columns",
            )
    try:
        return pa.concat_tables([part.select(first.column_names) for part in parts], promote_options="permissive")
    except pa.ArrowException as error:
        raise BadInput(
            "a column must have the same type in all files",
            found=str(error).splitlines()[0],
            remedy="Write the files with the same types",
        ) from error


def _options(dialect: Dialect) -> dict[str, Any]:
    """Return Arrow's three kinds of options for a text file: every cell stays as written."""
    encoding = "utf8" if dialect.encoding.startswith("utf-8") or dialect.delimiter == BLANKS else dialect.encoding
    types = dict.fromkeys(dialect.names, pa.string())
    names = {} if dialect.header else {"column_names": [f"{place}" for place in range(len(dialect.names))]}
    if names:
        types = dict.fromkeys(names["column_names"], pa.string())
    skip = 0 if dialect.delimiter == BLANKS else dialect.skip
    return {
        "read_options": pa.csv.ReadOptions(encoding=encoding, skip_rows=skip, **names),
        "parse_options": pa.csv.ParseOptions(
            delimiter="\t" if dialect.delimiter == BLANKS else dialect.delimiter, newlines_in_values=dialect.quoted
        ),
        "convert_options": pa.csv.ConvertOptions(column_types=types),
    }


def _text_of(container: Container, dialect: Dialect) -> Any:
    """Return the source for Arrow: the file, its bytes, or (if blanks separate fields) its rows with tabs."""
    if dialect.delimiter != BLANKS:
        return container.seekable()
    text = io.StringIO()
    writer = csv.writer(text, delimiter="\t", lineterminator="\n")
    if dialect.header:
        writer.writerow(dialect.names)
    writer.writerows(row for _, row in rows_of(container, dialect) if row)
    return io.BytesIO(text.getvalue().encode())


def _csv_batches(
    container: Container, csv_format: CsvFormat, *, schema: Schema, said: Mapping[str, str | None]
) -> Iterator[pa.Table]:
    """Yield the columns of a text file, with the checks that `_raw` makes."""
    known = [name for name in schema.feature_names if name not in said]
    dialect = detect_dialect(container, csv_format, known=known)
    names = require_unique(column_names(dialect.names), name=str(container.path))
    require_columns([*names, *said], schema.feature_names, rule=NEW_COLUMNS)
    before, may_swallow = 0, dialect.quoted
    try:
        for batch in pa.csv.open_csv(_text_of(container, dialect), **_options(dialect)):
            frame = pa.Table.from_batches([batch])
            if may_swallow and _has_long_values(frame):
                _require_closed_quotes(container, dialect)
                may_swallow = False  # the whole file was checked
            if dialect.header:
                _require_one_header(frame, container, dialect, before=before)
            if not before:
                _require_no_rule(frame, container)
            before += frame.num_rows
            yield _with(said, frame.rename_columns(names))
    except pa.ArrowInvalid as error:
        raise _unreadable(container, dialect, error) from error


def _unreadable(container: Container, dialect: Dialect, error: pa.ArrowInvalid) -> BadInput:
    path = container.path
    try:
        if opened := _open_quote(container, dialect):
            return opened
        ragged = ragged_row(container, dialect)
    except csv.Error:
        ragged = None
    if ragged:
        line, got, expected = ragged
        return BadInput(
            "every row must have as many fields as the header",
            found=f"{path}, line {line}: {got} fields, but the header has {expected}",
            remedy="Correct the line, quote the value that contains the delimiter, or remove the line if it is a note",
        )
    return BadInput(
        "a CSV file must be readable",
        found=f"{path}: {str(error).splitlines()[0]}",
        remedy="Correct the file, or pass --delimiter or --encoding",
    )


def _has_long_values(frame: pa.Table) -> bool:
    longest = max((pc.max(pc.count_substring(column, "\n")).as_py() or 0) for column in frame.columns)
    return bool(longest >= SWALLOWED_LINES)


def _require_closed_quotes(container: Container, dialect: Dialect) -> None:
    if found := _open_quote(container, dialect):
        raise found


def _open_quote(container: Container, dialect: Dialect) -> BadInput | None:
    """Return the message for an open quote that swallowed rows, with the line where it began; None if there is none."""
    fields = len(dialect.names) - 1
    for start, row in rows_of(container, dialect):
        for cell in row:
            lines = cell.split("\n")
            if len(lines) <= SWALLOWED_LINES:
                continue
            alike = sum(line.count(dialect.delimiter) == fields for line in lines[1:-1])
            if alike > len(lines) / 2:
                return BadInput(
                    "a quoted value must end with a quote",
                    found=f"a value of {len(lines)} lines in {container.path} that begins in line {start}",
                    remedy=f"Close the quote in line {start}, or double a quote that belongs to a value",
                )
    return None


def _named(frame: pa.Table, path: Path) -> pa.Table:
    return frame.rename_columns(require_unique(column_names(frame.column_names), name=str(path)))
