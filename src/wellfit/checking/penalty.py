"""WF512 and WF513: a penalty that has no gradient or counts twice, and decay of biases, norms and embeddings."""

from __future__ import annotations

from collections.abc import Mapping

import torch
from torch import Tensor

from wellfit.checking.trial import Trial
from wellfit.diagnosis.findings import Finding, finding
from wellfit.training.module_checks import decay_list

ROWS = 16
STRAIGHT = 0.99
"""Smallest cosine between the gradient of an L2 penalty and the weights; for L1 it is about .85."""
_CHANGE = 1e-6


def penalty_counts_once(trial: Trial) -> Finding:
    """WF512: fires if a penalty in the loss has no gradient, or if weight_decay acts in addition to it."""
    pulls, changes = _pulls(trial), _changes(trial)
    decays = _decays(trial)
    if changes and not pulls:
        told = (
            f"With fixed outputs, doubling the weights changes the loss by {changes:.3g}, but its gradient with "
            "respect to them is 0."
        )
        return finding("WF512", fired=True, evidence=told)
    twice = [name for name, pull in pulls.items() if name in decays and _is_straight(pull, trial.parameters[name])]
    if twice:
        name = twice[0]
        own = float(pulls[name].norm() / trial.parameters[name].detach().norm())
        told = (
            f"{len(twice)} tensors decay twice; {name} does so by {own:.3g} in the loss and by weight_decay "
            f"{decays[name]:g}."
        )
        return finding("WF512", fired=True, evidence=told)
    if not pulls:
        return finding("WF512", fired=None, evidence="The loss has no penalty on the weights.")
    return finding("WF512", fired=False, evidence=f"The penalty acts once, on {len(pulls)} tensors.")


def decay_spares(trial: Trial) -> Finding:
    """WF513: fires if biases, norms or embeddings decay."""
    spared = {entry.name: entry.spared for entry in decay_list(trial.module) if not entry.decayed}
    pulls, decays = _pulls(trial), _decays(trial)
    if not pulls and not decays:
        return finding(
            "WF513", fired=None, evidence="Nothing decays: there is no penalty in the loss and no known weight_decay."
        )
    hit = [name for name in spared if name in decays or name in pulls]
    if not hit:
        told = f"{len({*pulls, *decays})} tensors decay; they do not include any bias, norm or embedding."
        return finding("WF513", fired=False, evidence=told)
    shown = ", ".join(f"{name} ({spared[name]})" for name in hit[:4])
    rate = f"weight_decay {decays[hit[0]]:g}" if hit[0] in decays else "the penalty in the loss"
    told = f"{len(hit)} of {len(spared)} biases, norms and embeddings decay by {rate}: {shown}."
    return finding("WF513", fired=True, evidence=told)


def _fixed(trial: Trial) -> tuple[Tensor, Tensor]:
    rows, target = trial.batch(ROWS)
    with torch.no_grad(), trial.quiet():
        return trial.run(rows, training=False), target


def _pulls(trial: Trial) -> dict[str, Tensor]:
    """Return the gradient of the loss with the outputs held fixed, which is that of a penalty."""
    outputs, target = _fixed(trial)
    trained = {name: value for name, value in trial.parameters.items() if value.requires_grad}
    loss = trial.measure(outputs, target)
    if not loss.requires_grad or not trained:
        return {}
    gradients = torch.autograd.grad(loss, list(trained.values()), allow_unused=True)
    return {name: one for name, one in zip(trained, gradients, strict=True) if one is not None and bool(one.any())}


def _changes(trial: Trial) -> float:
    """Return the change of the loss when weights double and outputs are held fixed; 0 if it is negligible."""
    outputs, target = _fixed(trial)
    values = [value for value in trial.parameters.values() if value.is_floating_point()]
    with torch.no_grad():
        before = float(trial.measure(outputs, target))
        for value in values:
            value.data *= 2
        after = float(trial.measure(outputs, target))
        for value in values:
            value.data /= 2
    return after - before if abs(after - before) > _CHANGE * abs(before) else 0.0


def _decays(trial: Trial) -> Mapping[str, float]:
    """Return the weight_decay of each parameter in the optimizer that has one other than 0."""
    if trial.optimizer is None:
        return {}
    groups = trial.optimizer.param_groups
    rates = {id(value): float(group.get("weight_decay") or 0) for group in groups for value in group["params"]}
    return {name: rates[id(value)] for name, value in trial.parameters.items() if rates.get(id(value))}


def _is_straight(pull: Tensor, value: Tensor) -> bool:
    along = torch.nn.functional.cosine_similarity(pull.flatten(), value.detach().flatten(), dim=0)
    return float(along) > STRAIGHT
