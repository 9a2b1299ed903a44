"""What a report shows of one sweep, as plain values."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

from wellfit._typing import Json
from wellfit.reports.estimates import Measure, Reference
from wellfit.reports.units import knob

OTHER_REGULARIZERS = ("l1", "label_smoothing", "input_noise", "mixup", "ema", "augment", "early_stopping")
"""Knobs that regularize beside lambda and keep_prob."""
DROPPED = "dropped"
"""Status of a training that a rung ended: what was measured of it is of another length than of the rest."""


def fitting_of(knobs: Mapping[str, object]) -> str:
    """Name knobs of the optimization board that a search has set, with their values."""
    return ", ".join(
        f"{name.replace('_', ' ')} {' × '.join(map(str, value)) if isinstance(value, list) else knob(value)}"
        for name, value in knobs.items()
        if isinstance(value, int | float | list)
    )


def others_of(knobs: Mapping[str, object]) -> str:
    """Name what regularizes beside lambda and keep_prob, with its value; early stopping is told elsewhere."""
    found = {name: knobs.get(name) for name in OTHER_REGULARIZERS if name != "early_stopping"}
    return ", ".join(
        f"{name.replace('_', ' ')} {knob(value)}"
        for name, value in found.items()
        if isinstance(value, int | float) and value
    )


@dataclass(frozen=True, kw_only=True)
class Member:
    """One member of a sweep; `train` and `dev` are None for a diverged one.

    `effects` are what regularization did to it, by the names of training/effects.py; `knobs` what it has beside lambda
    and keep_prob.
    """

    identity: str
    l2: float
    keep_prob: float
    keep_probs: str
    weight_decay: float | None
    shrink: float | None
    train: float | None
    dev: Measure | None
    norm: float | None
    status: str
    tied: bool
    chosen: bool
    best: bool
    effects: Mapping[str, float] = field(default_factory=dict)
    knobs: Json = field(default_factory=dict)

    @property
    def is_coupled(self) -> bool:
        """Whether dev chose the epoch at which its training ended."""
        return "early_stopping" in self.knobs

    @property
    def l1(self) -> float:
        """The knob L1."""
        value = self.knobs.get("l1", 0.0)
        return float(value) if isinstance(value, int | float) else 0.0

    @property
    def others(self) -> str:
        """What regularizes beside lambda and keep_prob, in words."""
        return others_of(self.knobs)

    @property
    def fitting(self) -> Json:
        """The knobs that were searched beside those that regularize."""
        return {name: value for name, value in self.knobs.items() if name not in OTHER_REGULARIZERS}

    @property
    def is_plain(self) -> bool:
        """Whether every regularizer is at zero."""
        return self.l2 == 0 and self.keep_prob == 1 and not any(map(self.knobs.get, OTHER_REGULARIZERS))


@dataclass(frozen=True, kw_only=True)
class MonteCarloRow:
    """What passes with dropout at prediction gained on dev over one pass without, and how many times the cost."""

    passes: int
    gain: Measure
    cost: float


@dataclass(frozen=True, kw_only=True)
class SweepCard:
    """One sweep, mostly over the regularization board.

    `snapshot` is what the chosen member was at a rung, where that was chosen in place of its end; `is_coupled` marks
    the search of both boards that closes a run.
    """

    members: tuple[Member, ...]
    planned: int
    warnings: tuple[str, ...]
    optimal: Reference | None
    seconds: float | None
    monte_carlo: MonteCarloRow | None = None
    snapshot: Member | None = None
    is_coupled: bool = False

    @property
    def verb(self) -> str:
        """What was done with the best member: a search of both boards may have found none that is taken."""
        return "Best found" if self.is_coupled else "Chosen"

    @property
    def title(self) -> str:
        """The question that it answers."""
        return "What did a search of both boards find?" if self.is_coupled else "How much regularization?"

    @property
    def chosen(self) -> Member | None:
        """The simplest member that is tied with the best."""
        return self.snapshot or next((member for member in self.members if member.chosen), None)

    @property
    def best(self) -> Member | None:
        """The member with the lowest dev loss."""
        return next((member for member in self.members if member.best), None)

    @property
    def unregularized(self) -> Member | None:
        """The member with every regularizer at zero and all else as chosen, unless a rung ended it early."""
        plain = [member for member in self.members if member.is_plain and member.status != DROPPED]
        chosen = self.chosen
        return next((member for member in plain if chosen is None or member.fitting == chosen.fitting), None)
