"""The learning curve: train and dev losses in the course of a training run.

Early stopping (Prechelt, 1998) ends when dev has not improved for a while, and keeps the best point's network.
"""

from __future__ import annotations

import math

import numpy as np

from wellfit.base.typing import Floats
from wellfit.data.prepare import Arrays
from wellfit.training.noise import batch_order

MOST_POINTS = 20
MOST_ROWS = 4_000
"""Number of rows of each part on which a point is measured: 20 points then cost a tenth of a training run of 32 epochs
on 20,000 rows. The outcome's own losses use every row."""


def check_points(updates: int) -> frozenset[int]:
    """Return the updates after which the curve has a point: evenly spread, including the first and the last."""
    return frozenset(np.linspace(0, updates, min(updates, MOST_POINTS - 1) + 1).round().astype(int).tolist())


def some_rows(part: Arrays, *, seed: int, stream: str = "curve", most: int = MOST_ROWS) -> Arrays:
    """Return at most `most` rows in their order, drawn by the seed, and one row of every class, without weights."""
    order = batch_order(seed=seed, stream=stream, epoch=0, rows=part.rows)
    chosen = order[:most]
    if np.issubdtype(part.target.dtype, np.integer):
        # auc is defined only where every class has a row.
        chosen = np.union1d(chosen, order[np.unique(part.target[order], return_index=True)[1]])
    places = np.sort(chosen)
    return Arrays(part.numeric[places], part.codes[places], part.target[places])


class Stopping:
    """Watches a learning curve and keeps one of its networks: the last or, with a patience, the best on dev."""

    def __init__(self, patience: int | None) -> None:
        self._patience = patience
        self._best = math.inf
        self._waited = 0
        # None before the first point.
        self.network: Floats | None = None

    def watch(self, dev: float, network: Floats) -> None:
        """Record the curve's last point, its dev loss and its network; the earliest of equal points is best."""
        if self._patience is None or dev < self._best:
            self._best, self._waited, self.network = dev, 0, network
        else:
            self._waited += 1

    @property
    def is_due(self) -> bool:
        """Whether the dev loss has had no new minimum for as many points in a row as the patience allows."""
        return self._patience is not None and self._waited >= self._patience

    @property
    def went_back(self) -> bool:
        """Whether the network that was kept is not the last point's."""
        return self._waited > 0
