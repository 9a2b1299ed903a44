"""WF511: gradients compared with central differences, tensor by tensor, in float64 and with the noise held fixed."""

from __future__ import annotations

import time
from collections.abc import Mapping
from dataclasses import dataclass

import torch
from torch import Tensor, nn

from wellfit.checking.keeping import kept, seed_all
from wellfit.checking.trial import FAILURES, Trial
from wellfit.diagnosis.findings import Finding, finding

ROWS = 6
STEPS = (1e-5, 1e-6, 1e-7)
"""Steps along a random direction, in units of the tensor's own values; the smaller ones avoid kinks."""
TOLERANCE = 1e-3
"""Relative difference that is tolerated; central differences in float64 are accurate to about 1e-8."""
_FLAT = 1e-6
SECONDS = 1.0
"""Processor time for evaluation, and again for training."""


@dataclass(frozen=True)
class Compared:
    """The slope of one tensor along a direction, by backward and by central differences."""

    name: str
    backward: float
    difference: float

    def __str__(self) -> str:
        times = (
            f", a factor of {self.backward / self.difference:.3g}"
            if abs(self.difference) > _FLAT * abs(self.backward)
            else ""
        )
        return (
            f"{self.name}: backward gives {self.backward:.4g}, and central differences give "
            f"{self.difference:.4g}{times}"
        )


def right_gradients(trial: Trial) -> Finding:
    """WF511: fires if backward and central differences give different slopes along a random direction of a tensor."""
    rows, target = trial.batch(min(ROWS, trial.most // 4))
    doubled = [each.double() if each.is_floating_point() else each for each in (rows, target)]
    batch = (doubled[0], doubled[1])
    wrong: dict[str, Compared] = {}
    done = 0
    for training in (False, True):
        with kept(*trial.roots):
            for root in trial.roots:
                root.double()
            torch.set_default_dtype(torch.float64)
            try:
                if _repeats(trial, batch, training=training):
                    found, compared = _compare(trial, batch, training=training)
                    wrong, done = {**found, **wrong}, max(done, compared)
            except FAILURES as error:
                if not training:
                    return finding("WF511", fired=None, evidence=f"The network cannot be run in float64: {error}.")
    total = sum(value.requires_grad for value in trial.parameters.values())
    if wrong:
        told = "; ".join(map(str, list(wrong.values())[:4]))
        return finding("WF511", fired=True, evidence=f"{len(wrong)} of {done} tensors have wrong gradients. {told}.")
    told = f"{done} of {total} tensors agree with central differences within {TOLERANCE:g}."
    return finding("WF511", fired=False if done else None, evidence=told)


def _compare(trial: Trial, batch: tuple[Tensor, Tensor], *, training: bool) -> tuple[dict[str, Compared], int]:
    trained = {name: value for name, value in trial.parameters.items() if value.requires_grad}
    buffers = _buffers(trial)
    loss = trial.measure(trial.run(batch[0], training=training), batch[1])
    if not loss.requires_grad:
        return {}, 0
    gradients = torch.autograd.grad(loss, list(trained.values()), allow_unused=True)
    floor = 1e-9 * (1 + abs(float(loss.detach())))
    wrong, done, ends = {}, 0, time.process_time() + SECONDS
    order = torch.randperm(len(trained)).tolist()
    names = list(trained)
    for place in order:
        if time.process_time() > ends:
            break
        gradient = gradients[place]
        if gradient is None or not bool(gradient.any()):
            continue
        found = _slope(
            trial, batch, parameter=trained[names[place]], gradient=gradient, training=training, buffers=buffers
        )
        done += 1
        if found and abs(found[0] - found[1]) > floor:
            wrong[names[place]] = Compared(names[place], *found)
    return wrong, done


def _slope(
    trial: Trial,
    batch: tuple[Tensor, Tensor],
    *,
    parameter: nn.Parameter,
    gradient: Tensor,
    training: bool,
    buffers: Mapping[str, Tensor],
) -> tuple[float, float] | None:
    """Return (backward, difference) if they disagree at every step size while the differences agree with each other."""
    here = parameter.data
    scale = max(float(here.pow(2).mean().sqrt()), 1e-2)
    direction = scale * torch.randn_like(here)
    backward = float((gradient * direction).sum())
    found: list[float] = []
    for step in STEPS:
        sides = []
        for sign in (1, -1):
            parameter.data = here + sign * step * direction
            sides.append(_value(trial, batch, training=training, buffers=buffers))
        parameter.data = here
        found.append((sides[0] - sides[1]) / (2 * step))
        size = abs(backward) + abs(found[-1])
        if abs(found[-1] - backward) <= TOLERANCE * size or size == 0:
            return None
    apart = abs(found[0] - backward)
    if apart <= _gap(trial, batch, parameter=parameter, direction=direction, training=training, buffers=buffers):
        return None
    flat = abs(found[0]) <= _FLAT * abs(backward)  # rounded inside: a straight-through gradient on purpose
    return None if flat or abs(found[0] - found[1]) > 0.02 * apart else (backward, found[0])


def _gap(
    trial: Trial,
    batch: tuple[Tensor, Tensor],
    *,
    parameter: nn.Parameter,
    direction: Tensor,
    training: bool,
    buffers: Mapping[str, Tensor],
) -> float:
    """Return twice the difference between the slopes on both sides, since at a kink backward may return either."""
    here, values = parameter.data, []
    for sign in (-1, 0, 1):
        parameter.data = here + sign * STEPS[1] * direction
        values.append(_value(trial, batch, training=training, buffers=buffers))
    parameter.data = here
    return 2 * abs(values[2] - 2 * values[1] + values[0]) / STEPS[1]


def _value(trial: Trial, batch: tuple[Tensor, Tensor], *, training: bool, buffers: Mapping[str, Tensor]) -> float:
    for name, value in trial.module.named_buffers():
        if name in buffers:
            value.data.copy_(buffers[name])
    with torch.no_grad():
        return float(trial.measure(trial.run(batch[0], training=training), batch[1]))


def _repeats(trial: Trial, batch: tuple[Tensor, Tensor], *, training: bool) -> bool:
    """Return True if the loss depends on the parameters alone, that is, if it repeats and no state changes it.

    Among layers that change buffers, only norms over the batch do not read them in training.
    """
    buffers = _buffers(trial)
    norms = {
        id(one)
        for norm in trial.module.modules()
        if isinstance(norm, nn.modules.batchnorm._BatchNorm)
        for one in norm.buffers()
    }
    first = _value(trial, batch, training=training, buffers=buffers)
    moved = [
        name
        for name, value in trial.module.named_buffers()
        if id(value) not in norms and not torch.equal(value, buffers[name])
    ]
    seed_all(0)
    return not moved and first == _value(trial, batch, training=training, buffers=buffers)


def _buffers(trial: Trial) -> dict[str, Tensor]:
    return {name: value.clone() for name, value in trial.module.named_buffers()}
