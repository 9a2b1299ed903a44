"""An ensemble of a sweep's members and their snapshots, chosen on dev, with its loss on rows that did not choose it."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np

from wellfit.base.serialize import Record
from wellfit.base.typing import Booleans, Floats, Integers, Json
from wellfit.exceptions import BadInput, Refusal
from wellfit.records.goals import Goal
from wellfit.records.outcome import Outcome, Status
from wellfit.stats.calibration import halves
from wellfit.stats.scores import Targets
from wellfit.sweeps.forward_selection import greedy_weights

_MEMBERS = (Status.FINISHED, Status.STOPPED_EARLY, Status.OUT_OF_BUDGET)


@dataclass(frozen=True)
class Pick:
    """One outcome in an ensemble: a trained member, or its network at a rung, after `snapshot` updates.

    `member` is the identity of its config; `coupled` says whether dev chose its epoch.
    """

    identity: str
    member: str
    snapshot: int | None
    weight: float
    coupled: bool


@dataclass(frozen=True, kw_only=True)
class Ensemble(Record):
    """A weighted average of predictions, its heaviest picks first, with its loss on dev, where it was chosen.

    `single` is the lowest dev loss of a trained member alone. `honest_loss` is the mean loss of two ensembles, each
    chosen on one half of dev and measured on the other; it errs on the high side, because a half chooses less
    well than all of dev. It is None if the goal is not defined on a half. `honest_single` is the same for the
    alternative to an ensemble: the rival, or the best member alone.
    """

    picks: tuple[Pick, ...]
    loss: float
    single: float
    honest_loss: float | None
    honest_single: float | None

    @property
    def optimism(self) -> float | None:
        """Loss on rows that did not choose the ensemble minus its loss on the rows that did."""
        return None if self.honest_loss is None else self.honest_loss - self.loss

    @property
    def is_ahead(self) -> bool:
        """Whether it beats the alternative on rows that did not choose it."""
        # No significance is asked for: averaging helps more often than not.
        if self.honest_loss is None or self.honest_single is None:
            return False
        return self.honest_loss < self.honest_single

    @property
    def coupled(self) -> bool:
        """Whether dev chose the epoch of a pick."""
        return any(pick.coupled for pick in self.picks)

    @property
    def weights(self) -> dict[str, float]:
        """Weight of each pick by identity."""
        return {pick.identity: pick.weight for pick in self.picks}

    def to_json(self) -> Json:
        """Return plain values, for the journal."""
        return {**super().to_json(), "optimism": self.optimism, "coupled": self.coupled}


def select_ensemble(
    outcomes: Sequence[Outcome],
    target: Targets,
    *,
    goal: Goal,
    by: Goal | None = None,
    rival: Outcome | None = None,
    groups: Integers | None = None,
    seed: int = 0,
) -> Ensemble:
    """Choose an ensemble that is never worse on dev than the best member alone.

    Members that diverged or were dropped are ignored, and so are their snapshots. `by` is the goal by which it is
    chosen, if not `goal`: log loss varies less with the rows than an error does, but the ensemble may then be worse on
    dev than the best member alone. `rival` is the alternative to an ensemble, the best member alone when None. No
    group of `groups` [rows] is divided between the halves. Raises Refusal if there is no member to pick.
    """
    members = [outcome for outcome in outcomes if outcome.status in _MEMBERS]
    if not members:
        raise Refusal(
            "an ensemble must have at least one trained member",
            found=f"{len(outcomes)} members, all diverged or dropped" if outcomes else "no members",
            remedy="Lower the learning rate" if outcomes else "Give the sweep a larger budget",
        )
    went_on = {member.config.identity for member in members}
    candidates = members + [each for each in outcomes if each.is_snapshot and each.config.identity in went_on]
    dev = _Dev(goal, target, np.stack([each.predictions["dev"] for each in candidates]))
    trained = np.array([not each.is_snapshot for each in candidates])

    def greedy(part: _Dev) -> Floats:
        return greedy_weights(by or goal, part.target, part.predictions, seed=seed)

    weights = greedy(dev)
    halves = dev.halves(seed=seed, groups=groups)
    if rival is None:
        honest_single = _crossed(halves, lambda part: part.best_of(trained))
    else:
        alike = _Dev(goal, target, rival.predictions["dev"][None]).halves(seed=seed, groups=groups)
        honest_single = _crossed(alike, lambda part: np.ones(len(part.predictions)))
    return Ensemble(
        picks=_picks(candidates, weights),
        loss=dev.loss(weights),
        single=dev.loss(dev.best_of(trained)),
        honest_loss=_crossed(halves, greedy),
        honest_single=honest_single,
    )


def plain_ensemble(outcomes: Sequence[Outcome], target: Targets, *, goal: Goal) -> Ensemble:
    """Return the average of all outcomes with equal weights, not chosen on dev, so that its loss is honest.

    The alternative is a single outcome, any of them, so their mean loss is equally honest.
    """
    dev = _Dev(goal, target, np.stack([each.predictions["dev"] for each in outcomes]))
    weights = np.full(len(outcomes), 1 / len(outcomes))
    reached, alone = dev.loss(weights), [goal.loss(target, each) for each in dev.predictions]
    return Ensemble(
        picks=_picks(outcomes, weights),
        loss=reached,
        single=min(alone),
        honest_loss=reached,
        honest_single=float(np.mean(alone)),
    )


@dataclass(frozen=True)
class _Dev:
    """Dev rows, all or half of them: target [rows] and predictions [candidates, rows(, classes)]."""

    goal: Goal
    target: Targets
    predictions: Floats

    def loss(self, weights: Floats) -> float:
        """Return the loss of the average with these weights [candidates]."""
        return self.goal.loss(self.target, np.tensordot(weights, self.predictions, axes=1))

    def best_of(self, allowed: Booleans) -> Floats:
        """Return weights [candidates] that are 1 for the best of the allowed ones."""
        losses = [
            self.goal.loss(self.target, each) if may else np.inf
            for each, may in zip(self.predictions, allowed, strict=True)
        ]
        return np.asarray(np.arange(len(losses)) == np.argmin(losses), dtype=np.float64)

    def halves(self, *, seed: int, groups: Integers | None) -> tuple[_Dev, _Dev] | None:
        """Return two random halves of the rows with similar targets; None if the goal is not defined on one of them."""
        first, second = (
            _Dev(self.goal, self.target[rows], self.predictions[:, rows])
            for rows in halves(self.target, seed=seed, groups=groups)
        )
        try:
            for half in (first, second):
                half.loss(half.best_of(np.ones(len(self.predictions), bool)))
        except BadInput:
            # A half without rows of a class, or of one value, has no auc or r2.
            return None
        return first, second


def _picks(candidates: Sequence[Outcome], weights: Floats) -> tuple[Pick, ...]:
    picked = [
        Pick(
            identity=each.identity,
            member=each.config.identity,
            snapshot=each.updates if each.is_snapshot else None,
            weight=float(weight),
            coupled=each.is_snapshot or each.status is Status.STOPPED_EARLY,
        )
        for each, weight in zip(candidates, weights, strict=True)
        if weight
    ]
    return tuple(sorted(picked, key=lambda pick: -pick.weight))


def _crossed(halves: tuple[_Dev, _Dev] | None, choose: Callable[[_Dev], Floats]) -> float | None:
    """Return the mean loss of the choice made on one half and measured on the other, both ways."""
    if halves is None:
        return None
    first, second = halves
    return (second.loss(choose(first)) + first.loss(choose(second))) / 2
