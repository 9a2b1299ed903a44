"""CutMix (Yun et al., 2019): a box of every picture comes from its partner, and that share of its label."""

from __future__ import annotations

import math

import torch
from torch import Tensor

from wellfit.augment.erase import boxes


def box_of(*, area: float, down: float, right: float, shape: tuple[int, int]) -> Tensor:
    """Return [H, W], True inside the box that all pictures of a batch exchange.

    Args:
        area: share of the picture, before the box is cut at its edges.
        down: height of the centre, from 0 (top) to 1.
        right: place of the centre across, from 0 (left) to 1.
        shape: H and W.
    """
    centre, side = torch.tensor([[down], [right]]), torch.tensor([math.sqrt(area)])
    return boxes(rows=centre[0], columns=centre[1], share=side, shape=shape)[0, 0]


def share_outside(box: Tensor) -> float:
    """Return the share of its own label that a picture keeps: the pixels that it keeps."""
    return 1 - float(box.float().mean())
