"""A user's module as one row of numbers, and back.

A row has the P trained parameters first, the decayed ones before the others, as `kernels.advance` expects; then what
the module keeps beside them, its buffers and frozen parameters. All are flattened as torch has them.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor, nn

from wellfit._typing import Floats
from wellfit.training.decay_groups import decay_list


@dataclass(frozen=True)
class Piece:
    """One tensor of a module: its name there, its shape, and its own type."""

    name: str
    shape: tuple[int, ...]
    dtype: torch.dtype

    @property
    def size(self) -> int:
        """Numbers of it."""
        return math.prod(self.shape)


@dataclass(frozen=True)
class RowLayout:
    """Which place of a row belongs to which tensor of the module.

    Attributes:
        trained: in the order of the row.
        kept: what comes after them.
        decayed: the first so many numbers are W of the cost.
        names: every name in the module's state, and that of its tensor here: tied layers have one tensor.
    """

    trained: tuple[Piece, ...]
    kept: tuple[Piece, ...]
    decayed: int
    names: Mapping[str, str]

    @property
    def parameters(self) -> int:
        """P, the numbers that are trained."""
        return sum(piece.size for piece in self.trained)

    @property
    def size(self) -> int:
        """Numbers of a whole row."""
        return self.parameters + sum(piece.size for piece in self.kept)

    def pack(self, module: nn.Module) -> Floats:
        """Return the whole row of a module, in float64: whole numbers among its buffers stay whole."""
        named = _named(module)
        parts = [named[piece.name].detach().numpy().ravel() for piece in (*self.trained, *self.kept)]
        return np.concatenate(parts, dtype=np.float64, casting="unsafe")

    def unpack(self, rows: Tensor) -> dict[str, Tensor]:
        """Return the trained parameters [..., *shape] by name that the first P numbers of rows [..., P] hold."""
        return _unpacked(rows, self.trained)

    def unpack_kept(self, rows: Tensor, *, dtype: torch.dtype) -> dict[str, Tensor]:
        """Return the rest [..., *shape] by name, from rows [..., size - P]; reals have `dtype`."""
        found = _unpacked(rows, self.kept)
        return {
            piece.name: found[piece.name].to(dtype if piece.dtype.is_floating_point else piece.dtype)
            for piece in self.kept
        }

    def pack_kept(self, kept: Mapping[str, Tensor]) -> Floats:
        """Return rows [K, size - P], in float64, of tensors [K, *shape]."""
        members = len(next(iter(kept.values()))) if kept else 0
        parts = [kept[piece.name].double().reshape(members, -1) for piece in self.kept]
        return np.asarray(torch.cat(parts, dim=1).numpy()) if parts else np.empty((members, 0))


def row_layout(module: nn.Module) -> RowLayout:
    """Return the layout of the rows of all modules that are built as this one."""
    named = _named(module)
    entries = sorted(decay_list(module), key=lambda entry: not entry.decayed)
    pieces = {name: Piece(name, tuple(value.shape), value.dtype) for name, value in named.items()}
    trained = tuple(pieces.pop(entry.name) for entry in entries)
    decayed = sum(math.prod(entry.shape) for entry in entries if entry.decayed)
    places = {id(value): name for name, value in named.items()}
    names = {name: places[id(value)] for name, value in module.state_dict(keep_vars=True).items()}
    return RowLayout(trained, tuple(pieces.values()), decayed, names)


def _named(module: nn.Module) -> dict[str, Tensor]:
    return {**dict(module.named_parameters()), **dict(module.named_buffers())}


def _unpacked(rows: Tensor, pieces: Sequence[Piece]) -> dict[str, Tensor]:
    parts = torch.split(rows, [piece.size for piece in pieces], dim=-1)
    return {
        piece.name: part.reshape((*rows.shape[:-1], *piece.shape)) for piece, part in zip(pieces, parts, strict=True)
    }
