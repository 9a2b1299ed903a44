"""Decoded pictures on disk: an array that is mapped into memory, and a table with the measures of each picture.

They are kept in `$WELLFIT_HOME/pictures` (or `~/.wellfit/pictures`) under a name derived from the files' names, sizes
and times: a second run reads the entry, and a changed folder gets a new one. Nothing breaks if an entry is deleted.
"""

from __future__ import annotations

import contextlib
import json
import os
import shutil
import zipfile
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.parquet as pq

from wellfit.base.files import home_folder, room_at
from wellfit.base.typing import Json
from wellfit.data.pictures.decode import LEAST_SIDE, Pixels
from wellfit.data.pictures.listing import Shape
from wellfit.exceptions import BadInput

VERSION = 2
_PIXELS, _ROWS, _ABOUT = "pixels.npy", "rows.parquet", "about.json"


@dataclass(frozen=True)
class Decoded:
    """Pictures that could be read (uint8 [N, H, W, C], mapped from a file), their measures, and the refused files."""

    pixels: Pixels
    rows: pa.Table
    refused: dict[str, str]

    @property
    def shape(self) -> Shape:
        """Shape of each picture."""
        height, width, channels = self.pixels.shape[1:]
        return height, width, channels


def cache_folder() -> Path:
    """Return the folder in which decoded pictures are kept."""
    return home_folder() / "pictures"


def load_decoded(key: str) -> Decoded | None:
    """Return the entry kept under `key`; None if there is none or it cannot be read."""
    folder = cache_folder() / key
    try:
        about: Json = json.loads((folder / _ABOUT).read_text(encoding="utf-8"))
        pixels = np.load(folder / _PIXELS, mmap_mode="r")
        return Decoded(pixels, pq.read_table(folder / _ROWS), dict(about["refused"]))
    except (OSError, ValueError, KeyError, pa.ArrowInvalid):
        return None


@contextlib.contextmanager
def new_pixels(key: str, *, rows: int, shape: Shape) -> Iterator[tuple[Path, Pixels]]:
    """Yield a folder and an array in it for writing pictures; both are deleted unless `keep_decoded` keeps them."""
    part = cache_folder() / f".{key}.{os.getpid()}.part"
    with room_at(part):
        part.mkdir(parents=True, exist_ok=True)
        try:
            array = np.lib.format.open_memmap(part / _PIXELS, mode="w+", dtype=np.uint8, shape=(rows, *shape))
            yield part, array
        finally:
            shutil.rmtree(part, ignore_errors=True)


def keep_decoded(part: Path, key: str, *, rows: pa.Table, refused: dict[str, str]) -> Decoded:
    """Keep the content of `part` under `key`, writing the description last, and return it mapped into memory."""
    pq.write_table(rows, part / _ROWS)
    (part / _ABOUT).write_text(json.dumps({"version": VERSION, "refused": refused}), encoding="utf-8")
    folder = cache_folder() / key
    shutil.rmtree(folder, ignore_errors=True)
    part.rename(folder)
    pixels = np.load(folder / _PIXELS, mmap_mode="r")
    return Decoded(pixels, rows, refused)


PICTURE_NAMES = ("images", "pictures", "x", "X")
LABEL_NAMES = ("labels", "y", "target")


def read_npz(path: Path, *, labelled: bool = True) -> tuple[Pixels, npt.NDArray[Any] | None]:
    """Return `images` (or x, X, pictures) [N, H, W, C] of 8 bits, and `labels` (or y, target) [N] if there are any."""
    try:
        with np.load(path, allow_pickle=False) as file:
            arrays = {name: file[name] for name in file.files if name in (*PICTURE_NAMES, *LABEL_NAMES)}
    except (OSError, ValueError, zipfile.BadZipFile) as error:
        raise BadInput(
            "an .npz file must be complete", found=f"{path}: {error}", remedy="Write the file again"
        ) from error
    pictures = next((arrays[name] for name in PICTURE_NAMES if name in arrays), None)
    labels = next((arrays[name] for name in LABEL_NAMES if name in arrays), None)
    if pictures is None or (labelled and labels is None):
        raise BadInput(
            "an .npz file must have an array named images and one named labels",
            found=f"{', '.join(arrays) or 'neither'} in {path}",
            remedy="Write it with np.savez(path, images=..., labels=...)",
        )
    if labels is not None and labels.shape != pictures.shape[:1]:
        raise BadInput(
            "an .npz file must have one label for each picture",
            found=f"images {pictures.shape} and labels {labels.shape}",
            remedy="Write labels of the same length",
        )
    return _with_channels(pictures, path=path), labels


def _with_channels(pictures: npt.NDArray[Any], *, path: Path) -> Pixels:
    whole = pictures[..., None] if pictures.ndim == 3 else pictures
    fits = whole.ndim == 4 and whole.shape[3] in (1, 3) and min(whole.shape[1:3]) >= LEAST_SIDE
    if whole.dtype != np.uint8 or not fits:
        raise BadInput(
            f"images must be uint8 [N, H, W] or [N, H, W, 3] and have at least {LEAST_SIDE} pixels on each side",
            found=f"{pictures.dtype} {pictures.shape} in {path}",
            remedy="Scale them to 0..255, put the channels last, and write them again",
        )
    return np.asarray(whole, dtype=np.uint8)
