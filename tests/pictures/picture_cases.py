"""Small pictures, and folders of them."""

from __future__ import annotations

import numpy as np
from PIL import Image
from sklearn.datasets import load_digits

from wellfit.data.prepare import Arrays, Preparation, Prepared
from wellfit.data.schema import Column, Schema


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


def prepared_digits(rows=160, *, seed=0, task="classification"):
    """scikit-learn's digits, 8 x 8, as pictures: train and dev."""
    digits = load_digits()
    chosen = np.random.default_rng(seed).permutation(len(digits.target))[: rows + rows // 2]
    classes = tuple("0123456789") if task == "classification" else ()
    pixels = Column("picture", "number", "picture", "", "nested")
    target = Column("label", "category" if classes else "number", "target")
    schema = Schema((target, pixels), "label", task, classes, "string" if classes else "", (8, 8, 1))
    numeric = (digits.data[chosen] / 16).astype(np.float32)
    targets = digits.target[chosen].astype(np.int64 if classes else np.float64)
    parts = [
        Arrays(numeric[part], np.empty((len(numeric[part]), 0), np.int32), targets[part])
        for part in (slice(None, rows), slice(rows, None))
    ]
    return Prepared(
        Preparation(schema, (), (), 0.0 if classes else 4.5, 1.0 if classes else 2.9), parts[0], None, parts[1]
    )
