"""Monte-Carlo dropout for any module: several passes with its dropout on (Gal and Ghahramani, 2016).

Also: from the batches of a loop to (y, prediction) of all its rows.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn
from torch.utils.data import DataLoader, IterableDataset

from wellfit.base.typing import Floats
from wellfit.exceptions import BadInput

PASSES = 30


@dataclass(frozen=True)
class Passes:
    """Predictions of several passes.

    `mean` and `spread` are the average and the standard deviation of the outputs, in the outputs' own shape: how sure
    the module is.
    """

    mean: Floats
    spread: Floats
    passes: int


def mc_dropout(
    module: nn.Module,
    X: Any,
    passes: int = PASSES,
    *,
    activation: Callable[[Tensor], Tensor] | None = None,
    seed: int = 0,
) -> Passes:
    """Predict with dropout on, several times.

    Every layer is in training mode but those that keep running statistics, which neither use nor change those of X.
    So dropout inside attention, inside recurrent layers and by `F.dropout(x, p, self.training)` is on as well.

        found = wf.mc_dropout(net, X, 30, activation=lambda z: z.softmax(1))

    Args:
        module: as it was trained; it is left in the modes that it had.
        X: what the module takes: a tensor, an array [rows, ...], or a tuple of them.
        passes: how many; the cost is as many passes.
        activation: turns the outputs into what is averaged, such as probabilities; the outputs themselves when None.
        seed: of torch's masks; the generator is left as it was.

    Raises:
        BadInput: for fewer than two passes, and for a module whose passes do not differ.
    """
    if passes < 2:
        raise BadInput("Monte-Carlo dropout needs at least 2 passes", found=f"passes={passes}", remedy="Give 2 or more")
    inputs = tuple(map(torch.as_tensor, X)) if isinstance(X, tuple) else (torch.as_tensor(X),)
    with torch.random.fork_rng(), torch.no_grad(), _dropping(module):
        torch.manual_seed(seed)
        outputs = (module(*inputs) for _ in range(passes))
        found = torch.stack([(activation(each) if activation else each).double() for each in outputs])
    spread = found.std(dim=0)
    if not bool(spread.any()):
        raise BadInput(
            "Monte-Carlo dropout needs a module that drops units",
            found=f"{passes} equal passes of {type(module).__name__}",
            remedy="Train it with dropout above 0; F.dropout must follow self.training",
        )
    return Passes(found.mean(dim=0).numpy(), spread.numpy(), passes)


@contextmanager
def _dropping(module: nn.Module) -> Iterator[None]:
    modes = {each: each.training for each in module.modules()}
    try:
        for each in modes:
            # `train()` of a whole module would also reach its norms, whose statistics prediction must not touch.
            each.training = not getattr(each, "track_running_stats", False)
        yield
    finally:
        for each, mode in modes.items():
            each.training = mode


Targets = Floats
_SUM_SLACK = 1e-4


def in_order(loader: Any) -> Any:
    """A loader of every row of the same dataset, in order; the loader itself where its dataset has no order."""
    if not isinstance(loader, DataLoader) or isinstance(loader.dataset, IterableDataset):
        return loader
    return DataLoader(loader.dataset, batch_size=loader.batch_size or 1, collate_fn=loader.collate_fn)


def predictions_of(outputs: Tensor, target: Tensor) -> Tensor:
    """Return probabilities where the target are classes, values where it is not.

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
    """(y [rows], prediction) of all batches; BadInput where there is no batch."""
    found = [(target.detach().cpu().numpy(), values.detach().cpu().numpy()) for target, values in pairs]
    if not found:
        raise BadInput(f"a diagnosis needs rows of {part}", found="no batch", remedy=f"Give a loader of {part} rows")
    targets, values = (np.concatenate(each) for each in zip(*found, strict=True))
    return (targets.reshape(-1) if targets.ndim > 1 and targets.shape[1:] == (1,) else targets), values


def split_batch(batch: Any) -> tuple[Any, Tensor]:
    """The inputs and the target of a batch (x, y); BadInput for a batch of another form."""
    if isinstance(batch, list | tuple) and len(batch) == 2 and isinstance(batch[1], torch.Tensor):
        return batch[0], batch[1]
    raise BadInput(
        "a batch must be (x, y)",
        found=type(batch).__name__,
        remedy="Give the callback predict=lambda module, batch: (y, prediction)",
    )


def _is_binary(target: Tensor) -> bool:
    return bool(((target == 0) | (target == 1)).all())


def _are_probabilities(outputs: Tensor) -> bool:
    return bool((outputs >= 0).all() and ((outputs.sum(dim=1) - 1).abs() < _SUM_SLACK).all())
