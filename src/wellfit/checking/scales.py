"""WF517 and WF518: inputs that are not normalized, and dev scaled by its own statistics."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

import torch
from torch import Tensor, nn
from torch.nn.modules.batchnorm import _NormBase

from wellfit.checking.depth import _is_layer
from wellfit.checking.trial import Trial
from wellfit.diagnosis.findings import Finding, finding

ROWS = 128
LARGE = 10.0
"""Absolute mean or standard deviation above which an input does not count as normalized."""
SMALL = 0.01
"""Standard deviation below which inputs do not count as normalized, if it holds for all of them."""
CENTRED = 1e-3
"""Mean, in standard deviations, that is only possible if the mean of exactly these rows was subtracted."""
AWAY = 3.0
"""Factor between a centred column's standard deviation and 1 that shows division by something else."""
_NORMS = (_NormBase, nn.LayerNorm, nn.GroupNorm, nn.RMSNorm)
_FEWEST = 30


def normalized_inputs(trial: Trial) -> Finding:
    """WF517: fires unless the first layer's inputs have means near 0 and standard deviations near 1."""
    first, given = _first_layer(trial)
    if isinstance(first, _NORMS):
        return finding("WF517", fired=False, evidence="The network normalizes its inputs itself.")
    if given is None or not given.is_floating_point():
        return finding("WF517", fired=None, evidence="The inputs are not real numbers.")
    rows, _ = trial.batch(ROWS)
    if given.numel() == rows.numel() and torch.equal(given.flatten(), rows.flatten()):  # as they are, or reshaped
        columns = _columns(trial.rows, channels=rows.dim() == 4)
    else:
        columns = _columns(given, channels=isinstance(first, nn.modules.conv._ConvNd))
    means, spreads = columns.mean(0), columns.std(0, correction=0)
    kinds = [len(torch.unique(one)) for one in columns.T[:200]]
    varying = spreads > 0
    if not bool(varying.any()):
        return finding("WF517", fired=None, evidence="The inputs do not vary.")
    told = (
        f"Inputs of the first layer: means from {float(means.min()):.3g} to {float(means.max()):.3g}, standard "
        f"deviations from {float(spreads[varying].min()):.3g} to {float(spreads.max()):.3g}."
    )
    if float(means.abs().max()) > LARGE or float(spreads.max()) > LARGE or float(spreads.max()) < SMALL:
        return finding("WF517", fired=True, evidence=told)
    real = [place for place, count in enumerate(kinds) if count > 2 and bool(varying[place])]
    centred = len(columns) >= _FEWEST and len(real) > 1 and float((means[real] / spreads[real]).abs().max()) < CENTRED
    away = (spreads[real].log().abs().amax() if real else torch.zeros(())).exp()
    if centred and float(away) > AWAY:
        more = (
            " All columns are exactly centred, so they were divided by something other than their standard deviation."
        )
        return finding("WF517", fired=True, evidence=told + more + " Division by the variance gives such values.")
    return finding("WF517", fired=False, evidence=told)


def _first_layer(trial: Trial) -> tuple[nn.Module | None, Tensor | None]:
    """Return the first layer with weights that is called, and its input."""
    rows, _ = trial.batch(ROWS)
    seen: list[tuple[nn.Module, Tensor]] = []
    with torch.no_grad(), trial.quiet(), _noting(trial.module, seen):
        trial.run(rows, training=True)
    if seen:
        return seen[0]
    return None, rows


@contextmanager
def _noting(module: nn.Module, seen: list[tuple[nn.Module, Tensor]]) -> Iterator[None]:
    def note(layer: nn.Module, given: tuple[object, ...]) -> None:
        if not seen and given and isinstance(given[0], Tensor):
            seen.append((layer, given[0].detach().clone()))

    hooks = [
        layer.register_forward_pre_hook(note)
        for layer in module.modules()
        if _is_layer(layer) or isinstance(layer, (*_NORMS, nn.Embedding, nn.EmbeddingBag))
    ]
    try:
        yield
    finally:
        for hook in hooks:
            hook.remove()


def _columns(values: Tensor, *, channels: bool) -> Tensor:
    """Return [values, columns], where the columns are the last axis, or the channels of pictures."""
    if channels and values.dim() > 2:
        return values.transpose(1, -1).flatten(0, -2)
    return values.flatten(0, -2) if values.dim() > 1 else values.unsqueeze(1)


def dev_scaled_alike(trial: Trial) -> Finding:
    """WF518: fires if dev was scaled by its own statistics instead of train's, so that its means are exactly 0."""
    dev = trial.dev
    if dev is None or not dev.is_floating_point() or dev.dim() < 2:
        return finding("WF518", fired=None, evidence="No dev rows of real numbers were given.")
    if dev.shape == trial.rows.shape and bool(torch.isclose(dev.sum(), trial.rows.sum())):
        return finding("WF518", fired=None, evidence="The dev rows are the training rows.")
    columns = _columns(dev, channels=dev.dim() == 4)
    means, spreads = columns.mean(0), columns.std(0, correction=0)
    varying = spreads > 0
    if len(dev) < _FEWEST or not bool(varying.any()):
        return finding("WF518", fired=None, evidence=f"{len(dev)} dev rows are too few to tell.")
    off = float((means[varying] / spreads[varying]).abs().max())
    usual = len(columns) ** -0.5
    told = f"The means of dev differ from 0 by up to {off:.2g} standard deviations; {usual:.2g} would be usual."
    one = bool((spreads[varying] - 1).abs().max() < max(1 / len(columns), 1e-3))
    return finding("WF518", fired=one and off < 0.02 * usual, evidence=told)
