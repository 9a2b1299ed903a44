"""A small convolutional network, sized for two cores: a module like a user's own, built by wellfit.

Shapes: N pictures, C channels, H rows, W columns, K outputs.
"""

from __future__ import annotations

import functools
import math
from collections.abc import Callable, Mapping

import torch
from torch import Tensor, nn

from wellfit.records.config import Network
from wellfit.records.knobs import Activation
from wellfit.training.module_checks import ModuleFactory

LEAST_POOLED = 4
"""A side of fewer pixels is not halved any more."""
MIDDLE, SPREAD = 0.5, 0.25
"""Values in [0, 1] enter as (value - MIDDLE) / SPREAD."""

_ACTIVATIONS: Mapping[Activation, Callable[[], nn.Module]] = {"relu": nn.ReLU, "tanh": nn.Tanh, "gelu": nn.GELU}
_SQUARED_GAIN: Mapping[Activation, float] = {"relu": 2.0, "gelu": 2.0, "tanh": 1.0}


class ConvNet(nn.Module):
    """Rows of pixels [N, C * H * W], channel by channel -> outputs [N, K]; `shape` is C, H and W.

    Each block is a convolution of 3 x 3, the activation, the largest of every 2 x 2, and dropout; a linear layer ends.
    """

    def __init__(
        self, shape: tuple[int, int, int], *, widths: tuple[int, ...], activation: Activation, outputs: int
    ) -> None:
        super().__init__()
        self.shape = shape
        channels, height, width = shape
        blocks: list[nn.Module] = []
        for wide in widths:
            pooled = min(height, width) >= LEAST_POOLED
            blocks.append(_block(channels, wide, activation=activation, pooled=pooled))
            channels, height, width = wide, *((height // 2, width // 2) if pooled else (height, width))
        self.blocks = nn.Sequential(*blocks)
        self.head = nn.Linear(channels * height * width, outputs)
        # As in the network of tables: training begins at the same outputs for every row.
        nn.init.zeros_(self.head.weight)
        nn.init.zeros_(self.head.bias)

    def forward(self, pixels: Tensor) -> Tensor:
        """Return the outputs [N, K] of pixels [N, C * H * W]."""
        outputs: Tensor = self.head(self.seen(pixels).flatten(1))
        return outputs

    def seen(self, pixels: Tensor) -> Tensor:
        """Return the features [N, channels, H', W'] after the last block of pixels [N, C * H * W]."""
        pictures = (pixels.reshape(-1, *self.shape) - MIDDLE) / SPREAD
        for block in self.blocks:
            # Channels last in memory: pooling is 6 to 12 times as fast so on a CPU, convolution up to a quarter faster.
            pictures = block(pictures.contiguous(memory_format=torch.channels_last))
        return pictures


def conv_factory(network: Network, shape: tuple[int, int, int]) -> ModuleFactory:
    """Return the factory of networks for pictures of height, width and channels `shape`."""
    height, width, channels = shape
    return functools.partial(
        _conv_net, shape=(channels, height, width), widths=network.widths, activation=network.activation
    )


def _conv_net(
    outputs: int, shape: tuple[int, int, int] = (1, 8, 8), widths: tuple[int, ...] = (), *, activation: Activation
) -> ConvNet:
    return ConvNet(shape, widths=widths, activation=activation, outputs=outputs)


def _block(ins: int, outs: int, *, activation: Activation, pooled: bool) -> nn.Module:
    convolution = _Convolution(ins, outs, 3, padding=1)
    with torch.no_grad():
        convolution.weight.normal_(0, math.sqrt(_SQUARED_GAIN[activation] / (9 * ins)))
        nn.init.zeros_(convolution.bias)  # type: ignore[arg-type]
    pool: nn.Module = nn.MaxPool2d(2) if pooled else nn.Identity()
    # Pooled first: the largest of four commutes with an activation that rises, and a quarter of it is computed.
    parts = (convolution, pool, _ACTIVATIONS[activation]())
    return nn.Sequential(*parts, nn.Dropout(0.5))


class _Convolution(nn.Conv2d):
    """A convolution whose result has the channels last in memory."""

    def forward(self, pictures: Tensor) -> Tensor:
        """Return the result [N, outs, H, W]."""
        return super().forward(pictures).contiguous(memory_format=torch.channels_last)
