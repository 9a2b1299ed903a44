"""What one member of a user's module takes while it trains: measured, since the module is not ours to read."""

from __future__ import annotations

import copy
from collections.abc import Sequence
from typing import Any

import numpy as np
import torch
from torch import Tensor

from wellfit.config import Config
from wellfit.data.prepare import Prepared
from wellfit.fused.batches import BYTES_AT_ONCE
from wellfit.fused.memory import MemoryPlan, bytes_of_outputs, shared_out
from wellfit.fused.module_rows import row_layout
from wellfit.training.dropout_sites import DropoutSites, SiteMasks
from wellfit.training.module import ModuleNetwork
from wellfit.training.module_factory import seeded

_COPIES = 6
"""Of the trained parameters: themselves, two moments, an average, and a gradient before and after it is flattened."""
_ROWS = 3
"""A member's whole row in float64: itself, as it was at its last or best point, and copied while it is measured."""
_TWICE = 2
"""Derivatives of what a pass keeps take as much again while it is gone through backwards."""


def plan_module_memory(
    network: ModuleNetwork, configs: Sequence[Config], *, data: Prepared, limit: int | None = None
) -> MemoryPlan:
    """Return the plan for configs of one module, in as few passes as `limit` (bytes) allows.

    Raises:
        BadInput: where the limit does not hold one member.
    """
    batch = min(configs[0].optimization.batch_size, data.train.rows)
    fixed = 2 * BYTES_AT_ONCE + bytes_of_outputs(data, members=len(configs))
    return shared_out(len(configs), fixed=fixed, member=member_bytes(network, rows=batch), limit=limit)


def member_bytes(network: ModuleNetwork, *, rows: int, dtype: type[np.floating[Any]] = np.float32) -> int:
    """Return the bytes that a member takes at most with batches of `rows` rows: parameters, buffers, activations."""
    layout, size = row_layout(network.module), np.dtype(dtype).itemsize
    row = layout.size * np.dtype(np.float64).itemsize
    return _ROWS * row + _COPIES * layout.parameters * size + _TWICE * activation_bytes(network, rows=rows) * size // 4


def activation_bytes(network: ModuleNetwork, *, rows: int) -> int:
    """Return the bytes in float32 that a pass over `rows` made-up rows keeps for its gradient, each tensor once."""
    kept: dict[int, int] = {}

    def note(tensor: Tensor) -> Tensor:
        storage = tensor.untyped_storage()
        kept[storage.data_ptr()] = storage.nbytes()
        return tensor

    module = copy.deepcopy(network.module).float().train()
    own = {value.untyped_storage().data_ptr() for value in (*module.parameters(), *module.buffers())}
    masks = SiteMasks(0, "trial", 0, (0.5,))
    hooks = torch.autograd.graph.saved_tensors_hooks(note, lambda tensor: tensor)
    with torch.enable_grad(), seeded(0), DropoutSites(masks, mapped=True), hooks:
        module(torch.linspace(-1, 1, rows * network.inputs).reshape(rows, network.inputs))
    return sum(bytes_ for place, bytes_ in kept.items() if place not in own)
