"""Inverted dropout (Srivastava et al., 2014): a kept unit is divided by keep_prob, so its expectation stays."""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor

from wellfit.training.moment import Moment
from wellfit.training.noise import kept, noise_block


@dataclass(frozen=True)
class Dropout:
    """Drops hidden units, each layer with its keep_prob of one moment."""

    moment: Moment

    def __call__(self, values: Tensor, *, layer: int) -> Tensor:
        """Return `values` [N, H] of a hidden layer with units dropped; with keep_prob 1, the very same tensor."""
        keep_prob = self.moment.keep_probs[layer]
        if keep_prob == 1:
            return values
        rows, width = values.shape
        noise = noise_block(
            seed=self.moment.config.seed,
            stream=self.moment.stream,
            update=self.moment.update,
            layer=layer,
            rows=rows,
            width=width,
        )
        mask = torch.from_numpy(kept(noise, keep_prob=keep_prob))
        return values * (mask.to(values.dtype) / keep_prob)
