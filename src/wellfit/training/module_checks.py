"""What a user's module does when it is tried on a few rows, and what must hold before it is trained."""

from __future__ import annotations

import copy
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor, nn

from wellfit._typing import Task
from wellfit.exceptions import BadInput
from wellfit.training.dropout_sites import DropoutSites, Site, SiteMasks
from wellfit.training.module_factory import seeded

_FAILURES = (AssertionError, AttributeError, LookupError, RuntimeError, TypeError, ValueError)
"""How a module says that it cannot take what it was given, or is not finished."""
_MORE_ROWS = 3
"""Rows of a trial beyond the outputs, so that rows and outputs cannot be mistaken for each other."""


@dataclass(frozen=True)
class Findings:
    """How a module behaved in its trial.

    Attributes:
        sites: where it drops units, in the order of the calls.
        draws: whether it drew from torch's generator, beside the masks that wellfit gives to its sites.
    """

    sites: tuple[Site, ...]
    draws: bool

    @property
    def own_noise(self) -> str:
        """Why its noise cannot be shared by members; empty where it can."""
        opaque = sorted({site.function for site in self.sites if site.opaque})
        if opaque:
            return f"torch draws the dropout masks of {', '.join(opaque)} by itself"
        return "it draws random numbers of its own" if self.draws else ""


def examine(module: nn.Module, *, task: Task, inputs: int, outputs: int) -> Findings:
    """Try a copy of `module` on a few made-up rows, in training and in evaluation.

    Raises:
        BadInput: it fails, or its outputs do not fit the target.
    """
    rows = trial_rows(module, inputs=inputs, outputs=outputs)
    tried = copy.deepcopy(module)
    sites = DropoutSites(SiteMasks(0, "trial", 0, (0.5,)))
    with torch.enable_grad(), seeded(0):
        before = torch.default_generator.get_state()
        with sites:
            _require_fit(_run(tried.train(), rows), task=task, rows=len(rows), outputs=outputs)
        with DropoutSites(None):
            _require_fit(_run(tried.eval(), rows), task=task, rows=len(rows), outputs=outputs)
            # Outputs that are squeezed lose their axis where one row is predicted.
            _require_fit(_run(tried, rows[:1]), task=task, rows=1, outputs=outputs)
        draws = not torch.equal(before, torch.default_generator.get_state())
    return Findings(tuple(sites.sites), draws)


def require_last_batch(module: nn.Module, *, inputs: int, rows: int) -> None:
    """Refuse a module that cannot train on a batch of one row, where the last one of an epoch has no more.

    Args:
        module: is tried as a copy.
        inputs: columns of what it receives.
        rows: of the last batch.

    Raises:
        BadInput: as norms over the rows of a batch do, it fails on one row.
    """
    if rows != 1:
        return
    try:
        with torch.enable_grad(), seeded(0), DropoutSites(None):
            copy.deepcopy(module).train()(trial_rows(module, inputs=inputs, outputs=1)[:1])
    except _FAILURES as error:
        raise BadInput(
            "a module trains on every batch of an epoch",
            found=f"one row in the last batch, on which it fails ({type(error).__name__}: {error})",
            remedy="Choose another batch_size",
        ) from error


def trial_rows(module: nn.Module, *, inputs: int, outputs: int) -> Tensor:
    """Return made-up rows [N, inputs] between -1 and 1, of the type of the module's parameters."""
    first = next(value for value in module.parameters() if value.is_floating_point())
    rows = outputs + _MORE_ROWS
    return torch.linspace(-1, 1, rows * inputs, dtype=first.dtype, device=first.device).reshape(rows, inputs)


def site_keep_probs(keep_prob: float | tuple[float, ...], *, sites: int) -> tuple[float, ...]:
    """Return keep_prob of each of a module's sites.

    Raises:
        BadInput: a keep_prob below 1 without any site, or one value a site with another number of sites.
    """
    keeps = keep_prob if isinstance(keep_prob, tuple) else (keep_prob,)
    if not sites and min(keeps, default=1) < 1:
        raise BadInput(
            "keep_prob below 1 needs a dropout site in the module",
            found=f"keep_prob={keep_prob!r} and a module that drops nothing",
            remedy="Add nn.Dropout layers to the module, or set keep_prob to 1",
        )
    if isinstance(keep_prob, tuple) and sites and len(keep_prob) != sites:
        raise BadInput(
            "keep_prob has one value for all dropout sites of a module, or one for each",
            found=f"{len(keep_prob)} values for {sites} dropout sites",
            remedy="Give as many values as sites",
        )
    return keeps if len(keeps) == sites else keeps[:1] * sites


def _run(module: Callable[[Tensor], Any], rows: Tensor) -> Any:
    try:
        return module(rows)
    except _FAILURES as error:
        raise BadInput(
            f"module maps one tensor [rows, {rows.shape[1]}] to its outputs",
            found=f"{type(error).__name__}: {error}",
            remedy="Build it for as many inputs as there are columns: a factory's parameter called inputs has them",
        ) from error


def _require_fit(found: Any, *, task: Task, rows: int, outputs: int) -> None:
    fits = [(rows, outputs)] if task == "classification" else [(rows, 1), (rows,)]
    what = f"[rows, {outputs}] logits" if task == "classification" else "[rows, 1] or [rows] values"
    if not isinstance(found, Tensor):
        shown = f"a {type(found).__name__}"
    elif tuple(found.shape) not in fits:
        shown = f"{list(found.shape)} from {rows} rows"
    elif not found.is_floating_point():
        shown = f"outputs of type {found.dtype}"
    elif not found.requires_grad:
        shown = "outputs that do not depend on the parameters"
    else:
        return
    raise BadInput(
        f"module must return {what} for this target",
        found=shown,
        remedy="Return one real tensor of that shape from forward: a factory's parameter called outputs has its width",
    )
