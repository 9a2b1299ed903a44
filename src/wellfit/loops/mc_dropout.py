"""Monte-Carlo dropout for any module: several passes with dropout on (Gal and Ghahramani, 2016)."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn

from wellfit.base.arguments import named
from wellfit.base.generators import kept_generators
from wellfit.base.typing import Floats
from wellfit.exceptions import BadInput

PASSES = 30


@dataclass(frozen=True)
class Passes:
    """The predictions of several passes.

    `mean` and `spread` are the average and the standard deviation of the outputs, in the shape of the outputs. The
    spread shows how sure the module is.
    """

    mean: Floats
    spread: Floats
    passes: int

    def __repr__(self) -> str:
        return f"Passes({self.passes} passes; mean and spread of shape {self.mean.shape})"


@named
def mc_dropout(
    module: nn.Module,
    X: Any,
    passes: int = PASSES,
    *,
    activation: Callable[[Any], Tensor] | None = None,
    seed: int = 0,
) -> Passes:
    """Predict several times with dropout on.

    All layers are in training mode except those with running statistics, so the statistics of X are neither used nor
    stored. Dropout inside attention, inside recurrent layers and from `F.dropout(x, p, self.training)` is therefore on
    as well.

        found = wf.mc_dropout(net, X, 30, activation=lambda z: z.softmax(1))

    Args:
        module: the trained module; its modes and its buffers are restored.
        X: the module's input: a tensor, an array [rows, ...], a tuple of them, or a mapping by parameter.
        passes: number of passes, to which the cost is proportional.
        activation: a function that turns the module's outputs into the values to average, such as probabilities. If
            None, the outputs themselves are averaged (the first one if there are several).
        seed: the seed of torch's masks; the caller's generators are restored.

    Raises:
        BadInput: for fewer than two passes, for a module whose passes do not differ, and for a module that does not
            return a tensor if no `activation` makes one.
    """
    if passes < 2:
        raise BadInput(
            "Monte-Carlo dropout must have at least 2 passes", found=f"passes={passes}", remedy="Give 2 or more"
        )
    args, named = _inputs(module, X)
    with kept_generators(), torch.no_grad(), _dropping(module):
        torch.manual_seed(seed)
        outputs = [_averaged(module(*args, **named), activation).double().cpu() for _ in range(passes)]
    found = torch.stack(outputs)
    spread = found.std(dim=0)
    if not bool(spread.any()):
        raise BadInput(
            "Monte-Carlo dropout must get a module that drops units",
            found=f"{passes} equal passes of {type(module).__name__}",
            remedy="Train the module with dropout above 0; F.dropout must follow self.training",
        )
    return Passes(found.mean(dim=0).numpy(), spread.numpy(), passes)


def _inputs(module: nn.Module, X: Any) -> tuple[tuple[Tensor, ...], dict[str, Tensor]]:
    """Return the arguments for the call of the module, with float arrays in the type of its parameters."""
    real = next((value.dtype for value in module.parameters() if value.is_floating_point()), torch.get_default_dtype())

    def tensor(given: Any) -> Tensor:
        found = torch.as_tensor(given)
        return found.to(real) if isinstance(given, np.ndarray) and found.is_floating_point() else found

    if isinstance(X, Mapping):
        return (), {str(name): tensor(each) for name, each in X.items()}
    return tuple(map(tensor, X)) if isinstance(X, tuple) else (tensor(X),), {}


def _averaged(returned: Any, activation: Callable[[Any], Tensor] | None) -> Tensor:
    """Return the tensor of one pass to average: the first of several outputs, unless `activation` takes all."""
    first = returned[0] if isinstance(returned, tuple | list) and returned else returned
    if activation is None:
        found = first
    else:
        try:
            found = activation(returned)
        except (AttributeError, TypeError):
            if first is returned:
                raise
            found = activation(first)
    if not isinstance(found, Tensor):
        raise BadInput(
            "a pass must return a tensor",
            found=f"a {type(returned).__name__} from the module",
            remedy="Select one: activation=lambda returned: returned[...]",
        )
    return found


@contextmanager
def _dropping(module: nn.Module) -> Iterator[None]:
    modes = {each: each.training for each in module.modules()}
    buffers = [
        (owner, name, held, held.clone())
        for owner in modes
        for name, held in owner._buffers.items()
        if held is not None
    ]
    try:
        for each in modes:
            # `train()` of a whole module would also reach its norms, whose statistics prediction must not touch.
            each.training = not getattr(each, "track_running_stats", False)
        yield
    finally:
        for each, mode in modes.items():
            each.training = mode
        for owner, name, held, value in buffers:
            owner._buffers[name] = held
            held.copy_(value)
