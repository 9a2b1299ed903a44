"""An update of a GPU, recorded once and played back: a hundred small operations without a hundred calls.

Calls take longer than the work of a small stack. `torch.cuda.CUDAGraph` records what a function asks of the GPU; the
recording reads and writes the same places each time, so that its arguments are copied into them first.
"""

from __future__ import annotations

from collections.abc import Callable, Hashable

import torch
from torch import Tensor

from wellfit.device import Device

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
