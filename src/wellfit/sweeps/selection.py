"""The choice among the members of a sweep: the one-standard-error rule, with paired errors.

Breiman et al., 1984, section 3.4.3: among the members whose dev loss is within one standard error (of the paired
difference, on the same rows) of the best, take the simplest: the one with the highest train loss, then the largest
lambda, then the lowest keep_prob.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from wellfit.base.typing import Floats
from wellfit.exceptions import Refusal
from wellfit.records.config import Config
from wellfit.records.outcome import Outcome, Status
from wellfit.records.units import knob

MOST_STANDARD_ERRORS = 1.0
MOST_NAMED = 3
"""Maximum number of members that a warning identifies by their knobs."""
_ENDED = (Status.FINISHED, Status.STOPPED_EARLY, Status.AT_RUNG)
_NEVER = (Status.DIVERGED, Status.DROPPED)
_TOLD = (Status.DIVERGED, Status.OUT_OF_BUDGET, Status.STOPPED_EARLY)


@dataclass(frozen=True)
class TrainLimit:
    """A member is over-smoothed if its train loss is above `reference_high` by more than `tolerance`."""

    reference_high: float
    tolerance: float

    def allows(self, outcome: Outcome) -> bool:
        """Return True if a member's train loss is within the limit."""
        return outcome.losses["train"] <= self.reference_high + self.tolerance


@dataclass(frozen=True)
class Choice:
    """The member with the lowest dev loss, the members within one standard error of it, and the simplest of these."""

    best: Outcome
    chosen: Outcome
    tied: tuple[Outcome, ...]


def choose(
    outcomes: Sequence[Outcome],
    dev_losses: Mapping[str, Floats],
    *,
    limit: TrainLimit | None = None,
    baseline: float = math.inf,
) -> Choice:
    """Choose one of the members that were trained to the end or, if there are none, one that was cut short.

    A member that stopped early counts like one that finished, although dev chose its epoch (`warnings_of` mentions
    it), and so does a snapshot if snapshots are passed. A member that was dropped at a rung is never chosen, and one
    beyond `limit` only if every tied member is. `dev_losses` maps the identity of every outcome to its losses on dev
    [rows]. The dev loss of the choice must not exceed `baseline`: one standard error is wide on a small dev set, and
    simplicity must not cost more than the sweep has gained. Raises Refusal if every member diverged or was dropped for
    one that did.
    """
    ended = [outcome for outcome in outcomes if outcome.status in _ENDED]
    # A member cut short is trained less than its knobs ask for: it is chosen only if no other finished.
    sound = ended or [outcome for outcome in outcomes if outcome.status not in _NEVER]
    if not sound:
        dropped = any(one.status is Status.DROPPED for one in outcomes)
        raise Refusal(
            "at least one member must train without diverging",
            found=f"{len(outcomes)} members, all diverged{' or dropped' * dropped}" if outcomes else "no members",
            remedy="Lower the learning rate" if outcomes else "Give the sweep a larger budget",
        )
    best = min(sound, key=lambda outcome: (outcome.losses["dev"], _least_fit_first(outcome)))
    tied = [one for one in sound if _within(dev_losses[one.identity], dev_losses[best.identity])]
    inside = [one for one in tied if limit is None or limit.allows(one)]
    no_worse = [one for one in inside or tied if one.losses["dev"] <= max(baseline, best.losses["dev"])]
    return Choice(best, min(no_worse or [best], key=_least_fit_first), tuple(tied))


def alike_best(outcomes: Sequence[Outcome], losses: Sequence[Floats]) -> tuple[Outcome, ...]:
    """Return the finished members within one standard error of the best by these dev losses [rows], the best first."""
    pairs = zip(outcomes, losses, strict=True)
    ended = sorted(
        ((one, rows) for one, rows in pairs if one.status is Status.FINISHED),
        key=lambda pair: (float(pair[1].mean()), pair[0].identity),
    )
    return tuple(one for one, rows in ended if _within(rows, ended[0][1]))


def warnings_of(outcomes: Sequence[Outcome], choice: Choice, *, limit: TrainLimit | None = None) -> tuple[str, ...]:
    """Return reasons to be careful with the choice, one sentence each."""
    coupled = [
        f"The chosen network is not the end of a training run. {Status.AT_RUNG.advice}"
    ] * choice.chosen.is_snapshot
    told = (*_edges(outcomes, choice.tied), *_over_smoothed(outcomes, choice.chosen, limit), *_lost(outcomes))
    return (*told, *coupled)


def mean_keep_prob(config: Config) -> float:
    """Return keep_prob as one number: the mean over the hidden layers."""
    keeps = config.keep_probs
    return sum(keeps) / len(keeps) if keeps else 1.0


def _within(losses: Floats, best: Floats) -> bool:
    difference = losses - best
    error = difference.std(ddof=1) / np.sqrt(len(difference)) if len(difference) > 1 else 0.0
    return bool(difference.mean() <= MOST_STANDARD_ERRORS * error)


def _least_fit_first(outcome: Outcome) -> tuple[float, float, float, str]:
    config = outcome.config
    return -outcome.losses["train"], -config.regularization.l2, mean_keep_prob(config), config.identity


def _edges(outcomes: Sequence[Outcome], tied: Sequence[Outcome]) -> list[str]:
    """Return what lies at the end of its range: where a tied member lies inside, nothing suggests to go beyond."""
    found = []
    lambdas = {outcome.config.regularization.l2 for outcome in outcomes}
    keeps = {mean_keep_prob(outcome.config) for outcome in outcomes}
    l2 = min(outcome.config.regularization.l2 for outcome in tied)
    keep = max(mean_keep_prob(outcome.config) for outcome in tied)
    # lambda 0 and keep_prob 1 are not edges: there is nothing beyond them.
    if len(lambdas) > 1 and l2 == max(lambdas):
        found.append(f"The best lambda, {knob(l2)}, is the largest that was tried: search above it.")
    if len(keeps) > 1 and keep == min(keeps):
        found.append(f"The best keep_prob, {keep:.3g}, is the smallest that was tried: search below it.")
    return found


def _over_smoothed(outcomes: Sequence[Outcome], chosen: Outcome, limit: TrainLimit | None) -> list[str]:
    if limit is None:
        return []
    found = []
    beyond = [one for one in _path(outcomes, chosen) if not limit.allows(one)]
    if beyond and beyond[0].config.regularization.l2 > 0:
        first = beyond[0]
        found.append(
            f"A lambda of {first.config.regularization.l2:.4g} or more over-smooths (at keep_prob "
            f"{mean_keep_prob(first.config):.3g}): the train loss, {first.losses['train']:.4g}, is above the reference "
            "by more than the tolerance."
        )
    if not limit.allows(chosen):
        found.append(
            "The chosen member itself is over-smoothed: its train loss is above the reference by more than the "
            "tolerance, so reduce the bias before regularizing."
        )
    return found


def _path(outcomes: Sequence[Outcome], chosen: Outcome) -> list[Outcome]:
    keep = chosen.config.regularization.keep_prob
    # A dropped member's train loss is high for lack of updates, not for its lambda.
    whole = [outcome for outcome in outcomes if outcome.status is not Status.DROPPED]
    same = [outcome for outcome in whole if outcome.config.regularization.keep_prob == keep]
    return sorted(same, key=lambda outcome: outcome.config.regularization.l2)


def _lost(outcomes: Sequence[Outcome]) -> list[str]:
    found = []
    for status in _TOLD:
        lost = [outcome for outcome in outcomes if outcome.status is status]
        which = _which(lost, outcomes) if status is Status.DIVERGED else ""
        if lost:
            found.append(f"{len(lost)} of {len(outcomes)} members ended as {status.value}{which}. {status.advice}")
    return found


def _which(lost: Sequence[Outcome], outcomes: Sequence[Outcome]) -> str:
    """Return the first few lost members, identified by the knobs that differ: ` (lr 10, l2 off; lr 30, l2 5)`."""
    every = [_knobs(outcome) for outcome in outcomes]
    names = dict.fromkeys(name for knobs in every for name in knobs)
    varying = [name for name in names if len({knobs.get(name) for knobs in every}) > 1]
    shown = [[f"{name} {_knobs(one).get(name, 'off')}" for name in varying] for one in lost[:MOST_NAMED]]
    more = ["..."] * (len(lost) > MOST_NAMED)
    return f" ({'; '.join([*map(', '.join, shown), *more])})" if varying else ""


def _knobs(outcome: Outcome) -> dict[str, str]:
    """Return the knobs of a member as text; some knobs that are off are left out."""
    knobs = outcome.config.shown
    return {name: f"{value:.4g}" if isinstance(value, float) else str(value) for name, value in knobs.items()}
