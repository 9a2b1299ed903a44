"""The step along the gradients of all members at once: `kernels.advance` for a device, formula by formula."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import torch
from torch import Tensor

from wellfit.config import Config
from wellfit.fused.arrays import ADAM, MOMENTUM, Plan
from wellfit.fused.device_moments import Moment
from wellfit.fused.kernels import ADAM_EPSILON, CLIP_EPSILON


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
