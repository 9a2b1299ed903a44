"""Near copies of pictures: a 64-bit hash of how a picture looks (pHash: Zauner, 2010), and a comparison that confirms.

The hash has one bit for each of 64 low cosine frequencies: whether it is above their median. Copies that were scaled,
compressed or made brighter differ in a few bits. So do simple pictures of one kind, such as digits; therefore a pair
counts only when its pixels agree too.
"""

from __future__ import annotations

import numpy as np
import numpy.typing as npt
from scipy.fft import dctn

from wellfit._typing import Floats, Integers
from wellfit.data.pictures.decode import Pixels

SIDE = 32
FREQUENCIES = 8
MOST_BITS = 12
"""Hashes of near copies differ in at most so many of 64 bits; those of unrelated pictures in 32 on average."""
LEAST_CORRELATION = 0.98
"""Of the grey values of a near copy with those of its twin, at the common size.

Measured: of 2,000 and 4,000 digits of MNIST one pair comes as near; of scenes compressed with quality 60 all do.
"""
ROWS_AT_ONCE = 512

Hashes = npt.NDArray[np.uint64]


def look_of(pixels: Pixels) -> int:
    """Return the hash of one picture [H, W, C]."""
    from PIL import Image

    grey = pixels.mean(axis=2).round().astype(np.uint8)
    small = np.asarray(Image.fromarray(grey).resize((SIDE, SIDE), Image.Resampling.BILINEAR), dtype=np.float64)
    # The mean (frequency 0, 0) is brightness: it is left out by starting at 1 in both directions.
    waves = dctn(small, norm="ortho")[1 : FREQUENCIES + 1, 1 : FREQUENCIES + 1].ravel()
    bits = waves > np.median(waves)
    return int.from_bytes(np.packbits(bits).tobytes(), "big")


def near_copies(looks: tuple[Hashes, Hashes], pictures: tuple[Floats, Floats]) -> Integers:
    """Return, for rows of a part, the place of a near copy in another part, -1 where there is none.

    Args:
        looks: hashes [N] of the part, and [M] of the other.
        pictures: grey values [N, P] and [M, P] of the same.
    """
    mine, others = looks
    found = np.full(len(mine), -1, dtype=np.int64)
    for start in range(0, len(mine), ROWS_AT_ONCE):
        apart = np.bitwise_count(mine[start : start + ROWS_AT_ONCE, None] ^ others[None, :])
        for row, twin in np.argwhere(apart <= MOST_BITS):
            place = start + int(row)
            if found[place] < 0 and _correlation(pictures[0][place], pictures[1][twin]) >= LEAST_CORRELATION:
                found[place] = twin
    return found


def _correlation(one: Floats, other: Floats) -> float:
    first, second = one - one.mean(), other - other.mean()
    size = float(np.sqrt((first**2).sum() * (second**2).sum()))
    # Two blank pictures agree; a blank one and another do not.
    return float((first * second).sum()) / size if size else float(not first.any() and not second.any())
