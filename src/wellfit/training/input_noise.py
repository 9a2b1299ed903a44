"""Noise on the inputs: for small noise the same as a penalty on the gradient along them (Bishop, 1995)."""

from __future__ import annotations

import torch
from torch import Tensor

from wellfit.training.moment import Moment
from wellfit.training.noise import input_noise_block


def jittered(numeric: Tensor, moment: Moment) -> Tensor:
    """Return standardized numbers [N, D] + input_noise * e, e standard normal; without noise, the very same tensor."""
    spread = moment.config.regularization.input_noise
    if not spread:
        return numeric
    rows, width = numeric.shape
    noise = input_noise_block(
        seed=moment.config.seed, stream=moment.stream, update=moment.update, rows=rows, width=width
    )
    return numeric + spread * torch.from_numpy(noise).to(numeric.dtype)
