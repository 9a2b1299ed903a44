"""Augment toward deployment: the changes that make training pictures measure like those of dev.

Step by step the one change of blur, compression, noise or light is made that brings the measures of training pictures
nearest to those of dev. No label of dev is looked at.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from types import MappingProxyType

import numpy as np

from wellfit._typing import Floats, Json
from wellfit.augment.apply import COLUMNS, DRAWN
from wellfit.augment.fast import changed_fast
from wellfit.augmentation import LARGEST, Augmentation
from wellfit.recipe.picture_profile import distance, profile

PICTURES = 200
"""Of each side, at most."""
SIZES: Mapping[str, tuple[float, ...]] = MappingProxyType(
    {
        "blur": (0.0, 0.4, 0.6, 0.8, 1.0, 1.3, 1.6, 2.0, 2.5, 3.0, 4.0),
        "brightness": (0.0, -0.85, -0.7, -0.55, -0.4, -0.25, -0.1, 0.1, 0.25, 0.4, 0.6, 0.8, 1.0),
        "contrast": (0.0, -0.85, -0.7, -0.55, -0.4, -0.25, -0.1, 0.1, 0.25, 0.4, 0.6, 0.8, 1.0),
        "noise": (0.0, 0.02, 0.04, 0.07, 0.1, 0.15, 0.2, 0.3),
        "jpeg": (0.0, 20.0, 40.0, 55.0, 65.0, 75.0, 82.0, 88.0, 93.0, 96.0),
    }
)
"""Operation -> what is tried; light may go either way."""
MOST_STEPS = 6
LEAST_SHARE = 0.05
"""Of the distance: a step that closes less is the last."""
LEAST_CLOSED = 0.25
"""Of the distance: changes that close less do not make pictures like those of dev."""
REACH = 1.25
"""A range goes so far beyond what dev shows that dev lies inside of it."""


@dataclass(frozen=True)
class Toward:
    """Ranges at strength 1, and how far the measures of train lie from dev's without and with such changes."""

    ranges: Mapping[str, float]
    before: float
    after: float

    def to_json(self) -> Json:
        """Plain values."""
        return {"ranges": dict(self.ranges), "before": self.before, "after": self.after}


def toward(train: Floats, dev: Floats) -> Toward:
    """Return the changes that bring pictures of train nearest to those of dev, both [N, C, H, W] in [0, 1]."""
    train, aim = _some(train), profile(_some(dev))
    scale = np.concatenate([profile(train), aim]).std(axis=0) + np.finfo(np.float64).tiny

    def apart(sizes: Mapping[str, float]) -> float:
        return distance(profile(_changed(train, sizes)), aim, scale=scale)

    before = after = apart({})
    sizes: dict[str, float] = {}
    for _ in range(MOST_STEPS):
        tried = [{**sizes, name: size} for name, each in SIZES.items() for size in each]
        apart_each = [apart(one) for one in tried]
        nearest = int(np.argmin(apart_each))
        if after - apart_each[nearest] < LEAST_SHARE * before:
            break
        sizes, after = tried[nearest], apart_each[nearest]
    if before - after < LEAST_CLOSED * before:
        return Toward({}, before, before)
    ranges = {name: min(REACH * abs(size), LARGEST[name]) for name, size in sizes.items() if size}
    return Toward(ranges, before, after)


def _some(pictures: Floats) -> Floats:
    step = max(1, len(pictures) // PICTURES)
    return np.ascontiguousarray(pictures[::step][:PICTURES])


def _changed(pictures: Floats, sizes: Mapping[str, float]) -> Floats:
    """Return pictures all of which are changed by just these sizes."""
    uniform = np.ones((len(pictures), DRAWN), np.float32)
    for name, size in sizes.items():
        if size < 0:
            uniform[:, list(COLUMNS[name])] = 0.0
    normal = np.random.default_rng(0).standard_normal(pictures.shape).astype(pictures.dtype)
    member = Augmentation.within({name: abs(size) for name, size in sizes.items()})
    changed: Floats = changed_fast(pictures, [(member, 1.0)], uniform=uniform, normal=normal)[0]
    return changed
