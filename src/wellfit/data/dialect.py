"""How a CSV file is written: encoding, delimiter, decimal sign, quotes; detected from the file itself."""

from __future__ import annotations

import codecs
import csv
import io
import re
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import TypedDict

from wellfit.exceptions import BadInput

DELIMITERS = (",", ";", "\t", "|")
SAMPLE_BYTES = 1 << 18
SAMPLE_ROWS = 200
BLOCK_BYTES = 1 << 24
# Text has next to no control characters but line ends and tabs.
CONTROL_SHARE = 0.02

_CONTROL = bytes(code for code in range(32) if code not in b"\t\n\r\f\x1a")
_DECIMAL_COMMA = re.compile(r"[-+]?\d*,\d+([eE][-+]?\d+)?")
_DECIMAL_POINT = re.compile(r"[-+]?\d*\.\d+([eE][-+]?\d+)?")


class FormatArguments(TypedDict, total=False):
    """The fields of a `CsvFormat`, as arguments."""

    delimiter: str | None
    decimal: str | None
    encoding: str | None


@dataclass(frozen=True, kw_only=True)
class CsvFormat:
    """The user's words about how CSV files are written; None is detected. `encoding` is a codec that Python knows."""

    delimiter: str | None = None
    decimal: str | None = None
    encoding: str | None = None

    def __post_init__(self) -> None:
        if self.delimiter in ("\\t", "tab"):  # a shell hands on no tab easily
            object.__setattr__(self, "delimiter", "\t")
        for option, sign in (("delimiter", self.delimiter), ("decimal", self.decimal)):
            if sign is not None and (len(sign) != 1 or sign.isalnum() or sign in '"\n\r'):
                raise BadInput(f"--{option} must be one sign", found=repr(sign), remedy="Give one, such as ';' or ','")
        if self.decimal is not None and self.decimal == self.delimiter:
            raise BadInput(
                "--decimal and --delimiter must differ", found=f"{self.decimal!r} for both", remedy="Change one of them"
            )


DETECTED = CsvFormat()
_MARKS = ((codecs.BOM_UTF8, "utf-8-sig"), (codecs.BOM_UTF16_LE, "utf-16"), (codecs.BOM_UTF16_BE, "utf-16"))


@dataclass(frozen=True)
class Dialect:
    """How a CSV file is written; `quoted` says whether any quote occurs, so that line ends may lie inside values."""

    encoding: str
    delimiter: str
    decimal: str
    quoted: bool


def detect_dialect(path: Path, csv_format: CsvFormat = DETECTED) -> Dialect:
    """Detect all that is not given; BadInput for a binary file, an unknown encoding, or text that is not in it."""
    with path.open("rb") as file:
        head = file.read(SAMPLE_BYTES)
    marked = next((encoding for mark, encoding in _MARKS if head.startswith(mark)), None)
    encoding = _known(csv_format.encoding) if csv_format.encoding else marked
    if encoding is None or not encoding.startswith("utf-16"):
        _require_text(head, path=path)
    encoding, quoted = _scan(path, encoding)
    text = codecs.getincrementaldecoder(encoding)(errors="ignore").decode(head)
    lines = [line for line in io.StringIO(text) if line.strip()]
    complete = lines[:-1] if len(head) == SAMPLE_BYTES else lines
    rows = complete[:SAMPLE_ROWS]
    delimiter = csv_format.delimiter or _detect_delimiter(rows)
    decimal = csv_format.decimal or _detect_decimal(rows, delimiter=delimiter)
    return Dialect(encoding, delimiter, decimal, quoted)


def ragged_row(path: Path, dialect: Dialect) -> tuple[int, int, int] | None:
    """(line, fields found, fields in the header) of the first row that does not fit the header."""
    with path.open(encoding=dialect.encoding, newline="") as file:
        reader = csv.reader(file, delimiter=dialect.delimiter)
        header = next(reader, [])
        start = reader.line_num + 1
        for row in reader:
            if row and len(row) != len(header):
                return start, len(row), len(header)
            start = reader.line_num + 1
    return None


def _known(encoding: str) -> str:
    try:
        return codecs.lookup(encoding).name
    except LookupError as error:
        raise BadInput(
            "the encoding must be one that Python knows", found=repr(encoding), remedy="Use utf-8 or latin-1"
        ) from error


def _require_text(head: bytes, *, path: Path) -> None:
    controls = len(head) - len(head.translate(None, _CONTROL))
    if b"\0" in head or controls > CONTROL_SHARE * len(head):
        raise BadInput(
            "DATA must be a CSV or Parquet file",
            found=f"a binary file, {path}",
            remedy="Export the table as CSV (UTF-8) or Parquet",
        )


def _scan(path: Path, encoding: str | None) -> tuple[str, bool]:
    """Return the encoding that fits the whole file, and whether the file has quotes."""
    for candidate in (encoding,) if encoding else ("utf-8", "latin-1"):
        try:
            return candidate, any('"' in text for text in _decoded(path, candidate))
        except UnicodeDecodeError as error:
            reason = error
    raise BadInput(
        f"{path} must be text in {encoding}",
        found=f"byte {reason.object[reason.start]:#04x}",
        remedy="Give the right --encoding, for example latin-1",
    ) from reason


def _decoded(path: Path, encoding: str) -> Iterator[str]:
    decoder = codecs.getincrementaldecoder(encoding)()
    with path.open("rb") as file:
        while block := file.read(BLOCK_BYTES):
            yield decoder.decode(block)
    yield decoder.decode(b"", final=True)


def _detect_delimiter(lines: list[str]) -> str:
    """The sign that splits most rows into as many fields as the header; of equals, the one with most fields."""

    def quality(delimiter: str) -> tuple[float, int]:
        widths = [len(row) for row in csv.reader(lines, delimiter=delimiter) if row]
        if not widths or widths[0] == 1:
            return 0.0, 0
        return sum(width == widths[0] for width in widths) / len(widths), widths[0]

    return max(DELIMITERS, key=quality)


def _detect_decimal(lines: list[str], *, delimiter: str) -> str:
    if delimiter == ",":
        return "."
    cells = [cell.strip() for row in csv.reader(lines[1:], delimiter=delimiter) for cell in row]
    commas = sum(_DECIMAL_COMMA.fullmatch(cell) is not None for cell in cells)
    points = sum(_DECIMAL_POINT.fullmatch(cell) is not None for cell in cells)
    return "," if commas > points else "."
