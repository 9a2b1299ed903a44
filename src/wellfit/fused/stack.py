"""A stack: K configs under training, one row of parameters each."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
import torch

from wellfit._typing import Booleans, Floats, Integers
from wellfit.config import Config, total_updates
from wellfit.data.prepare import Arrays, Prepared
from wellfit.fused.batches import Encoder, Needs, Source
from wellfit.fused.kernels import ADAM, SGD, Desk, State, outputs, train
from wellfit.fused.layout import Layout, layout_of
from wellfit.fused.rates import Schedules
from wellfit.training.network import MLP
from wellfit.training.tensors import new_network, state_of

ROWS_AT_ONCE = 1_024
"""Rows of one forward pass: their activations stay in the second-level cache."""


class Stack:
    """Configs that differ in fusible knobs only, as rows of one array; K falls as members leave.

    Args:
        data: the prepared parts.
        configs: K of them.
        stream: of noise and batch order.
        dtype: float32; or float64, to compare with the reference loop.

    Attributes:
        configs: of the members that are still there, in the order of the rows.
        updates: made so far.
        planned: of a whole training.
    """

    def __init__(
        self, data: Prepared, configs: Sequence[Config], *, stream: str, dtype: type[np.floating[Any]] = np.float32
    ) -> None:
        first = configs[0]
        self.configs = tuple(configs)
        self.updates = 0
        self.planned = total_updates(first, rows=data.train.rows)
        self._data = data
        self._dtype = dtype
        self._network = new_network(data, first.network, seed=first.seed, dtype=torch_type(dtype))
        self.layout = layout_of(self._network, data, optimizer=first.optimization.optimizer, dtype=dtype)
        self._source = Source(data, self.layout, config=first, stream=stream, dtype=dtype)
        self._state = _first_state(self.layout, self._network, configs)
        self._desk = self._laid_out()
        self._encode = Encoder(self.layout, dtype=dtype)

    def _laid_out(self) -> Desk:
        layout, rows = self.layout, max(self._source.rows, ROWS_AT_ONCE)
        hidden = layout.units - int(layout.plan.layers[-1, 1])
        return Desk(
            values=np.empty(rows * layout.units, self._dtype),
            slopes=np.empty(rows * hidden, self._dtype),
            deltas=np.empty((2, rows * layout.widest), self._dtype),
            numbers=np.empty((rows, self._data.train.numeric.shape[1]), self._dtype),
            inputs=np.empty((2, rows, layout.shared), self._dtype),
            embedded=np.empty((3, rows, layout.embedded), self._dtype),
            gradient=np.empty(layout.size, self._dtype),
        )

    def __len__(self) -> int:
        return len(self.configs)

    @property
    def parameters(self) -> Floats:
        """[K, P] what is measured, kept and predicted with: the moving average where a member has one."""
        live, average = self._state.parameters, self._state.average
        if not average.shape[1]:
            return live
        averaged = np.array([config.regularization.ema > 0 for config in self.configs])
        return np.where(averaged[:, None], average, live)

    def advance(self, stop: int) -> Floats:
        """Make a few updates, at most up to number `stop`, and return the cost of each batch [T, K]."""
        batches, uniform = self._source.read(self.updates, stop=stop, needs=Needs.of(self.configs))
        schedules = Schedules(
            configs=self.configs, rows=self._data.train.rows, updates=self.planned, dtype=self._dtype
        )
        rates = schedules.rates(self.updates, uniform=uniform)
        losses = np.empty((len(uniform), len(self)), self._dtype)
        train(self.layout.plan, np.arange(len(self)), self._state, rates, batches, self._desk, losses)
        self.updates += len(uniform)
        return losses

    def outputs(self, rows: Floats, arrays: Arrays) -> Floats:
        """Return the outputs [M, N, outputs] of parameters [M, P] on N rows, without dropout."""
        found = np.empty((len(rows), arrays.rows, int(self.layout.plan.layers[-1, 1])), self._dtype)
        for start in range(0, arrays.rows, ROWS_AT_ONCE):
            part = slice(start, start + ROWS_AT_ONCE)
            _, codes, shared = self._encode(arrays, part)
            into = np.empty((len(rows), len(shared), found.shape[2]), self._dtype)
            outputs(self.layout.plan, np.arange(len(rows)), rows, codes, shared, self._desk, into)
            found[:, part] = into
        return found

    def state_of(self, row: Floats) -> dict[str, Floats]:
        """Return the network of a member's parameters [P], as `Outcome.state` has it."""
        named = self.layout.unpack(row)
        fixed = state_of(self._network, self._data)
        return {name: named.get(name, value) for name, value in fixed.items()}

    def keep(self, members: Booleans) -> None:
        """Let go of all members but those marked in [K]: they cost nothing from here on."""
        self.configs = tuple(config for config, stays in zip(self.configs, members, strict=True) if stays)
        self._state = State(*(np.ascontiguousarray(array[members]) for array in self._state))


def torch_type(dtype: type[np.floating[Any]]) -> torch.dtype:
    """Return torch's name of a type of reals."""
    return torch.float64 if dtype is np.float64 else torch.float32


def _first_state(layout: Layout, network: MLP, configs: Sequence[Config]) -> State:
    parameters = np.tile(layout.pack(network), (len(configs), 1))
    none = np.empty((len(configs), 0), parameters.dtype)
    averaged = any(config.regularization.ema for config in configs)
    return State(
        parameters=parameters,
        first=none if layout.plan.optimizer == SGD else np.zeros_like(parameters),
        second=np.zeros_like(parameters) if layout.plan.optimizer == ADAM else none,
        average=parameters.copy() if averaged else none,
    )
