"""A stack: K configs under training, one row of parameters each.

What all stacks of the built-in network have in common, wherever they are trained.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from wellfit._typing import Booleans, Floats
from wellfit.config import Config, total_updates
from wellfit.data.prepare import Arrays, Prepared
from wellfit.fused.batches import Encoder, Needs, Source
from wellfit.fused.kernels import outputs, train
from wellfit.fused.layout import ADAM, SGD, Desk, Layout, Rates, State
from wellfit.fused.rates import Schedules
from wellfit.training.effects import Net
from wellfit.training.tensors import network_from, state_of


class Population:
    """Configs that differ in fusible knobs only, as rows of one array; K falls as members leave.

    Args:
        data: the prepared parts.
        configs: K of them.
        layout: of their parameters.
        stream: of noise and batch order.

    Attributes:
        configs: of the members that are still there, in the order of the rows.
        updates: made so far.
        planned: of a whole training.
        layout: of a member's row.
    """

    def __init__(self, data: Prepared, configs: Sequence[Config], *, layout: Layout, stream: str) -> None:
        self.configs = tuple(configs)
        self.updates = 0
        self.planned = total_updates(configs[0], rows=data.train.rows)
        self.layout = layout
        self._data = data
        self._source = Source(data, layout, config=configs[0], stream=stream)
        self._encode = Encoder(layout)

    def __len__(self) -> int:
        return len(self.configs)

    def state_of(self, row: Floats) -> dict[str, Floats]:
        """Return the network of a member's parameters [P], as `Outcome.state` has it."""
        named = self.layout.unpack(row)
        fixed = state_of(self.layout.network, self._data)
        return {name: named.get(name, value) for name, value in fixed.items()}

    def network_of(self, row: Floats) -> Net:
        """Return the network of a member's parameters [P]."""
        return network_from(self.state_of(row), self._data.preparation, self.configs[0].network)

    def _rates(self, start: int, uniform: Floats) -> Rates:
        dtype, rows = self.layout.dtype, self._data.train.total
        schedules = Schedules(configs=self.configs, rows=rows, updates=self.planned, dtype=dtype)
        return schedules.rates(start, uniform=uniform)

    def _measured(self, live: Floats, average: Floats) -> Floats:
        """[K, P] what is measured, kept and predicted with: the moving average where a member has one."""
        if not average.shape[1]:
            return live
        averaged = np.array([config.regularization.ema > 0 for config in self.configs])
        return np.where(averaged[:, None], average, live)


ROWS_AT_ONCE = 1_024
"""Rows of one forward pass: their activations stay in the second-level cache."""


class Stack(Population):
    """A population on one core, trained by compiled updates.

    Args:
        data: the prepared parts.
        configs: K of them.
        layout: of their parameters.
        stream: of noise and batch order.
    """

    def __init__(self, data: Prepared, configs: Sequence[Config], *, layout: Layout, stream: str) -> None:
        super().__init__(data, configs, layout=layout, stream=stream)
        self._state = first_state(layout, configs)
        self._desk = self._laid_out()

    def _laid_out(self) -> Desk:
        layout, rows = self.layout, max(self._source.rows, ROWS_AT_ONCE)
        hidden = layout.units - layout.outputs
        return Desk(
            values=np.empty(rows * layout.units, self.layout.dtype),
            slopes=np.empty(rows * hidden, self.layout.dtype),
            deltas=np.empty((2, rows * layout.widest), self.layout.dtype),
            numbers=np.empty((rows, self._data.train.numeric.shape[1]), self.layout.dtype),
            inputs=np.empty((2, rows, layout.shared), self.layout.dtype),
            embedded=np.empty((3, rows, layout.embedded), self.layout.dtype),
            gradient=np.empty(layout.size, self.layout.dtype),
        )

    @property
    def parameters(self) -> Floats:
        """[K, P] what is measured, kept and predicted with: the moving average where a member has one."""
        return self._measured(self._state.parameters, self._state.average)

    def compile(self) -> None:
        """Have everything compiled, or loaded from an earlier process: no member's time is spent on it."""
        live, none = self._state.parameters, np.arange(0)
        batches, uniform = self._source.read(
            0, stop=1, needs=Needs((False,) * len(self.layout.plan.layers), False, False)
        )
        losses = np.empty((1, len(self)), self.layout.dtype)
        train(self.layout.plan, none, self._state, self._rates(0, uniform), batches, self._desk, losses)
        found = np.empty((0, 0, 0), self.layout.dtype)
        outputs(self.layout.plan, none, live, batches.codes[0], batches.shared[0], self._desk, found)

    def advance(self, stop: int) -> Floats:
        """Make a few updates, at most up to number `stop`, and return the cost of each batch [T, K]."""
        batches, uniform = self._source.read(self.updates, stop=stop, needs=Needs.of(self.configs))
        rates = self._rates(self.updates, uniform)
        losses = np.empty((len(uniform), len(self)), self.layout.dtype)
        train(self.layout.plan, np.arange(len(self)), self._state, rates, batches, self._desk, losses)
        self.updates += len(uniform)
        return losses

    def outputs(self, rows: Floats, arrays: Arrays) -> Floats:
        """Return the outputs [M, N, outputs] of parameters [M, P] on N rows, without dropout."""
        found = np.empty((len(rows), arrays.rows, self.layout.outputs), self.layout.dtype)
        for start in range(0, arrays.rows, ROWS_AT_ONCE):
            part = slice(start, start + ROWS_AT_ONCE)
            _, codes, shared = self._encode(arrays, part)
            into = np.empty((len(rows), len(shared), found.shape[2]), self.layout.dtype)
            outputs(self.layout.plan, np.arange(len(rows)), rows, codes, shared, self._desk, into)
            found[:, part] = into
        return found

    def keep(self, members: Booleans) -> None:
        """Let go of all members but those marked in [K]: they cost nothing from here on."""
        self.configs = tuple(config for config, stays in zip(self.configs, members, strict=True) if stays)
        self._state = State(*(np.ascontiguousarray(array[members]) for array in self._state))


def first_state(layout: Layout, configs: Sequence[Config]) -> State:
    """Return the state in which all members start: what the seed gave the network, and moments of zero."""
    parameters = np.tile(layout.pack(layout.network), (len(configs), 1))
    none = np.empty((len(configs), 0), parameters.dtype)
    averaged = any(config.regularization.ema for config in configs)
    return State(
        parameters=parameters,
        first=none if layout.plan.optimizer == SGD else np.zeros_like(parameters),
        second=np.zeros_like(parameters) if layout.plan.optimizer == ADAM else none,
        average=parameters.copy() if averaged else none,
    )
