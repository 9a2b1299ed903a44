"""One size for all pictures: their own where they share one, else a square that each is fitted into."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from wellfit.data.pictures.decode import Header, Pixels
from wellfit.data.pictures.layout import Shape
from wellfit.exceptions import BadInput

MOST_SIDE = 64
"""Two cores train on pictures of this size; `size` asks for another."""
LEAST_ASKED, MOST_ASKED = 8, 512


def canvas_for(headers: Sequence[Header], *, size: int | None) -> Shape:
    """Return the shape that all pictures are brought to.

    Raises:
        BadInput: a size out of range.
    """
    if size is not None and not LEAST_ASKED <= size <= MOST_ASKED:
        raise BadInput(
            f"a picture size is from {LEAST_ASKED} to {MOST_ASKED} pixels", found=f"{size}", remedy="Give another"
        )
    channels = 3 if any(header.colour for header in headers) else 1
    shapes = {(header.height, header.width) for header in headers}
    if size is None and len(shapes) == 1:
        ((height, width),) = shapes
        if max(height, width) <= MOST_SIDE:
            return height, width, channels
    longest = np.median([max(header.height, header.width) for header in headers])
    side = size or int(np.clip(round(float(longest)), LEAST_ASKED, MOST_SIDE))
    return side, side, channels


def fitted(pixels: Pixels, shape: Shape) -> Pixels:
    """Return pixels [H, W, C] at `shape`: as large as fits, in the middle, about it the mean colour of the edge."""
    from PIL import Image

    height, width, channels = shape
    if pixels.shape == shape:
        return pixels
    factor = min(height / pixels.shape[0], width / pixels.shape[1])
    inner = tuple(max(1, round(factor * side)) for side in pixels.shape[:2])
    image = Image.fromarray(pixels.squeeze(2) if channels == 1 else pixels)
    # Reducing averages over whole areas (antialiasing); enlarging interpolates.
    resized = np.asarray(image.resize(inner[::-1], Image.Resampling.BILINEAR)).reshape(*inner, channels)
    edge = np.concatenate([resized[0], resized[-1], resized[:, 0], resized[:, -1]]).mean(axis=0)
    whole = np.broadcast_to(edge.round().astype(np.uint8), shape).copy()
    top, left = (height - inner[0]) // 2, (width - inner[1]) // 2
    whole[top : top + inner[0], left : left + inner[1]] = resized
    return whole
