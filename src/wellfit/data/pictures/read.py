"""Pictures as a table that is split, sealed and diagnosed like any other, with the pixels in one of its columns."""

from __future__ import annotations

import logging
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa

from wellfit.base.typing import Notify, ignore_events
from wellfit.data.containers import Source
from wellfit.data.dialect import DETECTED, CsvFormat
from wellfit.data.pictures.cache import read_npz
from wellfit.data.pictures.decode import require_pillow
from wellfit.data.pictures.decoding import decoded, picture_of, table_of
from wellfit.data.pictures.listing import FILE, LOOK, PICTURE, Listing, PictureOptions, Shape, list_column, list_folder
from wellfit.data.pictures.schema import pixel_column
from wellfit.data.read import Table
from wellfit.exceptions import BadInput

logger = logging.getLogger(__name__)

NAMED_AT_MOST = 5
ROWS_AT_ONCE = 4_096


def read_pictures(
    source: Path | str,
    *,
    options: PictureOptions | None = None,
    shape: Shape | None = None,
    labelled: bool = True,
    notify: Notify = ignore_events,
) -> tuple[Table, Shape]:
    """Read a folder of class folders, a table with a column of paths, or an .npz file; return a table and the shape.

    Pictures are scaled to `shape` if it is given. Raises BadInput for anything wrong with the folder, the table or a
    file; with `skip_corrupt`, files that cannot be used are left out.
    """
    options, path = options or PictureOptions(), Path(source)
    if not path.exists():
        raise BadInput("DATA must exist", found=f"nothing at {path}", remedy="Check the path")
    if path.suffix.lower() == ".npz":
        return _from_arrays(path, options, shape=shape, labelled=labelled)
    listing = _listing(path, options, labelled=labelled)
    found = decoded(listing, size=options.size, shape=shape, notify=notify)
    ways = ", or leave them out with --skip-corrupt" if labelled else ": every picture in NEW needs a prediction"
    _judge_refused(found.refused, files=len(listing.files), skip=options.skip_corrupt, ways=ways)
    if listing.ignored:
        logger.warning("Ignored %d files not named like pictures: %s", len(listing.ignored), _some(listing.ignored))
    frame = _joined(listing, found.rows)
    return Table(frame.append_column(PICTURE, pixel_column(found.pixels)), listing.source, found.refused), found.shape


def picture_batches(
    source: Any, *, shape: Shape, column: str | None = None, csv_format: CsvFormat = DETECTED
) -> Iterator[pa.Table]:
    """Yield new pictures in order, a few thousand at a time; every row needs a prediction, so no file is left out."""
    if not isinstance(source, str | Path):
        raise BadInput(
            "NEW must be a folder of pictures, a table of paths, or .npz arrays",
            found=type(source).__name__,
            remedy="Pass a path",
        )
    options = PictureOptions(column=column, csv_format=csv_format)
    table, _ = read_pictures(source, options=options, shape=shape, labelled=False)
    for start in range(0, table.frame.num_rows, ROWS_AT_ONCE):
        yield table.frame.slice(start, ROWS_AT_ONCE)


def _listing(path: Path, options: PictureOptions, *, labelled: bool) -> Listing:
    if path.is_dir():
        if options.column and labelled:
            raise BadInput(
                "--pictures must name a column of a table", found=f"a folder, {path}", remedy="Remove --pictures"
            )
        # New pictures may be in class folders too: their labels are ignored.
        return list_folder(path, target=options.target, labelled=labelled)
    if options.column is None:
        raise BadInput(
            "pictures must be a folder, .npz arrays, or a table with --pictures COLUMN",
            found=f"{path} without --pictures",
            remedy="Pass --pictures with the name of the column of paths",
        )
    return list_column(path, column=options.column, csv_format=options.csv_format)


def _joined(listing: Listing, rows: pa.Table) -> pa.Table:
    """Return the measures of every picture that could be read, with the listing's other columns."""
    if listing.table is None:
        return rows
    place = {file: number for number, file in enumerate(listing.files)}
    again = [file for number, file in enumerate(listing.files) if place[file] != number]
    if again:
        raise BadInput(
            "a picture must not be listed more than once",
            found=f"{len(again)} repeated: {_some(again)}",
            remedy="Remove the repeated rows",
        )
    own = listing.table.take(pa.array([place[file] for file in rows.column(FILE).to_pylist()], pa.int64()))
    for name in own.column_names:
        measured = f"{name} of the table" if name in rows.column_names else name
        rows = rows.append_column(measured, own.column(name))
    return rows


def _judge_refused(refused: Mapping[str, str], *, files: int, skip: bool, ways: str) -> None:
    if not refused:
        return
    named = _some([f"{file} ({why})" for file, why in sorted(refused.items())])
    if not skip:
        raise BadInput(
            "every picture must be readable",
            found=f"{len(refused)} of {files:,} that cannot be read: {named}",
            remedy=f"Replace or remove them{ways}",
        )
    logger.warning("Left out %d of %s pictures: %s", len(refused), f"{files:,}", named)


def _some(names: list[str] | tuple[str, ...]) -> str:
    more = f" and {len(names) - NAMED_AT_MOST} more" if len(names) > NAMED_AT_MOST else ""
    return ", ".join(names[:NAMED_AT_MOST]) + more


def _from_arrays(path: Path, options: PictureOptions, *, shape: Shape | None, labelled: bool) -> tuple[Table, Shape]:
    require_pillow()
    pixels, labels = read_npz(path, labelled=labelled)
    own = (*pixels.shape[1:3], pixels.shape[3])
    side = options.size
    wanted = shape or ((side, side, own[2]) if side else own)
    if wanted[2] != own[2]:
        raise BadInput(
            "all pictures must have the same number of channels",
            found=f"{own[2]}, but the others have {wanted[2]}",
            remedy="Convert these pictures to the same number",
        )
    found = [picture_of(each, shape=wanted, size=None) for each in pixels]
    rows: list[dict[str, float | int | str]] = [
        {FILE: f"{path.name}[{row}]", **one[1], LOOK: one[2]} for row, one in enumerate(found)
    ]
    table = table_of(rows, colour=own[2] == 3)
    if labels is not None and labelled:
        table = table.append_column(options.target, pa.array(labels))
    table = table.append_column(PICTURE, pixel_column(np.stack([one[0] for one in found])))
    stat = path.stat()
    return Table(table, Source(str(path.resolve()), stat.st_size, stat.st_mtime)), wanted
