"""From a trained network's predictions to its outcome: the same for every engine."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from wellfit.base.typing import Floats
from wellfit.data.prepare import Arrays, Prepared
from wellfit.records.config import Config
from wellfit.records.goals import Goal
from wellfit.records.outcome import CurvePoint, Outcome, Status
from wellfit.training.effects import Net, measure_effects


@dataclass(frozen=True, kw_only=True)
class Ending:
    """How one training went and ended."""

    status: Status
    updates: int
    seconds: float
    points: Sequence[CurvePoint]
    snapshots: Sequence[int] = ()


def outcome_of(
    data: Prepared,
    config: Config,
    *,
    goal: Goal,
    ending: Ending,
    network: Net,
    state: Mapping[str, Floats],
    predictions: Mapping[str, Floats],
    effects: bool = True,
) -> Outcome:
    """Return the outcome of a network from its predictions on every part of `parts_of`.

    They are probabilities [rows, classes], or values [rows] in the target's unit.
    """
    losses = {name: goal.row_losses(part.target, predictions[name]) for name, part in parts_of(data).items()}
    return Outcome(
        config=config,
        status=ending.status,
        updates=ending.updates,
        seconds=ending.seconds,
        losses={name: float(np.mean(each)) for name, each in losses.items()},
        curve=tuple(ending.points),
        weight_norms=tuple(float(np.linalg.norm(state[name].astype(np.float64))) for name in network.decayed()),
        predictions={name: each for name, each in predictions.items() if name != "train"},
        train_losses=losses["train"],
        state=state,
        effects=measure_effects(network, data, seed=config.seed) if effects else {},
        snapshots=tuple(ending.snapshots),
    )


def parts_of(data: Prepared) -> dict[str, Arrays]:
    """Return train, train_dev (if any) and dev."""
    parts = {"train": data.train, "train_dev": data.train_dev, "dev": data.dev}
    return {name: part for name, part in parts.items() if part is not None}
