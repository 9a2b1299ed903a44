"""The step along the gradients of all members at once: `kernels.advance` for a device, formula by formula.

What all members read at one update, as tensors on a device: a few updates travel there at once.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt
import torch
from torch import Tensor

from wellfit.config import Config
from wellfit.fused.kernels import ADAM_EPSILON, CLIP_EPSILON
from wellfit.fused.layout import ADAM, MOMENTUM, Batches, Plan, Rates


@dataclass(frozen=True)
class Rows:
    """Parameters [K, P], moments and moving average of all members, changed in place; [K, 0] where there are none."""

    parameters: Tensor
    first: Tensor
    second: Tensor
    average: Tensor

    def of(self, members: Tensor) -> Rows:
        """Return the rows of some members."""
        return Rows(*(each[members] for each in vars(self).values()))


@dataclass(frozen=True)
class Wants:
    """Which parts of a step any of the members wants: the others would change nothing, and cost a pass each."""

    clip: bool
    penalty: bool
    soft: bool

    @classmethod
    def of(cls, configs: Sequence[Config]) -> Wants:
        """Return what configs want."""
        knobs = [config.regularization for config in configs]
        return cls(
            clip=any(config.optimization.clip_norm is not None for config in configs),
            penalty=any(one.l2 > 0 for one in knobs),
            soft=any(one.l1 > 0 for one in knobs),
        )


@torch.no_grad()
def advance(plan: Plan, rows: Rows, gradient: Tensor, *, moment: Moment, wants: Wants) -> None:
    """Take one step along the gradient [K, P]: clip, decay, optimizer, L1, moving average."""
    decayed = rows.parameters[:, : plan.decayed]
    if wants.clip:
        gradient *= _factors(gradient, moment.clip)[:, None]
    if plan.optimizer == ADAM:
        _adam(plan, rows, gradient, moment=moment)
    else:
        if wants.penalty:
            gradient[:, : plan.decayed] += moment.penalty[:, None] * decayed
        if plan.optimizer == MOMENTUM:
            gradient = rows.first.mul_(moment.betas[:, :1]).add_(gradient)
        rows.parameters.sub_(moment.step[:, None] * gradient)
    if wants.soft:
        # The proximal step of L1; what is no number stays none.
        decayed.copy_(torch.sign(decayed) * (decayed.abs() - moment.soft[:, None]).clamp_min(0))
    if rows.average.shape[1]:
        rows.average.lerp_(rows.parameters, 1 - moment.averaging[:, None])


def _factors(gradient: Tensor, highest: Tensor) -> Tensor:
    """What brings each gradient down to its highest norm; 1 where it is no higher."""
    factors = highest / (torch.linalg.vector_norm(gradient, dim=1) + CLIP_EPSILON)
    return torch.where(factors < 1, factors, 1)


def _adam(plan: Plan, rows: Rows, gradient: Tensor, *, moment: Moment) -> None:
    """Adam with decoupled decay (Loshchilov and Hutter, 2019, algorithm 2)."""
    rows.first.lerp_(gradient, 1 - moment.betas[:, :1])
    rows.second.lerp_(gradient.square_(), 1 - moment.betas[:, 1:])
    epsilon = torch.full_like(moment.root, ADAM_EPSILON)[:, None]
    ratio = torch.addcmul(epsilon, rows.second.sqrt(), moment.root[:, None])
    torch.div(rows.first, ratio, out=ratio)
    rows.parameters[:, : plan.decayed].mul_(moment.shrink[:, None])
    rows.parameters.addcmul_(ratio, -moment.step[:, None])


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
