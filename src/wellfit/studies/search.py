"""The search of both boards that ends a study: fits that a model of all fits so far expects most of."""

from __future__ import annotations

import math
from functools import partial

import numpy as np

from wellfit.base.typing import Floats, Json
from wellfit.recipe.remedies.remedy import DOUBT, Expected, Price, Remedy, Result, expect
from wellfit.recipe.remedies.trials import SWEEP_SHARES
from wellfit.recipe.state import StepContext
from wellfit.records.config import Config
from wellfit.records.outcome import ENDED, Outcome
from wellfit.studies.bench import Bench
from wellfit.studies.knobs import Value, values_of
from wellfit.studies.practice import ToldExecutor, is_told
from wellfit.studies.surrogate import proposals

KIND = "search_both_boards"


def search_of_study(bench: Bench, *, side_by_side: int) -> Remedy:
    """Return the closing remedy of a study.

    It spends the rest of the budget, `side_by_side` fits at a time.
    """

    def price(context: StepContext) -> Price | None:
        run, cost = context.run, context.run.budget.cost(context.config)
        if _planned(context, 0) is not None:
            return Price(whole=run.budget.remaining, least=0.0)  # fits that were told count, whatever the clock says
        # Without a known cost (fits told by number from other processes) a time would never end the search.
        return Price(whole=run.budget.remaining, least=cost) if cost else None

    def expected(context: StepContext) -> Expected:
        found = context.state.diagnosis
        ceiling = max(found.ceiling("avoidable_bias"), found.ceiling("variance"))
        return expect(SWEEP_SHARES, ceiling=ceiling, room=ceiling, cost=context.run.budget.remaining)

    return Remedy(
        kind=KIND,
        shares=lambda _context: SWEEP_SHARES,
        price=price,
        apply=lambda context: Result(_searched(context, bench, side_by_side)),
        coupled=True,
        foretold=expected,
    )


def _searched(context: StepContext, bench: Bench, side_by_side: int) -> Outcome:
    """Return the best fit of the search, where dev is sure of it, or the fit before."""
    run, before = context.run, context.state.outcome
    step, found = context.state.step + 1, list[Outcome]()
    count = int(run.recall("plan", f"{step}/side by side", lambda: {"fits": side_by_side})["fits"])
    while True:
        cost, planned = run.budget.cost(before.config), _planned(context, len(found))
        if planned is None:
            if not cost or run.budget.remaining < cost or run.budget.is_over:
                break
            batch = min(count, run.budget.affordable(before.config))
            wanted = partial(_proposed, context, bench, batch)
            planned = run.recall("plan", f"{step}/search/{len(found)}", wanted)
        configs = [Config.from_json(config) for config in planned["configs"]]
        told = [config for config in configs if not run.budget.is_over or is_told(run, config)]
        found += run.train(told)
        if not configs or len(told) < len(configs):
            break
    ended = [outcome for outcome in found if outcome.status in ENDED]
    best = min(ended, key=lambda outcome: outcome.losses["dev"], default=before)
    return best if run.gain(before, best, on="dev", level=1 - 2 * DOUBT).low > 0 else before


def _planned(context: StepContext, number: int) -> Json | None:
    """Return the batch of this search that begins with fit `number`, if it was planned before."""
    return context.run.recall.known("plan", f"{context.state.step + 1}/search/{number}")


def _proposed(context: StepContext, bench: Bench, count: int) -> Json:
    """Return up to `count` new configs that can be trained, for the journal."""
    executor, start = context.run.executor, context.config
    if not isinstance(executor, ToldExecutor):
        raise TypeError("only the fits of a study are searched")
    known = [outcome for outcome in executor.known() if not outcome.config.seed]
    values = [(bench.lr(outcome.config), values_of(bench.knobs, outcome.config)) for outcome in known]
    places = np.array([[knob.place(own[name], lr=lr) for name, knob in bench.knobs.items()] for lr, own in values])
    losses = np.array([outcome.losses["dev"] if outcome.status in ENDED else math.inf for outcome in known])
    tried = {outcome.identity for outcome in known}
    made = (
        bench.turned(start, _values(bench, each)) for each in proposals(places, losses, count=count, seed=len(known))
    )
    fresh = dict[str, Config]()
    for each in made:
        if each.identity not in tried and not bench.is_infeasible(each):
            fresh[each.identity] = each
        if len(fresh) == count:
            break
    return {"configs": [config.to_json() for config in fresh.values()]}


def _values(bench: Bench, places: Floats) -> dict[str, Value]:
    """Return the values at some places; that of the learning rate first, which a decay may follow."""
    own = dict(zip(bench.knobs, map(float, places), strict=True))
    rates = (float(knob.value_at(own[name], lr=None)) for name, knob in bench.of_role("learning_rate").items())
    lr = next(rates, None)
    return {name: knob.value_at(own[name], lr=lr) for name, knob in bench.knobs.items()}
