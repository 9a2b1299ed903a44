"""What all members read at one update, as tensors on a device: a few updates travel there at once.

The letters of the shapes are those of `arrays.py`.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt
import torch
from torch import Tensor

from wellfit.fused.arrays import Batches, Rates

_HALF = 2**15
"""torch compares no unsigned integers of 16 bits: noise and thresholds both move down by half of their range."""
_TYPES = ((np.float32, np.float64), (np.int64,), (np.int16,))
"""What travels as one tensor."""


@dataclass(frozen=True)
class Moment:
    """One update: the batch, and every member's knobs at it.

    Attributes:
        numeric, codes, shared, target, weights, partners, jitter: of `Batches`, without T; no numbers without jitter.
        noise: [B * hidden units], and `thresholds` [K, L - 1], both 2^15 lower than there.
        step, root, shrink, penalty, soft, averaging, share: [K] of `Rates`, without T.
        scales: [K, L - 1].
        betas: [K, 2].
        clip, smoothing, spread: [K]; the last is `Rates.jitter`.
    """

    numeric: Tensor
    shared: Tensor
    target: Tensor
    weights: Tensor
    jitter: Tensor
    step: Tensor
    root: Tensor
    shrink: Tensor
    penalty: Tensor
    soft: Tensor
    averaging: Tensor
    share: Tensor
    scales: Tensor
    betas: Tensor
    clip: Tensor
    smoothing: Tensor
    spread: Tensor
    codes: Tensor
    partners: Tensor
    noise: Tensor
    thresholds: Tensor

    @property
    def rows(self) -> int:
        """B."""
        return len(self.shared)


@dataclass(frozen=True)
class Parcel:
    """T updates, packed into one tensor [T, ...] of each type.

    Attributes:
        tensors: reals, integers of 64 bits and of 16.
        shapes: of each field of a moment, in the order in which they are packed.
    """

    tensors: tuple[Tensor, Tensor, Tensor]
    shapes: tuple[Mapping[str, tuple[int, ...]], ...]

    def __len__(self) -> int:
        return len(self.tensors[0])

    @property
    def kind(self) -> tuple[tuple[int, ...], ...]:
        """Alike for parcels whose moments have the same shapes."""
        return tuple(shape for group in self.shapes for shape in group.values())

    def between(self, first: int, end: int) -> Parcel:
        """Return some of the updates."""
        reals, longs, shorts = (tensor[first:end] for tensor in self.tensors)
        return Parcel((reals, longs, shorts), self.shapes)

    def rows_at(self, update: int) -> tuple[Tensor, ...]:
        """Return one update's row of each tensor."""
        return tuple(tensor[update] for tensor in self.tensors)

    def moment_of(self, rows: tuple[Tensor, ...]) -> Moment:
        """Return what rows as those of `rows_at` hold, as views of them."""
        named: dict[str, Tensor] = {}
        for row, shapes in zip(rows, self.shapes, strict=True):
            parts = torch.split(row, [math.prod(shape) for shape in shapes.values()])
            named |= {name: part.view(shape) for (name, shape), part in zip(shapes.items(), parts, strict=True)}
        return Moment(**named)


def parcel_of(batches: Batches, rates: Rates, *, device: str) -> Parcel:
    """Send T updates to a device."""
    updates = len(batches.shared)
    steady = {"betas": rates.betas, "clip": rates.clip, "smoothing": rates.smoothing, "spread": rates.jitter}
    named: dict[str, npt.NDArray[Any]] = {
        **{name: value for name, value in rates._asdict().items() if name not in {"jitter", *steady}},
        **{name: np.broadcast_to(value, (updates, *value.shape)) for name, value in steady.items()},
        **batches._asdict(),
    }
    # Only moved numbers are encoded anew; noise has rows, if no columns, wherever a member wants it.
    named["numeric"] = batches.numeric[:, : batches.jitter.shape[1]]
    named |= {name: _signed(named[name]) for name in ("noise", "thresholds")}
    reals, longs, shorts = ({name: value for name, value in named.items() if value.dtype in types} for types in _TYPES)
    return Parcel(
        tensors=(_sent(reals, device), _sent(longs, device), _sent(shorts, device)),
        shapes=tuple({name: value.shape[1:] for name, value in group.items()} for group in (reals, longs, shorts)),
    )


def _signed(values: npt.NDArray[np.uint16]) -> npt.NDArray[np.int16]:
    return (values ^ np.uint16(_HALF)).view(np.int16)


def _sent(group: Mapping[str, npt.NDArray[Any]], device: str) -> Tensor:
    packed = np.concatenate([value.reshape(len(value), -1) for value in group.values()], axis=1)
    return torch.from_numpy(packed).to(device)
