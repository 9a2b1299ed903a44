"""What the members of a stack see of a batch of pictures: each way of changing them is computed once, compiled."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import torch

from wellfit._typing import Floats
from wellfit.augment.fast import changed_fast
from wellfit.config import Config
from wellfit.training.pictures import Address, Shape, cut_of, drawn, member_of


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
