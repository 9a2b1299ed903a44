"""The learning curve: train and dev losses along one training.

Early stopping (Prechelt, 1998): end when dev has not improved for a while, and keep the best point's network.
"""

from __future__ import annotations

import math

import numpy as np
import torch
from torch import Tensor

from wellfit.base.typing import Floats, Integers
from wellfit.data.prepare import Arrays, Prepared
from wellfit.records.goals import Goal
from wellfit.records.outcome import CurvePoint
from wellfit.training.noise import batch_order
from wellfit.training.tensors import Inputs, output_range_of, predictions_of

MOST_POINTS = 20
MOST_ROWS = 4_000
"""Rows of each part that the points are measured on: with 20 points, a tenth of a training of 32 epochs on 20,000
rows. The outcome's own losses use every row."""


def check_points(updates: int) -> frozenset[int]:
    """Return the updates after which the curve has a point: evenly spread, the first and the last included."""
    return frozenset(np.linspace(0, updates, min(updates, MOST_POINTS - 1) + 1).round().astype(int).tolist())


class CurveRows:
    """Samples of the train and dev rows that points are measured on, the same for every network of a seed."""

    def __init__(self, data: Prepared, *, goal: Goal, seed: int) -> None:
        self._preparation = data.preparation
        self._goal = goal
        self._range = output_range_of(data)
        train, dev = some_rows(data.train, seed=seed), some_rows(data.dev, seed=seed)
        self.train, self._train_target = Inputs.of(data.train)[torch.from_numpy(train)], data.train.target[train]
        self.dev, self._dev_target = Inputs.of(data.dev)[torch.from_numpy(dev)], data.dev.target[dev]

    @property
    def rows(self) -> int:
        """Number of rows that a point is measured on."""
        return len(self.train) + len(self.dev)

    def point(self, update: int, train: Tensor, dev: Tensor) -> CurvePoint | None:
        """Return the point of outputs [N, K] on both samples, or None where one of them is not finite."""
        if not (train.isfinite().all() and dev.isfinite().all()):
            return None
        return CurvePoint(update, self._loss(train, self._train_target), self._loss(dev, self._dev_target))

    def _loss(self, outputs: Tensor, target: Floats | Integers) -> float:
        return self._goal.loss(target, predictions_of(outputs, self._preparation, output_range=self._range))


def some_rows(part: Arrays, *, seed: int, stream: str = "curve", most: int = MOST_ROWS) -> Integers:
    """Return the places of at most `most` rows in their order, drawn by the seed, and of one row of every class."""
    order = batch_order(seed=seed, stream=stream, epoch=0, rows=part.rows)
    chosen = order[:most]
    if np.issubdtype(part.target.dtype, np.integer):
        # auc is defined only where every class has a row.
        chosen = np.union1d(chosen, order[np.unique(part.target[order], return_index=True)[1]])
    return np.sort(chosen)


class Stopping:
    """Watches a learning curve, and keeps one of its networks: the last, or with a patience the best on dev."""

    def __init__(self, patience: int | None) -> None:
        self._patience = patience
        self._best = math.inf
        self._waited = 0
        # None before the first point.
        self.network: Floats | None = None

    def watch(self, dev: float, network: Floats) -> None:
        """Take note of the curve's last point, its dev loss and its network; of equal points, the earliest is best."""
        if self._patience is None or dev < self._best:
            self._best, self._waited, self.network = dev, 0, network
        else:
            self._waited += 1

    @property
    def is_due(self) -> bool:
        """True if as many points in a row as the patience allows had no lower dev loss."""
        return self._patience is not None and self._waited >= self._patience

    @property
    def went_back(self) -> bool:
        """True if the network kept is not that of the last point."""
        return self._waited > 0
