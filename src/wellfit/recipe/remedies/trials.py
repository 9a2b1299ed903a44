"""Remedies that are a handful of trials: train them, and keep the best where a paired comparison is sure of it."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import replace
from functools import partial

from wellfit._typing import Board, Floats
from wellfit.config import Config
from wellfit.outcome import Outcome, Status
from wellfit.recipe.ensemble import SHARE as ENSEMBLE_SHARE
from wellfit.recipe.expectation import Shares
from wellfit.recipe.regularize import FEWEST_MEMBERS
from wellfit.recipe.remedies.evidence import Evidence, evidence_of
from wellfit.recipe.remedies.remedy import Done, Price, Remedy
from wellfit.recipe.turn import Work
from wellfit.stats.differences import paired_difference
from wellfit.stats.scores import row_losses
from wellfit.sweeps.space import DEFAULT_MEMBERS

Trials = Callable[[Work], tuple[Config, ...]]

KEPT_NETWORKS = 12
"""Networks whose cost a small step on dev leaves over: they win an ensemble eleven twelfths of what many would, and
without one the choices on dev are better kept few."""
DOUBT = 0.16
"""Chance of keeping a trial that is no better on dev, shared among a step's trials: one standard error for one."""
SWEEP_SHARES = Shares(0.0, 0.2, 0.9)
"""Of the ceiling, what a sweep of lambda and keep_prob has won."""
ENDED = (Status.FINISHED, Status.STOPPED_EARLY)


def against_bias(
    kind: str, trials: Callable[[Config], tuple[Config, ...]], *, middle: Callable[[Evidence], float]
) -> Remedy:
    """A remedy of the optimization board: its trials are compared on train."""

    def allowed(work: Work) -> tuple[Config, ...]:
        return work.allowed(trials(work.config))

    def shares(work: Work) -> Shares:
        numbers = work.bench.data.train.numeric.shape[1]
        return Shares(0.0, middle(evidence_of(work.turn.outcome, numbers=numbers)), 1.0)

    return Remedy(
        kind=kind,
        board="optimization",
        finding="WF101",
        shares=shares,
        price=partial(_price_on_train, trials=allowed),
        apply=partial(_best_on_train, trials=allowed),
    )


def against_variance(kind: str, trials: Trials, *, shares: Callable[[Work], Shares], coupled: bool = False) -> Remedy:
    """A small remedy of the regularization board: its trials are compared on dev."""
    remedy = on_dev(kind, trials, board="regularization", finding="WF102", shares=shares)
    return replace(remedy, coupled=coupled)


def on_dev(kind: str, trials: Trials, *, board: Board, finding: str, shares: Callable[[Work], Shares]) -> Remedy:
    """A handful of trials that are compared on dev.

    It waits for budgets with plenty left, unless it promises as much as a sweep does.
    """

    def allowed(work: Work) -> tuple[Config, ...]:
        return work.allowed(trials(work))

    return Remedy(
        kind=kind,
        board=board,
        finding=finding,
        shares=shares,
        price=partial(_price_on_dev, trials=allowed, shares=shares),
        apply=partial(_best_on_dev, trials=allowed),
    )


def _others(work: Work, trials: Sequence[Config]) -> int:
    """Trainings of its own size that a trial leaves room for: a sweep, where one may become necessary."""
    return FEWEST_MEMBERS if work.turn.may_overfit and work.rules.only is None else len(trials)


def _price_on_train(work: Work, *, trials: Trials) -> Price | None:
    found = trials(work)
    if not found:
        return None
    costs = [work.bench.purse.cost(trial) for trial in found]
    affordable = [work.bench.purse.cost(trial) for trial in _affordable(work, found)]
    return Price(whole=sum(affordable or costs), least=min(costs) * _others(work, found))


def _affordable(work: Work, trials: Sequence[Config]) -> list[Config]:
    others = _others(work, trials)
    return [trial for trial in trials if work.bench.purse.affordable(trial) >= others]


def _best_on_train(work: Work, *, trials: Trials) -> Done:
    before = work.turn.outcome
    trained = [one for one in work.bench.train(_affordable(work, trials(work))) if one.status is Status.FINISHED]
    if not trained:
        return Done(before)
    best = min(trained, key=lambda outcome: outcome.losses["train"])
    gain = paired_difference(before.train_losses, best.train_losses)
    return Done(best if gain.low > 0 else before)


def _price_on_dev(work: Work, *, trials: Trials, shares: Callable[[Work], Shares]) -> Price | None:
    found = trials(work)
    if not found:
        return None
    whole = sum(map(work.bench.purse.cost, found))
    kept = _kept_back(work, promising=shares(work).middle >= SWEEP_SHARES.middle)
    return Price(whole=whole, least=whole + kept * work.bench.purse.cost(work.config))


def _kept_back(work: Work, *, promising: bool) -> float:
    """Trainings that a small step leaves to the larger ones: the sweep, where it is still to come, and the ensemble."""
    if work.rules.only is not None:
        return 0.0
    if promising:
        return FEWEST_MEMBERS / ENSEMBLE_SHARE
    sweep = 0 if "regularize" in work.turn.exhausted else DEFAULT_MEMBERS
    return (sweep + KEPT_NETWORKS) / ENSEMBLE_SHARE


def _best_on_dev(work: Work, *, trials: Trials) -> Done:
    before = work.turn.outcome
    trained = [outcome for outcome in work.bench.train(trials(work)) if outcome.status in ENDED]
    if not trained:
        return Done(before)
    best = min(trained, key=lambda outcome: outcome.losses["dev"])
    gain = paired_difference(_on_dev(work, before), _on_dev(work, best), level=1 - 2 * DOUBT / len(trained))
    return Done(best if gain.low > 0 else before)


def _on_dev(work: Work, outcome: Outcome) -> Floats:
    data = work.bench.data.dev
    return row_losses(work.bench.goal, data.target, outcome.predictions["dev"])
