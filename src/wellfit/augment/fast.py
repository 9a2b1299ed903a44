"""The same changes as `apply.augmented`, by the compiled functions of kernels.py: on the CPU, all members at once."""

from __future__ import annotations

from collections.abc import Sequence
from functools import lru_cache

import numpy as np
import torch

from wellfit._typing import Floats
from wellfit.augment.apply import TRUNCATE
from wellfit.augment.geometry import GREY
from wellfit.augment.jpeg import BLOCK, TO_YCC, cosines, tables_of
from wellfit.augment.kernels import BLUR, PLACES_AT_ONCE, Desk, change
from wellfit.augmentation import OPERATIONS, Augmentation, range_of

MIDDLE_QUALITY = 50
"""At which libjpeg's tables stand as they are."""


def changed_fast(
    pictures: Floats, members: Sequence[tuple[Augmentation, float]], *, uniform: Floats, normal: Floats | None
) -> Floats:
    """Return pictures [N, C, H, W] as each of K members sees them: [K, N, C, H, W].

    Args:
        pictures: values in [0, 1].
        members: what each changes, and how much of it.
        uniform: [N, DRAWN] in [0, 1).
        normal: [N, C, H, W] standard normal; None where nobody has noise.
    """
    dtype = pictures.dtype
    # Ranges are rounded to float32 first, as those of the operations in torch are.
    ranges = np.array([[range_of(name, *member) for name in OPERATIONS] for member in members], np.float32)
    noise = np.empty((0, *pictures.shape[1:]), dtype) if normal is None else normal.astype(dtype, copy=False)
    found = np.empty((len(members), *pictures.shape), dtype)
    desk = _desk(pictures, widest_blur=float(ranges[:, BLUR].max()))
    change(np.ascontiguousarray(pictures), uniform.astype(dtype, copy=False), noise, ranges.astype(dtype), desk, found)
    return found


def _desk(pictures: Floats, *, widest_blur: float) -> Desk:
    dtype, (channels, height, width) = pictures.dtype, pictures.shape[1:]
    waves, turn, tables, grey = (each.astype(dtype) for each in _constants(channels))
    return Desk(
        rows=np.empty(height * width, dtype),
        columns=np.empty(height * width, dtype),
        nearest=np.empty(PLACES_AT_ONCE, np.uint32),
        across=np.empty(PLACES_AT_ONCE, dtype),
        along=np.empty(PLACES_AT_ONCE, dtype),
        plane=np.empty((height, width), dtype),
        planes=np.empty((channels, height + -height % BLOCK, width + -width % BLOCK), dtype),
        taps=np.empty(2 * round(TRUNCATE * widest_blur) + 3),
        blocks=np.empty((2, BLOCK, BLOCK), dtype),
        waves=waves,
        turn=turn,
        tables=tables,
        steps=np.empty_like(tables),
        grey=grey,
    )


@lru_cache(maxsize=8)
def _constants(channels: int) -> tuple[Floats, Floats, Floats, Floats]:
    """Return cosines, colours there and back, quantization tables, and weights of grey."""
    like = torch.empty(0, dtype=torch.float64)
    turn = np.array(TO_YCC) if channels == 3 else np.eye(channels)
    tables = tables_of(like.new_tensor([MIDDLE_QUALITY]), channels=channels)[0].numpy()
    grey = np.array(GREY if channels == 3 else [1.0] * channels)
    waves = cosines(like).numpy()
    return np.stack([waves, waves.T]), np.stack([turn, np.linalg.inv(turn)]), tables, grey
