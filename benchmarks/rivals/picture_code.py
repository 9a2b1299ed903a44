"""What a user would write without a library: NumPy and SciPy, one picture at a time."""

from __future__ import annotations

import numpy as np
from scipy import ndimage

GREY = np.array([0.299, 0.587, 0.114])


def changed(picture: np.ndarray, rng: np.random.Generator) -> np.ndarray:
    """Return one picture [C, H, W] rotated, scaled, moved and with other colours, as wellfit's `strong` does."""
    channels, height, width = picture.shape
    angle, factor = np.deg2rad(rng.uniform(-15, 15)), 1.15 ** rng.uniform(-1, 1)
    turn = np.array([[np.cos(angle), np.sin(angle)], [-np.sin(angle), np.cos(angle)]]) / factor
    centre = (np.array([height, width]) - 1) / 2
    offset = centre - turn @ (centre + rng.uniform(-0.1, 0.1, 2) * [height, width])
    if channels == 3 and rng.random() < 0.5:
        picture = picture[:, :, ::-1]
    moved = [ndimage.affine_transform(each, turn, offset, order=1, mode="nearest") for each in picture]
    found = np.clip(np.stack(moved) * rng.uniform(0.8, 1.2), 0, 1)
    mean = (found[0] if channels == 1 else np.tensordot(GREY, found, 1)).mean()
    found = np.clip(mean + rng.uniform(0.8, 1.2) * (found - mean), 0, 1)
    if channels == 3:
        grey = np.tensordot(GREY, found, 1)
        found = np.clip(grey + rng.uniform(0.8, 1.2) * (found - grey), 0, 1)
    return found.astype(np.float32)
