"""Random changes to pictures on the CPU, for all members at once, with the compiled functions of kernels.py.

The order is: flips, motion, crop, colours, blur, noise, JPEG, erase. Each operation reads its own columns of a
picture's uniform numbers, so that a picture is changed in the same way whatever else is on and whichever pictures are
in its batch.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from functools import lru_cache
from types import MappingProxyType

import numpy as np

from wellfit.augment.kernels import BLOCK, BLUR, PLACES_AT_ONCE, Desk, change
from wellfit.base.typing import Floats
from wellfit.records.augmentation import OPERATIONS, Augmentation, range_of

COLUMNS: Mapping[str, tuple[int, ...]] = MappingProxyType(
    {
        "flip_horizontal": (0,),
        "flip_vertical": (1,),
        "rotate": (2,),
        "translate": (3, 4),
        "scale": (5,),
        "crop": (6, 7),
        "erase": (8, 9),
        "brightness": (10,),
        "contrast": (11,),
        "saturation": (12,),
        "noise": (13,),
        "blur": (14,),
        "jpeg": (15,),
    }
)
"""The uniform numbers of a row that each operation reads; a new operation takes new columns and moves no others."""
DRAWN = 16

TRUNCATE = 3.0
"""Reach of a blur kernel in standard deviations, rounded to pixels."""
GREY = (0.299, 0.587, 0.114)
"""Weights of red, green and blue in a grey value (ITU-R BT.601, as Pillow's "L")."""
LUMINANCE = (
    *(16, 11, 10, 16, 24, 40, 51, 61, 12, 12, 14, 19, 26, 58, 60, 55, 14, 13, 16, 24, 40, 57, 69, 56),
    *(14, 17, 22, 29, 51, 87, 80, 62, 18, 22, 37, 56, 68, 109, 103, 77, 24, 35, 55, 64, 81, 104, 113, 92),
    *(49, 64, 78, 87, 103, 121, 120, 101, 72, 92, 95, 98, 112, 100, 103, 99),
)
CHROMINANCE = (
    *(17, 18, 24, 47, 99, 99, 99, 99, 18, 21, 26, 66, 99, 99, 99, 99, 24, 26, 56, 99, 99, 99, 99, 99),
    *(47, 66, 99, 99, 99, 99, 99, 99, *[99] * 32),
)
TO_YCC = ((0.299, 0.587, 0.114), (-0.168735892, -0.331264108, 0.5), (0.5, -0.418687589, -0.081312411))
"""The conversion from red, green and blue to brightness and colour differences."""


def changed_fast(
    pictures: Floats, members: Sequence[tuple[Augmentation, float]], *, uniform: Floats, normal: Floats | None
) -> Floats:
    """Return pictures [N, C, H, W] in [0, 1] as each of K members with its strength sees them: [K, N, C, H, W].

    `uniform` [N, DRAWN] is in [0, 1); `normal` [N, C, H, W] is standard normal, or None if no member has noise.
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
    """Return cosines, colour conversions both ways, quantization tables of quality 50, and weights of grey."""
    places = np.arange(BLOCK)
    # The orthonormal cosine transform: frequencies by places.
    waves = np.cos((2 * places[None, :] + 1) * places[:, None] * math.pi / (2 * BLOCK)) * math.sqrt(2 / BLOCK)
    waves[0] /= math.sqrt(2)
    turn = np.array(TO_YCC) if channels == 3 else np.eye(channels)
    tables = np.array([LUMINANCE, CHROMINANCE, CHROMINANCE][:channels], np.float64).reshape(-1, BLOCK, BLOCK)
    grey = np.array(GREY if channels == 3 else [1.0] * channels)
    return np.stack([waves, waves.T]), np.stack([turn, np.linalg.inv(turn)]), tables, grey
