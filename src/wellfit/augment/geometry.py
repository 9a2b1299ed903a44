"""Rotation, scaling and translation, in one resampling: bilinear, with the values of the edge beyond the edge.

Shapes: N pictures, C channels, H rows of pixels, W columns. Values are in [0, 1]; a parameter is a tensor [N].
"""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor
from torch.nn.functional import grid_sample


@dataclass(frozen=True)
class Motion:
    """How each picture is moved about its centre: it is scaled, then rotated, then translated.

    Attributes:
        degrees: [N] counterclockwise.
        factor: [N] above 1 enlarges.
        down: [N] pixels.
        right: [N] pixels.
    """

    degrees: Tensor
    factor: Tensor
    down: Tensor
    right: Tensor

    @classmethod
    def none(cls, rows: int, *, like: Tensor) -> Motion:
        """Return the motion that leaves `rows` pictures where they are."""
        zeros = like.new_zeros(rows)
        return cls(zeros, torch.ones_like(zeros), zeros, zeros)

    @property
    def moves(self) -> Tensor:
        """[N] True where anything moves."""
        return (self.degrees != 0) | (self.factor != 1) | (self.down != 0) | (self.right != 0)


def moved(pictures: Tensor, motion: Motion) -> Tensor:
    """Return pictures [N, C, H, W] after their motion."""
    theta = _source_of_target(motion, height=pictures.shape[2], width=pictures.shape[3])
    grid = _places(theta, height=pictures.shape[2], width=pictures.shape[3])
    after = grid_sample(pictures, grid, mode="bilinear", padding_mode="border", align_corners=False)
    return where(motion.moves, after, pictures)


def _places(theta: Tensor, *, height: int, width: int) -> Tensor:
    """Return the places [N, H, W, 2] of `theta` [N, 2, 3] for every pixel.

    The same as `torch.nn.functional.affine_grid`, whose products of matrices take several times as long on a CPU.
    """
    down, across = (
        (2 * torch.arange(size, device=theta.device, dtype=theta.dtype) + 1) / size - 1 for size in (height, width)
    )
    grid = theta.new_empty(len(theta), height, width, 2)
    for axis in (0, 1):
        by_row = theta[:, axis, 1, None] * down + theta[:, axis, 2, None]
        by_column = theta[:, axis, 0, None] * across
        torch.add(by_row[:, :, None], by_column[:, None, :], out=grid[..., axis])
    return grid


def _source_of_target(motion: Motion, *, height: int, width: int) -> Tensor:
    """Return [N, 2, 3]: from a place in the result to the place in the picture, both in [-1, 1], x before y."""
    angle = torch.deg2rad(motion.degrees)
    cos, sin = torch.cos(angle) / motion.factor, torch.sin(angle) / motion.factor
    # With y downwards a counterclockwise turn takes (x, y) to (cos x + sin y, -sin x + cos y); this is its inverse.
    aspect = height / width
    across, along = 2 * motion.right / width, 2 * motion.down / height
    x_row = torch.stack([cos, -sin * aspect, -(cos * across - sin * aspect * along)], dim=1)
    y_row = torch.stack([sin / aspect, cos, -(sin / aspect * across + cos * along)], dim=1)
    return torch.stack([x_row, y_row], dim=1)


GREY = (0.299, 0.587, 0.114)
"""Weights of red, green and blue in a grey value (ITU-R BT.601, as Pillow's "L")."""


def each(parameter: Tensor) -> Tensor:
    """Return a parameter [N] as [N, 1, 1, 1], to meet pictures."""
    return parameter[:, None, None, None]


def where(changed: Tensor, after: Tensor, before: Tensor) -> Tensor:
    """Return `after` for the rows marked in `changed` [N], and the very values of `before` for the others."""
    if changed.device.type == "cpu" and bool(changed.all()):
        return after
    return torch.where(each(changed), after, before)


def grey_of(pictures: Tensor) -> Tensor:
    """Return the grey values [N, 1, H, W] of pictures of 3 channels, or the pictures of one channel themselves."""
    if pictures.shape[1] == 1:
        return pictures
    weights = pictures.new_tensor(GREY)[:, None, None]
    return (pictures * weights).sum(dim=1, keepdim=True)
