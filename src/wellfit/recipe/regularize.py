"""The step against variance: a sweep of lambda and keep_prob, sized to what the budget allows."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from typing import TypeAlias

from wellfit.base.typing import Json
from wellfit.data.training_rows import rows_trained_on
from wellfit.diagnosis.diagnosis import Diagnosis
from wellfit.recipe.context import RunContext
from wellfit.recipe.pictures import picture_grid
from wellfit.records.config import Config
from wellfit.records.knobs import OFF, own_name
from wellfit.records.outcome import Outcome
from wellfit.sweeps.search import Sweep, sweep
from wellfit.sweeps.selection import TrainLimit, mean_keep_prob
from wellfit.sweeps.setting import changed
from wellfit.sweeps.space import DEFAULT_MEMBERS, default_grid

Grid: TypeAlias = Mapping[str, Sequence[float]]

FEWEST_MEMBERS = 8
"""A network is too expensive for the rest of the budget if fewer of it can be trained."""
SWEEP_SHARE = 0.8
"""Share of the rest of the budget that is planned: predicted costs are rough."""
SHARE_BESIDE_SEARCH, FEWEST_BESIDE_SEARCH = 0.2, 8
"""Share and fewest members if a search of both boards follows, which learns from this sweep."""
BEYOND_LAMBDA = (10**0.5, 10.0)
BEYOND_KEEP_PROB = 0.6
"""Factors by which an edge of the grid moves out if the best member lies on it."""


def members_affordable(run: RunContext, config: Config, *, share: float) -> int:
    """Return the number of networks of this size that a sweep may have in this share of the rest."""
    return max(2, min(DEFAULT_MEMBERS, run.budget.affordable(config, share=share)))


def sweep_step(
    run: RunContext,
    before: Outcome,
    *,
    diagnosis: Diagnosis,
    step: int,
    share: float = SWEEP_SHARE,
    fixed: frozenset[str] = frozenset(),
) -> Outcome:
    """Train the grid, of which `before` (lambda 0, keep_prob 1) is a member, and return the chosen member.

    If the best member lies on the edge of the grid, and the budget allows it, the grid is widened once.
    """
    limit = TrainLimit(diagnosis.errors.optimal.high, diagnosis.tolerance)

    def first() -> Json:
        members = members_affordable(run, before.config, share=share)
        grid = picture_grid if before.config.network.kind == "conv" else default_grid
        over = grid(before.config, rows=rows_trained_on(run.data, before.config.data), members=members)
        return {"over": {knob: values for knob, values in over.items() if knob not in fixed}}

    over = _in_order(run.recall("plan", f"{step}/grid", first)["over"])
    found = _trained(run, before, over=over, known=[before], limit=limit)

    def beyond() -> Json:
        affordable = run.budget.affordable(before.config, share=share)
        return {"over": widened(over, found=found, affordable=affordable)}

    if wider := run.recall("plan", f"{step}/wider", beyond)["over"]:
        found = _trained(run, before, over=_in_order(wider), known=found.members, limit=limit)
    run.recall("sweep", str(step), found.to_json)
    return found.chosen


def _in_order(over: Grid) -> Grid:
    """Return the grid in one order: the journal sorts names, and ties must be broken alike after a kill."""
    return {knob: over[knob] for knob in ("l2", "keep_prob", "augment") if knob in over}


def best_members(run: RunContext, config: Config, *, step: int, count: int) -> list[Config]:
    """Return `config` with the knobs of the best members of the last sweep; `config` alone without a sweep.

    The network may have grown since; the knobs that regularized the smaller one are then the start for the larger one.
    A search of both boards that found nothing better is ignored.
    """
    steps = [each for each in range(1, step) if _breeds(run, each)]
    body = run.recall.known("sweep", str(steps[-1])) if steps else None
    if body is None:
        return [config]
    rows = {row["identity"]: row for row in body["members"]}
    over = tuple(dict.fromkeys(map(own_name, body["over"])))
    found = []
    for row in (rows[identity] for identity in body.get("breed", [])):
        # A knob that is off is not in its row.
        known = {"l2": row["l2"], "keep_prob": row["keep_prob"], **row.get("knobs", {})}
        found.append(changed(config, {name: known.get(name, OFF.get(name)) for name in over}, rows=1))
    return found[:count] or [config]


def _breeds(run: RunContext, step: int) -> bool:
    body, taken = run.recall.known("sweep", str(step)), run.remembered_step(step)
    return body is not None and (taken is None or not taken["coupled"] or taken["kept"])


def _trained(run: RunContext, before: Outcome, *, over: Grid, known: Sequence[Outcome], limit: TrainLimit) -> Sweep:
    def told(outcome: Outcome) -> None:
        knobs = outcome.config.regularization
        shown = {"l2": knobs.l2, "keep_prob": knobs.keep_prob, "dev": outcome.losses["dev"]}
        run.notify({"event": "member", **shown})

    found = sweep(
        run.data,
        before.config,
        executor=run.executor,
        goal=run.goal,
        over=over,
        limit=limit,
        baseline=before.losses["dev"],
        known=known,
        deadline=run.budget.deadline,
        on_outcome=told,
    )
    identities = {outcome.config.identity for outcome in known}
    run.book(member for member in found.members if member.config.identity not in identities)
    return found


def widened(over: Grid, *, found: Sweep, affordable: int) -> Grid | None:
    """Return the grid with values beyond its best member; None if that is inside, or the new members cost too much."""
    l2, keep_prob = found.best.config.regularization.l2, mean_keep_prob(found.best.config)
    lambdas, keeps = list(over.get("l2", ())), list(over.get("keep_prob", ()))
    # A knob that the user has fixed has no edge to move.
    if len(lambdas) > 1 and l2 == max(lambdas) > 0:
        lambdas += [factor * l2 for factor in BEYOND_LAMBDA]
    if len(keeps) > 1 and keep_prob == min(keeps) < 1:
        keeps += [round(BEYOND_KEEP_PROB * keep_prob, 3)]
    wider = {**over, **{knob: values for knob, values in {"l2": lambdas, "keep_prob": keeps}.items() if values}}
    more = math.prod(map(len, wider.values())) - len(found.members)
    return wider if wider != over and more <= affordable else None
