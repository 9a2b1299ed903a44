"""Pictures made small for models of tables: whole areas become one number, as many as such a model can use."""

from __future__ import annotations

from dataclasses import replace

import numpy as np

from wellfit.data.prepare import Arrays, Prepared

MOST_SIDE = 10
"""Pictures of at most so many pixels a side are left as they are."""


def reduced_data(data: Prepared) -> Prepared:
    """Return the parts with small pictures; a table is returned as it is."""
    shape = data.preparation.schema.picture
    if shape is None:
        return data
    train_dev = reduced(data.train_dev, shape) if data.train_dev else None
    return Prepared(data.preparation, reduced(data.train, shape), train_dev, reduced(data.dev, shape))


def reduced(arrays: Arrays, shape: tuple[int, int, int]) -> Arrays:
    """Return rows of C * H * W pixels as rows of C * h * w means, h and w at most `MOST_SIDE`."""
    height, width, channels = shape
    factor = -(-max(height, width) // MOST_SIDE)
    if factor == 1:
        return arrays
    pixels = arrays.numeric.reshape(-1, channels, height, width)
    edges = [np.arange(0, side, factor) for side in (height, width)]
    sums = np.add.reduceat(np.add.reduceat(pixels, edges[0], axis=2), edges[1], axis=3)
    counts = np.outer(*(np.diff([*edge, side]) for edge, side in zip(edges, (height, width), strict=True)))
    return replace(arrays, numeric=np.ascontiguousarray((sums / counts).reshape(arrays.rows, -1), dtype=np.float32))
