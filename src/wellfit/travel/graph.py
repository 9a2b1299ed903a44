"""A model as a single graph of tensors for other runtimes, with transforms included.

The inputs are `numbers` [N, R] float64, the raw numbers in their own units, NaN where missing, and `codes` [N, C]
int64, the categories by their places in `transforms` (0 = a level that does not occur in train). The output is
`probabilities` [N, classes] float64, or `values` [N] float64 in the target's unit. For pictures, 8-bit pixels are the
only input.
"""

from __future__ import annotations

import numpy as np
import torch
from torch import Tensor, nn

from wellfit.base.typing import Json
from wellfit.data.pictures.decode import MOST_PIXELS
from wellfit.data.prepare import SOFT_LIMIT, CategoryFit, Preparation
from wellfit.stats.calibration import LEAST
from wellfit.training.module import ModuleNetwork
from wellfit.training.tensors import OUTPUT_RANGE, network_from
from wellfit.travel.folder import Model

INPUTS = ("numbers", "codes")
_LARGEST = 1e100
ANY = np.array([-np.inf, np.inf])


class Averaged(nn.Module):
    """The networks of a model, and the average of their predictions."""

    shares: Tensor
    ranges: Tensor

    def __init__(self, model: Model) -> None:
        super().__init__()
        preparation = model.preparation
        self.classifies = preparation.schema.task == "classification"
        networks = (network_from(part.state, preparation, part.config.network) for part in model.parts)
        # The network of blocks alone: everything around it is for training.
        self.networks = nn.ModuleList(one.module if isinstance(one, ModuleNetwork) else one for one in networks)
        self.register_buffer("shares", torch.tensor([part.weight for part in model.parts], dtype=torch.float64))
        ranges = [part.state.get(OUTPUT_RANGE, ANY).tolist() for part in model.parts]
        self.register_buffer("ranges", torch.tensor(ranges, dtype=torch.float64))
        self.mean, self.scale = preparation.target_mean, preparation.target_scale
        self.temperature = model.temperature

    def averaged(self, *inputs: Tensor) -> Tensor:
        """Return the predictions of N rows: probabilities [N, classes], or values [N]."""
        found = [
            self.shares[place] * self._predicted(network(*inputs), place) for place, network in enumerate(self.networks)
        ]
        return at(self.temperature, torch.stack(found).sum(dim=0))

    def _predicted(self, outputs: Tensor, place: int) -> Tensor:
        if self.classifies:
            return outputs.double().softmax(dim=1)
        return within(outputs[:, 0].double() * self.scale + self.mean, self.ranges[place])


class Graph(Averaged):
    """The whole computation from raw numbers and category codes to predictions."""

    fills: Tensor
    scales: Tensor
    scaled: Tensor
    indicated: Tensor

    def __init__(self, model: Model) -> None:
        super().__init__(model)
        numbers = model.preparation.numbers
        self.columns = len(numbers), len(model.preparation.categories)
        scaled = [number for number in numbers if number.scale]
        places = {"scaled": [bool(number.scale) for number in numbers], "indicated": [n.indicator for n in numbers]}
        values = {"fills": [number.fill for number in scaled], "scales": [number.scale for number in scaled]}
        for name, chosen in places.items():
            self.register_buffer(name, torch.tensor(chosen, dtype=torch.bool).nonzero()[:, 0])
        for name, kept in values.items():
            self.register_buffer(name, torch.tensor(kept, dtype=torch.float64))

    def forward(self, numbers: Tensor, codes: Tensor) -> Tensor:
        """Return the predictions of N rows."""
        return self.averaged(self.transformed(numbers), codes)

    def transformed(self, numbers: Tensor) -> Tensor:
        """Return the inputs of the network: scaled numbers float32 [N, D], followed by missing-value indicators."""
        z = (numbers[:, self.scaled] - self.fills) / self.scales
        z = torch.where(torch.isnan(z), torch.zeros_like(z), z).clamp(-_LARGEST, _LARGEST)
        z = z / torch.sqrt(1 + (z / SOFT_LIMIT) ** 2)
        missing = torch.isnan(numbers[:, self.indicated]).to(z.dtype)
        return torch.cat([z, missing], dim=1).to(torch.float32)


def at(temperature: float, predictions: Tensor) -> Tensor:
    """Return probabilities [N, classes] at a temperature; at 1 they are unchanged, as values always are."""
    if temperature == 1.0:
        return predictions
    return (predictions.clamp(LEAST, 1.0).log() / temperature).softmax(dim=1)


def within(values: Tensor, limits: Tensor) -> Tensor:
    """Return values [N] clipped to limits [2], the lowest and the highest training target."""
    return torch.minimum(torch.maximum(values, limits[0]), limits[1])


def transforms_of(preparation: Preparation) -> Json:
    """Describe how a program without wellfit fills the two inputs and reads the output.

    For dates, the `part` "value" means days since 1970 (UTC); "month_sin" and the like are sine and cosine of 2 pi
    place / turn, with turns of 12 months, 7 weekdays (Monday 0) and 24 hours.
    """
    kinds = {column.name: column.kind for column in preparation.schema.features}
    return {
        "inputs": {
            "numbers": [
                {"column": number.name, "kind": kinds[number.name], "part": number.part}
                for number in preparation.numbers
            ],
            "codes": [
                {"column": fit.name, "levels": _levels(fit), "missing": _missing(fit), "unseen": 0}
                for fit in preparation.categories
            ],
        },
        "output": _output_of(preparation),
    }


def _output_of(preparation: Preparation) -> Json:
    schema = preparation.schema
    return {"target": schema.target, "task": schema.task, "classes": list(schema.classes)}


def _levels(fit: CategoryFit) -> dict[str, int]:
    rare = len(fit.levels) + 1
    common = {level: place + 1 for place, level in enumerate(fit.levels) if level is not None}
    return {**common, **{level: rare for level in fit.rare if level is not None}}


def _missing(fit: CategoryFit) -> int:
    """Return the code of a missing value: that of its own level if train had missing values, or of an unseen level."""
    if None in fit.levels:
        return fit.levels.index(None) + 1
    return len(fit.levels) + 1 if None in fit.rare else 0


PIXELS = "pixels"
WHITE = 255.0


class PictureGraph(Averaged):
    """The whole computation from pixels to predictions."""

    def __init__(self, model: Model) -> None:
        super().__init__(model)
        self.shape = model.preparation.schema.shape

    def forward(self, pixels: Tensor) -> Tensor:
        """Return the predictions of N pictures."""
        return self.averaged(pixels.permute(0, 3, 1, 2).flatten(1).to(torch.float32) / WHITE)


def picture_transforms_of(preparation: Preparation) -> Json:
    """Describe how a program without wellfit prepares a file for the graph and reads the output."""
    height, width, channels = preparation.schema.shape
    return {
        "inputs": {
            PIXELS: {
                "type": "uint8",
                "shape": ["N", height, width, channels],
                "channels": "RGB" if channels == 3 else "grey (ITU-R BT.601)",
                "decoding": f"rotated by its EXIF orientation, transparency on white, at most {MOST_PIXELS:,} pixels",
                "fitting": "bilinear with antialiasing, as large as possible, centred; the border has the mean colour "
                "of the edge",
            }
        },
        "output": _output_of(preparation),
    }
