"""The arrays of the compiled updates, by name, and the place of each parameter of an MLP in a member's row.

W comes first, then biases and embeddings. The first layer's inputs are reordered: first those that need no parameters
(numbers, one-hot categories, and then the bins, which are looked up), which all members share, then the embedded
categories, which each member has for itself.
"""

from __future__ import annotations

import copy
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, NamedTuple

import numpy as np
import numpy.typing as npt
import torch

from wellfit.base.typing import Floats, Integers
from wellfit.data.prepare import Prepared
from wellfit.records.config import Config
from wellfit.training.network import MLP, Embedding, OneHot
from wellfit.training.tensors import new_mlp

RELU, TANH, GELU = 0, 1, 2
SGD, MOMENTUM, ADAM = 0, 1, 2


class Plan(NamedTuple):
    """The structure that the members of a stack have in common."""

    layers: Integers  # [L, 4] inputs, outputs, place of W and place of the bias in a member's parameters
    embeddings: Integers  # [E, 4] column of codes, size, place of the table, first of its inputs after the shared ones
    waves: Integers  # [D, 4] place of each number's frequencies, phases, weights and biases; [0, 4] without waves
    one_hots: Integers  # [Q, 3] column of codes, levels, first of its shared inputs
    bins: Floats  # [3, bins] column of numbers (as a real), lower edge, width of each bin, in the order of the inputs
    binned: Integers  # [Y, 4] column of numbers, its first bin, how many, and its first knot (one more than bins)
    decayed: int  # how many parameters, at the start, are W; the rest are biases and embeddings
    activation: int
    optimizer: int
    classification: bool


class State(NamedTuple):
    """Parameters [K, P], moments and moving average of all members; [K, 0] where the optimizer has none."""

    parameters: Floats
    first: Floats
    second: Floats
    average: Floats


class Encoded(NamedTuple):
    """B rows, before anything that differs between members."""

    numeric: Floats  # [B, D]
    codes: Integers  # [B, C]
    shared: Floats  # [B, S] the encoding of both, apart from bins and embeddings
    knots: Integers  # [B, Y] the knot at or below each number that has bins, among those of all columns
    shares: Floats  # [B, Y] of the way from there to the next


class Batches(NamedTuple):
    """T batches and the noise of T updates, which all members read."""

    numeric: Floats  # [T, B, D]; this and the next four as in `Encoded`
    codes: Integers  # [T, B, C]
    shared: Floats  # [T, B, S]
    knots: Integers  # [T, B, Y]
    shares: Floats  # [T, B, Y]
    target: Floats  # [T, B, Q] class codes or standardized values, as reals
    weights: Floats  # [T, B] of each row in the cost, their mean over all training rows 1
    partners: Integers  # [T, B] the row that each row is mixed with
    jitter: Floats  # [T, B, D] standard normal noise; [T, 0, 0] where no member wants it
    noise: npt.NDArray[np.uint16]  # [T, B * hidden units] by layer, then [T, B * (D + C)] if inputs drop


class Inputs(NamedTuple):
    """What the first layer reads of B rows, with 2Y knots for rows that are mixed with partners."""

    shared: Floats  # [B, S]
    knots: Integers  # [B, Y or 2Y]
    lows: Floats  # [B, Y or 2Y] weight of each knot
    highs: Floats  # [B, Y or 2Y] weight of the next one
    embedded: Floats  # [B, embedded inputs]


class Buffers(NamedTuple):
    """Working memory, shared by all members."""

    values: Floats  # [B * units] outputs of every layer, layer by layer
    slopes: Floats  # [B * hidden units] derivative of each hidden unit's output by its input
    deltas: Floats  # [2, B * widest] derivative of the cost by a layer's outputs, and by those of the layer below
    numbers: Floats  # [B, D] a member's own numbers
    inputs: Floats  # [2, B, S] a member's own inputs, before and after they are mixed
    knots: Integers  # [2, B * 2Y] the same for knots
    shares: Floats  # [3, B * 2Y] their shares before, and the weights of each knot and of the next after
    table: Floats  # [knots, units of the first layer] what the bins contribute at each knot, or the derivative
    embedded: Floats  # [3, B, embedded inputs] the same for embeddings, and their derivatives
    turns: Floats  # [2, B, D * waves] cosine and sine of each wave
    gradient: Floats  # [P]


ACTIVATIONS = {"relu": RELU, "tanh": TANH, "gelu": GELU}
OPTIMIZERS = {"sgd": SGD, "momentum": MOMENTUM, "adam": ADAM}


@dataclass(frozen=True)
class ParameterSlice:
    """One parameter of the network and its place in the row."""

    name: str
    start: int
    shape: tuple[int, ...]
    transposed: bool

    @property
    def end(self) -> int:
        """One position past its last one."""
        return self.start + int(np.prod(self.shape))


@dataclass(frozen=True)
class Layout:
    """The layout of the row of one member of the built-in network; all start from the parameters of `network`."""

    data: Prepared
    network: MLP
    dtype: type[np.floating[Any]]
    plan: Plan
    slices: tuple[ParameterSlice, ...]
    """Every parameter, in the order of the row: the first layer's W comes first."""
    inputs: Integers
    """Position of each input of the first layer in the result of `MLP.encode`."""
    shared: int
    """S, the number of inputs that need neither parameters nor bins."""

    @property
    def fixed(self) -> int:
        """Number of inputs that need no parameters, including bins."""
        return self.shared + int(self.plan.bins.shape[1])

    @property
    def embedded(self) -> int:
        """Number of inputs that need parameters."""
        return len(self.inputs) - self.fixed

    @property
    def knots(self) -> int:
        """Number of knots of all columns with bins."""
        return int(self.plan.bins.shape[1]) + len(self.plan.binned)

    @property
    def size(self) -> int:
        """P, the number of parameters of a member."""
        return self.slices[-1].end

    @property
    def units(self) -> int:
        """Number of units in each layer, including the outputs."""
        return int(self.plan.layers[:, 1].sum())

    @property
    def outputs(self) -> int:
        """Number of classes, or 1."""
        return int(self.plan.layers[-1, 1])

    @property
    def widest(self) -> int:
        """Number of units in the widest layer."""
        return int(self.plan.layers[:, 1].max())

    def start(self, members: int) -> tuple[Floats, Floats]:
        """Return the parameters [members, P] from which all members start, and an empty array [members, 0]."""
        return np.tile(self.pack(self.network), (members, 1)), np.empty((members, 0))

    def keep_probs(self, configs: Sequence[Config]) -> Floats:
        """Return the share of units kept [K, L - 1] in every hidden layer."""
        return np.array([config.keep_probs for config in configs])

    def network_of(self, row: Floats) -> MLP:
        """Return the network of a row [P]."""
        network = copy.deepcopy(self.network)
        named = {name: torch.from_numpy(value) for name, value in self.unpack(row).items()}
        network.load_state_dict({**network.state_dict(), **named})
        return network.eval()

    def pack(self, network: MLP) -> Floats:
        """Return the parameters of a network as a row [P]."""
        row: Floats = np.empty(self.size, self.dtype)
        named = dict(network.named_parameters())
        for part in self.slices:
            value = named[part.name].detach().numpy()
            matrix = value.T if part.transposed else value
            row[part.start : part.end] = (matrix[self.inputs] if part.start == 0 else matrix).ravel()
        return row

    def unpack(self, row: Floats) -> dict[str, Floats]:
        """Return the parameters [P] of a member by name, as in the network's state."""
        found = {}
        for part in self.slices:
            matrix = row[part.start : part.end].reshape(part.shape)
            if part.start == 0:
                ordered = np.empty_like(matrix)
                ordered[self.inputs] = matrix
                matrix = ordered
            found[part.name] = np.ascontiguousarray(matrix.T) if part.transposed else matrix.copy()
        return found


def layout_of(data: Prepared, config: Config, *, dtype: type[np.floating[Any]] = np.float32) -> Layout:
    """Return the layout for all configs that fuse with this one; float64 is for comparisons with the tests' oracle."""
    kind = torch.float64 if dtype is np.float64 else torch.float32
    network = new_mlp(data, config.network, seed=config.seed, dtype=kind)
    slices = _slices(network)
    places = {part.name: part for part in slices}
    waves = _waves(places, columns=data.train.numeric.shape[1]) if network.periodic else np.empty((0, 4), np.int64)
    inputs, one_hots, embeddings, shared = _inputs(network, columns=data.train.numeric.shape[1], places=places)
    layers = [
        (*places[name].shape, places[name].start, places[name.replace("weight", "bias")].start)
        for name in network.decayed()
    ]
    column, low, width = network.bins.segments if network.bins else ((), (), ())
    binned, firsts, counts = np.unique(np.asarray(column, dtype=np.int64), return_index=True, return_counts=True)
    plan = Plan(
        layers=np.array(layers, dtype=np.int64),
        embeddings=np.array(embeddings, dtype=np.int64).reshape(-1, 4),
        waves=waves,
        one_hots=np.array(one_hots, dtype=np.int64).reshape(-1, 3),
        bins=np.array([column, low, width], dtype=dtype),
        binned=np.stack([binned, firsts, counts, firsts + np.arange(len(binned))], axis=1),
        decayed=sum(places[name].end - places[name].start for name in network.decayed()),
        activation=ACTIVATIONS[network.activation],
        optimizer=OPTIMIZERS[config.optimization.optimizer],
        classification=data.preparation.schema.task == "classification",
    )
    return Layout(data, network, dtype, plan, slices, inputs, shared)


def _slices(network: MLP) -> tuple[ParameterSlice, ...]:
    found: list[ParameterSlice] = []
    matrices: Mapping[str, torch.Tensor] = network.decayed()
    for name, value in {**matrices, **network.undecayed()}.items():
        shape = tuple(value.shape[::-1]) if name in matrices else tuple(value.shape)
        found.append(ParameterSlice(name, found[-1].end if found else 0, shape, name in matrices))
    return tuple(found)


def _inputs(
    network: MLP, *, columns: int, places: Mapping[str, ParameterSlice]
) -> tuple[Integers, list[tuple[int, ...]], list[tuple[int, ...]], int]:
    """Return the order of the first layer's inputs, the tables of both kinds of categories, and S."""
    at: int = columns + (network.bins.bins if network.bins else 0)
    shared, bins = list(range(columns)), range(columns, at)
    embedded = list(range(at, at + network.periodic.width)) if network.periodic else []
    at += len(embedded)
    one_hots: list[tuple[int, ...]] = []
    embeddings: list[tuple[int, ...]] = []
    for place, category in enumerate(network.categories):
        assert isinstance(category, OneHot | Embedding)
        columns_of = range(at, at + category.width)
        at += category.width
        if isinstance(category, OneHot):
            one_hots.append((place, category.width, len(shared)))
            shared += columns_of
        else:
            table = places[f"categories.{place}.weight"].start
            embeddings.append((place, category.width, table, len(embedded)))
            embedded += columns_of
    return np.array([*shared, *bins, *embedded], dtype=np.int64), one_hots, embeddings, len(shared)


def _waves(places: Mapping[str, ParameterSlice], *, columns: int) -> Integers:
    """Return the places [D, 4] of each number's frequencies, phases, weights and biases in a row."""
    parts = [places[f"periodic.{name}"] for name in ("frequencies", "phases", "weight", "bias")]
    starts = [part.start + np.arange(columns) * ((part.end - part.start) // columns) for part in parts]
    return np.stack(starts, axis=1).astype(np.int64)
