"""Conversion of a user's module to one row of numbers, and back.

A row begins with the P trained parameters, the decayed ones before the others, as `kernels.advance` expects. The
module's buffers and frozen parameters follow.
"""

from __future__ import annotations

import copy
import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, TypeAlias

import numpy as np
import torch
from torch import Tensor, nn

from wellfit.base.typing import Floats
from wellfit.data.prepare import Prepared
from wellfit.fused.layout import OPTIMIZERS, RELU, Layout, Plan
from wellfit.records.config import Config
from wellfit.training.module import PREFIX, ModuleNetwork
from wellfit.training.module_checks import decay_list, named_tensors, site_keep_probs


@dataclass(frozen=True)
class TensorSpec:
    """One tensor of a module: its name in the module, its shape, and its own type."""

    name: str
    shape: tuple[int, ...]
    dtype: torch.dtype

    @property
    def size(self) -> int:
        """Number of its elements."""
        return math.prod(self.shape)


@dataclass(frozen=True)
class RowLayout:
    """The tensors of a module in the order of the row: the trained ones, then those that are kept without training."""

    trained: tuple[TensorSpec, ...]
    kept: tuple[TensorSpec, ...]
    decayed: int
    """How many numbers at the start of the row are W of the cost."""
    names: Mapping[str, str]
    """The name of the tensor here for every name in the module's state: tied layers share one tensor."""

    @property
    def parameters(self) -> int:
        """P, the number of trained parameters."""
        return sum(spec.size for spec in self.trained)

    @property
    def size(self) -> int:
        """Number of elements in a whole row."""
        return self.parameters + sum(spec.size for spec in self.kept)

    def pack(self, module: nn.Module) -> Floats:
        """Return the whole row of a module, in float64, which keeps the integers in its buffers exact."""
        named = named_tensors(module)
        parts = [named[spec.name].detach().numpy().ravel() for spec in (*self.trained, *self.kept)]
        return np.concatenate(parts, dtype=np.float64, casting="unsafe")

    def unpack(self, rows: Tensor) -> dict[str, Tensor]:
        """Return, by name, the trained parameters [..., *shape] in rows [..., P] of trained numbers."""
        return _unpacked(rows, self.trained)

    def unpack_kept(self, rows: Tensor, *, dtype: torch.dtype) -> dict[str, Tensor]:
        """Return, by name, the rest [..., *shape] of rows [..., size - P]; reals have `dtype`."""
        found = _unpacked(rows, self.kept)
        return {
            spec.name: found[spec.name].to(dtype if spec.dtype.is_floating_point else spec.dtype) for spec in self.kept
        }

    def pack_kept(self, kept: Mapping[str, Tensor]) -> Tensor:
        """Return rows [K, size - P], in float64, made from at least one tensor [K, *shape]."""
        values = [kept[spec.name].double() for spec in self.kept]
        return torch.cat([value.reshape(len(value), -1) for value in values], dim=1)


@dataclass(frozen=True)
class ModuleLayout:
    """The layout of the row of one member whose network is a user's module."""

    data: Prepared
    network: ModuleNetwork
    dtype: type[np.floating[Any]]
    rows: RowLayout
    plan: Plan
    """Empty, for the compiled functions: they know no layers of a module."""
    shared: int
    """S, the number of columns that the module receives: numbers and one-hot categories."""

    @property
    def units(self) -> int:
        """Number of outputs, as the only units."""
        return self.network.outputs

    @property
    def real(self) -> torch.dtype:
        """`dtype` as a torch type."""
        return torch.from_numpy(np.empty(0, self.dtype)).dtype

    def start(self, members: int) -> tuple[Floats, Floats]:
        """Return the trained parameters [members, P] from which all start, and the rest [members, R - P] in float64."""
        rows = np.tile(self.rows.pack(self.network.module), (members, 1))
        return rows[:, : self.rows.parameters].astype(self.dtype), rows[:, self.rows.parameters :]

    def keep_probs(self, configs: Sequence[Config]) -> Floats:
        """Return the share of units kept [K, S] at every dropout site."""
        sites = len(self.network.findings.sites)
        return np.array([site_keep_probs(config, sites=sites) for config in configs])

    def network_of(self, row: Floats) -> ModuleNetwork:
        """Return the network of a row [R]."""
        network = copy.deepcopy(self.network)
        network.load_state_dict({name: torch.from_numpy(value) for name, value in self.named(row).items()})
        return network.eval()

    def named(self, row: Floats) -> dict[str, Floats]:
        """Return the tensors in a row [R] by name, as in the network's state."""
        trained, kept = map(torch.from_numpy, np.split(row, [self.rows.parameters]))
        named = {**self.rows.unpack(trained.to(self.real)), **self.rows.unpack_kept(kept, dtype=self.real)}
        return {PREFIX + name: named[tensor].numpy().copy() for name, tensor in self.rows.names.items()}


MemberLayout: TypeAlias = Layout | ModuleLayout
"""The row of one member."""


def module_layout(
    data: Prepared, config: Config, *, network: ModuleNetwork, dtype: type[np.floating[Any]] = np.float32
) -> ModuleLayout:
    """Return the layout for all configs that fuse with this one."""
    rows, preparation = row_layout(network.module), data.preparation
    columns, levels = data.train.numeric.shape[1], np.array(preparation.cardinalities, dtype=np.int64) - 1
    starts = columns + np.concatenate([[0], levels.cumsum()]).astype(np.int64)
    plan = Plan(
        layers=np.array([[starts[-1], preparation.outputs, 0, 0]], dtype=np.int64),
        embeddings=np.empty((0, 4), np.int64),
        waves=np.empty((0, 4), np.int64),
        one_hots=np.stack([np.arange(len(levels)), levels, starts[:-1]], axis=1),
        bins=np.empty((3, 0), dtype),
        binned=np.empty((0, 4), np.int64),
        decayed=rows.decayed,
        activation=RELU,
        optimizer=OPTIMIZERS[config.optimization.optimizer],
        classification=preparation.schema.task == "classification",
    )
    return ModuleLayout(data, network, dtype, rows, plan, int(starts[-1]))


def row_layout(module: nn.Module) -> RowLayout:
    """Return the layout of the rows of all modules that are built like this one."""
    named = named_tensors(module)
    entries = sorted(decay_list(module), key=lambda entry: not entry.decayed)
    specs = {name: TensorSpec(name, tuple(value.shape), value.dtype) for name, value in named.items()}
    trained = tuple(specs.pop(entry.name) for entry in entries)
    decayed = sum(math.prod(entry.shape) for entry in entries if entry.decayed)
    places = {id(value): name for name, value in named.items()}
    names = {name: places[id(value)] for name, value in module.state_dict(keep_vars=True).items()}
    return RowLayout(trained, tuple(specs.values()), decayed, names)


def _unpacked(rows: Tensor, specs: Sequence[TensorSpec]) -> dict[str, Tensor]:
    parts = torch.split(rows, [spec.size for spec in specs], dim=-1)
    return {spec.name: part.reshape((*rows.shape[:-1], *spec.shape)) for spec, part in zip(specs, parts, strict=True)}
