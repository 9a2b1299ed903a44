"""An ensemble of a sweep's members and their snapshots, chosen on dev, with what that choice is worth elsewhere."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from wellfit._typing import Booleans, Floats, Integers, Json
from wellfit.exceptions import BadInput, Refusal
from wellfit.goals import Goal
from wellfit.outcome import Outcome, Status
from wellfit.serialize import Record
from wellfit.stats.calibration import halves
from wellfit.stats.scores import Targets
from wellfit.sweeps.greedy import greedy_weights

_MEMBERS = (Status.FINISHED, Status.STOPPED_EARLY, Status.OUT_OF_BUDGET)


@dataclass(frozen=True)
class Pick:
    """One part of an ensemble.

    Attributes:
        identity: of the outcome.
        member: identity of the config.
        snapshot: after how many updates it was taken at a rung; None for the trained member.
        weight: its share of the average.
        coupled: whether dev chose its epoch: a snapshot, or a member that stopped early.
    """

    identity: str
    member: str
    snapshot: int | None
    weight: float
    coupled: bool


@dataclass(frozen=True, kw_only=True)
class Ensemble(Record):
    """A weighted average of predictions.

    Attributes:
        picks: by falling weight; the weights add up to 1.
        loss: of the average on dev, where it was chosen.
        single: lowest dev loss of a trained member alone.
        honest_loss: of ensembles chosen on one half of dev and measured on the other, in the mean of both ways. A half
            chooses worse than all of dev does, so this errs on the high side. None where a half cannot measure the
            goal.
        honest_single: the same for what is taken without an ensemble: the rival, which was there before the halves, or
            the best member alone, chosen on the other half.
    """

    picks: tuple[Pick, ...]
    loss: float
    single: float
    honest_loss: float | None
    honest_single: float | None

    @property
    def optimism(self) -> float | None:
        """How much better the ensemble looks on the rows that chose it than on others."""
        return None if self.honest_loss is None else self.honest_loss - self.loss

    @property
    def is_ahead(self) -> bool:
        """Whether it beats what is taken without it on rows that did not choose it.

        Not beyond noise: averaging helps more often than not.
        """
        if self.honest_loss is None or self.honest_single is None:
            return False
        return self.honest_loss < self.honest_single

    @property
    def coupled(self) -> bool:
        """Whether dev chose the epoch of a pick."""
        return any(pick.coupled for pick in self.picks)

    @property
    def weights(self) -> dict[str, float]:
        """Identity of each pick -> its weight."""
        return {pick.identity: pick.weight for pick in self.picks}

    def average(self, predictions: Mapping[str, Floats]) -> Floats:
        """Return the average of predictions, which are given by the identity of their outcome."""
        return np.asarray(sum(pick.weight * predictions[pick.identity] for pick in self.picks))

    def to_json(self) -> Json:
        """Plain values, for the journal."""
        return {
            **super().to_json(),
            "optimism": self.optimism,
            "coupled": self.coupled,
        }


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

    Members that diverged or were dropped take no part, nor do their snapshots.

    Args:
        outcomes: with predictions for dev, snapshots among them where those may be picked.
        target: [rows] of dev.
        goal: in whose loss the ensemble is measured.
        by: in whose loss it is chosen; in the same when None. Log-loss varies less with the rows than an error does,
            but the ensemble may then be worse on dev than the best member alone.
        rival: what is taken without an ensemble; the best member alone when None.
        groups: [rows] group of each row, which no half divides.
        seed: of the bags and the halves.

    Raises:
        Refusal: when there is no member to pick.
    """
    members = [outcome for outcome in outcomes if outcome.status in _MEMBERS]
    if not members:
        raise Refusal(
            "an ensemble has members that were trained",
            found=f"{len(outcomes)} members, all diverged or dropped" if outcomes else "no members",
            remedy="Lower the learning rate" if outcomes else "Give the sweep more time",
        )
    went_on = {member.config.identity for member in members}
    candidates = members + [each for each in outcomes if each.is_snapshot and each.config.identity in went_on]
    dev = _Dev(goal, target, np.stack([each.predictions["dev"] for each in candidates]))
    trained = np.array([not each.is_snapshot for each in candidates])

    def greedy(part: _Dev) -> Floats:
        return greedy_weights(by or goal, part.target, part.predictions, seed=seed)

    def alone(part: _Dev) -> Floats:
        return part.best_of(trained)

    def taken(part: _Dev) -> Floats:
        return np.ones(len(part.predictions))

    weights = greedy(dev)
    halves = dev.halves(seed=seed, groups=groups)
    honest_single = _crossed(halves, alone)
    if rival is not None:
        alike = _Dev(goal, target, rival.predictions["dev"][None]).halves(seed=seed, groups=groups)
        honest_single = _crossed(alike, taken)
    return Ensemble(
        picks=_picks(candidates, weights),
        loss=dev.loss(weights),
        single=dev.loss(alone(dev)),
        honest_loss=_crossed(halves, greedy),
        honest_single=honest_single,
    )


def plain_ensemble(outcomes: Sequence[Outcome], target: Targets, *, goal: Goal) -> Ensemble:
    """The average of all outcomes alike: nothing is chosen on dev, so that its dev loss is an honest one.

    Without it one of them would be taken, whichever: what that loses in the mean is as honest.

    Args:
        outcomes: with predictions for dev.
        target: [rows] of dev.
        goal: in whose loss it is measured.
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
    """Some dev rows: target [rows], predictions [candidates, rows(, classes)]."""

    goal: Goal
    target: Targets
    predictions: Floats

    def loss(self, weights: Floats) -> float:
        """The loss of the average with these weights [candidates]."""
        return self.goal.loss(self.target, np.tensordot(weights, self.predictions, axes=1))

    def best_of(self, allowed: Booleans) -> Floats:
        """Weights [candidates] that are 1 for the best of the allowed ones."""
        losses = [
            self.goal.loss(self.target, each) if may else np.inf
            for each, may in zip(self.predictions, allowed, strict=True)
        ]
        return np.asarray(np.arange(len(losses)) == np.argmin(losses), dtype=np.float64)

    def halves(self, *, seed: int, groups: Integers | None) -> tuple[_Dev, _Dev] | None:
        """Two random halves of the rows with alike targets; None where the goal is not defined on one of them."""
        first, second = (self._at(rows) for rows in halves(self.target, seed=seed, groups=groups))
        try:
            for half in (first, second):
                half.loss(half.best_of(np.ones(len(self.predictions), bool)))
        except BadInput:
            # A half without rows of a class, or of one value, has no auc or r2.
            return None
        return first, second

    def _at(self, rows: Integers) -> _Dev:
        return _Dev(self.goal, self.target[rows], self.predictions[:, rows])


def _picks(candidates: Sequence[Outcome], weights: Floats) -> tuple[Pick, ...]:
    picked = [_pick(each, float(weight)) for each, weight in zip(candidates, weights, strict=True) if weight]
    return tuple(sorted(picked, key=lambda pick: -pick.weight))


def _pick(outcome: Outcome, weight: float) -> Pick:
    return Pick(
        identity=outcome.identity,
        member=outcome.config.identity,
        snapshot=outcome.updates if outcome.is_snapshot else None,
        weight=weight,
        coupled=outcome.is_snapshot or outcome.status is Status.STOPPED_EARLY,
    )


def _crossed(halves: tuple[_Dev, _Dev] | None, choose: Callable[[_Dev], Floats]) -> float | None:
    """Mean loss on one half of what was chosen on the other, both ways."""
    if halves is None:
        return None
    first, second = halves
    return (second.loss(choose(first)) + first.loss(choose(second))) / 2
