"""A stack of a user's modules: the interface of `Stack`, with gradients from torch and steps from `kernels.advance`."""

from __future__ import annotations

import copy
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch

from wellfit._typing import Booleans, Floats
from wellfit.config import Config, total_updates
from wellfit.data.prepare import Arrays, Prepared
from wellfit.fused.batches import Encoder, Needs, Source
from wellfit.fused.kernels import advance
from wellfit.fused.layout import ADAM, OPTIMIZERS, RELU, SGD, Batches, Plan, Rates, State
from wellfit.fused.module_batches import Change, PictureChange, module_batch
from wellfit.fused.module_rows import StackNoise
from wellfit.fused.modules import ModuleGradients
from wellfit.fused.rates import Schedules
from wellfit.training.effects import Net
from wellfit.training.module import ModuleNetwork
from wellfit.training.module_checks import site_keep_probs
from wellfit.training.pictures import Address
from wellfit.training.schedules import keep_prob_at, strength
from wellfit.training.tensors import OUTPUT_RANGE, output_range_of, rows_at_once


@dataclass(frozen=True)
class ModuleLayout:
    """What the batches of a module need to know of it.

    Attributes:
        dtype: of all reals.
        plan: as the compiled functions read it; a module has no layers there.
        shared: S, columns of what the module receives: numbers and one-hot categories.
        units: of the outputs.
    """

    dtype: type[np.floating[Any]]
    plan: Plan
    shared: int
    units: int


class ModuleStack:
    """Configs of one module that differ in fusible knobs only, as rows of one array; K falls as members leave.

    Args:
        data: the prepared parts.
        configs: K of them.
        network: that all members start from.
        stream: of noise and batch order.
        dtype: of all arithmetic.

    Attributes:
        configs: of the members that are still there, in the order of the rows.
        updates: made so far.
        planned: of a whole training.
        notice: why members run one after the other; empty where they run at once.

    Raises:
        BadInput: for a keep_prob that the module cannot have.
    """

    def __init__(
        self,
        data: Prepared,
        configs: Sequence[Config],
        *,
        network: ModuleNetwork,
        stream: str,
        dtype: type[np.floating[Any]] = np.float32,
    ) -> None:
        sites = len(network.findings.sites)
        self._keep_probs = np.array([site_keep_probs(one.regularization.keep_prob, sites=sites) for one in configs])
        self._module = ModuleGradients(network, task=data.preparation.schema.task, dtype=dtype)
        self._layout = _layout(data, configs[0], decayed=self._module.layout.decayed, dtype=dtype)
        self._source = Source(data, self._layout, config=configs[0], stream=stream)
        self._encode = Encoder(self._layout)
        self._rows = self._module.start(members=len(configs))
        self._state = _first_state(self._trained.astype(dtype), configs, optimizer=self._layout.plan.optimizer)
        self._stream = stream
        self._data = data
        self._network = network
        self.configs = tuple(configs)
        self.updates = 0
        self.planned = total_updates(configs[0], rows=data.train.rows)

    def __len__(self) -> int:
        return len(self.configs)

    @property
    def notice(self) -> str:
        """Why members run one after the other; empty where they run at once."""
        return self._module.notice

    @property
    def parameters(self) -> Floats:
        """[K, R] what is measured, kept and predicted with: the moving average where a member has one; buffers."""
        rows, average = self._rows.copy(), self._state.average
        rows[:, : self._module.layout.parameters] = self._state.parameters
        averaged = np.array([config.regularization.ema > 0 for config in self.configs])
        if average.shape[1]:
            rows[averaged, : average.shape[1]] = average[averaged]
        return rows

    def compile(self) -> None:
        """Have everything compiled, or loaded from an earlier process: no member's time is spent on it."""
        _, uniform = self._source.read(0, stop=1, needs=Needs((), False, False))
        spare = State(*(array[:1].copy() for array in self._state))
        advance(self._layout.plan, spare, self._rates(uniform), np.zeros_like(spare.parameters[0]), 0, 0)
        change = self._change()
        if change is not None:
            none = np.zeros((1, self._layout.shared), self._layout.dtype)
            change(none, np.zeros((1, self._network.outputs), self._layout.dtype))

    def advance(self, stop: int) -> Floats:
        """Make a few updates, at most up to number `stop`, and return the cost of each batch [T, K]."""
        knobs = [config.regularization for config in self.configs]
        needs = Needs((), any(one.input_noise for one in knobs), any(one.mixup for one in knobs))
        batches, uniform = self._source.read(self.updates, stop=stop, needs=needs)
        rates = self._rates(uniform)
        return np.array([self._update(batches, rates, place) for place in range(len(uniform))])

    def outputs(self, rows: Floats, arrays: Arrays) -> Floats:
        """Return the outputs [M, N, outputs] of members `rows` [M, R] on N rows, without dropout."""
        at_once = max(rows_at_once(self._network) // len(rows), 1)
        starts = range(0, max(arrays.rows, 1), at_once)
        parts = [self._encode(arrays, slice(start, start + at_once))[2] for start in starts]
        return np.concatenate([self._module.outputs(rows, part) for part in parts], axis=1)

    def state_of(self, row: Floats) -> dict[str, Floats]:
        """Return the network of a member's row [R], as `Outcome.state` has it."""
        named = self._module.state_of(row)
        return named if self._layout.plan.classification else {**named, OUTPUT_RANGE: output_range_of(self._data)}

    def network_of(self, row: Floats) -> Net:
        """Return the network of a member's row [R]."""
        network = copy.deepcopy(self._network)
        network.load_state_dict({name: torch.from_numpy(value) for name, value in self._module.state_of(row).items()})
        return network.eval()

    def keep(self, members: Booleans) -> None:
        """Let go of all members but those marked in [K]: they cost nothing from here on."""
        self.configs = tuple(config for config, stays in zip(self.configs, members, strict=True) if stays)
        self._state = State(*(np.ascontiguousarray(array[members]) for array in self._state))
        self._rows, self._keep_probs = self._rows[members], self._keep_probs[members]

    @property
    def _trained(self) -> Floats:
        return self._rows[:, : self._module.layout.parameters]

    def _rates(self, uniform: Floats) -> Rates:
        schedules = Schedules(
            configs=self.configs, rows=self._data.train.rows, updates=self.planned, dtype=self._layout.dtype
        )
        return schedules.rates(self.updates, uniform=uniform)

    def _update(self, batches: Batches, rates: Rates, place: int) -> Floats:
        """Make one update of all members, and return their costs [K]."""
        plan = self._layout.plan
        self._trained[:] = self._state.parameters
        classes = self._network.outputs if plan.classification else 0
        batch = module_batch(batches, rates, place, classes=classes, change=self._change())
        found = self._module(self._rows, batch, self._noise())
        self._rows[:, self._module.layout.parameters :] = found.kept
        for member in range(len(self)):
            advance(plan, self._state, rates, found.values[member], place, member)
        self.updates += 1
        return found.costs

    def _change(self) -> Change | None:
        shape = self._data.preparation.schema.picture
        if shape is None or not any(config.regularization.augment for config in self.configs):
            return None
        return PictureChange(self.configs, Address(self.configs[0].seed, self._stream, self.updates), shape)

    def _noise(self) -> StackNoise:
        schedules = [config.regularization.keep_prob_schedule for config in self.configs]
        shares = np.array([strength(one, update=self.updates, updates=self.planned) for one in schedules])
        keeps = keep_prob_at(self._keep_probs, strength=shares[:, None])
        return StackNoise(seed=self.configs[0].seed, stream=self._stream, update=self.updates, keep_probs=keeps)


def _layout(data: Prepared, config: Config, *, decayed: int, dtype: type[np.floating[Any]]) -> ModuleLayout:
    preparation = data.preparation
    columns, levels = data.train.numeric.shape[1], np.array(preparation.cardinalities, dtype=np.int64) - 1
    starts = columns + np.concatenate([[0], levels.cumsum()]).astype(np.int64)
    plan = Plan(
        layers=np.array([[starts[-1], preparation.outputs, 0, 0]], dtype=np.int64),
        embeddings=np.empty((0, 4), np.int64),
        one_hots=np.stack([np.arange(len(levels)), levels, starts[:-1]], axis=1),
        bins=np.empty((3, 0), dtype),
        decayed=decayed,
        activation=RELU,
        optimizer=OPTIMIZERS[config.optimization.optimizer],
        classification=preparation.schema.task == "classification",
    )
    return ModuleLayout(dtype, plan, int(starts[-1]), preparation.outputs)


def _first_state(parameters: Floats, configs: Sequence[Config], *, optimizer: int) -> State:
    none = np.empty((len(configs), 0), parameters.dtype)
    averaged = any(config.regularization.ema for config in configs)
    return State(
        parameters=np.ascontiguousarray(parameters),
        first=none if optimizer == SGD else np.zeros_like(parameters),
        second=np.zeros_like(parameters) if optimizer == ADAM else none,
        average=parameters.copy() if averaged else none,
    )
