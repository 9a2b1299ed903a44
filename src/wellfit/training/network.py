"""The built-in networks. For tables: numbers and categories in, hidden layers of one activation, a linear layer out.

For pictures: a small convolutional network, sized for two cores, which is trained like a user's own module.
Shapes: N rows, D numeric columns, C categorical columns, K outputs (classes, or 1).
"""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from itertools import pairwise
from typing import Protocol

import numpy as np
import torch
from torch import Tensor, nn

from wellfit.base.typing import Floats, Integers
from wellfit.exceptions import BadInput
from wellfit.records.config import Network
from wellfit.records.knobs import Activation
from wellfit.training.noise import batch_order, kept, noise_block, weight_noise
from wellfit.training.schedules import Update

MOST_ONE_HOT_LEVELS = 9
"""A category with more levels has a learned embedding, which is not in W (RealMLP, Holzmueller et al., 2024)."""
EMBEDDING_SIZE = 8
EMBEDDING_LAYERS = 1_000
"""The first of the layer numbers that address the noise for initializing embeddings."""
WAVES, FEATURES, FREQUENCY = 16, 3, 0.1
"""Waves and features of each number with `embedding="periodic"`, and the standard deviation of the frequencies at the
start (those of RealMLP: Holzmueller et al., 2024)."""
PERIODIC_LAYERS = 2_000
"""Layer numbers of the noise that initializes frequencies, phases and the weights of the features."""

_ACTIVATIONS: Mapping[Activation, Callable[[Tensor], Tensor]] = {
    "relu": torch.relu,
    "tanh": torch.tanh,
    "gelu": nn.functional.gelu,
}


class Drop(Protocol):
    """A function that drops units of hidden layer `layer`, or leaves them as they are."""

    def __call__(self, values: Tensor, *, layer: int) -> Tensor:
        """Return `values` [N, H] with units dropped."""
        ...


class OneHot(nn.Module):
    """Maps codes [N] of one column to [N, levels]; code 0, a level never seen in training, becomes zeros."""

    def __init__(self, *, levels: int) -> None:
        super().__init__()
        self.width = levels
        self.register_buffer("_rows", torch.eye(levels + 1)[:, 1:].contiguous(), persistent=False)
        self._rows: Tensor

    def forward(self, codes: Tensor) -> Tensor:
        """Return the rows of the identity matrix that correspond to `codes`."""
        return self._rows[codes]


class Embedding(nn.Embedding):
    """Maps codes [N] of one column to learned vectors [N, 8]; code 0 stays zero."""

    def __init__(self, *, levels: int) -> None:
        super().__init__(levels + 1, EMBEDDING_SIZE, padding_idx=0)
        self.width = EMBEDDING_SIZE

    def reset_parameters(self) -> None:
        """Set all parameters to zero, as `Linear` does."""
        nn.init.zeros_(self.weight)


class Linear(nn.Linear):
    """A linear layer of zeros until `MLP.start` or a saved state sets its values.

    torch would draw them from its global generator, which belongs to the caller, and threads cannot even restore it.
    """

    def reset_parameters(self) -> None:
        """Set all parameters to zero."""
        nn.init.zeros_(self.weight)
        nn.init.zeros_(self.bias)


class MLP(nn.Module):
    """A multi-layer perceptron over numeric and categorical columns; `levels` counts each one's levels in training.

    `edges` holds the bin edges [D, T + 1] of the numeric columns if `network.embedding` is "ple".

    Raises:
        BadInput: for `embedding="periodic"` without numeric columns.
    """

    def __init__(
        self, network: Network, *, columns: int, levels: Sequence[int], outputs: int, edges: Floats | None = None
    ) -> None:
        super().__init__()
        if network.embedding == "periodic" and not columns:
            raise BadInput(
                "a periodic embedding needs numeric columns",
                found="embedding='periodic' and no numeric column",
                remedy="Set embedding to none",
            )
        self.bins = PiecewiseLinear(edges) if edges is not None else None
        self.periodic = Periodic(columns=columns) if network.embedding == "periodic" else None
        categories = [
            OneHot(levels=count) if count <= MOST_ONE_HOT_LEVELS else Embedding(levels=count) for count in levels
        ]
        more = self.bins.bins if self.bins else self.periodic.width if self.periodic else 0
        widths = (columns + more + sum(one.width for one in categories), *network.widths, outputs)
        self.categories = nn.ModuleList(categories)
        self.layers = nn.ModuleList(Linear(here, there) for here, there in pairwise(widths))
        self.activation = network.activation

    def forward(self, numeric: Tensor, codes: Tensor, drop: Drop | None = None) -> Tensor:
        """Return the outputs [N, K] of numbers [N, D] and codes [N, C]: logits, or standardized values."""
        return self.from_encoded(self.encode(numeric, codes), drop)

    def from_encoded(self, values: Tensor, drop: Drop | None = None) -> Tensor:
        """Return the outputs [..., N, K] of encoded rows [..., N, Din]; `drop` may add leading dimensions."""
        activate = _ACTIVATIONS[self.activation]
        for layer, linear in enumerate(self.layers[:-1]):
            values = activate(linear(values))
            values = drop(values, layer=layer) if drop else values
        outputs: Tensor = self.layers[-1](values)
        return outputs

    def encode(self, numeric: Tensor, codes: Tensor) -> Tensor:
        """Return the inputs of the first layer: numbers, their bins or features, and categories, side by side."""
        parts = [numeric, *(encoding(numeric) for encoding in (self.bins, self.periodic) if encoding is not None)]
        parts += [category(codes[:, place]) for place, category in enumerate(self.categories)]
        return torch.cat(parts, dim=1)

    def decayed(self) -> dict[str, Tensor]:
        """Return W of the cost, by name: the matrices of the linear layers, from input to output."""
        return {f"layers.{place}.weight": linear.weight for place, linear in enumerate(self._linears)}

    def undecayed(self) -> dict[str, Tensor]:
        """Return every other parameter, by name: biases and embeddings."""
        return {name: value for name, value in self.named_parameters() if name not in self.decayed()}

    @property
    def _linears(self) -> list[nn.Linear]:
        return [layer for layer in self.layers if isinstance(layer, nn.Linear)]

    @torch.no_grad()
    def start(self, *, seed: int) -> None:
        """Initialize the parameters: He for ReLU and GELU, Glorot for tanh, zeros for the output layer.

        See He et al., 2015; Glorot and Bengio, 2010. With zeros, training begins with the same outputs for every row.
        """
        for place, linear in enumerate(self._linears):
            there, here = linear.weight.shape
            gain = math.sqrt(2 / (here + there)) if self.activation == "tanh" else math.sqrt(2 / max(here, 1))
            last = place == len(self.layers) - 1
            noise = torch.from_numpy(weight_noise(seed=seed, layer=place, shape=(there, here)))
            linear.weight.copy_(noise * (0.0 if last else gain))
            linear.bias.zero_()
        for place, category in enumerate(self.categories):
            if isinstance(category, Embedding):
                shape = (category.num_embeddings, EMBEDDING_SIZE)
                noise = torch.from_numpy(weight_noise(seed=seed, layer=EMBEDDING_LAYERS + place, shape=shape))
                category.weight.copy_(noise / math.sqrt(EMBEDDING_SIZE))
                category.weight[0].zero_()
        if self.periodic is not None:
            self.periodic.start(seed=seed)


@dataclass(frozen=True)
class Dropout:
    """Drops hidden units, keeping the share that each layer has at one update.

    This is inverted dropout (Srivastava et al., 2014): a kept unit is divided by the share, to keep its expectation.
    """

    at: Update

    def __call__(self, values: Tensor, *, layer: int) -> Tensor:
        """Return `values` [N, H] of a hidden layer with units dropped; if all are kept, the very same tensor."""
        share = self.at.keep_probs[layer]
        if share == 1:
            return values
        rows, width = values.shape
        seed, stream, update = self.at.config.seed, self.at.stream, self.at.update
        noise = noise_block(seed=seed, stream=stream, update=update, layer=layer, rows=rows, width=width)
        mask = torch.from_numpy(kept(noise, share=share))
        return values * (mask.to(values.dtype) / share)


FEWEST_BINS = 2
"""A column with a single bin already is its own encoding."""
MOST_ROWS = 100_000
"""Number of rows from which quantiles are computed, enough for a standard error of .0016 in the rank of a median."""


def quantile_edges(numeric: Floats, *, bins: int) -> Floats:
    """Return the edges [D, bins + 1] of each column, NaN after its last one (everywhere, if it has one bin)."""
    if len(numeric) > MOST_ROWS:
        numeric = numeric[np.sort(batch_order(seed=0, stream="bins", epoch=0, rows=len(numeric))[:MOST_ROWS])]
    edges = np.full((numeric.shape[1], bins + 1), np.nan, dtype=np.float32)
    # A quantile that is itself a value of the column keeps piles of equal values on an edge.
    levels = np.linspace(0, 1, bins + 1)
    for column in range(numeric.shape[1]):
        found = np.unique(np.quantile(numeric[:, column], levels, method="inverted_cdf"))
        if len(found) > FEWEST_BINS:
            edges[column, : len(found)] = found
    return edges


class PiecewiseLinear(nn.Module):
    """Encodes numbers [N, D] as all columns' bins [N, B] (Gorishniy et al., 2022); `edges` as from `quantile_edges`."""

    edges: Tensor
    _column: Tensor
    _low: Tensor
    _width: Tensor

    def __init__(self, edges: Floats) -> None:
        super().__init__()
        column, place = np.nonzero(np.isfinite(edges[:, 1:]))
        low = edges[column, place]
        self.bins = len(column)
        self.register_buffer("edges", torch.from_numpy(edges.copy()))
        self.register_buffer("_column", torch.from_numpy(column), persistent=False)
        self.register_buffer("_low", torch.from_numpy(low), persistent=False)
        self.register_buffer("_width", torch.from_numpy(edges[column, place + 1] - low), persistent=False)

    @property
    def segments(self) -> tuple[Integers, Floats, Floats]:
        """The column, lower edge and width [B] of every bin."""
        return self._column.numpy(), self._low.numpy(), self._width.numpy()

    def forward(self, numeric: Tensor) -> Tensor:
        """Return the encoding [N, B] of numbers [N, D]."""
        return ((numeric[:, self._column] - self._low) / self._width).clamp_(0, 1)


class Periodic(nn.Module):
    """Learned features of waves of each number, f_d = V_d cos(2 pi (w_d x_d + p_d)) + c_d: [N, D] -> [N, D * FEATURES].

    PLR without its ReLU (Gorishniy et al., 2022), with a phase and beside the number itself: PBLD (Holzmueller et al.,
    2024). w and p are in turns [D, WAVES]; V is [D, FEATURES, WAVES]. None of them is in W.
    """

    def __init__(self, *, columns: int) -> None:
        super().__init__()
        self.width = columns * FEATURES
        self.frequencies = nn.Parameter(torch.zeros(columns, WAVES))
        self.phases = nn.Parameter(torch.zeros(columns, WAVES))
        self.weight = nn.Parameter(torch.zeros(columns, FEATURES, WAVES))
        self.bias = nn.Parameter(torch.zeros(columns, FEATURES))

    @torch.no_grad()
    def start(self, *, seed: int) -> None:
        """Initialize: slow waves, phases all around (a standard deviation of one turn), features of variance 1."""
        columns = len(self.bias)
        for place, (value, scale) in enumerate(
            ((self.frequencies, FREQUENCY), (self.phases, 1.0), (self.weight, math.sqrt(2 / WAVES)))
        ):
            shape = (columns, value.numel() // columns)
            noise = torch.from_numpy(weight_noise(seed=seed, layer=PERIODIC_LAYERS + place, shape=shape))
            value.copy_(noise.reshape(value.shape) * scale)
        self.bias.zero_()

    def forward(self, numeric: Tensor) -> Tensor:
        """Return the features of numbers, those of a column side by side."""
        waves = (2 * math.pi * (numeric.unsqueeze(-1) * self.frequencies + self.phases)).cos()
        features = (self.weight @ waves.unsqueeze(-1)).squeeze(-1) + self.bias
        return features.flatten(1)


LEAST_POOLED = 4
"""A side with fewer pixels than this is not halved again."""
MIDDLE, SPREAD = 0.5, 0.25
"""Values in [0, 1] enter as (value - MIDDLE) / SPREAD."""
_LAYERS: Mapping[Activation, Callable[[], nn.Module]] = {"relu": nn.ReLU, "tanh": nn.Tanh, "gelu": nn.GELU}
_SQUARED_GAIN: Mapping[Activation, float] = {"relu": 2.0, "gelu": 2.0, "tanh": 1.0}


class ConvNet(nn.Module):
    """Maps pixels [N, C * H * W], channel by channel, to outputs [N, K]; `shape` is channels C, rows H and columns W.

    A block is a 3 x 3 convolution, the activation, 2 x 2 max pooling, and dropout; the last layer is linear.
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
        """Return the last block's features [N, channels, H', W'] for pixels [N, C * H * W]."""
        pictures = (pixels.reshape(-1, *self.shape) - MIDDLE) / SPREAD
        for block in self.blocks:
            # Channels last in memory: pooling is 6 to 12 times as fast so on a CPU, convolution up to a quarter faster.
            pictures = block(pictures.contiguous(memory_format=torch.channels_last))
        return pictures


def _block(ins: int, outs: int, *, activation: Activation, pooled: bool) -> nn.Module:
    convolution = _Convolution(ins, outs, 3, padding=1)
    with torch.no_grad():
        convolution.weight.normal_(0, math.sqrt(_SQUARED_GAIN[activation] / (9 * ins)))
        nn.init.zeros_(convolution.bias)  # type: ignore[arg-type]
    pool: nn.Module = nn.MaxPool2d(2) if pooled else nn.Identity()
    # Pooled first: the largest of four commutes with an activation that rises, and a quarter of it is computed.
    parts = (convolution, pool, _LAYERS[activation]())
    return nn.Sequential(*parts, nn.Dropout(0.5))


class _Convolution(nn.Conv2d):
    """A convolution whose result has its channels last in memory."""

    def forward(self, pictures: Tensor) -> Tensor:
        """Return the result [N, outs, H, W]."""
        return super().forward(pictures).contiguous(memory_format=torch.channels_last)
