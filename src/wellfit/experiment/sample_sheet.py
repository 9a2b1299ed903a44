"""A sheet of training pictures and what augmentation makes of them, so that a person sees whether labels survive."""

from __future__ import annotations

import base64
import io

import numpy as np
import torch

from wellfit._typing import Floats, Integers, Json
from wellfit.augmentation import NOTHING, OPERATIONS, Augmentation
from wellfit.data.prepare import Prepared
from wellfit.training.noise import SHARED
from wellfit.training.pictures import Address, changed

KIND = "pictures"
MOST_PICTURES = 8
CHANGES = 6
MOST_SIDE = 48
"""Of a picture on the sheet; the page stays under a million bytes."""
GAP = 2


def sample_sheet(data: Prepared, augmentation: Augmentation, *, seed: int) -> Json:
    """Return the journal's entry: a PNG with a row for each of a few pictures, the original first, and the ranges.

    The changes are those of the first batches of a training at strength 1.
    """
    chosen = _of_every_class(data)
    shape = data.preparation.schema.picture or (0, 0, 0)
    values = torch.from_numpy(data.train.numeric[chosen])
    columns = [values] + [
        changed(values, [(augmentation, 1.0)], at=Address(seed, SHARED, update), shape=shape)[0]
        for update in range(CHANGES)
    ]
    grid = torch.stack(columns, dim=1).numpy().reshape(len(chosen), len(columns), shape[2], *shape[:2])
    classes = data.preparation.schema.classes
    target = data.train.target[chosen]
    return {
        "png": _png(grid.clip(0, 1)),
        "labels": [classes[int(each)] if classes else f"{each:g}" for each in target],
        "changes": CHANGES if augmentation != NOTHING else 0,
        "ranges": {name: getattr(augmentation, name) for name in OPERATIONS if getattr(augmentation, name)},
    }


def _of_every_class(data: Prepared) -> Integers:
    """Places of the first training picture of each class; of the first few pictures where targets are numbers."""
    if not data.preparation.schema.classes:
        return np.arange(min(MOST_PICTURES, data.train.rows))
    return np.sort(np.unique(data.train.target, return_index=True)[1][:MOST_PICTURES])


def _png(grid: Floats) -> str:
    """Return [rows, columns, C, H, W] in [0, 1] as one PNG with narrow gaps, in base64."""
    from PIL import Image

    rows, columns, channels, height, width = grid.shape
    whole = np.full((rows * (height + GAP) - GAP, columns * (width + GAP) - GAP, channels), 255, np.uint8)
    for row in range(rows):
        for column in range(columns):
            top, left = row * (height + GAP), column * (width + GAP)
            pixels = (grid[row, column].transpose(1, 2, 0) * 255).round()
            whole[top : top + height, left : left + width] = pixels
    image = Image.fromarray(whole.squeeze(2) if channels == 1 else whole)
    share = min(1.0, MOST_SIDE / max(height, width))
    if share < 1:
        image = image.resize((round(image.width * share), round(image.height * share)), Image.Resampling.BILINEAR)
    buffer = io.BytesIO()
    image.save(buffer, "PNG", optimize=True)
    return base64.b64encode(buffer.getvalue()).decode()
