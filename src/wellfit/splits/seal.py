"""The sealed test rows: Parquet (or Arrow) bytes under another name, read-only, identified by their SHA-256.

Only `opening.py` calls `break_seal`; everything else sees the number of rows and the digest. This protects against
accident and self-deception, not against forgery.
"""

from __future__ import annotations

import errno
import filecmp
import hashlib
import io
import shutil
from dataclasses import dataclass, field, replace
from datetime import datetime
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq

from wellfit.base.files import room_at, whole, write_whole
from wellfit.base.serialize import OMITTED, Record
from wellfit.base.typing import Json
from wellfit.exceptions import BadInput, Refusal

SEALED_NAME = "test.sealed"
SOURCE_NAME, TEST_SOURCE_NAME = "source.sealed", "test-source.sealed"
READ_ONLY = 0o400
_ARROW_MAGIC = b"ARROW1"


@dataclass(frozen=True)
class Seal(Record):
    """Test rows that nobody has seen: their number, their SHA-256, and the time when they were sealed."""

    sha256: str
    rows: int
    sealed_at: str
    path: Path | None = field(default=None, compare=False, metadata=OMITTED)
    _payload: bytes = field(default=b"", repr=False, compare=False, metadata=OMITTED)

    def __getstate__(self) -> dict[str, object]:
        # Pickles and copies travel; test rows held in memory stay where they were sealed.
        if self._payload:
            raise Refusal(
                "test rows sealed in memory must not be copied",
                found="an attempt to pickle or copy the split",
                remedy="Save the split to a folder and load it from there",
            )
        return dict(vars(self))


def seal_rows(test: pa.Table, *, now: datetime, exact: bool = False) -> Seal:
    """Seal the test rows in memory; `exact` keeps every Arrow type, such as categories without any row."""
    buffer = io.BytesIO()
    if exact:
        with pa.ipc.new_file(buffer, test.schema) as writer:
            writer.write_table(test)
    else:
        pq.write_table(test, buffer)
    payload = buffer.getvalue()
    digest = hashlib.sha256(payload).hexdigest()
    return Seal(digest, test.num_rows, now.isoformat(timespec="seconds"), None, payload)


def store_seal(seal: Seal, folder: Path) -> Seal:
    """Write the sealed rows to `folder/test.sealed`, and drop them from memory."""
    payload = sealed_bytes(seal)
    path = folder / SEALED_NAME
    write_whole(path, lambda file: file.write(payload), mode=READ_ONLY)
    return replace(seal, path=path, _payload=b"")


def load_seal(body: Json, folder: Path) -> Seal:
    """Load the seal of a saved split from its card; the rows are not read."""
    return replace(Seal.from_json(body), path=folder / SEALED_NAME)


def sealed_bytes(seal: Seal) -> bytes:
    """Return the bytes as they were sealed; BadInput if the sealed file is gone, Refusal if it was changed."""
    if seal.path is None:
        payload = seal._payload
    elif seal.path.is_file():
        payload = seal.path.read_bytes()
    else:
        raise BadInput("the sealed test file must exist", found=f"no {seal.path}", remedy="Restore it from a copy")
    digest = hashlib.sha256(payload).hexdigest()
    if digest != seal.sha256:
        raise Refusal(
            "the test rows must be the ones that were sealed",
            found=f"SHA-256 {digest[:12]}... instead of {seal.sha256[:12]}... in {seal.path or 'memory'}",
            remedy="Restore the sealed file, or split again; a changed test set proves nothing",
        )
    return payload


def break_seal(seal: Seal) -> pa.Table:
    """Return the test rows; only `opening.py` may call this, once the opening is in the ledger and the registry."""
    return rows_in(sealed_bytes(seal))


def rows_in(payload: bytes) -> pa.Table:
    """Read the rows in sealed bytes."""
    if payload.startswith(_ARROW_MAGIC):
        return pa.ipc.open_file(pa.BufferReader(payload)).read_all()
    return pq.read_table(io.BytesIO(payload))


def move_source(source: Path, target: Path) -> None:
    """Move a source to `target`, read-only, under a name that no glob for tables finds.

    It may be called again: it finishes work that a killed process or a full disk left undone, and leaves a file that
    was already moved as it is. Raises BadInput if there is nothing to move or the two places have different files.
    """
    if target.is_file() and source.is_file() and not filecmp.cmp(source, target, shallow=False):
        raise BadInput(
            "a source must be moved only once",
            found=f"different files at {source} and {target}",
            remedy="Move it yourself",
        )
    if not target.is_file() and not source.is_file():
        raise BadInput("DATA must exist to be moved", found=f"no file {source}", remedy="Check the path")
    with room_at(target):
        if not target.is_file() and not _renamed(source, target):
            with whole(target, mode=READ_ONLY) as copy, source.open("rb") as file:
                shutil.copyfileobj(file, copy)
        target.chmod(READ_ONLY)
        source.unlink(missing_ok=True)


def _renamed(source: Path, target: Path) -> bool:
    """Rename a file if both places are on one disk."""
    try:
        source.rename(target)
    except OSError as error:
        if error.errno != errno.EXDEV:
            raise
        return False
    return True
