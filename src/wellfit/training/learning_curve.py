"""The learning curve: train and dev losses along one training, and the last network that was still finite."""

from __future__ import annotations

import copy

import numpy as np
import torch

from wellfit._typing import Floats, Integers
from wellfit.data.prepare import Arrays, Prepared
from wellfit.goals import Goal
from wellfit.outcome import CurvePoint
from wellfit.stats.scores import loss
from wellfit.training.network import MLP
from wellfit.training.noise import batch_order
from wellfit.training.tensors import Inputs, output_range_of, outputs_of, predictions_of

MOST_POINTS = 20
MOST_ROWS = 4_000
"""Rows of each part that the points are measured on: with 20 points, a tenth of a training of 32 epochs on 20,000
rows. The outcome's own losses use every row."""


def check_points(updates: int) -> frozenset[int]:
    """Return the updates after which the curve has a point: evenly spread, the first and the last included."""
    return frozenset(np.linspace(0, updates, min(updates, MOST_POINTS - 1) + 1).round().astype(int).tolist())


class LearningCurve:
    """Measures a network while it trains.

    Attributes:
        points: what was measured, in the order of the updates.
        network: a copy of the network at the last point, all of whose outputs were finite.
    """

    def __init__(self, data: Prepared, *, goal: Goal, seed: int) -> None:
        self._preparation = data.preparation
        self._goal = goal
        self._range = output_range_of(data)
        self._train, self._dev = (_sample(part, seed=seed) for part in (data.train, data.dev))
        self.points: list[CurvePoint] = []
        self.network: MLP | None = None

    @property
    def rows(self) -> int:
        """Rows that a point is measured on."""
        return len(self._train[1]) + len(self._dev[1])

    def measure(self, network: MLP, *, update: int) -> bool:
        """Add a point and keep a copy of the network; or return False where an output is not finite."""
        train, dev = (self._loss(network, *part) for part in (self._train, self._dev))
        if train is None or dev is None:
            return False
        self.points.append(CurvePoint(update, train, dev))
        self.network = copy.deepcopy(network)
        return True

    def _loss(self, network: MLP, inputs: Inputs, target: Floats | Integers) -> float | None:
        outputs = outputs_of(network, inputs)
        if not outputs.isfinite().all():
            return None
        return loss(self._goal, target, predictions_of(outputs, self._preparation, output_range=self._range))


def _sample(part: Arrays, *, seed: int) -> tuple[Inputs, Floats | Integers]:
    order = batch_order(seed=seed, stream="curve", epoch=0, rows=part.rows)
    chosen = order[:MOST_ROWS]
    if np.issubdtype(part.target.dtype, np.integer):
        # auc is defined only where every class has a row.
        chosen = np.union1d(chosen, order[np.unique(part.target[order], return_index=True)[1]])
    chosen = np.sort(chosen)
    return Inputs.of(part)[torch.from_numpy(chosen)], part.target[chosen]
