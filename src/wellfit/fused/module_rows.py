"""The parameters of a user's module as one row of numbers, and back.

A row [P] has the decayed parameters first, then the others, each flattened as torch has it: what `kernels.advance`
expects. Buffers are no parameters: they are stacked beside the rows.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor, nn

from wellfit._typing import Floats
from wellfit.training.decay_groups import decay_list


@dataclass(frozen=True)
class RowLayout:
    """Which place of a row belongs to which parameter.

    Attributes:
        shapes: of each trained parameter, by its name in the module, in the order of the row.
        decayed: the first so many numbers of a row are W of the cost.
    """

    shapes: Mapping[str, tuple[int, ...]]
    decayed: int

    @property
    def sizes(self) -> list[int]:
        """Numbers of each parameter."""
        return [math.prod(shape) for shape in self.shapes.values()]

    @property
    def size(self) -> int:
        """P, the numbers of a row."""
        return sum(self.sizes)

    def pack(self, module: nn.Module, *, dtype: type[np.floating]) -> Floats:
        """Return the row [P] of a module's parameters."""
        named = dict(module.named_parameters())
        return np.concatenate([named[name].detach().numpy().astype(dtype).ravel() for name in self.shapes])

    def unpack(self, rows: Tensor) -> dict[str, Tensor]:
        """Return the parameters [..., *shape] by name that rows [..., P] hold, as views of them."""
        pieces = torch.split(rows, self.sizes, dim=-1)
        return {
            name: piece.reshape(*rows.shape[:-1], *shape)
            for (name, shape), piece in zip(self.shapes.items(), pieces, strict=True)
        }


def row_layout(module: nn.Module) -> RowLayout:
    """Return the layout of the rows of all modules that are built as this one."""
    entries = sorted(decay_list(module), key=lambda entry: not entry.decayed)
    decayed = sum(math.prod(entry.shape) for entry in entries if entry.decayed)
    return RowLayout({entry.name: entry.shape for entry in entries}, decayed)


def stacked_state(module: nn.Module, *, members: int, dtype: torch.dtype) -> dict[str, Tensor]:
    """Return what a module keeps beside its trained parameters [members, ...]: buffers and frozen parameters."""
    frozen = {name: value.detach() for name, value in module.named_parameters() if not value.requires_grad}
    kept = {**frozen, **dict(module.named_buffers())}
    return {
        name: torch.stack([value.to(dtype) if value.is_floating_point() else value] * members)
        for name, value in kept.items()
    }
