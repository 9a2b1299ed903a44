"""Parameter groups for the user's own optimizer, in which lambda applies only to W."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from torch import nn

from wellfit.base.arguments import named
from wellfit.exceptions import BadInput
from wellfit.records.config import weight_decay_of
from wellfit.training.module_checks import decay_list


@named
def param_groups(
    module: nn.Module, *, l2: float, rows: int, lr: float | None = None, **more: Any
) -> list[dict[str, Any]]:
    """Divide the parameters of a module into those that decay and those that do not.

    W in the cost J = (1/m) sum L + lambda/(2m) ||W||_F^2 contains the weights, but not biases, norms and embeddings.
    Its group gets `weight_decay` = lambda/m, which both `torch.optim.SGD` (as a penalty) and `torch.optim.AdamW`
    (decoupled) apply. `torch.optim.Adam` passes its `weight_decay` through the moments, which is not weight decay.

        optimizer = torch.optim.AdamW(wf.param_groups(net, l2=300.0, rows=len(train), lr=1e-3))

    Args:
        module: the module, whose trained parameters are each put into one group.
        l2: lambda.
        rows: m, the number of training rows.
        lr: learning rate of both groups; that of the optimizer if None.
        **more: further options of both groups, such as `momentum`.

    Returns:
        Two groups, each with `params`, `weight_decay` and `names` (of the parameters, in their order); a group
        without parameters is left out.

    Raises:
        BadInput: for a lambda that is negative or not finite, rows below 1, or a module without trained parameters.
    """
    if not 0 <= l2 < float("inf"):
        raise BadInput("l2 (lambda) must be finite and not negative", found=f"l2={l2!r}", remedy="Give 0 or more")
    if rows < 1:
        raise BadInput(
            "rows must be the number of training rows, at least 1", found=f"rows={rows!r}", remedy="Give len(train)"
        )
    named = dict(module.named_parameters())
    decayed = {entry.name: entry.decayed for entry in decay_list(module)}
    if not decayed:
        raise BadInput("a module must have trained parameters", found="none with requires_grad", remedy="Unfreeze some")
    shared: Mapping[str, Any] = more if lr is None else {"lr": lr, **more}
    decay = {True: weight_decay_of(l2, rows=rows), False: 0.0}
    groups = []
    for side in (True, False):
        names = [name for name, is_decayed in decayed.items() if is_decayed is side]
        if names:
            groups.append(
                {"params": [named[name] for name in names], "weight_decay": decay[side], "names": names, **shared}
            )
    return groups
