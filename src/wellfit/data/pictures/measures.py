"""What a person can measure of a picture: the columns by which sources are compared and regions are described."""

from __future__ import annotations

import math

import numpy as np

from wellfit._typing import Floats
from wellfit.data.pictures.decode import Pixels

GREY_MEASURES = ("width", "height", "brightness", "contrast", "sharpness", "blockiness", "bytes_per_pixel")
COLOUR_MEASURES = ("colourfulness", "warmth")
_GREY = np.array([0.299, 0.587, 0.114])
_TINY = 1e-3
_BLOCK = 8


def measures_of(pixels: Pixels, *, size: int | None) -> dict[str, float]:
    """Return the measures of one picture [H, W, C] as it was decoded, before it is brought to the common size.

    brightness: mean grey, white is 1. contrast: standard deviation of the grey values. sharpness: root mean square of
    the Laplacian, in units of the contrast: falls by blur, whatever the light. blockiness: steps between neighbours at
    the borders of 8 x 8 blocks, over those elsewhere: rises with JPEG; 1 below two blocks a side. bytes_per_pixel: of
    the file of `size` bytes; falls with compression; NaN where there is no file. colourfulness: mean of max - min over
    the channels. warmth: mean of red - blue.
    """
    values = pixels.astype(np.float64) / 255
    grey = values[:, :, 0] if values.shape[2] == 1 else values @ _GREY
    contrast = float(grey.std())
    found = {
        "width": float(pixels.shape[1]),
        "height": float(pixels.shape[0]),
        "brightness": float(grey.mean()),
        "contrast": contrast,
        "sharpness": float(np.sqrt(np.mean(_laplacian(grey) ** 2))) / (contrast + _TINY),
        "blockiness": _blockiness(grey),
        "bytes_per_pixel": math.nan if size is None else size / (pixels.shape[0] * pixels.shape[1]),
    }
    if values.shape[2] == 3:
        found["colourfulness"] = float((values.max(axis=2) - values.min(axis=2)).mean())
        found["warmth"] = float((values[:, :, 0] - values[:, :, 2]).mean())
    return found


def _laplacian(grey: Floats) -> Floats:
    middle = grey[1:-1, 1:-1]
    around = grey[:-2, 1:-1] + grey[2:, 1:-1] + grey[1:-1, :-2] + grey[1:-1, 2:]
    return np.asarray(around - 4 * middle)


def _blockiness(grey: Floats) -> float:
    if min(grey.shape) < 2 * _BLOCK:
        return 1.0
    at_borders, elsewhere = [], []
    for plane in (grey, grey.T):
        steps = np.abs(np.diff(plane, axis=0)).mean(axis=1)
        border = np.arange(1, len(plane)) % _BLOCK == 0
        at_borders.append(steps[border].mean())
        elsewhere.append(steps[~border].mean())
    return float(np.mean(at_borders) / (np.mean(elsewhere) + _TINY))
