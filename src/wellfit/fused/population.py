"""What all stacks of the built-in network have in common, wherever they are trained."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from wellfit._typing import Floats
from wellfit.config import Config, total_updates
from wellfit.data.prepare import Prepared
from wellfit.fused.arrays import Rates
from wellfit.fused.batches import Encoder, Source
from wellfit.fused.layout import Layout
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
