"""Gaussian noise on every value of a picture."""

from __future__ import annotations

from torch import Tensor

from wellfit.augment.rows import each, where


def noisy(pictures: Tensor, *, spread: Tensor, normal: Tensor) -> Tensor:
    """Return pictures [N, C, H, W] + spread [N] * normal [N, C, H, W], inside [0, 1]."""
    return where(spread != 0, (pictures + each(spread) * normal).clamp_(0, 1), pictures)
