"""The step along the gradients [K, P] of all members: clip, decay, optimizer, L1, moving average.

It may overwrite the gradient. Torch goes over all parameters a dozen times, which a device does not notice; on the
cores the compiled `kernels.advance` reads and writes each member's row once.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor

from wellfit.fused.kernels import ADAM_EPSILON, CLIP_EPSILON
from wellfit.fused.kernels import advance as compiled_advance
from wellfit.fused.layout import ADAM, MOMENTUM, Plan, State
from wellfit.fused.rates import Rates
from wellfit.fused.torch_updates import STEADY, UpdateInputs
from wellfit.records.config import Config


@dataclass(frozen=True)
class Rows:
    """The `State` of all members, in tensors that are changed in place."""

    parameters: Tensor
    first: Tensor
    second: Tensor
    average: Tensor
    kept: Tensor
    """[K, R - P] numbers that a module has beside its parameters, in float64."""

    def of(self, members: Tensor) -> Rows:
        """Return copies of the rows of the members marked in [K]."""
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


def compiled_step(plan: Plan, rows: Rows, gradient: Tensor, *, at: UpdateInputs, wants: Wants) -> None:  # noqa: ARG001
    """Take the step on the cores, member after member."""
    state = State(*(each.numpy() for each in (rows.parameters, rows.first, rows.second, rows.average)))
    knobs = {name: getattr(at, name).numpy() for name in Rates._fields}
    rates = Rates(**{name: value if name in STEADY else value[None] for name, value in knobs.items()})
    slopes = np.ascontiguousarray(gradient.numpy())
    for member in range(len(slopes)):
        compiled_advance(plan, state, rates, slopes[member], 0, member)


@torch.no_grad()
def torch_step(plan: Plan, rows: Rows, gradient: Tensor, *, at: UpdateInputs, wants: Wants) -> None:
    """Take the step on a device, for all members at once: `kernels.advance`, formula by formula."""
    decayed = rows.parameters[:, : plan.decayed]
    if wants.clip:
        factors = at.clip / (torch.linalg.vector_norm(gradient, dim=1) + CLIP_EPSILON)
        gradient *= torch.where(factors < 1, factors, 1)[:, None]
    if plan.optimizer == ADAM:
        _adam(plan, rows, gradient, at=at)
    else:
        if wants.penalty:
            gradient[:, : plan.decayed] += at.penalty[:, None] * decayed
        if plan.optimizer == MOMENTUM:
            gradient = rows.first.mul_(at.betas[:, :1]).add_(gradient)
        rows.parameters.sub_(at.step[:, None] * gradient)
    if wants.soft:
        # The proximal step of L1; what is no number stays none.
        decayed.copy_(torch.sign(decayed) * (decayed.abs() - at.soft[:, None]).clamp_min(0))
    if rows.average.shape[1]:
        rows.average.lerp_(rows.parameters, 1 - at.averaging[:, None])


def _adam(plan: Plan, rows: Rows, gradient: Tensor, *, at: UpdateInputs) -> None:
    """Adam with decoupled decay (Loshchilov and Hutter, 2019, algorithm 2)."""
    rows.first.lerp_(gradient, 1 - at.betas[:, :1])
    rows.second.lerp_(gradient.square_(), 1 - at.betas[:, 1:])
    epsilon = torch.full_like(at.root, ADAM_EPSILON)[:, None]
    ratio = torch.addcmul(epsilon, rows.second.sqrt(), at.root[:, None])
    torch.div(rows.first, ratio, out=ratio)
    rows.parameters[:, : plan.decayed].mul_(at.shrink[:, None])
    rows.parameters.addcmul_(ratio, -at.step[:, None])
