"""A model of pictures as one graph: from 8-bit pixels to predictions.

Input: `pixels` [N, H, W, C] uint8, as a decoder gives them, at the size that `transforms` names. Output:
`probabilities` [N, classes] float64, or `values` [N] float64 in the target's unit.
"""

from __future__ import annotations

import torch
from torch import Tensor, nn

from wellfit._typing import Json
from wellfit.data.pictures.decode import MOST_PIXELS
from wellfit.data.prepare import Preparation
from wellfit.training.module import ModuleNetwork
from wellfit.training.tensors import OUTPUT_RANGE, network_from
from wellfit.travel.graph import ANY, at, within
from wellfit.travel.model import Model

PIXELS = "pixels"
WHITE = 255.0


class PictureGraph(nn.Module):
    """The whole way from pixels to predictions."""

    shares: Tensor
    ranges: Tensor

    def __init__(self, model: Model) -> None:
        super().__init__()
        preparation = model.preparation
        self.shape = preparation.schema.picture or (0, 0, 0)
        self.classifies = preparation.schema.task == "classification"
        networks = (network_from(part.state, preparation, part.config.network) for part in model.parts)
        # The network of blocks alone: what surrounds it is for training.
        self.networks = nn.ModuleList(one.module if isinstance(one, ModuleNetwork) else one for one in networks)
        self.register_buffer("shares", torch.tensor([part.weight for part in model.parts], dtype=torch.float64))
        ranges = [part.state.get(OUTPUT_RANGE, ANY).tolist() for part in model.parts]
        self.register_buffer("ranges", torch.tensor(ranges, dtype=torch.float64))
        self.mean, self.scale = preparation.target_mean, preparation.target_scale
        self.temperature = model.temperature

    def forward(self, pixels: Tensor) -> Tensor:
        """Return the predictions of N pictures."""
        values = pixels.permute(0, 3, 1, 2).flatten(1).to(torch.float32) / WHITE
        found = [
            self.shares[place] * self._predicted(network(values), place) for place, network in enumerate(self.networks)
        ]
        return at(self.temperature, torch.stack(found).sum(dim=0))

    def _predicted(self, outputs: Tensor, place: int) -> Tensor:
        if self.classifies:
            return outputs.double().softmax(dim=1)
        return within(outputs[:, 0].double() * self.scale + self.mean, self.ranges[place])


def picture_transforms_of(preparation: Preparation) -> Json:
    """What a program without wellfit does with a file before the graph, and how it reads the output."""
    height, width, channels = preparation.schema.picture or (0, 0, 0)
    return {
        "inputs": {
            PIXELS: {
                "type": "uint8",
                "shape": ["N", height, width, channels],
                "channels": "RGB" if channels == 3 else "grey (ITU-R BT.601)",
                "decoding": f"turned by the EXIF orientation, transparency on white, at most {MOST_PIXELS:,} pixels",
                "fitting": "bilinear with antialiasing, as large as fits, in the middle; about it the mean colour of "
                "the edge",
            }
        },
        "output": {
            "target": preparation.schema.target,
            "task": preparation.schema.task,
            "classes": list(preparation.schema.classes),
        },
    }
