"""A user's module as one row of numbers, and back.

A row has the P trained parameters first, the decayed ones before the others, as `kernels.advance` expects; then what
the module keeps beside them, its buffers and frozen parameters. All are flattened as torch has them.
Dropout masks of a stack: one block of noise for all members, each with a keep_prob of its own.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace

import numpy as np
import torch
from torch import Tensor, nn

from wellfit._typing import Floats
from wellfit.training.decay_groups import decay_list
from wellfit.training.dropout_sites import SITE_LAYERS, SiteMasks, flattened
from wellfit.training.noise import noise_block, threshold_of


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


@dataclass(frozen=True, kw_only=True)
class StackNoise:
    """The noise of one update, which all members share, and what each makes of it.

    Attributes:
        seed: of the configs.
        stream: whose noise.
        update: from 0.
        keep_probs: [K, S] of each member at each of the module's dropout sites.
    """

    seed: int
    stream: str
    update: int
    keep_probs: Floats

    def of_member(self, member: int) -> SiteMasks:
        """Return the masks of one member, as the reference loop has them."""
        return SiteMasks(self.seed, self.stream, self.update, tuple(self.keep_probs[member].tolist()))

    def only(self, member: int) -> StackNoise:
        """Return the noise of a stack of this member alone."""
        return replace(self, keep_probs=self.keep_probs[member : member + 1])

    def tensors(self, dtype: torch.dtype) -> tuple[Tensor, Tensor]:
        """Return keep_prob and the highest noise that keeps a unit, both [K, S] with at least one site."""
        # A site that comes up only after the trial of a module without any keeps its units.
        keeps = self.keep_probs if self.keep_probs.shape[1] else np.ones((len(self.keep_probs), 1))
        return torch.from_numpy(keeps).to(dtype), torch.from_numpy(threshold_of(keeps).astype(np.int32))

    def block(self, *, site: int, rows: int, width: int) -> Tensor:
        """Return the noise [rows, width] of one site."""
        noise = noise_block(
            seed=self.seed, stream=self.stream, update=self.update, layer=SITE_LAYERS + site, rows=rows, width=width
        )
        # torch compares no unsigned integers of 16 bits.
        return torch.from_numpy(noise.astype(np.int32))


@dataclass(frozen=True)
class StackMasks:
    """The masks of the member at hand, inside `torch.vmap` over the members.

    Attributes:
        noise: of all members.
        keeps: [S] keep_prob of each site.
        thresholds: [S] the highest noise that keeps a unit.
    """

    noise: StackNoise
    keeps: Tensor
    thresholds: Tensor

    def keep_prob(self, site: int) -> Tensor:
        """Return the share of units kept [] at a site; beyond the last one, that of the last."""
        return self.keeps[min(site, len(self.keeps) - 1)]

    def mask(self, shape: Sequence[int], *, site: int) -> Tensor:
        """Return booleans of `shape`: True where a unit is kept."""
        rows, width = flattened(shape)
        block = self.noise.block(site=site, rows=rows, width=width).reshape(tuple(shape))
        return block <= self.thresholds[min(site, len(self.thresholds) - 1)]
