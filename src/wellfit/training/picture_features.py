"""What a convolutional network sees in pictures: the mean of each channel of its last block."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np
import torch

from wellfit._typing import Floats
from wellfit.config import Config
from wellfit.data.prepare import Arrays, Preparation
from wellfit.training.convolution import ConvNet
from wellfit.training.module import ModuleNetwork
from wellfit.training.tensors import network_from, rows_at_once
from wellfit.training.threads import one_thread


@torch.no_grad()
def picture_features(
    preparation: Preparation, config: Config, state: Mapping[str, Floats], *, arrays: Arrays
) -> Floats | None:
    """Return [N, channels] of N pictures; None where the network is not of our blocks, or is an average of several."""
    if config.network.kind != "conv" or not state:
        return None
    network = network_from(state, preparation, config.network)
    if not isinstance(network, ModuleNetwork) or not isinstance(network.module, ConvNet):
        return None
    most = rows_at_once(network)
    with one_thread():
        pixels = torch.from_numpy(arrays.numeric).float()
        seen = [network.module.seen(pixels[start : start + most]) for start in range(0, len(pixels), most)]
        return np.asarray(torch.cat([each.mean(dim=(2, 3)) for each in seen]).numpy(), dtype=np.float64)
