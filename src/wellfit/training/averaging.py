"""The moving average of the parameters along a training (Polyak and Juditsky, 1992; Tarvainen and Valpola, 2017).

It takes the place of the last parameters: it is what is measured, kept and predicted with.
"""

from __future__ import annotations

import copy

import torch

from wellfit.training.module import AnyNetwork
from wellfit.training.schedules import averaging_decay


class MovingAverage:
    """The average of a network's parameters, which starts at the first of them.

    Attributes:
        network: a network with the averaged parameters; buffers are those of the network under training.
    """

    def __init__(self, network: AnyNetwork, *, ema: float) -> None:
        self.network = copy.deepcopy(network, {id(buffer): buffer for buffer in network.buffers()})
        self._ema = ema

    @torch.no_grad()
    def add(self, network: AnyNetwork, *, update: int) -> None:
        """Make the average d * average + (1 - d) * parameters, as they are after update number `update` (from 0)."""
        decay = averaging_decay(self._ema, update=update)
        for mean, value in zip(self.network.parameters(), network.parameters(), strict=True):
            mean.mul_(decay).add_(value, alpha=1 - decay)
        for buffer, latest in zip(self.network.buffers(), network.buffers(), strict=True):
            if buffer is not latest:
                # A user's module may replace a buffer, where torch's own layers write into it.
                buffer.copy_(latest)
