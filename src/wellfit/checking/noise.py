"""WF509 and WF510: evaluation that is not reproducible, and training without the requested dropout."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import ExitStack

import torch
from torch import Tensor, nn
from torch.nn.modules.dropout import _DropoutNd

from wellfit.checking.keeping import kept, wake
from wellfit.checking.trial import Trial
from wellfit.diagnosis.findings import Finding, finding

ROWS = 32
TOLERANCE = 1e-5
NAMES = ("dropout", "dropout_p", "drop", "drop_rate", "dropout_rate", "keep_prob", "drop_prob")
"""Attributes by which a user's own layers ask for noise, with values between 0 and 1."""


def repeats_itself(trial: Trial) -> Finding:
    """WF509: fires unless, in evaluation, the same rows give the same outputs and leave the buffers unchanged."""
    rows, _ = trial.batch(ROWS)
    wake(trial.module)
    with torch.no_grad():
        first = trial.run(rows, training=False, seed=1)
        before = {name: value.clone() for name, value in trial.module.named_buffers()}
        change = _apart(first, trial.run(rows, training=False, seed=2))
        moved = [name for name, value in trial.module.named_buffers() if not _equal(before.get(name), value)]
    told = (
        f"When the same rows are predicted twice in evaluation, the outputs differ by {change:.2g} times the largest "
        "one."
    )
    if moved:
        told += f" Evaluation changes {', '.join(moved[:3])}."
    return finding("WF509", fired=bool(moved) or not change <= TOLERANCE, evidence=told)


def has_noise(trial: Trial) -> Finding:
    """WF510: fires if a layer asks for dropout but training does not apply it."""
    asked = dict(_asked(trial.module))
    if not asked:
        return finding("WF510", fired=None, evidence="No layer asks for dropout.")
    rows, _ = trial.batch(ROWS)
    wake(trial.module)
    outputs, idle = [], set()
    with torch.no_grad(), ExitStack() as hooks:
        for name, layer in trial.module.named_modules():
            if isinstance(layer, _DropoutNd) and layer.p > 0:

                def note(module: nn.Module, *_: object, name: str = name) -> None:
                    if not module.training:
                        idle.add(name)

                hooks.callback(layer.register_forward_hook(note).remove)
        for seed in (1, 2):
            with kept(*trial.roots):
                outputs.append(trial.run(rows, training=True, seed=seed))
    change = _apart(*outputs)
    idle |= {name for name, layer in trial.module.named_modules() if _of_one_layer(layer)}
    shown = ", ".join(f"{name or 'the network'}: {rate:g}" for name, rate in list(asked.items())[:4])
    told = (
        f"Dropout is requested ({shown}). When the same rows are run twice in training, the outputs differ by "
        f"{change:.2g} times the largest one."
    )
    if idle:
        told += f" These layers drop nothing: {', '.join(sorted(idle)[:4])}."
    return finding("WF510", fired=bool(idle) or not change > TOLERANCE, evidence=told)


def _asked(module: nn.Module) -> Iterator[tuple[str, float]]:
    for name, layer in module.named_modules():
        if isinstance(layer, _DropoutNd):
            rate = layer.p
        elif isinstance(layer, nn.RNNBase | nn.MultiheadAttention):
            rate = layer.dropout
        elif type(layer).__module__.startswith("torch."):
            continue
        else:
            rate = next((float(vars(layer)[each]) for each in NAMES if isinstance(vars(layer).get(each), float)), 0.0)
            rate = rate if rate < 1 else 0.0
        if rate > 0:
            yield name, rate


def _of_one_layer(layer: nn.Module) -> bool:
    """Return True for a recurrent layer that has dropout between its layers, but only one layer."""
    return isinstance(layer, nn.RNNBase) and layer.num_layers == 1 and layer.dropout > 0


def _apart(first: Tensor, second: Tensor) -> float:
    return float((first - second).abs().max()) / (float(first.abs().max()) + 1e-30)


def _equal(first: Tensor | None, second: Tensor) -> bool:
    return first is not None and first.shape == second.shape and bool(torch.equal(first, second))
