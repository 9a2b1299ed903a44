"""A stack: K configs in training, with one row of parameters each, as the race (race.py) sees it."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Sequence

import numpy as np

from wellfit.base.typing import Booleans, Floats
from wellfit.data.prepare import Arrays, Prepared
from wellfit.fused.batches import BatchReader
from wellfit.fused.layout import ADAM, SGD, State
from wellfit.fused.module_rows import MemberLayout
from wellfit.fused.rates import Rates, rates_of
from wellfit.records.config import Config, total_updates
from wellfit.training.module import AnyNetwork


class Stack(ABC):
    """K configs that differ only in fusible knobs and are trained together; K falls as members leave.

    There are two engines, compiled_stack.py and torch_stack.py, and a third with the same methods in tests/oracle.
    Shapes: K members, P numbers in a member's row, T updates, N rows of data.
    """

    notice: str
    """The reason why members run one after another where they could run together; otherwise empty."""

    def __init__(self, data: Prepared, configs: Sequence[Config], *, layout: MemberLayout) -> None:
        # Of the members that are still there, in the order of the rows.
        self.configs = tuple(configs)
        # Made so far, and of a whole training.
        self.updates, self.planned = 0, total_updates(configs[0], rows=data.train.rows)
        self.layout = layout
        self._data = data
        self._keep_probs = layout.keep_probs(configs)
        self._batches = BatchReader(data, layout, config=configs[0])

    def __len__(self) -> int:
        return len(self.configs)

    @property
    @abstractmethod
    def parameters(self) -> Floats:
        """The parameters [K, P] to measure, keep and predict with: the moving average where a member has one."""

    @abstractmethod
    def compile(self) -> None:
        """Compile or load everything before the clock starts, so that no member is charged for the time."""

    @abstractmethod
    def advance(self, stop: int) -> Floats:
        """Make a few updates, at most up to number `stop`, and return the cost of each batch [T, K]."""

    @abstractmethod
    def outputs(self, rows: Floats, arrays: Arrays) -> Floats:
        """Return the outputs [M, N, outputs] of parameters [M, P] on N rows, without dropout."""

    def keep(self, members: Booleans) -> None:
        """Drop all members except those marked in [K]; dropped members cost nothing from then on."""
        self.configs = tuple(config for config, stays in zip(self.configs, members, strict=True) if stays)
        self._keep_probs = self._keep_probs[members]

    def network_of(self, row: Floats) -> AnyNetwork:
        """Return the network of a member's parameters [P]."""
        return self.layout.network_of(row)

    def _rates(self, start: int, uniform: Floats, *, members: slice = slice(None)) -> Rates:
        return rates_of(
            self.configs[members],
            self._keep_probs[members],
            start,
            uniform=uniform,
            rows=self._data.train.total,
            updates=self.planned,
            dtype=self.layout.dtype,
        )

    def _first_state(self, parameters: Floats) -> State:
        """Return the state in which all members start: the parameters of the seed, and zero moments."""
        none = np.empty((len(self), 0), parameters.dtype)
        optimizer = self.layout.plan.optimizer
        return State(
            parameters=parameters,
            first=none if optimizer == SGD else np.zeros_like(parameters),
            second=np.zeros_like(parameters) if optimizer == ADAM else none,
            average=parameters.copy() if any(config.regularization.ema for config in self.configs) else none,
        )

    def _measured(self, live: Floats, average: Floats) -> Floats:
        """Return the parameters [K, P] to measure: the moving average where a member has one."""
        if not average.shape[1]:
            return live
        averaged = np.array([config.regularization.ema > 0 for config in self.configs])
        return np.where(averaged[:, None], average, live)
