"""Brightness, contrast and saturation: each blends a picture with black, its mean grey, or its own grey picture.

The definitions are those of Pillow's `ImageEnhance`; a factor of 1 leaves a picture as it is.
"""

from __future__ import annotations

from torch import Tensor

from wellfit.augment.rows import each, grey_of, where


def brightened(pictures: Tensor, factor: Tensor) -> Tensor:
    """Return factor [N] * pictures [N, C, H, W], inside [0, 1]."""
    return where(factor != 1, (each(factor) * pictures).clamp_(0, 1), pictures)


def contrasted(pictures: Tensor, factor: Tensor) -> Tensor:
    """Return mean + factor [N] * (pictures - mean), with the mean of each picture's grey values, inside [0, 1]."""
    mean = grey_of(pictures).mean(dim=(2, 3), keepdim=True)
    return where(factor != 1, (mean + each(factor) * (pictures - mean)).clamp_(0, 1), pictures)


def saturated(pictures: Tensor, factor: Tensor) -> Tensor:
    """Return grey + factor [N] * (pictures - grey), with the grey value of each pixel, inside [0, 1]."""
    if pictures.shape[1] == 1:
        return pictures
    grey = grey_of(pictures)
    return where(factor != 1, (grey + each(factor) * (pictures - grey)).clamp_(0, 1), pictures)
