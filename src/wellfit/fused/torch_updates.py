"""An update in torch, around costs and gradients: what all members read, and the step along their gradients.

Several updates are sent to a device at once. Input noise, mixup, label smoothing and the dropout of inputs enter the
torch engine here, with the formulas of `kernels.py`.

The step goes over all parameters a dozen times, which costs little on a device; on the cores, the compiled
`kernels.advance` reads and writes each member's row once.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, NamedTuple

import numpy as np
import numpy.typing as npt
import torch
from torch import Tensor

from wellfit.base.typing import Integers
from wellfit.data.prepare import Arrays
from wellfit.fused.batches import Needs
from wellfit.fused.kernels import ADAM_EPSILON, CLIP_EPSILON
from wellfit.fused.kernels import advance as compiled_advance
from wellfit.fused.layout import ADAM, MOMENTUM, Batches, Plan, State
from wellfit.fused.rates import Rates
from wellfit.training.network import FEATURES

_HALF = 2**15
"""Half of the range of noise, subtracted from it and from thresholds: torch cannot compare unsigned 16-bit integers."""
_TYPES = ((np.float32, np.float64), (np.int64,), (np.int16,))
"""The types of the tensors in which updates are sent."""
STEADY = ("betas", "clip", "smoothing", "spread")
"""Knobs without a schedule: one value per member in `Rates`."""


@dataclass(frozen=True)
class UpdateInputs:
    """One update: the batch and every member's knobs for it, as in `Batches` and `Rates` but without T.

    `noise` and `thresholds` are lower by 2^15 than in those classes.
    """

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
        """B, the number of rows in the batch."""
        return len(self.shared)

    def moved(self, values: Tensor) -> Tensor:
        """Return numbers [K, B, D]: values [B, D] or [K, B, D] with noise added, of each member's own size."""
        return values + self.spread[:, None, None] * self.jitter

    def mixed(self, values: Tensor) -> Tensor:
        """Mix rows [B, Q] or [K, B, Q] with their partners, into [K, B, Q]."""
        share = self.share[:, None, None]
        return share * values + (1 - share) * values[..., self.partners, :]

    def labels(self, classes: int) -> Tensor:
        """Return the share [B, C] of each class in a row's label before it is mixed or smoothed."""
        codes = self.target[:, :1].long()
        return (codes == torch.arange(classes, device=codes.device)).to(self.target.dtype)

    def smoothed(self, labels: Tensor) -> Tensor:
        """Return (1 - smoothing) labels + smoothing / C [K, B, C]."""
        smoothing = self.smoothing[:, None, None]
        return (1 - smoothing) * labels + smoothing / labels.shape[-1]


class InputReader:
    """Makes each member's inputs of a batch: numbers made noisy and encoded again, rows mixed, columns dropped."""

    def __init__(self, plan: Plan, train: Arrays, *, device: str) -> None:
        column, low, width = torch.from_numpy(plan.bins).to(device)
        self._numbers = numbers = train.numeric.shape[1]
        self._columns = numbers + train.codes.shape[1]
        self._bins = column.long(), low, width
        columns = [*range(numbers), *_columns_of(plan.one_hots, numbers), *plan.bins[0].astype(int).tolist()]
        self._fixed = torch.tensor(columns, device=device, dtype=torch.long)
        waves = [column for column in range(len(plan.waves)) for _ in range(FEATURES)]
        embedded = [*waves, *_columns_of(plan.embeddings, numbers)]
        self._embedded = torch.tensor(embedded, device=device, dtype=torch.long)

    def __call__(self, shared: Tensor, at: UpdateInputs, needs: Needs) -> Tensor:
        """Return inputs [B, S + bins], or [K, B, S + bins] where members differ, made from [B, S] or [K, B, S]."""
        if needs.jitter:
            numeric = at.moved(shared[..., : self._numbers])
            categories = shared[..., self._numbers :].expand(len(numeric), -1, -1)
            shared = torch.cat([numeric, categories], dim=2)
        fixed = self.with_bins(shared)
        fixed = at.mixed(fixed) if needs.mixup else fixed
        return self._dropped(fixed, self._fixed, at) if needs.dropout[-1] else fixed

    def with_bins(self, shared: Tensor) -> Tensor:
        """Return inputs [..., S], which begin with the numbers, and after them the bins [..., S + bins]."""
        column, low, width = self._bins
        if not len(column):
            return shared
        return torch.cat([shared, ((shared[..., column] - low) / width).clamp(0, 1)], dim=-1)

    def embedded(self, values: Tensor, at: UpdateInputs, needs: Needs) -> Tensor:
        """Drop embedded inputs [K, B, E], or the derivatives with respect to them."""
        return self._dropped(values, self._embedded, at) if needs.dropout[-1] else values

    def _dropped(self, values: Tensor, columns: Tensor, at: UpdateInputs) -> Tensor:
        noise = at.noise[-at.rows * self._columns :].view(at.rows, -1)[:, columns]
        kept = noise <= at.thresholds[:, -1, None, None]
        # Not a product: NaN is dropped like any other value.
        return torch.where(kept, values * at.scales[:, -1, None, None], 0)


def _columns_of(categories: Integers, numbers: int) -> list[int]:
    """Return the column, counted after the numbers, of each input of categories [Q, column and size first]."""
    return [numbers + column for column, size, *_ in categories.tolist() for _ in range(size)]


@dataclass(frozen=True)
class PackedUpdates:
    """T updates, packed into one tensor [T, ...] of each type: reals, 64-bit integers and 16-bit integers."""

    tensors: tuple[Tensor, Tensor, Tensor]
    shapes: tuple[Mapping[str, tuple[int, ...]], ...]
    """Shape of each field of `UpdateInputs`, in the order in which they are packed."""

    def __len__(self) -> int:
        return len(self.tensors[0])

    @property
    def kind(self) -> tuple[tuple[int, ...], ...]:
        """A value that is equal for updates whose inputs have the same shapes."""
        return tuple(shape for group in self.shapes for shape in group.values())

    def between(self, first: int, end: int) -> PackedUpdates:
        """Return the updates from `first` until before `end`."""
        reals, longs, shorts = (tensor[first:end] for tensor in self.tensors)
        return PackedUpdates((reals, longs, shorts), self.shapes)

    def rows_at(self, update: int) -> tuple[Tensor, ...]:
        """Return one update's row of each tensor."""
        return tuple(tensor[update] for tensor in self.tensors)

    def inputs_of(self, rows: tuple[Tensor, ...]) -> UpdateInputs:
        """Return the inputs in rows like those of `rows_at`, as views of them."""
        named: dict[str, Tensor] = {}
        for row, shapes in zip(rows, self.shapes, strict=True):
            parts = torch.split(row, [math.prod(shape) for shape in shapes.values()])
            named |= {name: part.view(shape) for (name, shape), part in zip(shapes.items(), parts, strict=True)}
        return UpdateInputs(**named)


def packed(batches: Batches, rates: Rates, *, device: str) -> PackedUpdates:
    """Send T updates to a device."""
    updates = len(batches.shared)
    named: dict[str, npt.NDArray[Any]] = {**rates._asdict(), **batches._asdict()}
    # Numbers are the first columns of the shared inputs, and bins are made of them where they are multiplied.
    del named["numeric"], named["knots"], named["shares"]
    named |= {name: np.broadcast_to(named[name], (updates, *named[name].shape)) for name in STEADY}
    named |= {name: (named[name] ^ np.uint16(_HALF)).view(np.int16) for name in ("noise", "thresholds")}
    reals, longs, shorts = ({name: value for name, value in named.items() if value.dtype in types} for types in _TYPES)
    return PackedUpdates(
        tensors=(_sent(reals, device), _sent(longs, device), _sent(shorts, device)),
        shapes=tuple({name: value.shape[1:] for name, value in group.items()} for group in (reals, longs, shorts)),
    )


def _sent(group: Mapping[str, npt.NDArray[Any]], device: str) -> Tensor:
    columns = [value.reshape(len(value), -1) for value in group.values()]
    return torch.from_numpy(np.concatenate(columns, axis=1)).to(device)


class Rows(NamedTuple):
    """The `State` of all members, in tensors that are changed in place."""

    parameters: Tensor
    first: Tensor
    second: Tensor
    average: Tensor
    kept: Tensor  # [K, R - P] numbers that a module has besides its parameters, in float64

    def of(self, members: Tensor) -> Rows:
        """Return copies of the rows of the members marked in [K]."""
        return Rows(*(each[members] for each in self))


def compiled_step(plan: Plan, rows: Rows, gradient: Tensor, *, at: UpdateInputs, needs: Needs) -> None:  # noqa: ARG001
    """Take the step on the cores, one member at a time."""
    state = State(*(each.numpy() for each in rows[:4]))
    knobs = {name: getattr(at, name).numpy() for name in Rates._fields}
    rates = Rates(**{name: value if name in STEADY else value[None] for name, value in knobs.items()})
    slopes = np.ascontiguousarray(gradient.numpy())
    for member in range(len(slopes)):
        compiled_advance(plan, state, rates, slopes[member], 0, member)


@torch.no_grad()
def torch_step(plan: Plan, rows: Rows, gradient: Tensor, *, at: UpdateInputs, needs: Needs) -> None:
    """Take the step on a device, for all members at once: `kernels.advance`, formula by formula."""
    decayed = rows.parameters[:, : plan.decayed]
    if needs.clip:
        factors = at.clip / (torch.linalg.vector_norm(gradient, dim=1) + CLIP_EPSILON)
        gradient *= torch.where(factors < 1, factors, 1)[:, None]
    if plan.optimizer == ADAM:
        # With decoupled decay (Loshchilov and Hutter, 2019, algorithm 2).
        rows.first.lerp_(gradient, 1 - at.betas[:, :1])
        rows.second.lerp_(gradient.square_(), 1 - at.betas[:, 1:])
        epsilon = torch.full_like(at.root, ADAM_EPSILON)[:, None]
        ratio = torch.addcmul(epsilon, rows.second.sqrt(), at.root[:, None])
        torch.div(rows.first, ratio, out=ratio)
        decayed.mul_(at.shrink[:, None])
        rows.parameters.addcmul_(ratio, -at.step[:, None])
    else:
        if needs.penalty:
            gradient[:, : plan.decayed] += at.penalty[:, None] * decayed
        if plan.optimizer == MOMENTUM:
            gradient = rows.first.mul_(at.betas[:, :1]).add_(gradient)
        rows.parameters.sub_(at.step[:, None] * gradient)
    if needs.soft:
        # The proximal step of L1; NaN stays NaN.
        decayed.copy_(torch.sign(decayed) * (decayed.abs() - at.soft[:, None]).clamp_min(0))
    if rows.average.shape[1]:
        rows.average.lerp_(rows.parameters, 1 - at.averaging[:, None])
