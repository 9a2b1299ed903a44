"""Preserve the state of the caller's random generators while other people's code draws from them."""

from __future__ import annotations

import random
import sys
from collections.abc import Iterator
from contextlib import contextmanager

import numpy as np


@contextmanager
def kept_generators() -> Iterator[None]:
    """Restore the state of the global generators of Python, numpy and torch afterwards.

    A data loader, a sampler or an estimator without a seed draws from them. Do not use this in threads: the generators
    are global, so one thread would undo what another has set.
    """
    python, numbers = random.getstate(), np.random.get_state()  # noqa: NPY002 - the global generator is meant
    torch = sys.modules.get("torch")
    tensors = torch.get_rng_state() if torch else None
    devices = torch.cuda.get_rng_state_all() if torch and torch.cuda.is_initialized() else []
    try:
        yield
    finally:
        random.setstate(python)
        np.random.set_state(numbers)  # noqa: NPY002
        if torch:
            torch.set_rng_state(tensors)
        if devices and torch:
            torch.cuda.set_rng_state_all(devices)
