"""Where each parameter of an MLP stands in a member's row: W first, then biases and embeddings.

The first layer's inputs are ordered anew: those that need no parameters (numbers, bins, one-hot categories), which all
members share, then the embedded categories, which are each member's own.
What the compiled updates read and write, by name.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, NamedTuple

import numpy as np
import numpy.typing as npt
import torch

from wellfit._typing import Floats, Integers
from wellfit.config import Config
from wellfit.data.prepare import Prepared
from wellfit.training.network import MLP, Embedding, OneHot
from wellfit.training.tensors import new_mlp

RELU, TANH, GELU = 0, 1, 2
SGD, MOMENTUM, ADAM = 0, 1, 2


class Plan(NamedTuple):
    """What the members of a stack have in common.

    Attributes:
        layers: [L, 4] inputs, outputs, place of W and place of the bias in a member's parameters.
        embeddings: [E, 4] column of codes, size, place of the table, first of its inputs after the shared ones.
        one_hots: [Q, 3] column of codes, levels, first of its shared inputs.
        bins: [4, bins] column of numbers (as a real), lower edge, width of each bin, in the order of the inputs.
        decayed: the first so many parameters are W, the rest biases and embeddings.
        activation: RELU, TANH or GELU.
        optimizer: SGD, MOMENTUM or ADAM.
        classification: whether the target is a class.
    """

    layers: Integers
    embeddings: Integers
    one_hots: Integers
    bins: Floats
    decayed: int
    activation: int
    optimizer: int
    classification: bool


class State(NamedTuple):
    """Parameters [K, P], moments and moving average of all members; [K, 0] where the optimizer has none."""

    parameters: Floats
    first: Floats
    second: Floats
    average: Floats


class Rates(NamedTuple):
    """The knobs of every member at every update.

    Attributes:
        step: [T, K] factor of the gradient (or of its momentum, or of Adam's ratio).
        root: [T, K] 1/sqrt(1 - beta2^t), Adam's correction of the second moment.
        shrink: [T, K] factor of W before the step (decoupled decay).
        penalty: [T, K] lambda/m, by which W enters the gradient.
        soft: [T, K] threshold of the proximal step of L1.
        averaging: [T, K] decay of the moving average.
        share: [T, K] of a row in its mixture; 1 without mixup.
        thresholds: [T, K, L - 1] highest noise that keeps a unit.
        scales: [T, K, L - 1] 1/keep_prob.
        betas: [K, 2] of Adam; the first is also the momentum.
        clip: [K] highest norm of a gradient.
        smoothing: [K] label smoothing.
        jitter: [K] standard deviation of the noise on the numbers.
    """

    step: Floats
    root: Floats
    shrink: Floats
    penalty: Floats
    soft: Floats
    averaging: Floats
    share: Floats
    thresholds: npt.NDArray[np.uint16]
    scales: Floats
    betas: Floats
    clip: Floats
    smoothing: Floats
    jitter: Floats


class Batches(NamedTuple):
    """What the members read: T batches and the noise of T updates.

    Attributes:
        numeric: [T, B, D].
        codes: [T, B, C].
        shared: [T, B, S] the encoding of both, apart from embeddings.
        target: [T, B, Q] class codes or standardized values, as reals.
        weights: [T, B] of each row in the cost, their mean over all training rows 1.
        partners: [T, B] the row that each row is mixed with.
        jitter: [T, B, D] standard normal noise; [T, 0, 0] where no member wants it.
        noise: [T, B * hidden units] layer after layer.
    """

    numeric: Floats
    codes: Integers
    shared: Floats
    target: Floats
    weights: Floats
    partners: Integers
    jitter: Floats
    noise: npt.NDArray[np.uint16]


class Desk(NamedTuple):
    """Room to work in, one for all members.

    Attributes:
        values: [B * units] outputs of every layer, one after the other.
        slopes: [B * hidden units] derivative of each hidden unit's output by its input.
        deltas: [2, B * widest] derivative of the cost by a layer's outputs, and by those of the layer below.
        numbers: [B, D] a member's own numbers.
        inputs: [2, B, S] a member's own inputs, before and after they are mixed.
        embedded: [3, B, embedded inputs] the same for embeddings, and their derivatives.
        gradient: [P].
    """

    values: Floats
    slopes: Floats
    deltas: Floats
    numbers: Floats
    inputs: Floats
    embedded: Floats
    gradient: Floats


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
