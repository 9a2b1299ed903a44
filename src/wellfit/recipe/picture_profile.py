"""What many pictures measure, as numbers a picture: light, sharpness at two scales, blocks of JPEG, and grain."""

from __future__ import annotations

import numpy as np

from wellfit._typing import Floats
from wellfit.augment.geometry import GREY

BLOCK = 8
FLAT = 2 / 255
"""Neighbours that differ by less are alike to the eye; noise and compression leave few such."""
QUANTILES = np.linspace(0.05, 0.95, 19)
_TINY = 1e-3


def profile(pictures: Floats) -> Floats:
    """Return the measures [N, M] of pictures [N, C, H, W] in [0, 1]."""
    grey = pictures[:, 0] if pictures.shape[1] == 1 else np.tensordot(GREY, pictures, (0, 1))
    contrast = grey.std(axis=(1, 2))
    half = grey[:, : grey.shape[1] // 2 * 2, : grey.shape[2] // 2 * 2]
    half = half.reshape(len(grey), half.shape[1] // 2, 2, half.shape[2] // 2, 2).mean(axis=(2, 4))
    down, across = (np.abs(np.diff(grey, axis=axis)) for axis in (1, 2))
    flat = ((down < FLAT).mean(axis=(1, 2)) + (across < FLAT).mean(axis=(1, 2))) / 2
    measures = [
        grey.mean(axis=(1, 2)),
        np.log(contrast + _TINY),
        np.log(_edges(grey) / (contrast + _TINY) + _TINY),
        np.log(_edges(half) / (contrast + _TINY) + _TINY),
        flat,
        _at_borders(down.mean(axis=2)) + _at_borders(across.mean(axis=1)),
    ]
    return np.stack(measures, axis=1).astype(np.float64)


def distance(one: Floats, other: Floats, *, scale: Floats) -> float:
    """Return how far the distributions of the measures [N, M] and [N', M] lie apart, in units of `scale` [M]."""
    quantiles = [np.quantile(side, QUANTILES, axis=0) for side in (one, other)]
    return float((np.abs(quantiles[0] - quantiles[1]).mean(axis=0) / scale).mean())


def _edges(grey: Floats) -> Floats:
    """Return the root mean square of the Laplacian [N]."""
    middle = grey[:, 1:-1, 1:-1]
    if not middle.size:
        return np.zeros(len(grey))
    around = grey[:, :-2, 1:-1] + grey[:, 2:, 1:-1] + grey[:, 1:-1, :-2] + grey[:, 1:-1, 2:]
    return np.asarray(np.sqrt(np.mean((around - 4 * middle) ** 2, axis=(1, 2))))


def _at_borders(steps: Floats) -> Floats:
    """Return the log of the mean step [N] at borders of blocks over that elsewhere, of steps [N, places]."""
    border = np.arange(1, steps.shape[1] + 1) % BLOCK == 0
    if not border.any():
        return np.zeros(len(steps))
    return np.asarray(np.log((steps[:, border].mean(axis=1) + _TINY) / (steps[:, ~border].mean(axis=1) + _TINY)))
