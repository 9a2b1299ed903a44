"""Pixels as a column of a table, and back."""

from __future__ import annotations

import numpy as np
import pyarrow as pa

from wellfit.data.pictures.decode import Pixels
from wellfit.data.pictures.layout import Shape


def pixel_column(pixels: Pixels) -> pa.Array:
    """Return pixels [N, H, W, C] as a column of bytes, without copying them."""
    size = int(np.prod(pixels.shape[1:]))
    whole = np.ascontiguousarray(pixels)
    return pa.FixedSizeBinaryArray.from_buffers(pa.binary(size), len(whole), [None, pa.py_buffer(whole)])


def pixels_of(column: pa.ChunkedArray, shape: Shape) -> Pixels:
    """Return the pixels [N, H, W, C] that a column of bytes holds."""
    parts = [
        np.frombuffer(chunk.buffers()[1], np.uint8)[
            chunk.offset * chunk.type.byte_width : (chunk.offset + len(chunk)) * chunk.type.byte_width
        ]
        for chunk in column.chunks
    ]
    return np.concatenate([np.empty(0, np.uint8), *parts]).reshape(-1, *shape)
