"""Monte-Carlo dropout for any module: several passes with its dropout on (Gal and Ghahramani, 2016)."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor, nn

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
