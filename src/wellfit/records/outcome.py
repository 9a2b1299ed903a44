"""The outcome of one training run: a value even if the run failed."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from enum import Enum
from types import MappingProxyType
from typing import Any, NamedTuple

import numpy as np

from wellfit.base.serialize import OMITTED, Record, omitted_if
from wellfit.base.typing import Floats, Json
from wellfit.records.config import Config, digest_of


class Status(Enum):
    """The ways in which a training run can end, each with its own advice."""

    FINISHED = "finished"
    DIVERGED = "diverged"
    OUT_OF_BUDGET = "out of budget"
    STOPPED_EARLY = "stopped early"
    DROPPED = "dropped"
    AT_RUNG = "at a rung"

    @property
    def advice(self) -> str:
        """Advice about this ending, in one sentence."""
        return _ADVICE[self]


ENDED = (Status.FINISHED, Status.STOPPED_EARLY)
"""The statuses of training runs that completed and can be compared with others."""
_ADVICE = {
    Status.FINISHED: "All planned updates were made.",
    Status.DIVERGED: "The loss stopped being finite: lower the learning rate, or look for extreme values in the data.",
    Status.OUT_OF_BUDGET: "Time ran out before the schedule ended, so these errors are higher than necessary: "
    "use a larger budget or fewer epochs.",
    Status.STOPPED_EARLY: "The epoch was chosen by dev, so that fitting and regularizing are coupled: its dev error is "
    "optimistic, and lambda or keep_prob may do better.",
    Status.DROPPED: "The member was behind at a rung, and the rest of its updates went to the others.",
    Status.AT_RUNG: "It is a snapshot of a training run that went on: to choose it on dev is to choose the epoch, so "
    "that fitting and regularizing are coupled.",
}


class CurvePoint(NamedTuple):
    """One point of the learning curve: values of the goal's loss after `update` updates."""

    update: int
    train: float
    dev: float


@dataclass(frozen=True, kw_only=True)
class Outcome(Record):
    """One trained configuration, its state at a rung (a snapshot), or the average of several (an ensemble).

    Attributes:
        config: config of the training run; for an ensemble, that of its heaviest member.
        losses: mean loss of the goal on train, train_dev (if any) and dev; the training set in full, without dropout.
        predictions: train_dev (if any) and dev: probabilities [rows, classes], or values [rows] in the target's unit.
        train_losses: [rows] loss of every training row, for paired comparisons on train.
        weight_norms: ||W||_F of each decayed matrix, from input to output.
        state: the trained weights as float32 arrays, by parameter name.
        effects: effects of regularization on the network, by name (training/effects.py).
        snapshots: numbers of updates after which snapshots were taken; these are separate outcomes, which cost an
            ensemble nothing.
        members: weight of each network that an ensemble averages, by identity; the weights add up to 1. An ensemble
            has no weights, norms, curve or effects of its own. Empty for a single network.
        temperature: temperature of its probabilities (stats/calibration.py); 1 leaves them as trained. It is not part
            of the identity, because it follows from the predictions for dev.
    """

    config: Config
    status: Status
    updates: int
    seconds: float
    losses: Mapping[str, float]
    curve: tuple[CurvePoint, ...]
    weight_norms: tuple[float, ...]
    predictions: Mapping[str, Floats] = field(default_factory=dict, metadata=OMITTED)
    train_losses: Floats = field(default_factory=lambda: np.zeros(0), metadata=OMITTED)
    state: Mapping[str, Floats] = field(default_factory=dict, metadata=OMITTED)
    effects: Mapping[str, float] = field(default_factory=dict)
    snapshots: tuple[int, ...] = field(default=(), metadata=omitted_if(()))
    members: Mapping[str, float] = field(default_factory=dict, metadata=omitted_if({}))
    temperature: float = field(default=1.0, metadata=omitted_if(1.0))

    def __repr__(self) -> str:
        losses = ", ".join(f"{part} {loss:.4g}" for part, loss in self.losses.items())
        many = f"average of {self.networks} networks; " if self.members else ""
        return f"Outcome({many}loss: {losses}; {self.status.value}, {self.updates} updates; {self.config!r})"

    @property
    def identity(self) -> str:
        """Sixteen hexadecimal digits made from the config, the config and update of a snapshot, or ensemble weights."""
        if self.members:
            return digest_of(dict(sorted(self.members.items())))
        return snapshot_identity(self.config, self.updates) if self.is_snapshot else self.config.identity

    @property
    def is_snapshot(self) -> bool:
        """Whether it was taken from a training run that went on."""
        return self.status is Status.AT_RUNG

    @property
    def networks(self) -> int:
        """Number of networks whose predictions are averaged."""
        return max(1, len(self.members))

    @property
    def weight_norm(self) -> float:
        """||W||_F over all decayed weights."""
        return math.hypot(*self.weight_norms)

    @property
    def arrays(self) -> dict[str, Floats]:
        """Every array under its own name ("state/...", "predictions/...", "train/losses"), kept next to the JSON."""
        groups = {"state": self.state, "predictions": self.predictions, "train": {"losses": self.train_losses}}
        return {f"{group}/{name}": array for group, arrays in groups.items() for name, array in arrays.items()}

    @classmethod
    def from_json(cls, body: Mapping[str, Any], *, arrays: Mapping[str, Floats] = MappingProxyType({})) -> Outcome:
        """Rebuild an outcome from the result of `to_json` (other values are ignored) and its arrays."""

        def group(name: str) -> dict[str, Floats]:
            return {key.split("/", 1)[1]: array for key, array in arrays.items() if key.startswith(f"{name}/")}

        return replace(
            super().from_json(body),
            predictions=group("predictions"),
            train_losses=arrays.get("train/losses", np.zeros(0)),
            state=group("state"),
        )

    def to_json(self) -> Json:
        """Return the scalars, for the journal; the arrays are stored next to it."""
        return {"identity": self.identity, **super().to_json()}


def snapshot_identity(config: Config, update: int) -> str:
    """Return the identity of the snapshot that a training run of `config` leaves after `update` updates."""
    return digest_of({"config": config.identity, "update": update})
