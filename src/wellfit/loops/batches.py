"""The rows that a loop's loaders yield, and the state of a module that predicts them."""

from __future__ import annotations

import itertools
from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager
from typing import Any

import torch
from torch import Tensor, nn
from torch.utils.data import BatchSampler, DataLoader, IterableDataset, RandomSampler, SequentialSampler

from wellfit.exceptions import BadInput


def rows_of(loader: Any) -> Iterable[Any]:
    """Return batches with every row that the loader's own sampler yields, in order if the sampler only shuffles.

    A last batch that training drops is included. A loader of a different kind, or of a stream, is iterated unchanged.
    """
    own = isinstance(loader, DataLoader) and type(loader).__iter__ is DataLoader.__iter__
    if not own or isinstance(loader.dataset, IterableDataset):
        return _repeatable(loader)
    batches = loader.batch_sampler
    how: dict[str, Any]
    if batches is None:
        how = {"batch_size": None, "sampler": _places(loader.sampler, loader.dataset)}
    elif type(batches) is BatchSampler:
        how = {"batch_size": batches.batch_size, "sampler": _places(batches.sampler, loader.dataset)}
    else:
        how = {"batch_sampler": list(batches)}
    return DataLoader(loader.dataset, collate_fn=loader.collate_fn, **how)


def first_batch(loader: Any, *, part: str) -> Any:
    """Return one batch of a loader; BadInput if there is none."""
    for batch in itertools.islice(rows_of(loader), 1):
        return batch
    raise BadInput(f"a diagnosis must have rows of {part}", found="no batch", remedy=f"Give a loader of {part} rows")


def split_batch(batch: Any) -> tuple[Any, Tensor]:
    """Return the inputs and the target of a batch (x, y); BadInput for a batch in a different form."""
    if isinstance(batch, list | tuple) and len(batch) == 2 and isinstance(batch[1], Tensor):
        return batch[0], batch[1]
    raise BadInput(
        "a batch must be (x, y)",
        found=f"a {type(batch).__name__} of {len(batch)}" if isinstance(batch, Sequence) else type(batch).__name__,
        remedy="Give the callback predict=lambda module, batch: (y, prediction)",
    )


@contextmanager
def evaluating(module: nn.Module) -> Iterator[None]:
    """Put a module into evaluation mode, and restore the mode of each part at the end (some may be frozen)."""
    modes = {each: each.training for each in module.modules()}
    try:
        module.eval()
        yield
    finally:
        for each, mode in modes.items():
            each.training = mode


@contextmanager
def as_written(module: nn.Module) -> Iterator[None]:
    """Run compiled parts without compilation, so that the last function is visible."""
    if any(hasattr(each, "_orig_mod") for each in module.modules()):
        with torch.compiler.set_stance("force_eager"):
            yield
    else:
        yield


def _places(sampler: Any, dataset: Any) -> Sequence[Any]:
    shuffles = isinstance(sampler, RandomSampler) and not sampler.replacement and sampler.num_samples == len(dataset)
    if shuffles or isinstance(sampler, SequentialSampler):
        return range(len(dataset))
    return list(sampler)


def _repeatable(loader: Any) -> Iterable[Any]:
    if isinstance(loader, Iterator):
        raise BadInput(
            "a loader must be able to yield its rows more than once",
            found=f"the iterator {type(loader).__name__}, which is empty after one pass",
            remedy="Give the loader itself, such as a DataLoader",
        )
    batches: Iterable[Any] = loader
    return batches
