"""A stack: K configs under training, one row of parameters each, as the race (race.py) sees it."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Generic, Protocol, TypeVar

import numpy as np

from wellfit.base.typing import Booleans, Floats
from wellfit.data.prepare import Arrays, Prepared
from wellfit.fused.batches import BatchReader
from wellfit.fused.layout import ADAM, SGD, MemberLayout, State
from wellfit.fused.rates import Rates, Schedules
from wellfit.records.config import Config, total_updates
from wellfit.training.module import AnyNetwork


class Stack(Protocol):
    """K configs that differ in fusible knobs only, in training together; K falls as members leave.

    There are three: compiled_stack.py, torch_stack.py, and the oracle in tests/oracle.
    Shapes: K members, P numbers of a member's row, T updates, N rows of data.
    """

    configs: tuple[Config, ...]
    """Those of the members that are still there, in the order of the rows."""
    updates: int
    """Number of updates made so far."""
    planned: int
    """Number of updates of a whole training."""

    def __len__(self) -> int:
        """K."""

    @property
    def notice(self) -> str:
        """Why members run one after the other where they could run at once; else empty."""

    @property
    def parameters(self) -> Floats:
        """[K, P] what is measured, kept and predicted with: the moving average where a member has one."""

    def compile(self) -> None:
        """Have everything compiled or loaded before the clock runs: no member's time is spent on it."""

    def advance(self, stop: int) -> Floats:
        """Make a few updates, at most up to number `stop`, and return the cost of each batch [T, K]."""

    def outputs(self, rows: Floats, arrays: Arrays) -> Floats:
        """Return the outputs [M, N, outputs] of parameters [M, P] on N rows, without dropout."""

    def keep(self, members: Booleans) -> None:
        """Let go of all members but those marked in [K]: they cost nothing from here on."""

    def network_of(self, row: Floats) -> AnyNetwork:
        """Return the network of a member's parameters [P]."""


LayoutT = TypeVar("LayoutT", bound=MemberLayout)


class Members(Generic[LayoutT]):
    """Base of both engines: configs, the batches that all members read, and their knobs at every update."""

    def __init__(self, data: Prepared, configs: Sequence[Config], *, layout: LayoutT) -> None:
        self.configs = tuple(configs)
        self.updates = 0
        self.planned = total_updates(configs[0], rows=data.train.rows)
        self.layout = layout
        self._data = data
        self._keep_probs = layout.keep_probs(configs)
        self._batches = BatchReader(data, layout, config=configs[0])

    def __len__(self) -> int:
        return len(self.configs)

    def network_of(self, row: Floats) -> AnyNetwork:
        """Return the network of a member's row."""
        return self.layout.network_of(row)

    def _rates(self, start: int, uniform: Floats, *, members: slice = slice(None)) -> Rates:
        schedules = Schedules(
            configs=self.configs[members],
            keep_probs=self._keep_probs[members],
            rows=self._data.train.total,
            updates=self.planned,
            dtype=self.layout.dtype,
        )
        return schedules.rates(start, uniform=uniform)

    def _first_state(self, parameters: Floats) -> State:
        """Return the state in which all members start: the parameters of the seed, and moments of zero."""
        none = np.empty((len(self), 0), parameters.dtype)
        optimizer = self.layout.plan.optimizer
        return State(
            parameters=parameters,
            first=none if optimizer == SGD else np.zeros_like(parameters),
            second=np.zeros_like(parameters) if optimizer == ADAM else none,
            average=parameters.copy() if any(config.regularization.ema for config in self.configs) else none,
        )

    def _measured(self, live: Floats, average: Floats) -> Floats:
        """Return [K, P], the moving average where a member has one."""
        if not average.shape[1]:
            return live
        averaged = np.array([config.regularization.ema > 0 for config in self.configs])
        return np.where(averaged[:, None], average, live)

    def _keep_configs(self, members: Booleans) -> None:
        self.configs = tuple(config for config, stays in zip(self.configs, members, strict=True) if stays)
        self._keep_probs = self._keep_probs[members]
