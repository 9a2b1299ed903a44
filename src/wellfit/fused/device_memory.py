"""How much of a device's memory a stack takes: there all members are under way at once, with their activations."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from wellfit.config import Config
from wellfit.data.prepare import Prepared
from wellfit.device import Device
from wellfit.fused.arrays import ADAM, MOMENTUM, SGD
from wellfit.fused.batches import BYTES_AT_ONCE
from wellfit.fused.device_arithmetic import free_bytes
from wellfit.fused.device_stack import BYTES_OF_ACTIVATIONS, bytes_of_row
from wellfit.fused.layout import Layout
from wellfit.fused.memory import MemoryPlan, shared_out

_SHARE = 0.8
"""Of a device's free memory that a stack may take: its libraries take some, and so does what is freed in pieces."""
_SPARE = 4
"""Rows of parameters beside state: the gradient, and what steps are made of."""


def plan_device_memory(
    data: Prepared, configs: Sequence[Config], *, layout: Layout, device: Device, limit: int | None = None
) -> MemoryPlan:
    """Return the plan for configs of one stack, in as few passes as the device's free memory and `limit` allow.

    Raises:
        BadInput: where they do not hold one member.
    """
    moments = {SGD: 0, MOMENTUM: 1, ADAM: 2}[layout.plan.optimizer]
    averages = any(config.regularization.ema for config in configs)
    rows = min(configs[0].optimization.batch_size, data.train.rows)
    row_of_parameters = np.dtype(layout.dtype).itemsize * layout.size
    state = (1 + moments + averages) * row_of_parameters
    update = _SPARE * row_of_parameters + rows * bytes_of_row(layout)
    # An epoch's last, smaller batch is recorded apart, and each recording keeps its memory.
    recordings = 2 if data.train.rows % rows else 1
    member = state + recordings * update
    free = free_bytes(device)
    bounds = [bound for bound in (limit, None if free is None else int(_SHARE * free)) if bound is not None]
    fixed = BYTES_OF_ACTIVATIONS + 2 * BYTES_AT_ONCE
    return shared_out(len(configs), fixed=fixed, member=int(member), limit=min(bounds, default=None))
