"""Cutout (DeVries and Taylor, 2017): a rectangle is blanked with the picture's mean colour."""

from __future__ import annotations

import torch
from torch import Tensor

from wellfit.augment.rows import where


def boxes(*, rows: Tensor, columns: Tensor, share: Tensor, shape: tuple[int, int]) -> Tensor:
    """Return [N, 1, H, W], True inside boxes of `share` of both sides about a centre; they may reach over the edge.

    Args:
        rows: [N] height of the centre, from 0 (top) to 1.
        columns: [N] place of the centre across, from 0 (left) to 1.
        share: [N] of the sides.
        shape: H and W.
    """
    down = _between(rows * shape[0], half=share * shape[0] / 2, size=shape[0])
    across = _between(columns * shape[1], half=share * shape[1] / 2, size=shape[1])
    return (down[:, :, None] & across[:, None, :])[:, None]


def erased(pictures: Tensor, inside: Tensor) -> Tensor:
    """Return pictures [N, C, H, W] with the mean of each of their channels `inside` [N, 1, H, W]."""
    mean = pictures.mean(dim=(2, 3), keepdim=True)
    blank = torch.where(inside, mean, pictures)
    return where(inside.flatten(1).any(dim=1), blank, pictures)


def _between(centre: Tensor, *, half: Tensor, size: int) -> Tensor:
    """Return [N, size], True for pixels whose middle lies within `half` of `centre`."""
    middles = torch.arange(size, device=centre.device, dtype=centre.dtype) + 0.5
    return (middles[None, :] - centre[:, None]).abs() < half[:, None]
