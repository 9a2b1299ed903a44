"""Piecewise-linear encoding of numbers over quantile bins (Gorishniy et al., 2022, "On embeddings for numerical...").

Bin t of a column with edges b_0 < ... < b_T becomes clip((x - b_t) / (b_{t+1} - b_t), 0, 1): a network of straight
lines can then bend at every edge. The edges are quantiles of the training rows.
"""

from __future__ import annotations

import numpy as np
import torch
from torch import Tensor, nn

from wellfit._typing import Floats, Integers
from wellfit.training.noise import batch_order

FEWEST_BINS = 2
"""A column with a single bin is its own encoding already."""
MOST_ROWS = 100_000
"""Rows that quantiles are taken from: enough for a standard error of .0016 in the place of a median."""


def quantile_edges(numeric: Floats, *, bins: int) -> Floats:
    """Return the edges [D, bins + 1] of each column, NaN after the last one (and throughout, where it has one bin)."""
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
    """Encodes numbers [N, D] as bins [N, B], B the number of all columns' bins together.

    Args:
        edges: [D, T + 1], as `quantile_edges` returns them.
    """

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
        """Column, lower edge and width [B] of every bin."""
        return self._column.numpy(), self._low.numpy(), self._width.numpy()

    def forward(self, numeric: Tensor) -> Tensor:
        """Return the encoding [N, B] of numbers [N, D]."""
        return ((numeric[:, self._column] - self._low) / self._width).clamp_(0, 1)
