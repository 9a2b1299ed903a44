"""Write a file whole or not at all, and say it plainly when the disk does not take it."""

from __future__ import annotations

import errno
import os
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import BinaryIO

from wellfit.exceptions import NoRoom

_REASONS = {
    errno.ENOSPC: "the disk is full",
    errno.EDQUOT: "the disk quota is used up",
    errno.EROFS: "the disk is read-only",
    errno.EACCES: "no permission to write",
    errno.EPERM: "no permission to write",
    errno.ENOTDIR: "a file where a folder should be",
    errno.EIO: "the disk reports an error",
}


@contextmanager
def room_at(path: Path) -> Iterator[None]:
    """Turn the system's refusals to write at `path` (full, read-only, not permitted) into `NoRoom`."""
    try:
        yield
    except OSError as error:
        if error.errno not in _REASONS:
            raise
        raise NoRoom(
            "the experiment's folder must take new files",
            found=f"{_REASONS[error.errno]} at {path}",
            remedy="Free some space or choose another --out, then give the same command again: it continues",
        ) from error


def write_whole(path: Path, write: Callable[[BinaryIO], object], *, mode: int = 0o644) -> None:
    """Write `path` under a temporary name beside it, flush it to the disk, then rename: all or nothing.

    The folder is made where it is missing.
    """
    part = path.with_name(f".{path.name}.{os.getpid()}.part")
    make_folder(path.parent)
    with room_at(path):
        try:
            with part.open("wb") as file:
                write(file)
                file.flush()
                os.fsync(file.fileno())
            part.chmod(mode)
            part.replace(path)
        finally:
            part.unlink(missing_ok=True)


def make_folder(path: Path) -> None:
    """Create a folder and its parents; NoRoom as `room_at`."""
    with room_at(path):
        path.mkdir(parents=True, exist_ok=True)
