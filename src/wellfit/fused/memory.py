"""The memory that a population takes on the cores or a device, and the number of passes that keeps it within a limit.

On a device all members train at once, with their activations. The memory of a user's module is measured by a trial.
"""

from __future__ import annotations

import copy
import math
import re
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from torch import Tensor

from wellfit.data.prepare import Prepared
from wellfit.exceptions import BadInput
from wellfit.fused.batches import BYTES_AT_ONCE
from wellfit.fused.compiled_stack import ROWS_AT_ONCE
from wellfit.fused.layout import ADAM, MOMENTUM, SGD, Layout
from wellfit.fused.module_rows import row_layout
from wellfit.fused.torch_mlp import BYTES_OF_ACTIVATIONS, bytes_of_row
from wellfit.records.config import Config, Device
from wellfit.training.dropout_sites import DropoutSites, SiteMasks
from wellfit.training.learning_curve import MOST_ROWS
from wellfit.training.module import ModuleNetwork
from wellfit.training.module_checks import seeded
from wellfit.training.network import WAVES

BYTES_OF_OUTPUTS = 2**26
"""Maximum bytes for the outputs of all rows; only as many members as fit are measured together."""
_TIMES_OUTPUTS = 4
"""Bytes per output: the outputs, their probabilities in float64 and float32, and the losses are in memory at once."""
_MEGABYTE = 10**6


_SIZE = re.compile(r"(?P<amount>[0-9]+(?:\.[0-9]+)?)\s*(?P<unit>[kmgt]?)i?b?", re.IGNORECASE)
_UNITS = {"": 1, "k": 2**10, "m": 2**20, "g": 2**30, "t": 2**40}


def parse_memory(text: str | int) -> int:
    """Return the bytes of `500m`, `4g`, `4 GiB` or a number of bytes above 0."""
    match = _SIZE.fullmatch(str(text).strip())
    found = int(float(match["amount"]) * _UNITS[match["unit"].lower()]) if match else 0
    if found <= 0:
        raise BadInput(
            "memory must be a positive size", found=f"memory={text!r}", remedy="Pass, for example, 500m or 4g"
        )
    return found


@dataclass(frozen=True)
class MemoryPlan:
    """Bytes of a stack besides the data, the interpreter and its libraries, with `members` trained at once."""

    fixed: int
    """Bytes of the batches, working memory, and the outputs of the members that are being measured."""
    member: int
    """Bytes of the parameters, moments, averages, kept networks and predictions of one member."""
    members: int
    passes: int

    @property
    def least(self) -> int:
        """The fewest bytes with which a member can be trained."""
        return self.fixed + self.member

    @property
    def peak(self) -> int:
        """The most bytes in use at any time."""
        return self.fixed + self.member * self.members


def plan_memory(
    data: Prepared,
    configs: Sequence[Config],
    *,
    network: Layout | ModuleNetwork,
    device: Device | None = None,
    limit: int | None = None,
) -> MemoryPlan:
    """Return the plan for the configs of one stack, in as few passes of equal size as `limit` (bytes) allows.

    On a device, its free memory is a limit too.

    Raises:
        BadInput: one member does not fit into the limit.
    """
    batch, count = min(configs[0].optimization.batch_size, data.train.rows), len(configs)
    if isinstance(network, ModuleNetwork):
        fixed = 2 * BYTES_AT_ONCE + _bytes_of_outputs(data, members=count)
        member = member_bytes(network, rows=batch)
    elif device is None:
        fixed, member = _on_the_cores(data, configs, layout=network)
    else:
        fixed = BYTES_OF_ACTIVATIONS + 2 * BYTES_AT_ONCE
        # An epoch's last, smaller batch is recorded apart, and each recording keeps its memory.
        member = _on_a_device(configs, layout=network, rows=batch, recordings=2 if data.train.rows % batch else 1)
        if device.is_gpu:
            free = int(_SHARE * torch.cuda.mem_get_info()[0])
            limit = free if limit is None else min(limit, free)
    if limit is not None and fixed + member > limit:
        raise BadInput(
            "memory must hold at least one member",
            found=f"memory={limit / _MEGABYTE:.3g} MB, but one member takes {(fixed + member) / _MEGABYTE:.3g} MB",
            remedy=f"Pass {math.ceil((fixed + member) / _MEGABYTE)} MB or more, or use a smaller network or batch",
        )
    at_once = count if limit is None else min(count, (limit - fixed) // member)
    passes = math.ceil(count / at_once)
    return MemoryPlan(fixed, member, math.ceil(count / passes), passes)


def _bytes_of_outputs(data: Prepared, *, members: int) -> int:
    """Return the bytes needed to measure this many members: a few at a time, at least one."""
    one = np.dtype(np.float32).itemsize * data.train.rows * data.preparation.outputs
    return _TIMES_OUTPUTS * max(one, min(BYTES_OF_OUTPUTS, members * one))


_MOMENTS = {SGD: 0, MOMENTUM: 1, ADAM: 2}
"""Moments that each optimizer keeps for every parameter."""


def _on_the_cores(data: Prepared, configs: Sequence[Config], *, layout: Layout) -> tuple[int, int]:
    """Return the bytes of all members together, and of each one, in compiled updates."""
    real = np.dtype(layout.dtype).itemsize
    rows = max(min(configs[0].optimization.batch_size, data.train.rows), ROWS_AT_ONCE)
    columns = int(data.train.numeric.shape[1])
    # The buffers (compiled_stack.py), and the batches of a call with the arrays they are copied from.
    units = 2 * layout.units + 2 * layout.widest + 3 * layout.shared + 3 * layout.embedded + 2 * columns
    # Shares and weights of knots, and as many places of 8 bytes.
    units += len(layout.plan.binned) * (6 + 4 * 8 // real)
    units += 2 * WAVES * len(layout.plan.waves)
    table = layout.knots * int(layout.plan.layers[0, 1])
    outputs = _bytes_of_outputs(data, members=len(configs))
    fixed = real * (rows * units + table + layout.size) + 2 * BYTES_AT_ONCE + outputs
    averages = 2 if any(config.regularization.ema for config in configs) else 0
    # Live, kept at the last or best point, and copied while members leave the stack.
    copies = 2 * (1 + _MOMENTS[layout.plan.optimizer]) + averages + 2
    points = 2 * MOST_ROWS * layout.outputs
    return fixed, int(real * (copies * layout.size + points))


_SHARE = 0.8
"""Fraction of a device's free memory that a stack may take; libraries and fragmentation take the rest."""
_SPARE = 4
"""Number of rows of parameters besides the state: the gradient and the intermediate results of a step."""


def _on_a_device(configs: Sequence[Config], *, layout: Layout, rows: int, recordings: int) -> int:
    """Return the bytes of one member, including its activations on `rows` rows, if all members are trained at once."""
    averages = any(config.regularization.ema for config in configs)
    row_of_parameters = np.dtype(layout.dtype).itemsize * layout.size
    state = (1 + _MOMENTS[layout.plan.optimizer] + averages) * row_of_parameters
    update = _SPARE * row_of_parameters + rows * bytes_of_row(layout)
    return int(state + recordings * update)


_COPIES = 6
"""Copies of the trained parameters: the parameters, two moments, an average, and the gradient before and after
flattening."""
_ROWS = 3
"""Copies of a member's whole row in float64: the row, that of its last or best point, and one during measurement."""
_TWICE = 2
"""Factor for the backward pass, where the derivatives of everything kept take the same memory again."""


def member_bytes(network: ModuleNetwork, *, rows: int, dtype: type[np.floating[Any]] = np.float32) -> int:
    """Return the most bytes that a member takes with batches of `rows` rows: parameters, buffers, activations."""
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
