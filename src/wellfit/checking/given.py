"""Conversion of the caller's arguments to a trial: a network, its rows as tensors, and a loss for its outputs."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from typing import Any, TypeAlias

import numpy as np
import torch
from torch import Tensor, nn

from wellfit.base.typing import Task
from wellfit.checking.keeping import kept, seed_all
from wellfit.checking.trial import FAILURES, Loss, Trial, default_loss
from wellfit.exceptions import BadInput
from wellfit.training.module_checks import build

Network: TypeAlias = nn.Module | Callable[..., nn.Module] | tuple[nn.Module, Callable[..., Any]]
MOST_ROWS = 4096
"""Largest number of rows that are used."""
MOST_CLASSES = 20
"""Largest number of distinct whole numbers for which a target still counts as classes."""
FEWEST_ROWS = 8
MOST_OPERATIONS = 4e9
"""Most operations in one pass over a batch, a few hundredths of a second on one core."""


def trial_of(
    network: Network,
    rows: Any,
    target: Any,
    *,
    loss: Loss | None,
    optimizer: torch.optim.Optimizer | None,
    dev: Any,
    seed: int,
) -> Trial:
    """Return the trial for the arguments of `check`, and refuse arguments that do not fit together at all."""
    if isinstance(network, tuple):
        network, loss = _pair(network, loss)
    values, wanted = _tensor(rows, name="X"), _target(target)
    _require_rows(values, wanted)
    task: Task = "regression" if wanted.is_floating_point() else "classification"
    if not isinstance(network, nn.Module):
        _require_no_optimizer(optimizer)
        if (
            loss is None
            and wanted.dim() == 1
            and not wanted.is_floating_point()
            and len(torch.unique(wanted)) > MOST_CLASSES
        ):
            task, wanted = "regression", wanted.to(torch.get_default_dtype())
        network = _built(network, values, wanted, task=task, seed=seed)
    values = _as_inputs(network, values)
    order = _order(wanted, seed=seed)[:MOST_ROWS]
    values, wanted = values[order], _placed(wanted[order], network)
    if loss is not None and wanted.is_floating_point():
        wanted = wanted.to(_dtype(network))
    rows_of_dev = None if dev is None else _tensor(dev[0] if isinstance(dev, tuple) else dev, name="dev")
    trial = Trial(network, loss or default_loss(task), optimizer, values, wanted, task, rows_of_dev)
    return _tried(trial, given=loss is not None)


def _pair(network: tuple[Any, ...], loss: Loss | None) -> tuple[nn.Module, Loss]:
    if len(network) != 2 or loss is not None or not callable(network[1]):
        raise BadInput(
            "a network and its loss must be a pair (module, loss)",
            found=f"{len(network)} values" + (" and loss= in addition" if loss is not None else ""),
            remedy="Call wf.check((module, loss), X, y), or give the module alone and loss=",
        )
    return network[0], network[1]


def _tensor(values: Any, *, name: str) -> Tensor:
    if isinstance(values, Tensor):
        return values.detach()
    try:
        array = np.asarray(values)
        if array.dtype == object:
            array = array.astype(np.float64)
        return torch.as_tensor(array.copy())
    except (TypeError, ValueError) as error:
        raise BadInput(
            f"{name} must be an array or tensor of numbers [rows, ...]",
            found=f"a {type(values).__name__} ({error})",
            remedy="Encode categories first, or use `wellfit check DATA --target COLUMN`, which encodes them",
        ) from error


def _target(values: Any) -> Tensor:
    """Return targets as a loss takes them: classes as whole numbers from 0, and real values unchanged."""
    if isinstance(values, Tensor):
        return values.detach()
    array = np.asarray(values)
    if array.dtype.kind in "OUSb":
        return torch.as_tensor(np.unique(array.astype(str), return_inverse=True)[1].reshape(array.shape))
    whole = array.dtype.kind in "iu"
    return torch.as_tensor(array.astype(np.int64 if whole else np.float32))


def _require_rows(rows: Tensor, target: Tensor) -> None:
    if rows.dim() < 2 or target.dim() < 1 or len(rows) != len(target) or len(rows) < FEWEST_ROWS:
        raise BadInput(
            f"X and y must have the same number of rows, at least {FEWEST_ROWS}, and X must have columns",
            found=f"X {list(rows.shape)} and y {list(target.shape)}",
            remedy="Give X as [rows, ...] and y as [rows] or [rows, ...]",
        )
    if rows.is_floating_point() and not bool(torch.isfinite(rows).all()):
        raise BadInput("X must be finite", found="NaN or infinity", remedy="Fill in missing values first")


def _require_no_optimizer(optimizer: torch.optim.Optimizer | None) -> None:
    if optimizer is not None:
        raise BadInput(
            "an optimizer must come with the module whose parameters it updates",
            found="optimizer= with a factory, which builds a new module",
            remedy="Give the module instead of the factory",
        )


def _built(factory: Any, rows: Tensor, target: Tensor, *, task: Task, seed: int) -> nn.Module:
    """Build a network for the columns of X (channels of pictures, last axis of series) and the classes of y."""
    inputs = rows.shape[-1] if rows.dim() == 3 else rows.shape[1]
    alone = 1 if target.dim() == 1 else target.shape[1]
    outputs = int(target.max()) + 1 if task == "classification" else alone
    return build(factory, inputs=inputs, outputs=max(outputs, 2) if task == "classification" else outputs, seed=seed)


def _dtype(network: nn.Module) -> torch.dtype:
    floats = (value.dtype for value in network.parameters() if value.is_floating_point())
    return next(floats, torch.get_default_dtype())


def _placed(values: Tensor, network: nn.Module) -> Tensor:
    first = next(network.parameters(), None)
    return values if first is None else values.to(first.device)


def _as_inputs(network: nn.Module, rows: Tensor) -> Tensor:
    """Convert real numbers to the type of the parameters; whole numbers stay whole if the network embeds them."""
    if not rows.is_floating_point() and any(
        isinstance(one, nn.Embedding | nn.EmbeddingBag) for one in network.modules()
    ):
        return _placed(rows.long(), network)
    return _placed(rows.to(_dtype(network)), network)


def _order(target: Tensor, *, seed: int) -> Tensor:
    """Return an order of the rows that starts with one row of each class, then another of each, and so on."""
    generator = torch.Generator().manual_seed(seed)
    mixed = torch.randperm(len(target), generator=generator)
    if target.is_floating_point() or target.dim() > 1:
        return mixed
    seen: dict[int, int] = {}
    rounds = []
    for value in target[mixed].tolist():
        seen[int(value)] = seen.get(int(value), -1) + 1
        rounds.append(seen[int(value)])
    return mixed[torch.tensor(rounds).argsort(stable=True)]


def _tried(trial: Trial, *, given: bool) -> Trial:
    """Run the network once; if the loss is the caller's own, refused outputs become a finding."""
    with kept(*trial.roots), torch.no_grad():
        seed_all(0)
        try:
            outputs = trial.module.train()(trial.rows[:FEWEST_ROWS])
        except FAILURES as error:
            raise BadInput(
                f"the network must map one tensor {['rows', *trial.rows.shape[1:]]} to its outputs",
                found=f"{type(error).__name__}: {error}",
                remedy="If forward takes several inputs, wrap it in a module that extracts them from one tensor",
            ) from error
        if not isinstance(outputs, Tensor) or not outputs.is_floating_point():
            raise BadInput(
                "the network must return one real tensor",
                found=f"a {type(outputs).__name__}",
                remedy="Wrap the network in a module whose forward returns the tensor that the loss takes",
            )
        if not given and len(outputs) == FEWEST_ROWS:
            _require_loss(trial, outputs)
        return replace(trial, most=_rows_at_once(trial))


def _rows_at_once(trial: Trial) -> int:
    """Return how many rows to run at once, by operations per row instead of a clock, so that it is reproducible."""
    operations = 0.0

    def count(layer: nn.Module, _given: object, outputs: Any) -> None:
        nonlocal operations
        values = outputs[0] if isinstance(outputs, tuple) else outputs
        weights = [value for value in layer.parameters(recurse=False) if value.dim() > 1]
        if weights and isinstance(values, Tensor) and values.dim() > 1:
            units = values.shape[1] if isinstance(layer, nn.modules.conv._ConvNd) else values.shape[-1]
            operations += 2 * values.numel() / max(units, 1) * sum(value.numel() for value in weights)

    hooks = [layer.register_forward_hook(count) for layer in trial.module.modules() if not _embeds(layer)]
    trial.run(trial.rows[:2], training=True)
    for hook in hooks:
        hook.remove()
    return int(min(MOST_ROWS, max(FEWEST_ROWS, MOST_OPERATIONS / (operations / 2 + 1))))


def _embeds(layer: nn.Module) -> bool:
    return isinstance(layer, nn.Embedding | nn.EmbeddingBag)


def _require_loss(trial: Trial, outputs: Tensor) -> None:
    try:
        trial.measure(outputs, trial.target[:FEWEST_ROWS])
    except FAILURES as error:
        raise BadInput(
            "outputs and y must fit together: logits [rows, classes] for classes, values [rows, 1] for numbers",
            found=f"outputs {list(outputs.shape)} and y {list(trial.target.shape)} ({error})",
            remedy="Give the network as many outputs as there are classes, or pass your own loss=",
        ) from error
