"""How long a training will take, from a few updates of it: so that a schedule can be made to end within a budget."""

from __future__ import annotations

import time
from dataclasses import replace
from itertools import islice

from wellfit.config import Config, updates_per_epoch
from wellfit.data.prepare import Prepared
from wellfit.training.loop import Training
from wellfit.training.tensors import new_network
from wellfit.training.threads import one_thread

WARM_UP, TIMED = 3, 10
"""Updates that are not timed (the first ones allocate memory), and updates that are."""
MEASURING = 1.25
"""The learning curve and the final measurement take about a quarter of the time of the updates."""


def seconds_per_update(data: Prepared, config: Config) -> float:
    """Return the seconds that one update of `config` takes now, on one thread, its share of measuring included."""
    with one_thread():
        losses = Training(config, data, network=new_network(data, config.network, seed=config.seed)).losses()
        warm = len(list(islice(losses, WARM_UP)))
        began = time.monotonic()
        timed = len(list(islice(losses, TIMED)))
        spent = time.monotonic() - began
    # A training shorter than the warm-up takes no time worth planning.
    return MEASURING * spent / timed if warm and timed else 0.0


def affordable(config: Config, *, rows: int, seconds: float, pace: float) -> Config:
    """Return `config` with as many of its epochs as `seconds` allow, at least 1: its schedule then ends in time.

    Args:
        config: the training as it would be with time enough.
        rows: training rows.
        seconds: the time it may take.
        pace: seconds an update, as `seconds_per_update` measures them.
    """
    epoch = pace * updates_per_epoch(rows=rows, batch_size=config.optimization.batch_size)
    epochs = config.optimization.epochs if epoch == 0 else min(int(seconds / epoch), config.optimization.epochs)
    return replace(config, optimization=replace(config.optimization, epochs=max(epochs, 1)))
