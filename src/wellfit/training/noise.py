"""Noise and batch order from a counter (Philox, Salmon et al., 2011), so that they depend only on their address.

The key is (seed, stream), and the counter (width, layer and purpose, update). `stream` is "shared" for all training
runs, which are compared on the same noise; other draws ("bins", "monte carlo/3", "references") have their own streams.
"""

from __future__ import annotations

import hashlib
from dataclasses import dataclass
from functools import lru_cache

import numpy as np
import numpy.typing as npt

from wellfit.base.typing import Booleans, Floats

SHARED = "shared"
LEVELS = 65_536
"""Number of equally likely values of noise (uint16)."""

_WORD = 2**64
_FRACTIONS = 2**52
_MASK, _ORDER, _WEIGHTS, _INPUT, _MIXING, _PICTURES, _PIXELS, _CUT = range(8)


@dataclass(frozen=True)
class Address:
    """The address of the draws for one batch."""

    seed: int
    stream: str
    update: int


def noise_block(*, seed: int, stream: str, update: int, layer: int, rows: int, width: int) -> npt.NDArray[np.uint16]:
    """Return the noise [rows, width] of one hidden layer at one update; a row is the same for any `rows`."""
    words = -(-rows * width // 4)
    raw = _philox((seed, stream), purpose=_MASK, at=(width, layer, update)).random_raw(words)
    return np.asarray(raw, dtype="<u8").view("<u2")[: rows * width].reshape(rows, width)


def kept(noise: npt.NDArray[np.uint16], *, share: float) -> Booleans:
    """Return the mask noise < share * 65536: True where a unit is kept."""
    return np.less_equal(noise, threshold_of(np.array(share)))


def threshold_of(shares: Floats) -> npt.NDArray[np.uint16]:
    """Return the highest noise that keeps a unit, for an array of any shape with shares of units kept."""
    # Against an integer the comparison stays in 16 bits; a share of 1 would need a 17th.
    return (np.minimum(np.ceil(shares * LEVELS), LEVELS) - 1).astype(np.uint16)


def batch_order(*, seed: int, stream: str, epoch: int, rows: int) -> npt.NDArray[np.int64]:
    """Return the order [rows] in which one epoch visits the training rows."""
    source = np.random.Generator(_philox((seed, stream), purpose=_ORDER, at=(rows, 0, epoch)))
    return source.permutation(rows)


def input_noise_block(*, seed: int, stream: str, update: int, rows: int, width: int) -> npt.NDArray[np.float32]:
    """Return standard normal noise [rows, width] for the numbers at one update; a row is the same for any `rows`."""
    source = np.random.Generator(_philox((seed, stream), purpose=_INPUT, at=(width, 0, update)))
    return source.standard_normal((rows, width), dtype=np.float32)


def mixing(*, seed: int, stream: str, update: int, rows: int) -> tuple[float, npt.NDArray[np.int64]]:
    """Return the draws of mixup for one batch: a uniform number in (0, 1), and each row's partner [rows]."""
    source = np.random.Generator(_philox((seed, stream), purpose=_MIXING, at=(rows, 0, update)))
    # The middle of one of 2^52 equal parts of the interval is neither of its ends.
    uniform = (int(source.integers(_FRACTIONS)) + 0.5) / _FRACTIONS
    return uniform, source.permutation(rows)


def picture_draws(*, seed: int, stream: str, update: int, rows: int, width: int) -> npt.NDArray[np.float32]:
    """Return the uniform numbers [rows, width] for changing pictures; a row is the same for any `rows`."""
    source = np.random.Generator(_philox((seed, stream), purpose=_PICTURES, at=(width, 0, update)))
    return source.random((rows, width), dtype=np.float32)


def pixel_noise(*, seed: int, stream: str, update: int, rows: int, width: int) -> npt.NDArray[np.float32]:
    """Return standard normal noise [rows, width] for the pixels of pictures; a row is the same for any `rows`."""
    source = np.random.Generator(_philox((seed, stream), purpose=_PIXELS, at=(width, 0, update)))
    return source.standard_normal((rows, width), dtype=np.float32)


def cutting(
    *, seed: int, stream: str, update: int, rows: int
) -> tuple[tuple[float, float, float, float], npt.NDArray[np.int64]]:
    """Return cutmix's draws for one batch: whether to cut, area, down and right in [0, 1), and partners [rows]."""
    source = np.random.Generator(_philox((seed, stream), purpose=_CUT, at=(rows, 0, update)))
    whether, area, down, right = source.random(4).tolist()
    return (whether, area, down, right), source.permutation(rows)


def weight_noise(*, seed: int, layer: int, shape: tuple[int, int]) -> npt.NDArray[np.float32]:
    """Return standard normal noise of `shape`, from which the weights of one layer start."""
    source = np.random.Generator(_philox((seed, SHARED), purpose=_WEIGHTS, at=(shape[1], layer, shape[0])))
    return source.standard_normal(shape, dtype=np.float32)


def _philox(key: tuple[int, str], *, purpose: int, at: tuple[int, int, int]) -> np.random.Philox:
    seed, stream = key
    width, layer, update = at
    # The lowest word counts the blocks of one draw, so it starts at zero.
    counter = np.array([0, width, layer << 8 | purpose, update], dtype=np.uint64)
    return np.random.Philox(counter=counter, key=np.array([seed % _WORD, _name_of(stream)], dtype=np.uint64))


@lru_cache(maxsize=256)
def _name_of(stream: str) -> int:
    return int.from_bytes(hashlib.sha256(stream.encode()).digest()[:8], "little")
