"""Dropout masks of a stack: one block of noise for all members, each with a keep_prob of its own."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np
import torch
from torch import Tensor

from wellfit._typing import Floats
from wellfit.training.dropout_sites import SITE_LAYERS, SiteMasks, flattened
from wellfit.training.noise import noise_block, threshold_of


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
