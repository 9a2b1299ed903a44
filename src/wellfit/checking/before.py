"""Automatic checks of the user's own network, on a prepared table or on batches, before it is trained.

Findings that fire are only warnings; the network is trained anyway.
"""

from __future__ import annotations

import itertools
import logging
from collections.abc import Callable, Iterable
from typing import Any

import torch
from torch import Tensor, nn

from wellfit.base.typing import Notify
from wellfit.checking.check import CHECKS, Check, check, check_codes
from wellfit.checking.given import Network
from wellfit.data.prepare import Arrays, Prepared
from wellfit.exceptions import BadInput
from wellfit.training.network import OneHot
from wellfit.training.tensors import target_of

logger = logging.getLogger(__name__)

_BATCHES = 2
_SLOW = ("WF507", "WF511")
"""These checks train and differentiate many times, which is too slow before each of many fits."""
_OF_LOSS = ("WF501", "WF502", "WF512")
"""These checks need the user's own loss."""


def check_prepared(network: Network, data: Prepared, *, seed: int = 0) -> Check:
    """Check a network on the training rows: the numbers, and then each category as one-hot, by the module's rules."""
    dev = encoded(data.dev, data)
    return check(
        network,
        encoded(data.train, data),
        target_of(data.train, data.preparation),
        dev=dev if len(dev) else None,
        seed=seed,
    )


def encoded(rows: Arrays, data: Prepared) -> Tensor:
    """Return the inputs that a module receives [rows, inputs] (training/module.py)."""
    parts = [torch.as_tensor(rows.numeric)]
    for place, codes in enumerate(data.preparation.cardinalities):
        parts.append(OneHot(levels=codes - 1)(torch.as_tensor(rows.codes[:, place]).long()))
    return torch.cat([part.to(parts[0].dtype) for part in parts], dim=1)


def warn_before_training(network: Network, data: Prepared, *, seed: int, notify: Notify) -> None:
    """Check a network on a table's training rows, warn of findings that fire, and send them as an event."""
    found = check_prepared(network, data, seed=seed)
    if found.fired:
        notify({"event": "check", "fired": [each.code for each in found.fired]})
        _warn(found)


def warn_of_batches(
    module: nn.Module,
    batches: Iterable[Any],
    *,
    loss: Callable[[Tensor, Tensor], Tensor] | None = None,
    optimizer: torch.optim.Optimizer | None = None,
) -> None:
    """Run all but the slow checks on a module's first batches (x, y), and warn of findings that fire.

    Batches of a different form, and networks with several inputs or outputs, are not checked. Without a loss, the
    checks of the loss are left out.
    """
    pairs = list(itertools.islice(batches, _BATCHES))
    if not all(isinstance(pair, list | tuple) and len(pair) == 2 for pair in pairs):
        return
    if not pairs or not all(isinstance(one, Tensor) for pair in pairs for one in pair):
        return
    rows, target = (torch.cat([pair[place] for pair in pairs]) for place in (0, 1))
    codes = [code for code in CHECKS if code not in _SLOW and (loss is not None or code not in _OF_LOSS)]
    try:
        found = check_codes(codes, module, rows, target, loss=loss or _squares, optimizer=optimizer)
    except BadInput:
        return
    if found.fired:
        _warn(found)


def _squares(outputs: Tensor, _target: Tensor) -> Tensor:
    """Return a loss that gives outputs a gradient if their own loss is not known."""
    return outputs.pow(2).mean()


def _warn(found: Check) -> None:
    first, others = found.fired[0], [each.code for each in found.fired[1:]]
    more = f" Also: {', '.join(others)}." if others else ""
    logger.warning("%s %s. %s %s%s", first.code, first.title, first.evidence, first.remedy, more)
