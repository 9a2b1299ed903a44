"""How much memory a population takes, and in how many passes it is trained where that is more than there may be.

How much of a device's memory a stack takes: there all members are under way at once, with their activations.
What one member of a user's module takes while it trains: measured, since the module is not ours to read.
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

from wellfit.config import Config
from wellfit.data.prepare import Prepared
from wellfit.device import Device
from wellfit.exceptions import BadInput
from wellfit.fused.batches import BYTES_AT_ONCE
from wellfit.fused.device_network import free_bytes
from wellfit.fused.device_stack import BYTES_OF_ACTIVATIONS, bytes_of_row
from wellfit.fused.layout import ADAM, MOMENTUM, SGD, Layout
from wellfit.fused.module_rows import row_layout
from wellfit.fused.stack import ROWS_AT_ONCE
from wellfit.training.dropout_sites import DropoutSites, SiteMasks
from wellfit.training.learning_curve import MOST_ROWS
from wellfit.training.module import ModuleNetwork
from wellfit.training.module_checks import seeded

BYTES_OF_OUTPUTS = 2**26
"""Outputs of all rows are held for so many members at once as fit into this."""
_TIMES_OUTPUTS = 4
"""Outputs, their probabilities in float64 and float32, and losses, side by side."""
_MEGABYTE = 10**6


_SIZE = re.compile(r"(?P<amount>[0-9]+(?:\.[0-9]+)?)\s*(?P<unit>[kmgt]?)i?b?", re.IGNORECASE)
_UNITS = {"": 1, "k": 2**10, "m": 2**20, "g": 2**30, "t": 2**40}


def parse_memory(text: str | int) -> int:
    """Read `500m`, `4g`, `4 GiB` or a number of bytes; in bytes.

    Raises:
        BadInput: for anything else, and for no memory at all.
    """
    match = _SIZE.fullmatch(str(text).strip())
    found = int(float(match["amount"]) * _UNITS[match["unit"].lower()]) if match else 0
    if found <= 0:
        raise BadInput("memory is a positive size", found=f"memory={text!r}", remedy="Give for example 500m or 4g")
    return found


@dataclass(frozen=True)
class MemoryPlan:
    """Bytes that a stack takes beside the data, the interpreter and its libraries.

    Attributes:
        fixed: batches, room to work in, and the outputs of those members that are being measured.
        member: parameters, moments, averages, kept networks and predictions of one member.
        members: trained at once.
        passes: in which all are trained.
    """

    fixed: int
    member: int
    members: int
    passes: int

    @property
    def least(self) -> int:
        """The bytes without which no member can be trained."""
        return self.fixed + self.member

    @property
    def peak(self) -> int:
        """The most bytes at any time."""
        return self.fixed + self.member * self.members


def plan_memory(data: Prepared, configs: Sequence[Config], *, layout: Layout, limit: int | None = None) -> MemoryPlan:
    """Return the plan for configs of one stack, in as few passes as `limit` (bytes) allows.

    Raises:
        BadInput: where the limit does not hold one member.
    """
    fixed, member = _fixed(data, configs, layout=layout), _member(configs, layout=layout)
    return shared_out(len(configs), fixed=fixed, member=member, limit=limit)


def shared_out(count: int, *, fixed: int, member: int, limit: int | None) -> MemoryPlan:
    """Return the plan for so many members of known bytes, in as few passes of equal size as the limit allows.

    Raises:
        BadInput: where the limit does not hold one member.
    """
    if limit is not None and fixed + member > limit:
        raise BadInput(
            "memory holds at least one member",
            found=f"memory={limit / _MEGABYTE:.3g} MB, one member takes {(fixed + member) / _MEGABYTE:.3g} MB",
            remedy=f"Give {math.ceil((fixed + member) / _MEGABYTE)} MB or more, or a smaller network or batch",
        )
    at_once = count if limit is None else min(count, (limit - fixed) // member)
    passes = math.ceil(count / at_once)
    return MemoryPlan(fixed, member, math.ceil(count / passes), passes)


def bytes_of_outputs(data: Prepared, *, members: int) -> int:
    """Return the bytes of what so many members are measured by: a few of them at a time, at least one."""
    one = np.dtype(np.float32).itemsize * data.train.rows * data.preparation.outputs
    return _TIMES_OUTPUTS * max(one, min(BYTES_OF_OUTPUTS, members * one))


def _fixed(data: Prepared, configs: Sequence[Config], *, layout: Layout) -> int:
    rows = max(min(configs[0].optimization.batch_size, data.train.rows), ROWS_AT_ONCE)
    columns = int(data.train.numeric.shape[1])
    # The desk (stack.py), and the batches of a call with what they are copied from.
    units = 2 * layout.units + 2 * layout.widest + 3 * layout.shared + 3 * layout.embedded + 2 * columns
    real = np.dtype(layout.dtype).itemsize
    outputs = bytes_of_outputs(data, members=len(configs))
    return real * (rows * units + layout.size) + 2 * BYTES_AT_ONCE + outputs


def _member(configs: Sequence[Config], *, layout: Layout) -> int:
    moments = {SGD: 0, MOMENTUM: 1, ADAM: 2}[layout.plan.optimizer]
    averages = 2 if any(config.regularization.ema for config in configs) else 0
    # Live, kept at the last or best point, and copied while members leave the stack.
    rows = 2 * (1 + moments) + averages + 2
    points = 2 * MOST_ROWS * layout.outputs
    real = np.dtype(layout.dtype).itemsize
    return int(real * (rows * layout.size + points))


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
