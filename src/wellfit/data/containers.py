"""The kind of a file, from its content: text, Parquet, Feather, or one of these compressed; otherwise from its name."""

from __future__ import annotations

import bz2
import csv
import glob
import gzip
import hashlib
import io
import lzma
import zipfile
import zlib
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import IO, Any, Literal, cast

import pyarrow as pa

from wellfit.base.plain_files import require_utf8
from wellfit.base.serialize import Record
from wellfit.exceptions import BadInput


@dataclass(frozen=True)
class Source(Record):
    """The source of a table: its file, size and time; for a data frame, the SHA-256 of its row hashes."""

    path: str | None
    bytes: int
    modified: float
    sha256: str | None = None


Kind = Literal["text", "parquet", "feather"]

HEAD_BYTES = 4096
_TABLES: tuple[tuple[bytes, Kind], ...] = ((b"PAR1", "parquet"), (b"ARROW1", "feather"), (b"FEA1", "feather"))
_ZIP = b"PK\x03\x04"
_COMPRESSED = (b"\x1f\x8b", b"BZh", b"\xfd7zXZ\x00", b"\x28\xb5\x2f\xfd")  # gzip, bzip2, xz, Zstandard
# Files that people pass instead of a table: first bytes, name of the kind, and how to make a table from one.
_AS_CSV = "Save the table as CSV (UTF-8) or Parquet"
_FROM_PYTHON = "Read it in Python, and pass the data frame to wellfit or save it with frame.to_parquet"
_OTHERS: tuple[tuple[bytes, str, str], ...] = (
    (b"\xd0\xcf\x11\xe0", "an old Excel workbook (.xls) or another old Office file", _AS_CSV),
    (b"%PDF", "a PDF document", "Export the table that it was made from"),
    (b"\x89PNG", "a PNG picture", "Pass a folder with one subfolder of pictures per class"),
    (b"\xff\xd8\xff", "a JPEG picture", "Pass a folder with one subfolder of pictures per class"),
    (b"GIF8", "a GIF picture", _AS_CSV),
    (b"SQLite format 3", "an SQLite database", "Export one of its tables as CSV or Parquet"),
    (b"\x89HDF", "an HDF5 file", _FROM_PYTHON),
    (b"\x93NUMPY", "a NumPy array (.npy)", _FROM_PYTHON),
    (b"ORC", "an ORC file", _FROM_PYTHON),
    (b"Obj\x01", "an Avro file", _FROM_PYTHON),
    *(
        (magic, "a Stata file (.dta)", _FROM_PYTHON)
        for magic in (b"<stata_dta>", b"r\x01\x01", b"r\x02\x01", b"s\x02\x01")
    ),
    (b"$FL2", "an SPSS file (.sav)", _FROM_PYTHON),
    (b"RDX", "R data", "Write the table with write.csv in R"),
    (b"\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\xc2\xea\x81\x60", "a SAS file (.sas7bdat)", _FROM_PYTHON),
    (b"7z\xbc\xaf", "a 7-Zip archive", "Unpack it, and pass the table inside"),
    (b"Rar!", "a RAR archive", "Unpack it, and pass the table inside"),
    *((b"\x80" + bytes([protocol]), "a Python pickle", _FROM_PYTHON) for protocol in (2, 3, 4, 5)),
)
_TEXTS: tuple[tuple[bytes, str], ...] = (
    (b"<!doctype html", "a web page (HTML)"),
    (b"<html", "a web page (HTML)"),
    (b"<table", "a table from a web page (HTML)"),
    (b"<div", "part of a web page (HTML)"),
    (b"<?xml", "an XML document"),
    (b"{", "JSON"),
    (b"[{", "JSON"),
)


@dataclass(frozen=True)
class Container:
    """A file of a known kind, which can be opened as often as needed; `path` is for messages."""

    path: Path
    kind: Kind
    _open: Callable[[], IO[bytes]]
    plain: bool
    """Whether the bytes of the file are those of the table."""

    @contextmanager
    def open(self) -> Iterator[IO[bytes]]:
        """Open the bytes of the table, from the beginning."""
        try:
            with self._open() as file:
                yield file
        except (EOFError, OSError, lzma.LZMAError, zlib.error, zipfile.BadZipFile) as error:
            if isinstance(error, OSError) and error.errno is not None:
                raise
            raise _damaged(self.path, error) from error

    def seekable(self) -> io.BytesIO | Path:
        """Return the file itself, or its bytes in memory if it is compressed."""
        if self.plain:
            return self.path
        with self.open() as file:
            return io.BytesIO(file.read())

    def head(self, size: int) -> bytes:
        """Return the first bytes."""
        with self.open() as file:
            return file.read(size)


def container_of(path: Path, *, name: str) -> Container:
    """Return a file with its kind; BadInput for an empty file, and for one that is not a table, naming its kind."""
    with path.open("rb") as file:
        head = file.read(HEAD_BYTES)
    if head.startswith(_ZIP):
        return _zipped(path, name=name)
    if head.startswith(_COMPRESSED):
        return _of_kind(path, lambda: _unpacked(path, head), plain=False, name=name)
    return _of_kind(path, lambda: path.open("rb"), plain=True, name=name)


def _unpacked(path: Path, head: bytes) -> IO[bytes]:
    gzipped, bzipped, xz, _ = _COMPRESSED
    if head.startswith(gzipped):
        return cast("IO[bytes]", gzip.open(path))
    if head.startswith(bzipped):
        return bz2.open(path)
    if head.startswith(xz):
        return cast("IO[bytes]", lzma.open(path))
    return cast("IO[bytes]", pa.CompressedInputStream(pa.OSFile(str(path)), "zstd"))


def _of_kind(path: Path, opened: Callable[[], IO[bytes]], *, plain: bool, name: str) -> Container:
    container = Container(path, "text", opened, plain)
    head = container.head(HEAD_BYTES)
    kind: Kind = next((kind for magic, kind in _TABLES if head.startswith(magic)), "text")
    if kind == "text":
        _require_text(head, path=path, name=name)
    return Container(path, kind, opened, plain)


def _require_text(head: bytes, *, path: Path, name: str) -> None:
    if not head.strip():
        raise BadInput(
            f"{name} must be a table", found=f"an empty file, {path}", remedy="Pass a file with a header and rows"
        )
    for magic, what, remedy in _OTHERS:
        if head.startswith(magic):
            raise _no_table(path, what, remedy, name=name)
    beginning = head.lstrip(b"\xef\xbb\xbf \t\r\n").lower()
    for magic, what in _TEXTS:
        if beginning.startswith(magic):
            raise _no_table(path, what, _FROM_PYTHON if what == "JSON" else _AS_CSV, name=name)


def _zipped(path: Path, *, name: str) -> Container:
    try:
        with zipfile.ZipFile(path) as archive:
            names = [each.filename for each in archive.infolist() if not each.is_dir()]
    except zipfile.BadZipFile as error:
        raise _damaged(path, error) from error
    if "xl/workbook.xml" in names:
        sheet = _sheet_as_text(path)
        return _of_kind(path, lambda: io.BytesIO(sheet), plain=False, name=name)
    if "word/document.xml" in names:
        raise _no_table(path, "a Word document", _AS_CSV, name=name)
    if "mimetype" in names:
        raise _no_table(path, "an OpenDocument file", _AS_CSV, name=name)
    if any(each.endswith("data.pkl") for each in names):
        raise _no_table(path, "a file of PyTorch tensors", _FROM_PYTHON, name=name)
    tables = [each for each in names if not each.startswith("__MACOSX") and not Path(each).name.startswith(".")]
    if len(tables) != 1:
        shown = ", ".join(tables[:5]) + (", ..." if len(tables) > 5 else "")
        raise BadInput(
            "a zip archive must contain one table",
            found=f"{len(tables)} files in {path}: {shown}",
            remedy="Unpack it, and pass one of them, or the folder with all of them",
        )

    def opened() -> IO[bytes]:
        with zipfile.ZipFile(path) as archive:
            return archive.open(tables[0])

    return _of_kind(path, opened, plain=False, name=name)


def _sheet_as_text(path: Path) -> bytes:
    """Return the only sheet of an Excel workbook with a table, as CSV to be read like any other text."""
    try:
        import openpyxl
    except ImportError as error:
        raise BadInput(
            "openpyxl must be installed to read an Excel workbook",
            found=f"{path}, but no openpyxl",
            remedy="Run pip install 'wellfit[excel]', or save the sheet as CSV (UTF-8)",
        ) from error
    try:
        book = openpyxl.load_workbook(path, read_only=True, data_only=True)
    except (KeyError, ValueError, OSError, zipfile.BadZipFile) as error:
        raise _damaged(path, error) from error
    sheets = {
        sheet.title: [row for row in sheet.iter_rows(values_only=True) if set(row) != {None}]
        for sheet in book.worksheets
    }
    book.close()
    tables = {title: rows for title, rows in sheets.items() if len(rows) > 1}
    if len(tables) != 1:
        raise BadInput(
            "an Excel workbook must have exactly one sheet with a table",
            found=f"{len(tables)} ({', '.join(map(repr, tables))}) in {path}",
            remedy="Save the right sheet as CSV (UTF-8)",
        )
    text = io.StringIO()
    (rows,) = tables.values()
    csv.writer(text, lineterminator="\n").writerows([_cell(value) for value in row] for row in rows)
    return text.getvalue().encode()


def _cell(value: object) -> str:
    if value is None:
        return ""
    return value.isoformat(sep=" ") if isinstance(value, datetime) else str(value)


def _no_table(path: Path, what: str, remedy: str, *, name: str) -> BadInput:
    return BadInput(f"{name} must be a CSV, Parquet or Feather file", found=f"{what}, {path}", remedy=remedy)


def _damaged(path: Path, error: Exception) -> BadInput:
    return BadInput("a compressed file must be complete", found=f"{path}: {error}", remedy="Write or download it again")


_TABLE_ENDINGS = (".csv", ".tsv", ".txt", ".parquet", ".pq", ".feather", ".arrow", ".gz", ".zip", ".bz2", ".xz", ".zst")


def files_of(source: Any, *, name: str) -> list[Path]:
    """Return the files of a table: one file, several, those of a pattern (data/*.csv), or the tables in a folder."""
    if not isinstance(source, str | Path):
        return [path for each in source for path in files_of(each, name=name)]
    path = Path(source)
    require_utf8(str(path.absolute()))
    if path.is_file():
        return [path]
    if path.is_dir():
        found = sorted(each for each in path.rglob("*") if each.is_file() and not _is_hidden(each, path))
        require_utf8(*map(str, found))
        tables = [each for each in found if each.suffix.lower() in _TABLE_ENDINGS]
        if not tables:
            raise BadInput(
                f"{name} must be a file or a folder of tables",
                found=f"a folder without tables (.csv, .parquet ...) or pictures (.png, .jpg), {path}",
                remedy="Pass a CSV or Parquet file; for pictures, a folder with one subfolder per class",
            )
        return tables
    matched = [Path(each) for each in sorted(glob.glob(str(source)))]  # noqa: PTH207 - a pattern may be absolute
    require_utf8(*map(str, matched))
    if not matched:
        raise BadInput(f"{name} must exist", found=f"no file {path}", remedy="Check the path")
    return [each for each in matched if each.is_file()] or files_of(matched[0], name=name)


def source_of(source: Any, paths: Sequence[Path]) -> Source:
    """Return the fingerprint of the data that was read."""
    if isinstance(source, str | Path) and Path(source).is_dir():
        return folder_source(Path(source))
    stats = [path.stat() for path in paths]
    total, latest = sum(stat.st_size for stat in stats), max(stat.st_mtime for stat in stats)
    if isinstance(source, str | Path):
        return Source(str(Path(source).resolve()), total, latest)
    return Source(", ".join(str(path.resolve()) for path in paths), total, latest)


def folder_source(root: Path) -> Source:
    """Return the fingerprint of a folder: the names, sizes and times of its files, without reading them."""
    digest, total, latest = hashlib.sha256(), 0, 0.0
    files = sorted(path for path in root.rglob("*") if path.is_file() and not _is_hidden(path, root))
    require_utf8(*map(str, files))
    for path in files:
        stat = path.stat()
        digest.update(f"{path.relative_to(root).as_posix()}\0{stat.st_size}\0{stat.st_mtime_ns}\0".encode())
        total, latest = total + stat.st_size, max(latest, stat.st_mtime)
    return Source(str(root.resolve()), total, latest, digest.hexdigest())


def _is_hidden(path: Path, root: Path) -> bool:
    return any(part.startswith((".", "__MACOSX")) for part in path.relative_to(root).parts)
