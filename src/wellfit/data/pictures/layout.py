"""The columns of a table of pictures."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TypeAlias

FILE = "file"
LABEL = "label"
LOOK = "look"
"""The perceptual hash; it is compared across the splits, and is no feature."""
PICTURE = "picture"
"""The pixels: bytes [H, W, C]."""
RESERVED = (FILE, LOOK, PICTURE)
Shape: TypeAlias = tuple[int, int, int]
"""Height, width and channels (1 grey, 3 red-green-blue)."""


@dataclass(frozen=True, kw_only=True)
class PictureOptions:
    """How pictures are read.

    Attributes:
        column: of a CSV or Parquet file: the one that holds paths; None for a folder of class folders or .npz arrays.
        target: name of the labels.
        size: side in pixels to which pictures are brought; None for their own size, at most 64.
        skip_corrupt: leave files out that cannot be used, instead of refusing them.
    """

    column: str | None = None
    target: str = LABEL
    size: int | None = None
    skip_corrupt: bool = False
