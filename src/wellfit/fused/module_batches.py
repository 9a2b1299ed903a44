"""What the members of a stack read at one update, in plain arrays: input noise, mixup and label smoothing of each.

The formulas are those of the compiled `kernels.py`, whose batches and rates are read here.
What the members of a stack see of a batch of pictures: each way of changing them is computed once, compiled.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Protocol

import numpy as np
import torch

from wellfit._typing import Floats, Integers
from wellfit.augment.apply import changed_fast
from wellfit.config import Config
from wellfit.fused.layout import Batches, Rates
from wellfit.fused.modules import ModuleBatch
from wellfit.training.pictures import Address, Shape, cut_of, drawn, member_of


class Change(Protocol):
    """Changes what a batch's members read, before input noise and mixup."""

    def __call__(self, values: Floats, target: Floats) -> tuple[Floats, Floats]:
        """Return values [B, S] and target, with K in front where members differ."""
        ...


def module_batch(
    batches: Batches, rates: Rates, update: int, *, classes: int, change: Change | None = None
) -> ModuleBatch:
    """Return what K members read at one of the T updates that `batches` and `rates` hold.

    Args:
        batches: of all members; `shared` has the whole of what the module reads, the numbers first.
        rates: of each member.
        update: which of the T.
        classes: C; 0 where the target is a number.
        change: of pictures.
    """
    partners, share = batches.partners[update], rates.share[update]
    values: Floats = batches.shared[update]
    target: Floats = batches.target[update, :, 0]
    if classes:
        target = _smoothed(np.eye(classes, dtype=target.dtype)[target.astype(np.int64)], rates.smoothing)
    if change is not None:
        values, target = change(values, target)
    values = _mixed(_jittered(values, batches, rates.jitter, update=update), partners, share, rank=2)
    return ModuleBatch(values, _mixed(target, partners, share, rank=2 if classes else 1))


def _jittered(values: Floats, batches: Batches, spread: Floats, *, update: int) -> Floats:
    """Return encoded rows as they are; with noise [K, B, S] on the numbers where a member wants it."""
    if not spread.any():
        return values
    noise = batches.jitter[update]
    moved: Floats = np.array(np.broadcast_to(values, (len(spread), *values.shape[-2:])))
    moved[:, :, : noise.shape[1]] += spread[:, None, None] * noise
    return moved


def _smoothed(labels: Floats, smoothing: Floats) -> Floats:
    """Return (1 - smoothing) labels + smoothing / C: [B, C], or [K, B, C] where a member wants it."""
    if not smoothing.any():
        return labels
    each = smoothing[:, None, None]
    return labels * (1 - each) + each / labels.dtype.type(labels.shape[1])


def _mixed(values: Floats, partners: Integers, share: Floats, *, rank: int) -> Floats:
    """Return share * values + (1 - share) * the partners' values, with K in front where a member wants it.

    `rank` is the number of axes of one member's values, the rows first.
    """
    if (share == 1).all():
        return values
    each = share.reshape(-1, *(1,) * rank)
    return each * values + (1 - each) * np.take(values, partners, axis=values.ndim - rank)


class PictureChange:
    """The random changes of one update; `training/pictures.py` has the definitions.

    Args:
        configs: K members.
        at: where the draws are found.
        shape: of the pictures.
    """

    def __init__(self, configs: Sequence[Config], at: Address, shape: Shape) -> None:
        members = [member_of(config) for config in configs]
        self._ways = list(dict.fromkeys(members))
        self._way_of = [self._ways.index(member) for member in members]
        self._at = at
        self._shape = shape

    def __call__(self, values: Floats, target: Floats) -> tuple[Floats, Floats]:
        """Return pixels [K, B, D] of values [B, D], and labels [K, B, C] of target [B, C] or [K, B, C].

        Where all members change pictures in the same way there is no K in front of the pixels.
        """
        height, width, channels = self._shape
        uniform, normal = drawn(self._ways, at=self._at, rows=len(values), shape=self._shape)
        pictures = values.reshape(len(values), channels, height, width)
        pixels = torch.from_numpy(changed_fast(pictures, self._ways, uniform=uniform, normal=normal)).flatten(2)
        labels = torch.from_numpy(target)
        cuts = [cut_of(way, at=self._at, rows=len(values), shape=self._shape) for way in self._ways]
        seen = [cut.pictures(each) if cut else each for cut, each in zip(cuts, pixels, strict=True)]
        if any(cuts):
            whole = labels.expand(len(self._way_of), *labels.shape[-2:])
            mine = [cuts[way] for way in self._way_of]
            labels = torch.stack([cut.labels(each) if cut else each for cut, each in zip(mine, whole, strict=True)])
        if len(seen) == 1:
            return np.asarray(seen[0].numpy()), np.asarray(labels.numpy())
        return np.asarray(torch.stack([seen[way] for way in self._way_of]).numpy()), np.asarray(labels.numpy())
