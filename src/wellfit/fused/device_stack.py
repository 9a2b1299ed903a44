"""A stack on a device: the interface of `Stack`, all members at once in batched products.

There a member's last digits may depend on how many others there are: libraries choose their ways to multiply by the
size of the whole. What the members read is the same as on the cores: batches, noise and schedules come from there.
An update of a GPU, recorded once and played back: a hundred small operations without a hundred calls.
"""

from __future__ import annotations

from collections.abc import Callable, Hashable, Sequence

import numpy as np
import torch
from torch import Tensor

from wellfit._typing import Booleans, Floats
from wellfit.config import Config
from wellfit.data.prepare import Arrays, Prepared
from wellfit.device import Device
from wellfit.fused.batches import Needs
from wellfit.fused.device_network import DeviceNetwork, arithmetic, give_back
from wellfit.fused.device_steps import Parcel, Rows, Wants, advance, parcel_of
from wellfit.fused.layout import Layout
from wellfit.fused.stack import Population, first_state

BYTES_OF_ACTIVATIONS = 2**30
"""Rows of one forward pass: as many as have activations of so many bytes in all members."""
_PER_UNIT = 6
"""Numbers of each unit of each row: output, slope, mask, and what they are made of."""


def bytes_of_row(layout: Layout) -> int:
    """Return the bytes of a member's activations on one row."""
    return _PER_UNIT * np.dtype(layout.dtype).itemsize * (layout.units + layout.shared + layout.embedded)


class DeviceStack(Population):
    """A population on a device.

    Args:
        data: the prepared parts.
        configs: K of them.
        layout: of their parameters.
        stream: of noise and batch order.
        device: that trains them.
    """

    def __init__(
        self, data: Prepared, configs: Sequence[Config], *, layout: Layout, stream: str, device: Device
    ) -> None:
        super().__init__(data, configs, layout=layout, stream=stream)
        self._device = device
        self._network = DeviceNetwork(layout, device)
        # What is measured is what the network will predict elsewhere, whatever it was trained with.
        self._exact = Device(device.name)
        self._measured_network = DeviceNetwork(layout, self._exact)
        self._rows = Rows(*(self._sent(array) for array in first_state(layout, configs)))
        self._replay = Replay(device)
        self._needs = Needs.of(configs)
        self._ahead: Parcel | None = None

    @property
    def parameters(self) -> Floats:
        """[K, P] what is measured, kept and predicted with: the moving average where a member has one."""
        return self._measured(_back(self._rows.parameters), _back(self._rows.average))

    def compile(self) -> None:
        """Have the device's libraries loaded: no member's time is spent on it."""
        self.outputs(_back(self._rows.parameters[:1]), self._data.dev)

    @torch.no_grad()
    def advance(self, stop: int) -> Floats:
        """Make a few updates, at most up to number `stop`, and return the cost of each batch [T, K]."""
        ahead = self._ahead or self._parcel(self.updates)
        parcel, self._ahead = ahead.between(0, stop - self.updates), ahead.between(stop - self.updates, len(ahead))
        losses = torch.empty(len(parcel), len(self), dtype=self._rows.parameters.dtype, device=self._device.name)
        update = self._update_of(parcel)
        with arithmetic(self._device):
            for place in range(len(parcel)):
                losses[place] = update(*parcel.rows_at(place))
        self.updates += len(parcel)
        if not self._ahead and self.updates < self.planned:
            # While the device is still at work.
            self._ahead = self._parcel(self.updates)
        return _back(losses)

    def _parcel(self, start: int) -> Parcel:
        """Send what the updates from `start` on read."""
        batches, uniform = self._source.read(start, stop=self.planned, needs=self._needs)
        return parcel_of(batches, self._rates(start, uniform), device=self._device.name)

    def _update_of(self, parcel: Parcel) -> Callable[..., Tensor]:
        """Return one update as a function of a parcel's rows; it changes the state and returns the costs [K]."""
        needs, wants = self._needs, Wants.of(self.configs)

        def update(*rows: Tensor) -> Tensor:
            moment = parcel.moment_of(rows)
            costs, gradient = self._network.costs_and_gradients(self._rows.parameters, moment, needs)
            advance(self.layout.plan, self._rows, gradient, moment=moment, wants=wants)
            return costs

        return self._replay.of(update, key=(parcel.kind, needs, wants), example=parcel.rows_at(0))

    @torch.no_grad()
    def outputs(self, rows: Floats, arrays: Arrays) -> Floats:
        """Return the outputs [M, N, outputs] of parameters [M, P] on N rows, without dropout."""
        there, found = self._sent(rows), []
        at_once = max(1, BYTES_OF_ACTIVATIONS // (len(rows) * bytes_of_row(self.layout)))
        with arithmetic(self._exact):
            for start in range(0, max(arrays.rows, 1), at_once):
                _, codes, shared = self._encode(arrays, slice(start, start + at_once))
                found.append(_back(self._measured_network.outputs(there, self._sent(codes), self._sent(shared))))
        return np.concatenate(found, axis=1)

    def keep(self, members: Booleans) -> None:
        """Let go of all members but those marked in [K]: they cost nothing from here on."""
        self.configs = tuple(config for config, stays in zip(self.configs, members, strict=True) if stays)
        self._needs = Needs.of(self.configs)
        self._ahead = None
        # Recordings hold memory of their own: it goes before the rows are copied.
        self._replay = Replay(self._device)
        self._rows = self._rows.of(self._sent(members))
        if not self.configs:
            give_back(self._device)

    def _sent(self, array: np.ndarray) -> Tensor:
        return torch.from_numpy(array).to(self._device.name, copy=True)


def _back(tensor: Tensor) -> Floats:
    return np.asarray(tensor.cpu().numpy())


Update = Callable[..., Tensor]


class Replay:
    """Updates that were recorded, by their key.

    Args:
        device: where nothing is recorded if it is no GPU.
    """

    def __init__(self, device: Device) -> None:
        self._device = device
        self._seen: dict[Hashable, Update | None] = {}

    def of(self, update: Update, *, key: Hashable, example: tuple[Tensor, ...]) -> Update:
        """Return an update, or the recording of an earlier one with this key, which does the same.

        The first time it runs as it is: libraries make their choices then, which a recording cannot hold.

        Args:
            update: a function of tensors; it reads and writes no other places than the one that was recorded.
            key: whatever decides which operations there are.
            example: tensors of the shapes that it is called with under this key.
        """
        if not self._device.is_gpu:
            return update
        if key not in self._seen:
            self._seen[key] = None
            return update
        found = self._seen[key] or _Recording(update, example)
        self._seen[key] = found
        return found


class _Recording:
    """One update on tensors of its own."""

    def __init__(self, update: Update, example: tuple[Tensor, ...]) -> None:
        self._arguments = tuple(each.clone() for each in example)
        self._graph = torch.cuda.CUDAGraph()
        with torch.cuda.graph(self._graph):
            self._found = update(*self._arguments)

    def __call__(self, *arguments: Tensor) -> Tensor:
        for own, given in zip(self._arguments, arguments, strict=True):
            own.copy_(given)
        self._graph.replay()
        return self._found
