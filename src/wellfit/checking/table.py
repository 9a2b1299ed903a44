"""`wf.check` on the rows of a prepared table, as a network of the user's own receives them in training."""

from __future__ import annotations

import torch
from torch import Tensor

from wellfit.checking.check import Check, check
from wellfit.checking.given import Network
from wellfit.data.prepare import Arrays, Prepared
from wellfit.training.network import OneHot
from wellfit.training.tensors import target_of


def check_prepared(network: Network, data: Prepared, *, seed: int = 0) -> Check:
    """Check a network on the training rows: the numbers, then each category as one-hot, by the module's own rules."""
    dev = encoded(data.dev, data)
    return check(network, encoded(data.train, data), _target(data), dev=dev if len(dev) else None, seed=seed)


def encoded(rows: Arrays, data: Prepared) -> Tensor:
    """Return what a module receives [rows, inputs] (training/module.py)."""
    parts = [torch.as_tensor(rows.numeric)]
    for place, codes in enumerate(data.preparation.cardinalities):
        parts.append(OneHot(levels=codes - 1)(torch.as_tensor(rows.codes[:, place]).long()))
    return torch.cat([part.to(parts[0].dtype) for part in parts], dim=1)


def _target(data: Prepared) -> Tensor:
    """Class codes, or standardized values."""
    return target_of(data.train, data.preparation)
