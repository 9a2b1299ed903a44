"""Small pictures, and folders of them."""

from __future__ import annotations

import numpy as np
from PIL import Image


def squares(count=24, *, side=12, seed=0, classes=("light", "dark"), channels=3):
    """Noise that is brighter in one class: (class, pixels) pairs."""
    rng = np.random.default_rng(seed)
    found = []
    for number in range(count):
        place = number % len(classes)
        levels = rng.integers(0, 120, (side, side, channels)) + 130 * place
        found.append((classes[place], levels.astype(np.uint8)))
    return found


def write_folder(root, pictures, *, ending="png"):
    for number, (name, pixels) in enumerate(pictures):
        path = root / name / f"{number:04d}.{ending}"
        path.parent.mkdir(parents=True, exist_ok=True)
        Image.fromarray(pixels.squeeze()).save(path)
    return root
