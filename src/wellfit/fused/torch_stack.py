"""The stack in torch: the built-in network on a device in batched products, or a user's module on the cores by vmap.

A member's last digits may depend on how many others there are, because libraries choose a multiplication algorithm by
the total size. On a GPU an update is recorded once and played back: a hundred small operations without a hundred calls.
"""

from __future__ import annotations

import contextlib
from collections.abc import Callable, Hashable, Iterator, Sequence
from typing import TypeAlias

import numpy as np
import torch
from torch import Tensor

from wellfit.base.typing import Booleans, Floats
from wellfit.data.prepare import Arrays, Prepared
from wellfit.fused.batches import Needs, encoded
from wellfit.fused.stack import Stack
from wellfit.fused.torch_mlp import TorchMLP
from wellfit.fused.torch_module import TorchModule
from wellfit.fused.torch_updates import PackedUpdates, Rows, compiled_step, packed, torch_step
from wellfit.records.config import TF32, Config, Device

TorchNetwork: TypeAlias = TorchMLP | TorchModule
"""A network as a function of all members' rows, which it does not store."""


class TorchStack(Stack):
    """Members of one network in torch, on a device or (None) on the cores, where the step is compiled."""

    def __init__(
        self, data: Prepared, configs: Sequence[Config], *, network: TorchNetwork, device: Device | None = None
    ) -> None:
        super().__init__(data, configs, layout=network.layout)
        self._device = device or Device("cpu")
        self._step = torch_step if device else compiled_step
        self._network, self._exact, self.notice = network, network.exact, network.notice
        parameters, kept = self.layout.start(len(configs))
        self._rows = Rows(*map(self._sent, (*self._first_state(parameters), kept)))
        self._recordings = Recordings(self._device if network.recordable else Device("cpu"))
        self._needs = Needs.of(self.configs, self._keep_probs)
        self._ahead: PackedUpdates | None = None

    @property
    def parameters(self) -> Floats:
        """The rows [K, R] to measure, keep and predict with: the moving average where there is one, and the buffers."""
        measured = self._measured(_back(self._rows.parameters), _back(self._rows.average))
        kept = _back(self._rows.kept)
        return np.concatenate([measured, kept], axis=1) if kept.shape[1] else measured

    @torch.no_grad()
    def compile(self) -> None:
        """Compile or load everything by updating a copy of the first member."""
        first = np.arange(len(self)) == 0
        rows, needs = self._rows.of(self._sent(first)), Needs.of(self.configs[:1], self._keep_probs[:1])
        batches, uniform = self._batches.read(0, stop=1, needs=needs)
        only = packed(batches, self._rates(0, uniform, members=slice(1)), device=self._device.name)
        at = only.inputs_of(only.rows_at(0))
        _, gradient = self._network.costs_and_gradients(rows, at, needs=needs, configs=self.configs[:1], update=0)
        self._step(self.layout.plan, rows, gradient, at=at, needs=needs)

    @torch.no_grad()
    def advance(self, stop: int) -> Floats:
        """Make a few updates, at most up to number `stop`, and return the cost of each batch [T, K]."""
        ahead = self._ahead or self._read(self.updates)
        now, self._ahead = ahead.between(0, stop - self.updates), ahead.between(stop - self.updates, len(ahead))
        losses = torch.empty(len(now), len(self), dtype=self._rows.parameters.dtype, device=self._device.name)
        update = self._update_of(now)
        with arithmetic(self._device):
            for place in range(len(now)):
                losses[place] = update(*now.rows_at(place))
                self.updates += 1
        if not self._ahead and self.updates < self.planned:
            # While the device is still at work.
            self._ahead = self._read(self.updates)
        return _back(losses)

    def _read(self, start: int) -> PackedUpdates:
        """Pack the batches and knobs of the updates from `start` on, and send them to the device."""
        batches, uniform = self._batches.read(start, stop=self.planned, needs=self._needs)
        return packed(batches, self._rates(start, uniform), device=self._device.name)

    def _update_of(self, updates: PackedUpdates) -> Callable[..., Tensor]:
        """Return one update as a function of its packed rows; it changes the state and returns the costs [K]."""
        needs = self._needs

        def update(*rows: Tensor) -> Tensor:
            at = updates.inputs_of(rows)
            costs, gradient = self._network.costs_and_gradients(
                self._rows, at, needs=needs, configs=self.configs, update=self.updates
            )
            self._step(self.layout.plan, self._rows, gradient, at=at, needs=needs)
            return costs

        return self._recordings.of(update, key=(updates.kind, needs), example=updates.rows_at(0))

    @torch.no_grad()
    def outputs(self, rows: Floats, arrays: Arrays) -> Floats:
        """Return the outputs [M, N, outputs] of members' rows [M, R] on N rows, without dropout."""
        there, found = self._sent(rows), []
        at_once = self._exact.rows_at_once(len(rows))
        with arithmetic(Device(self._device.name)):
            for start in range(0, max(arrays.rows, 1), at_once):
                part = encoded(self.layout, arrays, places=slice(start, start + at_once))
                found.append(_back(self._exact.outputs(there, self._sent(part.codes), self._sent(part.shared))))
        return np.concatenate(found, axis=1)

    def keep(self, members: Booleans) -> None:
        """Drop all members except those marked in [K]; dropped members cost nothing from then on."""
        super().keep(members)
        self._needs = Needs.of(self.configs, self._keep_probs)
        self._ahead = None
        # Recordings have memory of their own: it goes before the rows are copied.
        self._recordings.clear()
        self._rows = self._rows.of(self._sent(members))
        if not self.configs and self._device.is_gpu:
            # The planner of the next stack, maybe in another process, sees memory that torch keeps for later as used.
            torch.cuda.empty_cache()

    def _sent(self, array: np.ndarray) -> Tensor:
        return torch.from_numpy(array).to(self._device.name, copy=True)


def _back(tensor: Tensor) -> Floats:
    return np.asarray(tensor.cpu().numpy())


@contextlib.contextmanager
def arithmetic(device: Device) -> Iterator[None]:
    """Compute products in the precision requested for the device, and restore torch's own setting afterwards."""
    before = torch.get_float32_matmul_precision()
    torch.set_float32_matmul_precision("high" if device.precision == TF32 else "highest")
    try:
        yield
    finally:
        torch.set_float32_matmul_precision(before)


class Recordings:
    """Recorded updates by their key; on a device that is not a GPU, nothing is recorded."""

    def __init__(self, device: Device) -> None:
        self._device = device
        self._seen: dict[Hashable, Callable[..., Tensor] | None] = {}

    def clear(self) -> None:
        """Free all recordings."""
        self._seen.clear()

    def of(self, update: Callable[..., Tensor], *, key: Hashable, example: tuple[Tensor, ...]) -> Callable[..., Tensor]:
        """Return an update, or the recording of an earlier one with this key, which does the same.

        The first time, it runs unrecorded, because libraries then make choices that cannot be recorded. An update must
        read and write the same places as the recorded one. `key` decides which operations it has, and `example` has
        tensors of the shapes with which it is called.
        """
        if not self._device.is_gpu:
            return update
        if key not in self._seen:
            self._seen[key] = None
            return update
        found = self._seen[key] = self._seen[key] or _Recording(update, example)
        return found


class _Recording:
    """One recorded update with its own tensors."""

    def __init__(self, update: Callable[..., Tensor], example: tuple[Tensor, ...]) -> None:
        self._arguments = tuple(each.clone() for each in example)
        self._graph = torch.cuda.CUDAGraph()
        with torch.cuda.graph(self._graph):
            self._found = update(*self._arguments)

    def __call__(self, *arguments: Tensor) -> Tensor:
        for own, given in zip(self._arguments, arguments, strict=True):
            own.copy_(given)
        self._graph.replay()
        return self._found
