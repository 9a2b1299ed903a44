"""Pictures that are arrays already: an .npz file with `images` (or x, X, pictures) and `labels` (or y)."""

from __future__ import annotations

import zipfile
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from wellfit.data.pictures.decode import LEAST_SIDE, Pixels
from wellfit.exceptions import BadInput

PICTURE_NAMES = ("images", "pictures", "x", "X")
LABEL_NAMES = ("labels", "y", "target")


def read_npz(path: Path, *, labelled: bool = True) -> tuple[Pixels, npt.NDArray[Any] | None]:
    """Return pictures [N, H, W, C] of 8 bits, and their labels [N] where there are some.

    Raises:
        BadInput: no such arrays, other types, or numbers of rows that differ.
    """
    try:
        with np.load(path, allow_pickle=False) as file:
            arrays = {name: file[name] for name in file.files if name in (*PICTURE_NAMES, *LABEL_NAMES)}
    except (OSError, ValueError, zipfile.BadZipFile) as error:
        raise BadInput("an .npz file must be whole", found=f"{path}: {error}", remedy="Write the file again") from error
    pictures = next((arrays[name] for name in PICTURE_NAMES if name in arrays), None)
    labels = next((arrays[name] for name in LABEL_NAMES if name in arrays), None)
    if pictures is None or (labelled and labels is None):
        raise BadInput(
            "an .npz file has an array called images, and one called labels",
            found=f"{', '.join(arrays) or 'neither'} in {path}",
            remedy="Write np.savez(path, images=..., labels=...)",
        )
    if labels is not None and labels.shape != pictures.shape[:1]:
        raise BadInput(
            "an .npz file has one label for each picture",
            found=f"images {pictures.shape} and labels {labels.shape}",
            remedy="Write labels of the same length",
        )
    return _with_channels(pictures, path=path), labels


def _with_channels(pictures: npt.NDArray[Any], *, path: Path) -> Pixels:
    whole = pictures[..., None] if pictures.ndim == 3 else pictures
    fits = whole.ndim == 4 and whole.shape[3] in (1, 3) and min(whole.shape[1:3]) >= LEAST_SIDE
    if whole.dtype != np.uint8 or not fits:
        raise BadInput(
            f"images are uint8 [N, H, W] or [N, H, W, 3], at least {LEAST_SIDE} pixels a side",
            found=f"{pictures.dtype} {pictures.shape} in {path}",
            remedy="Scale them to 0..255 with the channels last, and write them again",
        )
    return np.asarray(whole, dtype=np.uint8)
