"""The step against variance: a sweep of lambda and keep_prob, sized to what the budget allows."""

from __future__ import annotations

from wellfit._typing import Json
from wellfit.diagnosis.diagnosis import Diagnosis
from wellfit.outcome import Outcome
from wellfit.recipe.bench import Bench
from wellfit.sweeps.search import Sweep, sweep
from wellfit.sweeps.selection import TrainLimit
from wellfit.sweeps.space import DEFAULT_MEMBERS, default_grid

FEWEST_MEMBERS = 12
"""A network is too expensive for the rest of a budget when so many of it cannot be trained any more."""
SWEEP_SHARE = 0.8
"""Predicted costs are rough: the rest is slack."""


def sweep_step(bench: Bench, before: Outcome, *, diagnosis: Diagnosis, step: int) -> Outcome:
    """Train the grid, of which `before` (lambda 0, keep_prob 1) is one, and return the member to go on with."""

    def grid() -> Json:
        affordable = bench.purse.affordable(before.config, share=SWEEP_SHARE)
        members = max(2, min(DEFAULT_MEMBERS, affordable))
        return {"over": default_grid(before.config, rows=bench.data.train.rows, members=members)}

    found = sweep(
        bench.data,
        before.config,
        executor=bench.executor,
        goal=bench.goal,
        over=bench.recall("plan", f"{step}/grid", grid)["over"],
        limit=TrainLimit(diagnosis.errors.optimal.high, diagnosis.tolerance),
        known=[before],
        deadline=bench.purse.deadline,
        on_outcome=lambda outcome: bench.notify({"event": "member", "step": step, **_shown(outcome)}),
    )
    bench.book(member for member in found.members if member is not before)
    bench.recall("sweep", str(step), found.to_json)
    return _improved(before, found)


def _improved(before: Outcome, found: Sweep) -> Outcome:
    """The chosen member, or the best one where the chosen is no better on dev than `before`, or else `before`.

    One standard error is wide on a small dev set: simplicity must not cost more than regularizing won.
    """
    better = (one for one in (found.chosen, found.best) if one.losses["dev"] < before.losses["dev"])
    return next(better, before)


def _shown(outcome: Outcome) -> Json:
    knobs = outcome.config.regularization
    return {"l2": knobs.l2, "keep_prob": knobs.keep_prob, "dev": outcome.losses["dev"]}
