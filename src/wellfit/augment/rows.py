"""Shapes: N pictures, C channels, H rows of pixels, W columns. Values are in [0, 1]; a parameter is a tensor [N]."""

from __future__ import annotations

import torch
from torch import Tensor

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
