"""WF503 and WF504: parameters that are never trained, and list entries that are the same layer."""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Iterable

import torch
from torch import nn

from wellfit.checking.keeping import wake
from wellfit.checking.trial import Trial
from wellfit.diagnosis.findings import Finding, finding

ROWS = 64
FEW = 7
"""Number of rows of a second, unbalanced batch: in balanced batches gradients may cancel to exactly 0."""
MOST_NAMED = 4
_FRESH = (0.97, 1.0001)
"""Largest weight of a layer as torch initializes it, in units of 1 / sqrt(inputs)."""
_FEWEST = 64


def untrained(trial: Trial) -> Finding:
    """WF503: fires for parameters that have no gradient, are frozen at random values, or are not in the optimizer."""
    told = [
        *_without_gradient(trial),
        *_not_optimized(trial),
        *_frozen(trial),
    ]
    if told:
        return finding("WF503", fired=True, evidence=" ".join(told))
    trained = sum(value.requires_grad for value in trial.parameters.values())
    frozen = len(trial.parameters) - trained
    shown = f"All {trained} parameters that require a gradient get one" + (
        "." if trial.optimizer is None else " and are in the optimizer."
    )
    return finding("WF503", fired=False, evidence=f"{shown} {frozen} are frozen." if frozen else shown)


def _without_gradient(trial: Trial) -> Iterable[str]:
    """Describe parameters whose gradient is exactly zero regardless of their own values."""
    wake(trial.module)
    rows, target = trial.batch(ROWS)
    trained = {name: value for name, value in trial.parameters.items() if value.requires_grad}
    if not trained:
        yield "No parameter requires a gradient."
        return
    with trial.quiet():
        loss = trial.measure(trial.run(rows, training=True), target)
    if not loss.requires_grad:
        yield (
            "The loss has no gradient, because a value between parameters and loss is detached, rounded or converted "
            "to a number."
        )
        return
    gradients = torch.autograd.grad(loss, list(trained.values()), allow_unused=True)
    with trial.quiet():
        few = trial.measure(trial.run(rows[:FEW], training=True), target[:FEW])
    others = torch.autograd.grad(few, list(trained.values()), allow_unused=True)
    pairs = list(zip(trained, gradients, others, strict=True))
    unused = [name for name, one, _ in pairs if one is None]
    zero = [
        name for name, one, other in pairs if one is not None and not one.any() and (other is None or not other.any())
    ]
    if unused:
        yield (
            f"{_named(unused, len(trained))} get no gradient, because forward does not use them or detaches the result."
        )
    if zero:
        yield f"{_named(zero, len(trained))} get a gradient of exactly 0."


def _not_optimized(trial: Trial) -> Iterable[str]:
    if trial.optimizer is None:
        return
    known = {id(value) for group in trial.optimizer.param_groups for value in group["params"]}
    trained = {name: value for name, value in trial.parameters.items() if value.requires_grad}
    missing = [name for name, value in trained.items() if id(value) not in known]
    if missing:
        yield f"{_named(missing, len(trained))} are not in the optimizer."
    frozen = [name for name, value in trial.parameters.items() if not value.requires_grad and id(value) in known]
    if frozen:
        yield f"{_named(frozen, len(trial.parameters))} are in the optimizer but frozen (requires_grad is False)."


def _frozen(trial: Trial) -> Iterable[str]:
    """Describe frozen weights that still look as torch initialized them, and so were never trained."""
    fresh = [name for name, value in trial.parameters.items() if not value.requires_grad and _is_fresh(value)]
    if fresh:
        yield (
            f"{_named(fresh, len(trial.parameters))} are frozen at random initial values, uniform within 1 / "
            "sqrt(inputs)."
        )


def _is_fresh(value: nn.Parameter) -> bool:
    if value.dim() < 2 or value.numel() < _FEWEST or not value.is_floating_point():
        return False
    bound = 1 / math.sqrt(value[0].numel())
    largest, spread = float(value.abs().max()), float(value.std())
    return _FRESH[0] <= largest / bound <= _FRESH[1] and abs(spread / bound * math.sqrt(3) - 1) < 0.15


def shared_unawares(trial: Trial) -> Finding:
    """WF504: fires if a list contains one layer several times, where several layers were intended."""
    told = []
    for name, owner in trial.module.named_modules():
        if not isinstance(owner, nn.Sequential | nn.ModuleList | nn.ModuleDict):
            continue
        # `named_children` leaves out repetitions, which are what is looked for.
        counts = Counter(id(child) for child in owner._modules.values() if child is not None)
        repeated = {
            id(child): child
            for child in owner.children()
            if counts[id(child)] > 1 and any(True for _ in child.parameters())
        }
        told += [
            f"{name or 'the network'} contains the same {type(child).__name__} {counts[place]} times "
            f"({sum(value.numel() for value in child.parameters()):,} parameters instead of "
            f"{counts[place] * sum(value.numel() for value in child.parameters()):,})"
            for place, child in repeated.items()
        ]
    if told:
        return finding("WF504", fired=True, evidence="; ".join(told) + ".")
    every = sum(1 for _ in trial.module.named_parameters(remove_duplicate=False))
    tied = every - len(trial.parameters)
    shown = (
        f"{tied} parameters are shared by two layers, which refer to them by name."
        if tied
        else "No layers share parameters."
    )
    return finding("WF504", fired=False, evidence=shown)


def _named(names: list[str], total: int) -> str:
    shown = ", ".join(names[:MOST_NAMED]) + (f" and {len(names) - MOST_NAMED} more" if len(names) > MOST_NAMED else "")
    return f"{len(names)} of {total} parameters ({shown})"
