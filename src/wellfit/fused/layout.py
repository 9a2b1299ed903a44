"""Where each parameter of an MLP stands in a member's row: W first, then biases and embeddings.

The first layer's inputs are ordered anew: those that need no parameters (numbers, bins, one-hot categories), which all
members share, then the embedded categories, which are each member's own.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch

from wellfit._typing import Floats, Integers
from wellfit.config import Config
from wellfit.data.prepare import Prepared
from wellfit.fused.arrays import ADAM, GELU, MOMENTUM, RELU, SGD, TANH, Plan
from wellfit.training.network import MLP, Embedding, OneHot
from wellfit.training.tensors import new_mlp

ACTIVATIONS = {"relu": RELU, "tanh": TANH, "gelu": GELU}
OPTIMIZERS = {"sgd": SGD, "momentum": MOMENTUM, "adam": ADAM}


@dataclass(frozen=True)
class Piece:
    """One parameter of the network, and its place in the row."""

    name: str
    start: int
    shape: tuple[int, ...]
    transposed: bool

    @property
    def end(self) -> int:
        """One past its last place."""
        return self.start + int(np.prod(self.shape))


@dataclass(frozen=True)
class Layout:
    """The row of one member.

    Attributes:
        network: as the seed starts it; all members start from its parameters.
        dtype: of all reals.
        plan: the same, as the compiled functions read it.
        pieces: every parameter, in the order of the row.
        inputs: place in `MLP.encode`'s result of each input of the first layer.
        shared: S, inputs that need no parameters.
        embedded: inputs that do.
        first: name of the first layer's W.
    """

    network: MLP
    dtype: type[np.floating[Any]]
    plan: Plan
    pieces: tuple[Piece, ...]
    inputs: Integers
    shared: int
    embedded: int
    first: str

    @property
    def size(self) -> int:
        """P, the parameters of a member."""
        return self.pieces[-1].end

    @property
    def units(self) -> int:
        """Units of all layers, the outputs among them."""
        return int(self.plan.layers[:, 1].sum())

    @property
    def outputs(self) -> int:
        """Classes, or 1."""
        return int(self.plan.layers[-1, 1])

    @property
    def widest(self) -> int:
        """The most units of a layer."""
        return int(self.plan.layers[:, 1].max())

    def pack(self, network: MLP) -> Floats:
        """Return the parameters of a network as a row [P]."""
        row: Floats = np.empty(self.size, self.dtype)
        named = dict(network.named_parameters())
        for piece in self.pieces:
            value = named[piece.name].detach().numpy()
            matrix = value.T if piece.transposed else value
            row[piece.start : piece.end] = (matrix[self.inputs] if piece.name == self.first else matrix).ravel()
        return row

    def unpack(self, row: Floats) -> dict[str, Floats]:
        """Return the parameters [P] of a member by name, as the network's state has them."""
        found = {}
        for piece in self.pieces:
            matrix = row[piece.start : piece.end].reshape(piece.shape)
            if piece.name == self.first:
                ordered = np.empty_like(matrix)
                ordered[self.inputs] = matrix
                matrix = ordered
            found[piece.name] = np.ascontiguousarray(matrix.T) if piece.transposed else matrix.copy()
        return found


def layout_of(data: Prepared, config: Config, *, dtype: type[np.floating[Any]] = np.float32) -> Layout:
    """Return the layout of all configs that fuse with this one; float64 is for comparisons with the reference loop."""
    kind = torch.float64 if dtype is np.float64 else torch.float32
    network = new_mlp(data, config.network, seed=config.seed, dtype=kind)
    pieces = _pieces(network)
    places = {piece.name: piece for piece in pieces}
    inputs, one_hots, embeddings, shared = _inputs(network, columns=data.train.numeric.shape[1], places=places)
    layers = [
        (*places[name].shape, places[name].start, places[name.replace("weight", "bias")].start)
        for name in network.decayed()
    ]
    column, low, width = network.bins.segments if network.bins else ((), (), ())
    plan = Plan(
        layers=np.array(layers, dtype=np.int64),
        embeddings=np.array(embeddings, dtype=np.int64).reshape(-1, 4),
        one_hots=np.array(one_hots, dtype=np.int64).reshape(-1, 3),
        bins=np.array([column, low, width], dtype=dtype),
        decayed=sum(places[name].end - places[name].start for name in network.decayed()),
        activation=ACTIVATIONS[network.activation],
        optimizer=OPTIMIZERS[config.optimization.optimizer],
        classification=data.preparation.schema.task == "classification",
    )
    first = next(iter(network.decayed()))
    return Layout(network, dtype, plan, pieces, inputs, shared, len(inputs) - shared, first)


def _pieces(network: MLP) -> tuple[Piece, ...]:
    found: list[Piece] = []
    matrices: Mapping[str, torch.Tensor] = network.decayed()
    for name, value in {**matrices, **network.undecayed()}.items():
        shape = tuple(value.shape[::-1]) if name in matrices else tuple(value.shape)
        found.append(Piece(name, found[-1].end if found else 0, shape, name in matrices))
    return tuple(found)


def _inputs(
    network: MLP, *, columns: int, places: Mapping[str, Piece]
) -> tuple[Integers, list[tuple[int, ...]], list[tuple[int, ...]], int]:
    """Return the order of the first layer's inputs, the tables of both kinds of categories, and S."""
    at: int = columns + (network.bins.bins if network.bins else 0)
    shared = list(range(at))
    embedded: list[int] = []
    one_hots: list[tuple[int, ...]] = []
    embeddings: list[tuple[int, ...]] = []
    for place, category in enumerate(network.categories):
        if isinstance(category, OneHot):
            one_hots.append((place, category.width, len(shared)))
            shared += range(at, at + category.width)
            at += category.width
        elif isinstance(category, Embedding):
            table = places[f"categories.{place}.weight"].start
            embeddings.append((place, category.width, table, len(embedded)))
            embedded += range(at, at + category.width)
            at += category.width
    return np.array(shared + embedded, dtype=np.int64), one_hots, embeddings, len(shared)
