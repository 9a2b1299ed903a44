"""The format of a text file (encoding, delimiter, quotes, place of the header), detected from the file itself."""

from __future__ import annotations

import codecs
import csv
import io
import re
from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field, replace
from itertools import pairwise
from pathlib import Path
from typing import TypedDict

from wellfit.base.serialize import OMITTED, Record, omitted_if
from wellfit.data.containers import Container
from wellfit.data.missing import MISSING_WORDS, Missing
from wellfit.data.numerals import PLAIN
from wellfit.exceptions import BadInput

BLANKS = " "
"""Used as a delimiter: any number of blanks."""

DELIMITERS = (",", ";", "\t", "|", "\x01", "^", "~", ":", "!", "#", BLANKS)
WEAK = (BLANKS, ":", "#", "!")
"""Delimiters that also occur inside values; any other character that fits is preferred."""

SAMPLE_BYTES = 1 << 18
MOST_SAMPLE_BYTES = 1 << 26
SAMPLE_LINES = 4
"""A sample with fewer lines than this does not show how rows are written, so it is extended."""
SAMPLE_ROWS = 200
BLOCK_BYTES = 1 << 24
# Text has almost no control characters except line ends and tabs.
CONTROL_SHARE = 0.02
MOST_LINES_BEFORE = 30  # lines before the header
FITTING = 0.9  # share of rows that must have the header's fields if lines before it are left out
_OF_NUMBERS = 0.95  # least share of numbers in a column of numbers, to decide whether it has a name
_FEWEST_BODY = 3  # rows needed to conclude that a header is missing

_CONTROL = bytes(code for code in range(32) if code not in b"\t\n\r\f\x1a")
_NUMBER = re.compile(PLAIN.replace("(?i:inf(?:inity)?)", "inf"))
_WITH_EITHER_SIGN = re.compile(r"[-+]?\d+([.,]\d+)?")
_MOST_SHOWN = 30
# Control characters, the sign for what could not be read, and UTF-8 that was read as cp1252 when it was written. The
# words around them are bounded: a search over one word of a megabyte would take the square of its length.
_GARBAGE = re.compile("\\w{0,40}(?:[\x80-\x9f\ufffd]|Ã[\x80-¿]|â€|Â[\xa0-¿])\\w{0,40}")
# A sign (but for those that people write there: x²y, iPhone®s) or a capital with an accent inside a word,
# and words of such letters alone, as of another alphabet.
_UNLIKELY = re.compile(
    "\\w{0,40}[A-Za-z][¡-¨ª-¬¯±³µ¶¸-¿À-ÞŠŸŒŽ“”‚„†‡ˆ‰‹›ƒ][a-zß-ÿ]\\w{0,40}|[¡-¬®-¿][ß-ÿ]\\w{0,40}|\\w{0,40}[a-zß-ÿ][ŸŠŽŒ]\\b|[¢-ÿŒœŠšŸŽžƒ]{4,}"
)
_CUT = re.compile(r"\n'[^'\n]+\n[^'\n]*'(?:\n|$)")  # fields of a row, one a line: a value in single quotes, cut in two
_SEP = re.compile(r"""["']?sep=(.)["']?\s*""")


class FormatArguments(TypedDict, total=False):
    """The fields of a `CsvFormat`, as keyword arguments."""

    delimiter: str | None
    decimal: str | None
    thousands: str | None
    encoding: str | None
    missing: str | tuple[str, ...] | None
    no_header: bool | None


@dataclass(frozen=True, kw_only=True)
class CsvFormat(Record):
    """The user's options for the format of files; None means detection. `encoding` is a codec that Python knows.

    `missing` holds the words for a missing value, as a sequence or separated by commas; `no_header` says that a text
    file has no line of names (False says that it has one).
    """

    delimiter: str | None = field(default=None, metadata=omitted_if(None))
    decimal: str | None = field(default=None, metadata=omitted_if(None))
    thousands: str | None = field(default=None, metadata=omitted_if(None))
    encoding: str | None = field(default=None, metadata=omitted_if(None))
    missing: str | tuple[str, ...] | None = field(default=None, metadata=omitted_if(None))
    no_header: bool | None = field(default=None, metadata=omitted_if(None))

    def __post_init__(self) -> None:
        if self.delimiter in ("\\t", "tab"):  # passing a tab through a shell is difficult
            object.__setattr__(self, "delimiter", "\t")
        if isinstance(self.missing, str):
            object.__setattr__(self, "missing", tuple(word.strip() for word in self.missing.split(",")))
        elif self.missing is not None:
            object.__setattr__(self, "missing", tuple(self.missing))
        signs = (("delimiter", self.delimiter), ("decimal", self.decimal), ("thousands", self.thousands))
        for option, sign in signs:
            if sign is not None and (len(sign) != 1 or sign.isalnum() or sign in '"\n\r'):
                raise BadInput(
                    f"--{option} must be a single character", found=repr(sign), remedy="Pass one, such as ';' or ','"
                )
        if self.decimal is not None and self.decimal in (self.delimiter, self.thousands):
            other = "delimiter" if self.decimal == self.delimiter else "thousands"
            raise BadInput(
                f"--decimal and --{other} must differ", found=f"{self.decimal!r} for both", remedy="Change one of them"
            )

    @property
    def missing_words(self) -> Missing:
        """Words for a missing value in a text file."""
        return Missing(MISSING_WORDS) if self.missing is None else Missing(tuple(self.missing), asked=True)

    @property
    def for_later(self) -> CsvFormat:
        """The format of later files; signs of numbers are known column by column since the split."""
        return replace(self, decimal=None, thousands=None)


DETECTED = CsvFormat()
_MARKS = ((codecs.BOM_UTF8, "utf-8-sig"), (codecs.BOM_UTF16_LE, "utf-16"), (codecs.BOM_UTF16_BE, "utf-16"))


@dataclass(frozen=True)
class Dialect(Record):
    """The format of a text file.

    Attributes:
        quoted: whether any quote occurs, so that values may contain line ends.
        names: names of the columns, as written; "column 1" and so on in a file without a header.
        skip: number of lines before the names; `header` says whether there is a line with as many names as columns.
        before: text of the lines that are skipped before the names.
        garbled: a word that shows that the encoding is probably a different one.
    """

    encoding: str
    delimiter: str
    quoted: bool
    names: tuple[str, ...] = field(default=(), metadata=OMITTED)
    skip: int = 0
    header: bool = True
    before: tuple[str, ...] = ()
    garbled: str = field(default="", metadata=omitted_if(""))


def detect_dialect(source: Container, csv_format: CsvFormat = DETECTED, *, known: Sequence[str] = ()) -> Dialect:
    """Detect every option not given; BadInput for a binary file, an unknown encoding, or text in a different one.

    `known` holds names that the header should have: among equally good formats, the one that finds them is right.
    """
    asked = SAMPLE_BYTES
    # A header of 50,000 columns is longer than the usual sample.
    while len(head := source.head(asked)) == asked < MOST_SAMPLE_BYTES and head.count(b"\n") < SAMPLE_LINES:
        asked *= 4
    encoding, quoted = _encoding_of(source, head, csv_format)
    text = codecs.getincrementaldecoder(encoding)(errors="ignore").decode(head)
    lines = list(io.StringIO(text, newline=""))
    sample = lines[:-1] if len(head) == asked else lines
    first = next((number for number, line in enumerate(sample) if line.strip()), 0)
    said = _SEP.fullmatch(sample[first].strip(" \r\n")) if sample else None
    if said and csv_format.delimiter in (None, said[1]):
        layout = _layout(sample[first + 1 :], said[1], start=first + 1)
    elif csv_format.delimiter:
        layout = _layout(sample, csv_format.delimiter)
    else:
        layout = _likeliest(sample, known)
    found = Dialect(encoding, layout.delimiter, quoted, garbled=_garbled(text, encoding))
    return _with_names(layout, found, path=source.path, no_header=csv_format.no_header)


@dataclass(frozen=True)
class _Layout:
    """The rows of the sample under one delimiter: the line on which each begins, and its fields."""

    delimiter: str
    rows: tuple[tuple[int, tuple[str, ...]], ...]
    width: int
    """Number of fields in most rows."""
    first: int
    """Position of the header in `rows`."""
    share: float
    """Fraction of the rows from the header on that have `width` fields."""
    lines: Sequence[str]
    start: int
    """Line of the file at which `lines` begins."""


def _layout(lines: Sequence[str], delimiter: str, *, start: int = 0) -> _Layout:
    rows = tuple(_rows(lines, delimiter, start=start))
    widths = [len(row) for _, row in rows]
    if not widths:
        return _Layout(delimiter, ((0, ("",)),), 1, 0, 0.0, lines, start)
    (width, _), *_ = Counter(widths[-SAMPLE_ROWS:]).most_common(1)
    first = widths.index(width)
    share = sum(each == width for each in widths[first:]) / len(widths[first:])
    if (
        delimiter in WEAK
        or first > MOST_LINES_BEFORE
        or share < FITTING
        or width == 1
        or max(widths[:first], default=0) >= width
    ):
        first, width = 0, widths[0]
        share = sum(each == width for each in widths) / len(widths)
    first = _below_titles(rows, first)
    return _Layout(delimiter, rows, width, first, share if width > 1 else 0.0, lines, start)


def _below_titles(rows: Sequence[tuple[int, tuple[str, ...]]], first: int) -> int:
    """Return the index of the line with the column names, below titles, whose fields are mostly empty."""
    for place in range(first, min(len(rows) - 1, first + MOST_LINES_BEFORE)):
        cells, below = rows[place][1], rows[place + 1][1]
        empty = sum(not cell.strip() for cell in cells)
        if len(cells) < _FEWEST_BODY or 2 * empty < len(cells):
            words = not empty and not any(_NUMBER.fullmatch(cell.strip()) for cell in cells)
            return place if words and any(_NUMBER.fullmatch(cell.strip()) for cell in below) else first
    return first


def _rows(lines: Sequence[str], delimiter: str, *, start: int) -> Iterator[tuple[int, tuple[str, ...]]]:
    text = [line.strip(" \t\r\n") + "\n" for line in lines] if delimiter == BLANKS else lines
    reader = csv.reader(text, delimiter=delimiter, skipinitialspace=delimiter == BLANKS)
    line = 0
    while True:
        try:
            row = next(reader)
        except StopIteration:
            return
        except csv.Error:  # a NUL or an endless value: reading the whole file gives a better message
            return
        if row and any(cell.strip() for cell in row):
            yield start + line, tuple(row)
        line = reader.line_num


def _likeliest(lines: Sequence[str], known: Sequence[str]) -> _Layout:
    """Return the layout whose delimiter gives most rows as many fields as the header; in a tie, the widest."""

    def quality(layout: _Layout) -> tuple[bool, float, bool, bool, float, int]:
        header = {cell.strip() for cell in layout.rows[layout.first][1]}
        finds = bool(known) and set(known) <= header
        # Where decimal commas divide all rows evenly, the header has none, and the fields are not numbers.
        fits = finds, round(layout.share, 2), layout.delimiter not in WEAK, layout.first == 0
        cells = [cell.strip() for _, row in layout.rows[layout.first + 1 :][:SAMPLE_ROWS] for cell in row]
        numbers = sum(_WITH_EITHER_SIGN.fullmatch(cell) is not None for cell in cells)
        return *fits, round(numbers / max(len(cells), 1), 1), layout.width

    some = lines[: 4 * SAMPLE_ROWS]
    return max((_layout(some, delimiter) for delimiter in DELIMITERS), key=quality)


def _with_names(layout: _Layout, found: Dialect, *, path: Path, no_header: bool | None) -> Dialect:
    """Return the dialect with the names of its columns and their position."""
    start, cells = layout.rows[layout.first]
    body = [row for _, row in layout.rows[layout.first + 1 :] if len(row) == layout.width][:SAMPLE_ROWS]
    # R writes the names of its rows into a first column that has no name.
    above = layout.rows[0][1]
    short = layout.first == 1 and len(above) == layout.width - 1 > 1
    if short and not any(_NUMBER.fullmatch(cell.strip()) for cell in above):
        ended = all(not row[-1].strip() for row in [cells, *body])  # every row ends with a delimiter
        if not ended:
            _require_row_names([cells, *body], names=len(above), path=path)
        return replace(found, names=(*above, "") if ended else ("", *above), skip=start, header=False)
    before = tuple(line.strip() for line in layout.lines[: start - layout.start] if line.strip())
    if no_header:
        names = tuple(f"column {place}" for place in range(1, layout.width + 1))
        return replace(found, names=names, skip=start, header=False, before=before)
    if no_header is None and _looks_like_data(cells, body):
        raise BadInput(
            "the first line must name the columns",
            found=f"values in line {start + 1} of {path}: {', '.join(cells[:6])}",
            remedy="Pass --no-header (the columns are then 'column 1', 'column 2' ...), or --header if these are names",
        )
    return replace(found, names=cells, skip=start, header=True, before=before)


def _require_row_names(rows: Sequence[Sequence[str]], *, names: int, path: Path) -> None:
    """Refuse rows with a field more than the header, unless the first one names the row: a value may be cut in two."""
    cut = any(_CUT.search("\n".join(["", *map(str.strip, row)])) for row in rows)
    if cut or len({row[0] for row in rows}) < len(rows):
        raise BadInput(
            "every row must have as many fields as the header",
            found=f"{path}: {len(rows[0])} fields in the rows, but the header has {names}",
            remedy='Put values that contain the delimiter into double quotes ("), or pass --delimiter',
        )


def _looks_like_data(cells: Sequence[str], body: Sequence[Sequence[str]]) -> bool:
    """Return True if a first line is a row of data: numbers above columns of numbers, or words that occur below."""
    if len(body) < _FEWEST_BODY or len(cells) < 2:
        return False
    columns = [[row[place].strip() for row in body if row[place].strip()] for place in range(len(cells))]
    numeric = [_mostly_numbers(column) for column in columns]
    heads = [cell.strip() for cell in cells]
    above = [head for head, number in zip(heads, numeric, strict=True) if number]
    if above:
        return all(map(_is_number, above)) and not _counted(above)
    return all(head and head in column for head, column in zip(heads, columns, strict=True))


def _mostly_numbers(column: Sequence[str]) -> bool:
    return bool(column) and sum(map(_is_number, column)) >= _OF_NUMBERS * len(column)


def _is_number(cell: str) -> bool:
    return (_NUMBER.fullmatch(cell) or _WITH_EITHER_SIGN.fullmatch(cell)) is not None


def _counted(names: Sequence[str]) -> bool:
    """Return True if the numbers can be names: 0, 1, 2 ... or years."""
    if len(names) < 2 or not all(name.isdigit() for name in names):
        return False
    numbers = [int(name) for name in names]
    return all(after == before + 1 for before, after in pairwise(numbers))


def ragged_row(source: Container, dialect: Dialect) -> tuple[int, int, int] | None:
    """Return (line, fields found, fields in the header) for the first row that does not fit the header."""
    for start, row in rows_of(source, dialect):
        if row and len(row) != len(dialect.names):
            return start, len(row), len(dialect.names)
    return None


def rows_of(source: Container, dialect: Dialect) -> Iterator[tuple[int, list[str]]]:
    """Yield every row below the names with the line on which it begins, as Python's reader splits them."""
    with source.open() as file, io.TextIOWrapper(file, encoding=dialect.encoding, newline="") as text:
        for _ in range(dialect.skip):
            text.readline()
        blanks = dialect.delimiter == BLANKS
        lines = (line.strip(" \t\r\n") + "\n" for line in text) if blanks else text
        reader = csv.reader(lines, delimiter=dialect.delimiter, skipinitialspace=blanks)
        start, header = 1, dialect.header
        for row in reader:
            if header and row:
                header = False
            else:
                yield dialect.skip + start, row
            start = reader.line_num + 1


def _encoding_of(source: Container, head: bytes, csv_format: CsvFormat) -> tuple[str, bool]:
    marked = next((encoding for mark, encoding in _MARKS if head.startswith(mark)), None)
    encoding = _known(csv_format.encoding) if csv_format.encoding else marked or _without_mark(head)
    if encoding is None or not encoding.startswith("utf-16"):
        _require_text(head, source=source)
    return _scan(source, encoding)


def _without_mark(head: bytes) -> str | None:
    """Recognize UTF-16 without a byte order mark: in text that is mostly Latin, every other byte is zero."""
    if len(head) < 8 or b"\0" not in head:
        return None
    even, odd = head[0::2].count(0) / (len(head) / 2), head[1::2].count(0) / (len(head) / 2)
    if odd > 0.6 and even < 0.1:
        return "utf-16-le"
    return "utf-16-be" if even > 0.6 and odd < 0.1 else None


def _known(encoding: str) -> str:
    try:
        return codecs.lookup(encoding).name
    except LookupError as error:
        raise BadInput(
            "the encoding must be one that Python knows", found=repr(encoding), remedy="Use utf-8 or latin-1"
        ) from error


def _require_text(head: bytes, *, source: Container) -> None:
    head = head.replace(b"\x01", b"")  # a delimiter used by databases
    controls = len(head) - len(head.translate(None, _CONTROL))
    if b"\0" in head or controls > CONTROL_SHARE * len(head):
        raise BadInput(
            "DATA must be a CSV or Parquet file",
            found=f"a binary file, {source.path}",
            remedy="Export the table as CSV (UTF-8) or Parquet",
        )


def _garbled(text: str, encoding: str) -> str:
    """Return the first word that no one writes: with control characters, or letters of another encoding; or ""."""
    found = _GARBAGE.search(text)
    if not found and not encoding.startswith("utf"):
        found = _UNLIKELY.search(text)
    return found[0][:_MOST_SHOWN] if found else ""


def _scan(source: Container, encoding: str | None) -> tuple[str, bool]:
    """Return the encoding that fits the whole file, and whether the file has quotes."""
    for candidate in (encoding,) if encoding else ("utf-8", "cp1252", "latin-1"):
        try:
            return candidate, any('"' in text for text in _decoded(source, candidate))
        except UnicodeDecodeError as error:
            reason = error
    raise BadInput(
        f"{source.path} must be text in {encoding}",
        found=f"byte {reason.object[reason.start]:#04x}",
        remedy="Pass the right --encoding, for example latin-1",
    ) from reason


def _decoded(source: Container, encoding: str) -> Iterator[str]:
    decoder = codecs.getincrementaldecoder(encoding)()
    with source.open() as file:
        while block := file.read(BLOCK_BYTES):
            yield decoder.decode(block)
    yield decoder.decode(b"", final=True)
