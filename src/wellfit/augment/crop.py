"""Random crops of a padded picture: the picture, mirrored at its edges, moved by whole pixels."""

from __future__ import annotations

import torch
from torch import Tensor


def shifted(pictures: Tensor, *, down: Tensor, right: Tensor) -> Tensor:
    """Return pictures [N, C, H, W] moved by whole pixels [N]; beyond the edge they are mirrored at it.

    The same as padding by reflection and cutting out a window; the pixels at the edge are not repeated.
    """
    count, channels, height, width = pictures.shape
    rows = _mirrored(height, by=down)[:, None, :, None].expand(count, channels, height, width)
    columns = _mirrored(width, by=right)[:, None, None, :].expand(count, channels, height, width)
    return pictures.gather(2, rows).gather(3, columns)


def _mirrored(size: int, *, by: Tensor) -> Tensor:
    """Return [N, size]: which place each place is filled from."""
    places = torch.arange(size, device=by.device)[None, :] - by.round().long()[:, None]
    if size == 1:
        return torch.zeros_like(places)
    turn = 2 * (size - 1)
    places = places.remainder(turn)
    return torch.minimum(places, turn - places)
