"""L1 by proximal steps (ISTA; Daubechies et al., 2004): weights reach zero exactly, and stay.

The cost has (l1/m) ||W||_1, whose gradient has no limit at 0. After each step along the rest of the gradient, every
weight goes lr * l1 / m towards 0 instead, and stops there.
"""

from __future__ import annotations

from collections.abc import Iterable

import torch
from torch import Tensor, nn


@torch.no_grad()
def soften(weights: Iterable[Tensor], *, by: float) -> None:
    """Replace each W by sign(W) max(|W| - by, 0), in place; `by` >= 0 is in the unit of the weights."""
    for weight in weights:
        weight.copy_(nn.functional.softshrink(weight, by))
