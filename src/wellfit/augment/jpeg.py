"""What JPEG (ITU-T T.81) leaves of a picture: the cosine transform of 8 x 8 blocks, rounded by the quality's tables.

The tables and their scaling are those of libjpeg; colours are not subsampled. Rounding has no gradient, and needs
none: augmentation comes before the network.
"""

from __future__ import annotations

import math

import torch
from torch import Tensor
from torch.nn.functional import pad

from wellfit.augment.geometry import each, where

BLOCK = 8
TIE = 5e-4
"""Added before rounding: exact halves are frequent, and would go up on one device and down on another."""
_LUMINANCE = (
    *(16, 11, 10, 16, 24, 40, 51, 61, 12, 12, 14, 19, 26, 58, 60, 55, 14, 13, 16, 24, 40, 57, 69, 56),
    *(14, 17, 22, 29, 51, 87, 80, 62, 18, 22, 37, 56, 68, 109, 103, 77, 24, 35, 55, 64, 81, 104, 113, 92),
    *(49, 64, 78, 87, 103, 121, 120, 101, 72, 92, 95, 98, 112, 100, 103, 99),
)
_CHROMINANCE = (
    *(17, 18, 24, 47, 99, 99, 99, 99, 18, 21, 26, 66, 99, 99, 99, 99, 24, 26, 56, 99, 99, 99, 99, 99),
    *(47, 66, 99, 99, 99, 99, 99, 99, *[99] * 32),
)
TO_YCC = ((0.299, 0.587, 0.114), (-0.168735892, -0.331264108, 0.5), (0.5, -0.418687589, -0.081312411))


def compressed(pictures: Tensor, quality: Tensor) -> Tensor:
    """Return pictures [N, C, H, W], C 1 or 3, as JPEG of `quality` [N] from 1 to 100 gives them back."""
    height, width = pictures.shape[2:]
    colour = pictures.shape[1] == 3
    turn = pictures.new_tensor(TO_YCC)
    levels = _whole(pictures * 255)
    planes = torch.einsum("dc,nchw->ndhw", turn, levels) if colour else levels
    if colour:
        planes = planes + pictures.new_tensor([0.0, 128.0, 128.0])[:, None, None]
    wide = pad(_whole(planes) - 128, (0, -width % BLOCK, 0, -height % BLOCK), mode="replicate")
    kept = _rounded(wide, tables_of(quality, channels=pictures.shape[1]))[:, :, :height, :width]
    planes = _whole(kept + 128).clamp(0, 255)
    if colour:
        planes = planes - pictures.new_tensor([0.0, 128.0, 128.0])[:, None, None]
        planes = torch.einsum("cd,ndhw->nchw", torch.linalg.inv(turn), planes)
    return _whole(planes).clamp(0, 255) / 255


def recompressed(pictures: Tensor, *, quality: Tensor, chosen: Tensor) -> Tensor:
    """Return `compressed` for the rows marked in `chosen` [N], the others as they are."""
    return where(chosen, compressed(pictures, quality), pictures)


def _rounded(planes: Tensor, tables: Tensor) -> Tensor:
    """Return planes [N, C, H, W] whose blocks' cosine coefficients are multiples of `tables` [N, C, 8, 8]."""
    count, channels, height, width = planes.shape
    blocks = planes.reshape(count, channels, height // BLOCK, BLOCK, width // BLOCK, BLOCK).transpose(3, 4)
    waves = cosines(planes)
    steps = tables[:, :, None, None]
    coefficients = _whole(waves @ blocks @ waves.T / steps) * steps
    return (waves.T @ coefficients @ waves).transpose(3, 4).reshape(planes.shape)


def _whole(values: Tensor) -> Tensor:
    return (values + TIE).round()


def cosines(like: Tensor) -> Tensor:
    """Return the orthonormal cosine transform [8, 8]: frequencies by places."""
    places = torch.arange(BLOCK, device=like.device, dtype=like.dtype)
    waves = torch.cos((2 * places[None, :] + 1) * places[:, None] * math.pi / (2 * BLOCK)) * math.sqrt(2 / BLOCK)
    return torch.cat([waves[:1] / math.sqrt(2), waves[1:]])


def tables_of(quality: Tensor, *, channels: int) -> Tensor:
    """Return the quantization tables [N, C, 8, 8] of qualities [N]."""
    whole = quality.round().clamp(1, 100)
    scale = torch.where(whole < 50, (5000 / whole).floor(), 200 - 2 * whole)
    base = torch.stack([quality.new_tensor(_LUMINANCE), *[quality.new_tensor(_CHROMINANCE)] * 2])[:channels]
    tables = ((base.reshape(channels, BLOCK, BLOCK) * each(scale) + 50) / 100).floor()
    return tables.clamp(1, 255)
