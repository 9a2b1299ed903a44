"""The rows of `--more-data`, kept in the experiment, so that it goes on without their file."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq

from wellfit.base.files import write_whole
from wellfit.data.dialect import CsvFormat
from wellfit.data.read import read_table
from wellfit.exceptions import BadInput, Refusal
from wellfit.experiment.folder import Folder
from wellfit.journal.store import Entry, Journal
from wellfit.splits.more_rows import NAME, MoreRows, more_rows_for
from wellfit.splits.split import Split

KIND = "added rows"
FOLDER = "more_data"


def added_to(split: Split, source: Any, entries: Sequence[Entry] = (), *, csv_format: CsvFormat) -> MoreRows:
    """Read and check the rows of `--more-data`; the journal's entries tell whether the file was given before.

    Raises:
        BadInput: as `more_rows_for`, or for a file that is gone.
        Refusal: the file has other rows than when it was given before.
    """
    path = str(Path(source).resolve()) if isinstance(source, str | Path) else None
    bodies = [entry.body for entry in entries if entry.kind == KIND and path and entry.body["path"] == path]
    known = bodies[-1] if bodies else None
    if known and not Path(source).exists():
        raise BadInput(
            f"{NAME} must be there when the command is given again",
            found=f"no file {source}; {known['read']:,} rows were read from it before",
            remedy="Restore it, or give the experiment in place of DATA, without --more-data: it has kept the rows",
        )
    more = more_rows_for(split, read_table(source, name=NAME, csv_format=csv_format))
    if known and known["sha256"] != more.sha256:
        raise Refusal(
            f"{NAME} must keep its rows while an experiment goes on",
            found=f"{source} with {more.read:,} rows (SHA-256 {more.sha256[:12]}...), where it had {known['read']:,} "
            f"({known['sha256'][:12]}...) before",
            remedy="Restore it, or give the new rows under another name",
        )
    return more


def keep_rows(more: MoreRows, *, folder: Folder, journal: Journal) -> None:
    """Write rows into the experiment, once, and journal where they came from."""
    path = _place(folder, more.name)
    if not path.is_file():
        write_whole(path, lambda file: pq.write_table(more.table, file))
    key = f"{more.name}/{more.path}"
    if journal.find(KIND, key) is None:
        journal.append(KIND, more.to_json(), key=key)


def require_kept(name: str | None, kept: Collection[str], *, folder: Folder) -> None:
    """Refuse to go on without rows that a run was given."""
    if name is not None and name not in kept:
        raise Refusal(
            "the rows that were added to train must be in the experiment",
            found=f"no {_place(folder, name)}",
            remedy=f"Give their file again with {NAME}, or restore the folder from a copy",
        )


def kept_rows(folder: Folder) -> dict[str, pa.Table]:
    """Return name -> rows that were ever added in this experiment; refuse a damaged file."""
    return {path.stem: _read(path) for path in sorted((folder.path / FOLDER).glob("*.parquet"))}


def _place(folder: Folder, name: str) -> Path:
    return folder.path / FOLDER / f"{name}.parquet"


def _read(path: Path) -> pa.Table:
    try:
        return pq.read_table(path)
    except (OSError, pa.ArrowException) as error:
        raise Refusal(
            "the added rows of an experiment must be as wellfit wrote them",
            found=f"{path}, which cannot be read ({error})",
            remedy="Restore the folder from a copy",
        ) from error
