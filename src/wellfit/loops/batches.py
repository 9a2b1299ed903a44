"""From the batches of a loop to (y, prediction) of all its rows."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

import numpy as np
import torch
from torch import Tensor
from torch.utils.data import DataLoader, IterableDataset

from wellfit._typing import Floats
from wellfit.exceptions import BadInput

Targets = Floats
_SUM_SLACK = 1e-4


def in_order(loader: Any) -> Any:
    """A loader of every row of the same dataset, in order; the loader itself where its dataset has no order."""
    if not isinstance(loader, DataLoader) or isinstance(loader.dataset, IterableDataset):
        return loader
    return DataLoader(loader.dataset, batch_size=loader.batch_size or 1, collate_fn=loader.collate_fn)


def predictions_of(outputs: Tensor, target: Tensor) -> Tensor:
    """What a diagnosis reads: probabilities where the target are classes, values where it is not.

    Outputs [N, classes] that are no probabilities are taken as logits, and so are outputs [N] or [N, 1].
    """
    outputs = outputs.detach().double().cpu()
    if target.is_floating_point() and not _is_binary(target):
        return outputs.reshape(target.shape)
    if outputs.dim() == 2 and outputs.shape[1] > 1:
        return outputs if _are_probabilities(outputs) else outputs.softmax(dim=1)
    outputs = outputs.reshape(-1)
    return outputs if bool(((outputs >= 0) & (outputs <= 1)).all()) else outputs.sigmoid()


def joined(pairs: Iterable[tuple[Tensor, Tensor]], *, part: str) -> tuple[Targets, Floats]:
    """(y [rows], prediction) of all batches.

    Raises:
        BadInput: where there is no batch.
    """
    found = [(target.detach().cpu().numpy(), values.detach().cpu().numpy()) for target, values in pairs]
    if not found:
        raise BadInput(f"a diagnosis needs rows of {part}", found="no batch", remedy=f"Give a loader of {part} rows")
    targets, values = (np.concatenate(each) for each in zip(*found, strict=True))
    return (targets.reshape(-1) if targets.ndim > 1 and targets.shape[1:] == (1,) else targets), values


def split_batch(batch: Any) -> tuple[Any, Tensor]:
    """The inputs and the target of a batch (x, y).

    Raises:
        BadInput: for a batch of another form.
    """
    if isinstance(batch, list | tuple) and len(batch) == 2 and isinstance(batch[1], torch.Tensor):
        return batch[0], batch[1]
    raise BadInput(
        "a batch is (x, y)",
        found=type(batch).__name__,
        remedy="Give the callback predict=lambda module, batch: (y, prediction)",
    )


def _is_binary(target: Tensor) -> bool:
    return bool(((target == 0) | (target == 1)).all())


def _are_probabilities(outputs: Tensor) -> bool:
    return bool((outputs >= 0).all() and ((outputs.sum(dim=1) - 1).abs() < _SUM_SLACK).all())
