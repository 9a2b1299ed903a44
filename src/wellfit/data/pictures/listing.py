"""The pictures in DATA and their labels: a folder of class folders, or a table with a column of paths."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import TypeAlias

import pyarrow as pa

from wellfit.base.plain_files import require_utf8
from wellfit.data.columns import texts_of
from wellfit.data.containers import Source, folder_source
from wellfit.data.dialect import DETECTED, CsvFormat
from wellfit.data.read import read_table
from wellfit.data.schema import require_columns
from wellfit.exceptions import BadInput

ENDINGS = (".png", ".jpg", ".jpeg")


@dataclass(frozen=True)
class Listing:
    """Pictures in a fixed order: paths below `root`, separated by /, and a table of their labels and other columns.

    `ignored` lists the files in class folders whose names do not end like those of pictures.
    """

    root: Path
    files: tuple[str, ...]
    table: pa.Table | None
    source: Source
    ignored: tuple[str, ...] = ()


def is_picture_source(source: object, *, column: str | None = None) -> bool:
    """Return True if DATA holds pictures: a folder with some (not an experiment), .npz arrays, or a table of paths."""
    if column is not None:
        return True
    if not isinstance(source, str | Path):
        return False
    path = Path(source)
    if path.suffix.lower() == ".npz":
        return True
    if not path.is_dir() or (path / "experiment.json").exists():
        return False
    return any(one.suffix.lower() in ENDINGS for one in path.rglob("*"))


def list_folder(root: Path, *, target: str, labelled: bool = True) -> Listing:
    """List the pictures in at least two class folders or, if not `labelled`, every picture below a folder."""
    found = sorted(path for path in root.rglob("*") if path.is_file() and not _is_hidden(path, root))
    require_utf8(*map(str, found))
    pictures = [path for path in found if path.suffix.lower() in ENDINGS]
    ignored = tuple(_name(path, root) for path in found if path.suffix.lower() not in ENDINGS)
    files = tuple(_name(path, root) for path in pictures)
    if not labelled:
        if not files:
            raise BadInput("NEW must have pictures", found=f"none in {root}", remedy=f"Add {', '.join(ENDINGS)} files")
        return Listing(root, files, None, folder_source(root), ignored)
    loose = [file for file in files if "/" not in file]
    if loose or not files:
        what = f"{len(loose)} outside any class folder, such as {loose[0]}" if loose else f"no pictures in {root}"
        raise BadInput(
            "a folder of pictures must have one subfolder per class, with its pictures inside",
            found=what,
            remedy="Move every picture into the folder of its class, or pass a CSV with --pictures COLUMN",
        )
    labels = [file.split("/")[0] for file in files]
    if len(set(labels)) < 2:
        raise BadInput(
            "a folder of pictures must have at least two class folders",
            found=f"only {labels[0]!r} in {root}",
            remedy="Add a folder for another class",
        )
    return Listing(root, files, pa.table({target: labels}), folder_source(root), ignored)


def list_column(path: Path, *, column: str, csv_format: CsvFormat = DETECTED) -> Listing:
    """List the pictures whose paths are in a column of a table; no path may lead outside the table's folder."""
    table = read_table(path, csv_format=csv_format)
    require_columns(table.frame.column_names, [column], rule="--pictures must name a column of paths")
    taken = [one for one in table.frame.column_names if one in RESERVED and one != column]
    if taken:
        raise BadInput(f"the names {', '.join(RESERVED)} are reserved", found=repr(taken[0]), remedy="Rename it")
    files = texts_of(table.frame.column(column)).to_pylist()
    root = path.resolve().parent
    for row, file in enumerate(files):
        _require_inside(file, root, place=f"row {row + 1} of column {column!r} in {path}")
    return Listing(root, tuple(files), table.frame.drop_columns([column]), table.source)


def _is_hidden(path: Path, root: Path) -> bool:
    return any(part.startswith((".", "__MACOSX")) for part in path.relative_to(root).parts)


def _name(path: Path, root: Path) -> str:
    return path.relative_to(root).as_posix()


def _require_inside(file: str | None, root: Path, *, place: str) -> None:
    if file is None:
        raise BadInput(
            "every row must name a picture", found=f"no path in {place}", remedy="Add the path, or remove the row"
        )
    path = root / file
    if Path(file).is_absolute() or not path.resolve().is_relative_to(root):
        raise BadInput(
            "picture paths must stay inside the folder of the table",
            found=f"{file!r} in {place}",
            remedy="Put the table in a folder above its pictures, and write paths relative to that folder",
        )


FILE = "file"
LABEL = "label"
LOOK = "look"
"""The perceptual hash; it is compared across the parts of the split and is not a feature."""
PICTURE = "picture"
"""The pixels: bytes [H, W, C]."""
RESERVED = (FILE, LOOK, PICTURE)
Shape: TypeAlias = tuple[int, int, int]
"""Height, width and channels (1 grey, 3 red-green-blue)."""


@dataclass(frozen=True, kw_only=True)
class PictureOptions:
    """The options for reading pictures.

    Attributes:
        column: name of the column of paths in a CSV or Parquet file; None for a folder of class folders or .npz arrays.
        target: name of the labels.
        size: side in pixels to which pictures are scaled; None for their own size, at most 64.
        skip_corrupt: whether to leave out files that cannot be used instead of raising an error.
    """

    column: str | None = None
    target: str = LABEL
    size: int | None = None
    skip_corrupt: bool = False
    csv_format: CsvFormat = DETECTED
