"""The stack of the built-in network on one core, trained by compiled updates (kernels.py)."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from wellfit.base.compiled import is_compiled
from wellfit.base.typing import Booleans, Floats
from wellfit.data.prepare import Arrays, Prepared
from wellfit.fused.batches import Needs, encoded
from wellfit.fused.kernels import outputs, train
from wellfit.fused.layout import Buffers, Encoded, Layout, State
from wellfit.fused.stack import Stack
from wellfit.records.config import Config
from wellfit.training.network import WAVES

ROWS_AT_ONCE = 1_024
"""Rows of one forward pass, few enough that their activations stay in the second-level cache."""


COMPILING = 150.0
"""Seconds that the first training after an installation may compile for: 40 on a core of its own, 137 on a busy one."""


def is_ready() -> bool:
    """Return True if this engine can train at once; otherwise it compiles first, which no deadline can cut short."""
    return is_compiled(train) and is_compiled(outputs)


class CompiledStack(Stack):
    """The built-in network on one core."""

    layout: Layout
    notice = ""
    """Always empty, because this engine is fast even though it trains members one after another."""

    def __init__(self, data: Prepared, configs: Sequence[Config], *, layout: Layout) -> None:
        super().__init__(data, configs, layout=layout)
        parameters, _ = layout.start(len(configs))
        self._state = self._first_state(parameters)
        rows, real = max(self._batches.rows, ROWS_AT_ONCE), layout.dtype
        self._buffers = Buffers(
            values=np.empty(rows * layout.units, real),
            slopes=np.empty(rows * (layout.units - layout.outputs), real),
            deltas=np.empty((2, rows * layout.widest), real),
            numbers=np.empty((rows, data.train.numeric.shape[1]), real),
            inputs=np.empty((2, rows, layout.shared), real),
            knots=np.empty((2, rows * 2 * len(layout.plan.binned)), np.int64),
            shares=np.empty((3, rows * 2 * len(layout.plan.binned)), real),
            table=np.empty((layout.knots, layout.plan.layers[0, 1]), real),
            embedded=np.empty((3, rows, layout.embedded), real),
            turns=np.empty((2, rows, len(layout.plan.waves) * WAVES), real),
            gradient=np.empty(layout.size, real),
        )

    @property
    def parameters(self) -> Floats:
        """The parameters [K, P] to measure, keep and predict with: the moving average where a member has one."""
        return self._measured(self._state.parameters, self._state.average)

    def compile(self) -> None:
        """Compile everything, or load it from an earlier process, so that no member is charged for the time."""
        live, none = self._state.parameters, np.arange(0)
        nothing = Needs.of([], self._keep_probs[:0])
        batches, uniform = self._batches.read(0, stop=1, needs=nothing)
        losses = np.empty((1, len(self)), self.layout.dtype)
        train(self.layout.plan, none, self._state, self._rates(0, uniform), batches, self._buffers, losses)
        found = np.empty((0, 0, 0), self.layout.dtype)
        first = Encoded(*(getattr(batches, name)[0] for name in Encoded._fields))
        outputs(self.layout.plan, none, live, first, self._buffers, found)

    def advance(self, stop: int) -> Floats:
        """Make a few updates, at most up to number `stop`, and return the cost of each batch [T, K]."""
        batches, uniform = self._batches.read(self.updates, stop=stop, needs=Needs.of(self.configs, self._keep_probs))
        rates = self._rates(self.updates, uniform)
        losses = np.empty((len(uniform), len(self)), self.layout.dtype)
        train(self.layout.plan, np.arange(len(self)), self._state, rates, batches, self._buffers, losses)
        self.updates += len(uniform)
        return losses

    def outputs(self, rows: Floats, arrays: Arrays) -> Floats:
        """Return the outputs [M, N, outputs] of parameters [M, P] on N rows, without dropout."""
        found = np.empty((len(rows), arrays.rows, self.layout.outputs), self.layout.dtype)
        for start in range(0, arrays.rows, ROWS_AT_ONCE):
            part = slice(start, start + ROWS_AT_ONCE)
            few = encoded(self.layout, arrays, places=part)
            into = np.empty((len(rows), len(few.numeric), found.shape[2]), self.layout.dtype)
            outputs(self.layout.plan, np.arange(len(rows)), rows, few, self._buffers, into)
            found[:, part] = into
        return found

    def keep(self, members: Booleans) -> None:
        """Drop all members except those marked in [K]; dropped members cost nothing from then on."""
        super().keep(members)
        self._state = State(*(array[members] for array in self._state))
