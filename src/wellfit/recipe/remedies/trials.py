"""Remedies with a few trials: train them, and keep the best one if a paired comparison shows that it is better.

This file also derives from a network's training the evidence for why it does not fit.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace

from wellfit.base.typing import Board
from wellfit.recipe.ensemble import SHARE as ENSEMBLE_SHARE
from wellfit.recipe.remedies.remedy import Price, Remedy, Result, Shares, best_of
from wellfit.recipe.search import FEWEST_MEMBERS
from wellfit.recipe.state import StepContext
from wellfit.records.config import Config
from wellfit.records.outcome import Outcome
from wellfit.sweeps.space import DEFAULT_MEMBERS

Trials = Callable[[StepContext], tuple[Config, ...]]

KEPT_NETWORKS = 12
"""Number of networks whose cost a small step on dev must leave.

An ensemble of them gains eleven twelfths of what many networks would. Without an ensemble it is better to make few
choices on dev.
"""
SWEEP_SHARES = Shares(0.0, 0.2, 0.9)
"""Shares of the ceiling that sweeps of lambda and keep_prob have gained."""


def against_bias(
    kind: str,
    trials: Callable[[Config], tuple[Config, ...]],
    *,
    middle: Callable[[Evidence], float],
    first: Callable[[Config], float] | None = None,
) -> Remedy:
    """Return a remedy of the optimization board, whose trials are compared on train.

    `middle` gives the expected share of the ceiling. A pilot starts with the trials that have the lowest value of
    `first`, or without it with the middle ones.
    """

    def allowed(context: StepContext) -> tuple[Config, ...]:
        return context.allowed(trials(context.config))

    def shares(context: StepContext) -> Shares:
        numbers = context.run.prepared.train.numeric.shape[1]
        return Shares(0.0, middle(evidence_of(context.state.outcome, numbers=numbers)), 1.0)

    return Remedy(
        kind=kind,
        shares=shares,
        price=lambda context: _price_on_train(context, allowed(context)),
        apply=lambda context: _best(context, allowed(context), "optimization"),
        pilot=lambda context: tuple(sorted(allowed(context), key=first)) if first else middle_first(allowed(context)),
    )


def against_variance(kind: str, trials: Trials, *, shares: Callable[[StepContext], Shares]) -> Remedy:
    """Return a small remedy of the regularization board, whose trials are compared on dev."""
    remedy = on_dev(kind, trials, shares=shares)
    return replace(remedy, pilot=lambda context: middle_first(context.allowed(trials(context))))


def on_dev(kind: str, trials: Trials, *, shares: Callable[[StepContext], Shares]) -> Remedy:
    """Return a remedy of a few trials that are compared on dev.

    It waits until plenty of budget is left, unless it is expected to gain as much as a sweep, or helped in a pilot.
    """

    def allowed(context: StepContext) -> tuple[Config, ...]:
        return context.allowed(trials(context))

    def promises(context: StepContext) -> bool:
        return kind == context.favourite or shares(context).middle >= SWEEP_SHARES.middle

    return Remedy(
        kind=kind,
        shares=shares,
        price=lambda context: _price_on_dev(context, allowed(context), promising=promises(context)),
        apply=lambda context: _best(context, allowed(context), "regularization"),
    )


def middle_first(trials: Sequence[Config]) -> tuple[Config, ...]:
    """Return the trials from the middle of their order outwards, since a pilot may not cover all of them."""
    middle = (len(trials) - 1) / 2
    return tuple(trials[place] for place in sorted(range(len(trials)), key=lambda place: abs(place - middle)))


def _others(context: StepContext, trials: Sequence[Config]) -> int:
    """Return how many trainings of its own size a trial must leave room for: a sweep, if one may be necessary."""
    return FEWEST_MEMBERS if context.state.may_overfit and context.rules.only is None else len(trials)


def _price_on_train(context: StepContext, found: Sequence[Config]) -> Price | None:
    if not found:
        return None
    costs = [context.run.budget.cost(trial) for trial in found]
    fresh = _not_piloted(context, found)
    affordable = [context.run.budget.cost(trial) for trial in _affordable(context, fresh)]
    # What the pilot has paid for costs nothing more.
    least = 0.0 if len(fresh) < len(found) else min(costs) * _others(context, found)
    return Price(whole=sum(affordable or costs), least=least)


def _affordable(context: StepContext, trials: Sequence[Config]) -> list[Config]:
    others = _others(context, trials)
    return [trial for trial in trials if context.run.budget.affordable(trial) >= others]


def _price_on_dev(context: StepContext, found: Sequence[Config], *, promising: bool) -> Price | None:
    if not found:
        return None
    whole = sum(map(context.run.budget.cost, _not_piloted(context, found)))
    # Trainings that a small step leaves to a sweep that is still to come, and to the ensemble.
    sweep = 0 if "regularize" in context.state.exhausted else DEFAULT_MEMBERS
    kept = 0 if context.rules.only is not None else FEWEST_MEMBERS if promising else sweep + KEPT_NETWORKS
    return Price(whole=whole, least=whole + kept / ENSEMBLE_SHARE * context.run.budget.cost(context.config))


def _best(context: StepContext, trials: Sequence[Config], board: Board) -> Result:
    """Return the best of the trials that the pilot has trained and the others, which are trained now."""
    wanted, fresh = {trial.identity for trial in trials}, _not_piloted(context, trials)
    known = [outcome for outcome in context.piloted if outcome.config.identity in wanted]
    fresh = _affordable(context, fresh) if board == "optimization" else fresh
    return Result(best_of(context, [*known, *context.run.train(fresh)], board))


def _not_piloted(context: StepContext, trials: Sequence[Config]) -> list[Config]:
    known = {outcome.config.identity for outcome in context.piloted}
    return [trial for trial in trials if trial.identity not in known]


CRAMPED_WIDTH = 4
"""Width at or below which a hidden layer is too narrow for a network that should fit."""
USUAL_LR, USUAL_WIDTH, LARGEST_LR = 2e-3, 64, 2e-2
"""The usual learning rate of Adam at a given width; it is proportional to 1 / width, up to the largest rate."""
SLOW, FAST = 0.25, 10.0
"""Multiples of the usual rate below and above which the learning rate is the first suspect."""
ENOUGH_UPDATES = 250
"""Number of updates at the usual rate; fewer leave the weights near their start."""
ADAM_EQUAL = {"adam": 1.0, "momentum": 1 / 30, "sgd": 1 / 300}
"""Approximate learning rate of Adam that is equivalent to a rate of 1 of each optimizer."""


@dataclass(frozen=True)
class Evidence:
    """Evidence for the possible causes of bias.

    Attributes:
        cramped: True if a hidden layer has hardly any units.
        slow: True if the learning rate is far below the usual one; `fast` if it is far above.
        unfinished: share of the necessary distance that the weights could not cover yet, 0 to 1.
        blind: True if numbers enter without an embedding, so that a wiggly function needs many layers.
    """

    cramped: bool
    slow: bool
    fast: bool
    unfinished: float
    blind: bool


def times_the_usual_rate(config: Config) -> float:
    """Return the learning rate, converted to Adam's, divided by the usual one for this width."""
    narrowest = min(config.network.widths, default=USUAL_WIDTH)
    usual = min(USUAL_LR * USUAL_WIDTH / narrowest, LARGEST_LR)
    return config.optimization.lr * ADAM_EQUAL[config.optimization.optimizer] / usual


def evidence_of(outcome: Outcome, *, numbers: int) -> Evidence:
    """Return the evidence from a training run on a table with a given number of numeric columns."""
    network, rate = outcome.config.network, times_the_usual_rate(outcome.config)
    travelled = outcome.updates * rate / ENOUGH_UPDATES
    return Evidence(
        cramped=min(network.widths, default=USUAL_WIDTH) <= CRAMPED_WIDTH,
        slow=rate < SLOW,
        fast=rate > FAST,
        unfinished=max(0.0, 1.0 - travelled),
        blind=network.embedding == "none" and numbers > 0,
    )
