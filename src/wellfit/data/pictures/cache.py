"""Decoded pictures on the disk: an array that is mapped into memory, and a table with what was measured of each.

Kept in `$WELLFIT_HOME/pictures` (or `~/.wellfit/pictures`) under a name that follows from the files' names, sizes and
times: a second start reads it, and a changed folder gets another. Nothing breaks when it is deleted.
"""

from __future__ import annotations

import contextlib
import json
import os
import shutil
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq

from wellfit._files import room_at
from wellfit._typing import Json
from wellfit.data.pictures.decode import Pixels
from wellfit.data.pictures.layout import Shape

VERSION = 2
_PIXELS, _ROWS, _ABOUT = "pixels.npy", "rows.parquet", "about.json"


@dataclass(frozen=True)
class Decoded:
    """Pictures that could be read.

    Attributes:
        pixels: uint8 [N, H, W, C], mapped from a file.
        rows: their files, measures and perceptual hashes.
        refused: file -> why it could not be used.
    """

    pixels: Pixels
    rows: pa.Table
    refused: dict[str, str]

    @property
    def shape(self) -> Shape:
        """Of each picture."""
        height, width, channels = self.pixels.shape[1:]
        return height, width, channels


def cache_folder() -> Path:
    """Where decoded pictures are kept."""
    return Path(os.environ.get("WELLFIT_HOME") or Path.home() / ".wellfit") / "pictures"


def load_decoded(key: str) -> Decoded | None:
    """Return what is kept under `key`; None where there is nothing, or it cannot be read."""
    folder = cache_folder() / key
    try:
        about: Json = json.loads((folder / _ABOUT).read_text(encoding="utf-8"))
        pixels = np.load(folder / _PIXELS, mmap_mode="r")
        return Decoded(pixels, pq.read_table(folder / _ROWS), dict(about["refused"]))
    except (OSError, ValueError, KeyError, pa.ArrowInvalid):
        return None


@contextlib.contextmanager
def new_pixels(key: str, *, rows: int, shape: Shape) -> Iterator[tuple[Path, Pixels]]:
    """Give an array on the disk to write pictures into; `keep_decoded` makes it last, else it goes.

    Raises:
        NoRoom: the disk does not take it.
    """
    part = cache_folder() / f".{key}.{os.getpid()}.part"
    with room_at(part):
        part.mkdir(parents=True, exist_ok=True)
        try:
            array = np.lib.format.open_memmap(part / _PIXELS, mode="w+", dtype=np.uint8, shape=(rows, *shape))
            yield part, array
        finally:
            shutil.rmtree(part, ignore_errors=True)


def keep_decoded(part: Path, key: str, *, rows: pa.Table, refused: dict[str, str]) -> Decoded:
    """Keep what stands in `part` under `key`, the description last, and return it mapped from there."""
    pq.write_table(rows, part / _ROWS)
    (part / _ABOUT).write_text(json.dumps({"version": VERSION, "refused": refused}), encoding="utf-8")
    folder = cache_folder() / key
    shutil.rmtree(folder, ignore_errors=True)
    part.rename(folder)
    pixels = np.load(folder / _PIXELS, mmap_mode="r")
    return Decoded(pixels, rows, refused)
