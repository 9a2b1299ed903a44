"""How the pictures of dev differ from those of train in what a person can measure, in words and as a factor."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np

from wellfit._typing import Floats
from wellfit.data.features import Feature
from wellfit.diagnosis.mismatch.describe import direction

WORDS: Mapping[str, tuple[str, str]] = {
    "sharpness": ("sharper", "blurrier"),
    "brightness": ("brighter", "darker"),
    "contrast": ("of higher contrast", "flatter"),
    "blockiness": ("blockier (JPEG)", "less blocky"),
    "bytes_per_pixel": ("less compressed", "more compressed"),
    "width": ("wider", "narrower"),
    "height": ("higher", "lower"),
    "colourfulness": ("more colourful", "paler"),
}
"""Measure -> what pictures are where it is larger, and where it is smaller."""
LEAST_FACTOR = 1.1
"""Medians nearer than this differ less than their spread does."""


def picture_direction(column: Feature, train: Floats, dev: Floats) -> str:
    """One phrase: "dev pictures are blurrier: 3.1x (median 0.41, train 1.27)"; other columns as in tables."""
    known = [side[~np.isnan(side)] for side in (train, dev)]
    if column.name not in WORDS or not all(len(side) for side in known):
        return direction(column, train, dev)
    before, after = (float(np.median(side)) for side in known)
    least, most = sorted((before, after))
    if least <= 0 or most < LEAST_FACTOR * least:
        return direction(column, train, dev)
    more, less = WORDS[column.name]
    word = more if after > before else less
    return f"dev pictures are {word}: {most / least:.1f}x (median {after:.3g}, train {before:.3g})"
