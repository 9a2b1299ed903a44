"""The data board, as far as a recipe can turn it by itself: training pictures are made to look like those of dev."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace

from wellfit._typing import Floats, Json
from wellfit.augmentation import OPERATIONS, Augmentation, range_of
from wellfit.config import Config
from wellfit.data.prepare import Arrays
from wellfit.recipe.expectation import Shares
from wellfit.recipe.remedies.trials import on_dev
from wellfit.recipe.toward import toward
from wellfit.recipe.turn import Work

KIND = "augment_toward"
FURTHER = 1.5
"""Times the ranges that were found: what dev shows is then the middle rather than the edge of what is trained on."""


def augment_toward(work: Work) -> tuple[Config, ...]:
    """Changes that make training pictures measure like dev's, beside those that the network has: none, some, or all."""
    config, shape = work.config, work.bench.data.preparation.schema.picture
    if shape is None or config.network.kind != "conv":
        return ()

    def compute() -> Json:
        data = work.bench.data
        return toward(_pictures(data.train, shape), _pictures(data.dev, shape)).to_json()

    ranges = work.bench.recall("plan", KIND, compute)["ranges"]
    if not ranges:
        return ()
    strength = config.regularization.augment
    own = {name: range_of(name, config.augmentation, strength) for name in OPERATIONS}
    full = {name: range_of(name, config.augmentation, 1.0) for name in OPERATIONS}
    further = {name: FURTHER * size for name, size in ranges.items()}
    wanted = [_widest(own, ranges), _widest(own, further), _widest(full, ranges)]
    board = replace(config.regularization, augment=1.0)
    return tuple(dict.fromkeys(replace(config, augmentation=each, regularization=board) for each in wanted))


def _pictures(arrays: Arrays, shape: tuple[int, int, int]) -> Floats:
    height, width, channels = shape
    return arrays.numeric.reshape(-1, channels, height, width)


def _widest(one: Mapping[str, float], other: Mapping[str, float]) -> Augmentation:
    return Augmentation.within({name: max(one[name], other.get(name, 0.0)) for name in OPERATIONS})


AUGMENT_TOWARD = on_dev(
    KIND,
    augment_toward,
    board="data",
    finding="WF301",
    shares=lambda _work: Shares(0.0, 0.5, 1.0),
)
