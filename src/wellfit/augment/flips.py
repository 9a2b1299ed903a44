"""Mirror images."""

from __future__ import annotations

from torch import Tensor

from wellfit.augment.rows import where


def flip_horizontal(pictures: Tensor, flipped: Tensor) -> Tensor:
    """Return pictures [N, C, H, W] with left and right exchanged in the rows marked in `flipped` [N]."""
    return where(flipped, pictures.flip(3), pictures)


def flip_vertical(pictures: Tensor, flipped: Tensor) -> Tensor:
    """Return pictures [N, C, H, W] with top and bottom exchanged in the rows marked in `flipped` [N]."""
    return where(flipped, pictures.flip(2), pictures)
