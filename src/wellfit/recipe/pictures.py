"""What the recipe does otherwise with pictures: its first network, the larger ones, and the grid of a sweep."""

from __future__ import annotations

from dataclasses import replace
from itertools import pairwise

from wellfit.augmentation import NOTHING
from wellfit.config import Config, Network
from wellfit.sweeps.space import LEAST_KEEP_PROB, useful_shrinks

Shape = tuple[int, int, int]
"""Height, width and channels."""

SMALL_SIDE = 16
"""Pictures below it are halved twice, larger ones three times."""
SMALL_WIDTHS, WIDTHS = (32, 64), (16, 32, 64)
WIDER = (2, 3)
STRENGTHS = (0.0, 0.5, 1.0)
KEEPS = (1.0, 0.75, LEAST_KEEP_PROB)
LEAST_POOLED = 4
COST = 1.5
"""How many times as long a member may take as the first network, for changes of pictures and dropout: a guess."""


def first_network(shape: Shape) -> Network:
    """Return the network that the recipe starts from on pictures."""
    return Network(kind="conv", widths=SMALL_WIDTHS if min(shape[:2]) < SMALL_SIDE else WIDTHS, embedding="none")


def wider_networks(config: Config) -> tuple[Config, ...]:
    """Return the same network with more channels in every block."""
    network = config.network
    return tuple(
        replace(config, network=replace(network, widths=tuple(factor * width for width in network.widths)))
        for factor in WIDER
    )


def picture_grid(config: Config, *, rows: int, members: int) -> dict[str, list[float]]:
    """Return strengths of augmentation x keep_prob x lambda, with at most `members` combinations.

    Augmentation has its values first, then dropout, then lambda: this is where pictures need them.
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
    """Return the multiplications of one picture's way through a convolutional network."""
    height, width, channels = shape
    found = 0
    for ins, outs in pairwise((channels, *network.widths)):
        found += 9 * ins * outs * height * width
        if min(height, width) >= LEAST_POOLED:
            height, width = height // 2, width // 2
    return found + (network.widths or (channels,))[-1] * height * width * outputs
