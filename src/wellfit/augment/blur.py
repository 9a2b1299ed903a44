"""A Gaussian blur, with its own width for every picture."""

from __future__ import annotations

import torch
from torch import Tensor
from torch.nn.functional import pad

from wellfit.augment.rows import each, where

TRUNCATE = 3.0
"""A kernel reaches this many standard deviations, rounded to pixels."""


def blurred(pictures: Tensor, sigma: Tensor) -> Tensor:
    """Return pictures [N, C, H, W] under Gaussians of `sigma` [N] pixels; the edges are mirrored."""
    taps = _kernels(sigma)
    down = _filtered(pictures, taps, vertical=True)
    return where(sigma > 0, _filtered(down, taps, vertical=False), pictures)


def _kernels(sigma: Tensor) -> Tensor:
    """Return [N, 2 r + 1] weights, r the widest radius; a narrower kernel has zeros at its ends."""
    # In double, so that rounding does not depend on the pictures that stand beside.
    wide = sigma.double()
    radius = (TRUNCATE * wide).round()
    widest = int(radius.max())
    places = torch.arange(-widest, widest + 1, device=wide.device, dtype=wide.dtype)
    weights = torch.exp(-0.5 * (places[None, :] / wide.clamp(min=1e-6)[:, None]) ** 2)
    weights = torch.where(places.abs()[None, :] <= radius[:, None], weights, 0)
    return (weights / weights.sum(dim=1, keepdim=True)).to(sigma.dtype)


def _filtered(pictures: Tensor, taps: Tensor, *, vertical: bool) -> Tensor:
    radius, size = taps.shape[1] // 2, pictures.shape[2 if vertical else 3]
    if size == 1:
        return pictures
    wide = pictures
    # One mirror reaches across the picture at most; a wide kernel on a small picture takes several.
    left = radius
    while left > 0:
        step = min(left, size - 1)
        wide = pad(wide, (0, 0, step, step) if vertical else (step, step, 0, 0), mode="reflect")
        left -= step
    found = torch.zeros_like(pictures)
    for place in range(taps.shape[1]):
        part = wide.narrow(2 if vertical else 3, place, size)
        found = found + each(taps[:, place]) * part
    return found
