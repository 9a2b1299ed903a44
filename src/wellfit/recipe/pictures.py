"""The recipe for pictures: first network, larger ones, the grid of a sweep, and measures of how pictures look."""

from __future__ import annotations

from dataclasses import replace
from itertools import pairwise

import numpy as np

from wellfit.augment.apply import GREY
from wellfit.base.typing import Floats
from wellfit.records.augmentation import NOTHING
from wellfit.records.config import Config, Network
from wellfit.sweeps.space import LEAST_KEEP_PROB, useful_shrinks

Shape = tuple[int, int, int]
"""Height, width and channels."""

SMALL_SIDE = 16
"""Smaller pictures are halved twice, larger ones three times."""
SMALL_WIDTHS, WIDTHS = (32, 64), (16, 32, 64)
WIDER = (2, 3)
STRENGTHS = (0.0, 0.5, 1.0)
KEEPS = (1.0, 0.75, LEAST_KEEP_PROB)
LEAST_POOLED = 4
COST = 1.5
"""Guessed cost of a member, in trainings of the first network: augmentation and dropout take time."""


def first_network(shape: Shape) -> Network:
    """Return the network that the recipe starts from on pictures."""
    return Network(kind="conv", widths=SMALL_WIDTHS if min(shape[:2]) < SMALL_SIDE else WIDTHS, embedding="none")


def wider_networks(config: Config) -> tuple[Config, ...]:
    """Return the same network with more channels in every block."""
    network = config.network
    wider = [tuple(factor * width for width in network.widths) for factor in WIDER]
    return tuple(replace(config, network=replace(network, widths=widths)) for widths in wider)


def picture_grid(config: Config, *, rows: int, members: int) -> dict[str, list[float]]:
    """Return strengths of augmentation x keep_prob x lambda, with at most `members` combinations.

    If members are few, the first of these keep their values first: in this order pictures need them.
    """
    members = max(2, int(members / COST))
    strengths = list(STRENGTHS) if config.augmentation != NOTHING else [0.0]
    strengths = [*strengths[:1], *strengths[-1:]] if members < len(strengths) else strengths
    keeps = list(KEEPS[: max(1, min(len(KEEPS), members // len(strengths)))])
    lambdas = min(3, max(1, members // (len(strengths) * len(keeps))))
    least, most = useful_shrinks(config, rows=rows)
    middle = (least * most) ** 0.5
    shrinks = (0.0, middle, most)[:lambdas]
    return {
        "l2": [float(f"{shrink * rows / config.optimization.lr:.4g}") for shrink in shrinks],
        "keep_prob": keeps,
        "augment": strengths,
    }


def weights_times_places(network: Network, *, shape: Shape, outputs: int) -> int:
    """Return the multiplications of one forward pass of one picture through a convolutional network."""
    height, width, channels = shape
    found = 0
    for ins, outs in pairwise((channels, *network.widths)):
        found += 9 * ins * outs * height * width
        if min(height, width) >= LEAST_POOLED:
            height, width = height // 2, width // 2
    return found + (network.widths or (channels,))[-1] * height * width * outputs


BLOCK = 8
FLAT = 2 / 255
"""Neighbours that differ by less look alike; noise leaves few such pairs, compression many."""
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
    """Return the distance between the distributions of measures [N, M] and [N', M], in units of `scale` [M]."""
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
