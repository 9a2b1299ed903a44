"""What one training came to: a value, also when it went wrong."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import Enum

from wellfit._typing import Floats, Json
from wellfit.config import Config, digest_of


class Status(Enum):
    """How a training ended; each carries its own advice."""

    FINISHED = "finished"
    DIVERGED = "diverged"
    OUT_OF_BUDGET = "out of budget"
    STOPPED_EARLY = "stopped early"
    DROPPED = "dropped"

    @property
    def advice(self) -> str:
        """What to do about this ending, as one sentence."""
        return _ADVICE[self]


_ADVICE = {
    Status.FINISHED: "All planned updates were made.",
    Status.DIVERGED: "The loss stopped being finite: lower the learning rate, or look for extreme values in the data.",
    Status.OUT_OF_BUDGET: "Time ran out before the schedule ended, so these errors are higher than they need be: "
    "give a larger budget or fewer epochs.",
    Status.STOPPED_EARLY: "The epoch was chosen by dev, so that fitting and regularizing are coupled: its dev error is "
    "optimistic, and lambda or keep_prob may do better.",
    Status.DROPPED: "It was behind at a rung, and the rest of its updates went to the others.",
}


@dataclass(frozen=True)
class CurvePoint:
    """One point of the learning curve: losses in the goal's loss, after `update` updates."""

    update: int
    train: float
    dev: float


@dataclass(frozen=True, kw_only=True)
class Outcome:
    """One trained configuration, or the average of several (an ensemble).

    Attributes:
        config: of the training; of an ensemble that of its heaviest member.
        losses: mean loss of the goal on train, train_dev (if any) and dev; the training set in full, without dropout.
        predictions: train_dev (if any) and dev: probabilities [rows, classes], or values [rows] in the target's unit.
        train_losses: [rows] loss of every training row, for paired comparisons on train.
        weight_norms: ||W||_F of each decayed matrix, from input to output.
        state: parameter name -> float32 array: the trained weights.
        effects: what regularizing did to the network, by name (training/effects.py).
        snapshots: dev predictions at earlier rungs, by update: members of an ensemble that cost nothing.
        members: identity -> weight of the trainings that an ensemble averages; the weights add up to 1. An ensemble has
            no weights, norms, curve or effects of its own. Empty for one training.
    """

    config: Config
    status: Status
    updates: int
    seconds: float
    losses: Mapping[str, float]
    curve: tuple[CurvePoint, ...]
    weight_norms: tuple[float, ...]
    predictions: Mapping[str, Floats]
    train_losses: Floats
    state: Mapping[str, Floats]
    effects: Mapping[str, float] = field(default_factory=dict)
    snapshots: Mapping[str, Floats] = field(default_factory=dict)
    members: Mapping[str, float] = field(default_factory=dict)

    @property
    def identity(self) -> str:
        """Sixteen hexadecimal digits: those of the config, or of an ensemble those of its members and weights."""
        return digest_of(dict(sorted(self.members.items()))) if self.members else self.config.identity

    @property
    def networks(self) -> int:
        """How many networks predict."""
        return max(1, len(self.members))

    @property
    def weight_norm(self) -> float:
        """||W||_F over all decayed weights."""
        return math.hypot(*self.weight_norms)

    @property
    def arrays(self) -> dict[str, Floats]:
        """Every array by a name of its own ("state/...", "predictions/...", "train/losses"), kept beside `to_json`."""
        groups = {"state": self.state, "predictions": self.predictions, "train": {"losses": self.train_losses}}
        groups |= {"snapshots": self.snapshots}
        return {f"{group}/{name}": array for group, arrays in groups.items() for name, array in arrays.items()}

    @classmethod
    def from_json(cls, body: Json, *, arrays: Mapping[str, Floats]) -> Outcome:
        """Rebuild an outcome from `to_json`'s values (more are ignored) and its arrays."""

        def group(name: str) -> dict[str, Floats]:
            return {key.split("/", 1)[1]: array for key, array in arrays.items() if key.startswith(f"{name}/")}

        return cls(
            config=Config.from_json(body["config"]),
            status=Status(body["status"]),
            updates=body["updates"],
            seconds=body["seconds"],
            losses=body["losses"],
            curve=tuple(CurvePoint(*point) for point in body["curve"]),
            weight_norms=tuple(body["weight_norms"]),
            predictions=group("predictions"),
            train_losses=arrays["train/losses"],
            state=group("state"),
            effects=body.get("effects", {}),
            snapshots=group("snapshots"),
            members=body.get("members", {}),
        )

    def to_json(self) -> Json:
        """The scalars, for the journal; the arrays are kept beside it."""
        return {
            "identity": self.identity,
            "config": self.config.to_json(),
            "status": self.status.value,
            "updates": self.updates,
            "seconds": self.seconds,
            "losses": dict(self.losses),
            "curve": [[point.update, point.train, point.dev] for point in self.curve],
            "weight_norms": list(self.weight_norms),
            "effects": dict(self.effects),
            **({"members": dict(self.members)} if self.members else {}),
        }
