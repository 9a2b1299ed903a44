"""Files and data frames -> Arrow tables, with one notion of missing and one message for each bad input."""

from __future__ import annotations

import csv
import hashlib
import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import narwhals as nw
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.csv
import pyarrow.parquet as pq
from narwhals.exceptions import NarwhalsError

from wellfit.base.serialize import Record
from wellfit.data.dialect import DETECTED, CsvFormat, Dialect, detect_dialect, ragged_row
from wellfit.data.hashing import row_hashes
from wellfit.data.schema import Schema, require_columns
from wellfit.exceptions import BadInput

MISSING_WORDS = ("", "NA", "N/A", "n/a", "#N/A", "NaN", "nan", "NULL", "null", "<NA>", "?")
BATCH_ROWS = 65_536
NEW_COLUMNS = "new rows must have the columns that the network was trained on"
_PARQUET_MAGIC = b"PAR1"


@dataclass(frozen=True)
class Source(Record):
    """Where a table came from: file, size and time of it; or, for a data frame, the SHA-256 of its row hashes."""

    path: str | None
    bytes: int
    modified: float
    sha256: str | None = None


@dataclass(frozen=True)
class Table:
    """The rows as an Arrow table, where they came from, and the files to leave out, with the reasons."""

    frame: pa.Table
    source: Source
    skipped: Mapping[str, str] = field(default_factory=dict)


def read_table(source: Any, *, name: str = "DATA", csv_format: CsvFormat = DETECTED) -> Table:
    """Read a CSV or Parquet file, or take a mapping of columns, a list of rows, or any data frame that narwhals knows.

    Messages call a source without a path `name`. Raises BadInput for no file, a folder, an empty or binary file, a
    header only, ragged rows, equal column names and nested values.
    """
    if isinstance(source, str | Path):
        path = _existing(Path(source), name=name)
        frame = _open_parquet(path).read() if _is_parquet(path) else _read_csv(path, csv_format)
        stat = path.stat()
        return Table(_checked(frame, name=str(path)), Source(str(path.resolve()), stat.st_size, stat.st_mtime))
    frame = _checked(_from_frame(source, name=name), name=name)
    digest = hashlib.sha256(row_hashes(frame).tobytes()).hexdigest()
    return Table(frame, Source(None, frame.nbytes, 0.0, digest))


def read_batches(
    source: Any, *, schema: Schema, rows: int = BATCH_ROWS, csv_format: CsvFormat = DETECTED
) -> Iterator[pa.Table]:
    """Yield the feature columns of new rows in order, `rows` at a time at most, in constant memory for files."""
    if not isinstance(source, str | Path):
        frame = read_table(source, name="NEW").frame
        require_columns(frame.column_names, schema.feature_names, rule=NEW_COLUMNS)
        for start in range(0, frame.num_rows, rows):
            yield frame.slice(start, rows)
        return
    path = _existing(Path(source), name="NEW")
    batches = _parquet_batches(path, schema, rows) if _is_parquet(path) else _csv_batches(path, schema, csv_format)
    for batch in batches:
        table = _normalized(pa.Table.from_batches([batch]))
        for start in range(0, table.num_rows, rows):
            yield table.slice(start, rows)


def _existing(path: Path, *, name: str) -> Path:
    if path.is_dir():
        raise BadInput(
            f"{name} must be a file",
            found=f"a folder without pictures (.png, .jpg), {path}",
            remedy="Give a CSV or Parquet file; or, of pictures, a folder with a folder for each class",
        )
    if not path.is_file():
        raise BadInput(f"{name} must exist", found=f"no file {path}", remedy="Check the path")
    with path.open("rb") as file:
        if not file.read(4096).strip():
            raise BadInput(
                f"{name} must be a table", found=f"an empty file, {path}", remedy="Give a file with a header and rows"
            )
    return path


def _is_parquet(path: Path) -> bool:
    with path.open("rb") as file:
        return file.read(len(_PARQUET_MAGIC)) == _PARQUET_MAGIC


def _open_parquet(path: Path) -> pq.ParquetFile:
    try:
        return pq.ParquetFile(path)
    except (pa.ArrowInvalid, OSError) as error:
        raise BadInput(
            "a Parquet file must be whole", found=f"{path}: {error}", remedy="Write the file again"
        ) from error


def _parquet_batches(path: Path, schema: Schema, rows: int) -> Iterator[pa.RecordBatch]:
    file = _open_parquet(path)
    require_columns(file.schema_arrow.names, schema.feature_names, rule=NEW_COLUMNS)
    yield from file.iter_batches(batch_size=rows, columns=list(schema.feature_names))


def _options(dialect: Dialect, **columns: Any) -> dict[str, Any]:
    """Return Arrow's three kinds of options for a CSV file."""
    encoding = "utf8" if dialect.encoding.startswith("utf-8") else dialect.encoding
    return {
        "read_options": pa.csv.ReadOptions(encoding=encoding),
        "parse_options": pa.csv.ParseOptions(delimiter=dialect.delimiter, newlines_in_values=dialect.quoted),
        "convert_options": pa.csv.ConvertOptions(
            null_values=[*MISSING_WORDS, *(f" {word}" for word in MISSING_WORDS)],
            strings_can_be_null=True,
            decimal_point=dialect.decimal,
            **columns,
        ),
    }


def _read_csv(path: Path, csv_format: CsvFormat) -> pa.Table:
    dialect = detect_dialect(path, csv_format)
    try:
        return pa.csv.read_csv(path, **_options(dialect))
    except pa.ArrowInvalid as error:
        raise _unreadable(path, dialect, error) from error


def _csv_batches(path: Path, schema: Schema, csv_format: CsvFormat) -> Iterator[pa.RecordBatch]:
    dialect = detect_dialect(path, csv_format)
    with path.open(encoding=dialect.encoding, newline="") as text:
        header = next(row for row in csv.reader(text, delimiter=dialect.delimiter) if row)
    written = {name.strip(): name for name in header}
    require_columns(list(written), schema.feature_names, rule=NEW_COLUMNS)
    types = {written[column.name]: _CSV_TYPES.get(column.stored, pa.string()) for column in schema.features}
    try:
        options = _options(dialect, column_types=types, include_columns=list(types))
        for batch in pa.csv.open_csv(path, **options):
            yield batch.rename_columns(list(schema.feature_names))
    except pa.ArrowInvalid as error:
        raise _of_another_type(path, list(written), error) or _unreadable(path, dialect, error) from error


# Dates and text stay text: a batch must not guess types that another batch contradicts.
_CSV_TYPES: Mapping[str, pa.DataType] = {
    "integer": pa.float64(),
    "float": pa.float64(),
    "boolean": pa.bool_(),
    "time": pa.time32("s"),
}


def _of_another_type(path: Path, names: Sequence[str], error: pa.ArrowInvalid) -> BadInput | None:
    """Return the message for a value of another type than its column's; Arrow counts the columns from 0."""
    told = _CONVERSION.match(str(error))
    if told is None:
        return None
    return BadInput(
        "a column must have values of the type that it had in training",
        found=f"{path}, column {names[int(told['place'])]!r}: {told['value']}",
        remedy="Correct the value, or leave it empty where it is missing",
    )


_CONVERSION = re.compile(
    r"In CSV column #(?P<place>\d+): (?:Row #\d+: )?CSV conversion error.*invalid value (?P<value>'.*')"
)


def _unreadable(path: Path, dialect: Dialect, error: pa.ArrowInvalid) -> BadInput:
    ragged = ragged_row(path, dialect)
    if ragged:
        line, got, expected = ragged
        return BadInput(
            "every row must have as many fields as the header",
            found=f"{path}, line {line}: {got} fields, the header has {expected}",
            remedy="Correct the line, or quote the value that contains the delimiter",
        )
    return BadInput(
        "a CSV file must be readable",
        found=f"{path}: {str(error).splitlines()[0]}",
        remedy="Correct the file, or give --delimiter, --decimal or --encoding",
    )


def _from_frame(source: Any, *, name: str) -> pa.Table:
    try:
        if isinstance(source, pa.Table):
            return source
        if isinstance(source, Mapping):
            return pa.Table.from_pydict(dict(source))
        if isinstance(source, Sequence):
            return pa.Table.from_pylist(list(source))
        frame = nw.from_native(source)
        eager = frame.collect() if isinstance(frame, nw.LazyFrame) else frame
        table = eager.rename({column: str(column) for column in eager.columns}).to_arrow()
    except (NarwhalsError, pa.ArrowException, TypeError, AttributeError) as error:
        raise BadInput(
            f"{name} must be a path, or a data frame whose columns have one type each",
            found=f"{type(source).__name__}: {str(error).splitlines()[0]}",
            remedy="Give a CSV or Parquet file, or a pandas, polars or pyarrow frame",
        ) from error
    return table.select([column for column in table.column_names if not column.startswith("__index_level_")])


def _checked(frame: pa.Table, *, name: str) -> pa.Table:
    names = [str(column).strip() for column in frame.column_names]
    repeated = sorted({column for column in names if names.count(column) > 1})
    if repeated:
        raise BadInput(
            "column names must be unique",
            found=f"{', '.join(map(repr, repeated))} more than once in {name}",
            remedy="Rename or remove the repeated columns",
        )
    if frame.num_rows == 0 or not names:
        raise BadInput(f"{name} must have rows", found="a header only", remedy="Give a table with rows")
    return _normalized(frame.rename_columns(names))


def _normalized(frame: pa.Table) -> pa.Table:
    columns = [_normalized_column(column, name) for name, column in zip(frame.column_names, frame.columns, strict=True)]
    return pa.table(columns, names=frame.column_names)


def _normalized_column(column: pa.ChunkedArray, name: str) -> pa.ChunkedArray:
    kind = column.type
    if pa.types.is_dictionary(kind):
        return _normalized_column(column.cast(kind.value_type), name)
    if pa.types.is_nested(kind) or pa.types.is_binary(kind) or pa.types.is_large_binary(kind):
        raise BadInput(
            "a column must contain numbers, text, booleans or dates",
            found=f"column {name!r} of type {kind}",
            remedy="Remove the column, or spread its values over columns",
        )
    if pa.types.is_large_string(kind) or pa.types.is_string_view(kind):
        column = column.cast(pa.string())
    if not pa.types.is_string(column.type):
        return column
    trimmed = pc.utf8_trim_whitespace(column)
    unknown = pc.is_in(trimmed, value_set=pa.array(MISSING_WORDS))
    return pc.if_else(unknown, pa.scalar(None, pa.string()), trimmed)
