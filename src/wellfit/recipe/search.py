"""The search that follows the single steps: the knobs of both boards at once, around the current network.

A step turns one board, which is cheap and shows why it helped. But knobs depend on each other: a larger learning rate
and a larger network regularize as lambda does (Li et al., 2019, "Towards explaining the regularization effect of
initial large learning rate in training neural networks"; Nakkiran et al., 2019, "Deep double descent").
The step against variance: a sweep of lambda and keep_prob, sized to what the budget allows.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import TypeAlias

from wellfit.base.typing import Json
from wellfit.data.training_rows import rows_trained_on
from wellfit.diagnosis.diagnosis import Diagnosis
from wellfit.exceptions import Refusal
from wellfit.recipe.context import RunContext
from wellfit.recipe.defaults import larger_shapes
from wellfit.recipe.pictures import picture_grid
from wellfit.records.config import Config
from wellfit.records.knobs import OFF, own_name
from wellfit.records.outcome import Outcome
from wellfit.sweeps.proposals import NOT_INSTALLED
from wellfit.sweeps.search import Sweep, sweep
from wellfit.sweeps.selection import TrainLimit, mean_keep_prob
from wellfit.sweeps.space import DEFAULT_MEMBERS, Space, changed, default_grid, log_uniform
from wellfit.sweeps.usual import usual_space

FEWEST_MEMBERS, MOST_MEMBERS = 8, 64
"""Fewer members find nothing; beyond the most, the time is better spent on the ensemble."""
SHARE = 0.65
"""Share of the rest of the budget; the remainder is for the ensemble."""
LR_BELOW, LR_ABOVE = 0.5, 5.0
"""Range of the learning rate, as factors of the current one: a larger rate regularizes until it diverges."""
LARGER, MOST_TIMES = 2, 4
"""Number of larger shapes that take part, and the largest cost of one, in trainings of the current network."""
MEAN_COST = 1.25
"""Mean cost of a member, in trainings of the current network: it has half, the same or twice the epochs."""
RANGES = frozenset({"lr", "l2", "keep_prob"})
"""Knobs that are searched in a range; if these are fixed, single steps have tried the others."""


def space_of(config: Config, widths: Sequence[tuple[int, ...]], *, rows: int, fixed: frozenset[str]) -> Space:
    """Return the search space around `config`, with these shapes and without fixed knobs."""
    board = config.optimization
    space: Space = {
        "widths": widths,
        "lr": log_uniform(LR_BELOW * board.lr, LR_ABOVE * board.lr),
        "epochs": sorted({max(1, board.epochs // 2), board.epochs, 2 * board.epochs}),
        **usual_space(("shrink", "keep_prob"), config, rows=rows),
    }
    return {knob: values for knob, values in space.items() if own_name(knob) not in fixed}


def shapes_of(run: RunContext, config: Config) -> list[tuple[int, ...]]:
    """Return the current shape and the next larger ones that are affordable; a keep_prob by layer fits no others."""
    by_layer = isinstance(config.regularization.keep_prob, tuple)
    shapes = [] if by_layer else larger_shapes(config.network.widths)[:LARGER]
    most = MOST_TIMES * run.budget.cost(config)
    grown = [(shape, replace(config, network=replace(config.network, widths=shape))) for shape in shapes]
    return [config.network.widths, *(shape for shape, larger in grown if run.budget.cost(larger) <= most)]


def members_affordable(run: RunContext, config: Config, *, share: float) -> int:
    """Return about how many members this share of the rest pays for."""
    affordable = int(run.budget.affordable(config, share=share) / MEAN_COST)
    return max(FEWEST_MEMBERS, min(MOST_MEMBERS, affordable))


def search_step(
    run: RunContext, before: Outcome, *, step: int, share: float = SHARE, fixed: frozenset[str] = frozenset()
) -> Outcome:
    """Search around `before`, and return the member with the lowest dev loss, or `before` if no member is better.

    Args:
        run: trains and pays.
        before: the current network.
        step: its number in the journal.
        share: of the rest of the budget that it may spend.
        fixed: knobs that no member may turn.
    """
    config = before.config

    def planned() -> Json:
        return {
            "members": members_affordable(run, config, share=share),
            "widths": [*map(list, shapes_of(run, config))],
            "spend": share * run.budget.remaining,
        }

    plan = run.recall("plan", f"{step}/search", planned)
    widths, trained = [tuple(shape) for shape in plan["widths"]], list[Outcome]()

    def told(outcome: Outcome) -> None:
        trained.append(outcome)
        run.notify({"event": "member", "dev": outcome.losses["dev"]})

    try:
        found = sweep(
            run.data,
            config,
            executor=run.executor,
            goal=run.goal,
            over=space_of(config, widths, rows=rows_trained_on(run.data, config.data), fixed=fixed),
            members=plan["members"],
            baseline=before.losses["dev"],
            known=[before],
            seen=[before, *run.earlier(config)],
            within=None if run.budget.is_timed else _Spending(run, plan["spend"]),
            deadline=run.budget.deadline_at(share),
            on_outcome=told,
        )
    except Refusal:
        # No member was trained to a finite loss.
        run.book(trained)
        return before
    run.book(member for member in found.members if member.config != config)
    # Knobs of both boards have no order of simplicity: the best member is taken, and the ensemble sees the others.
    choice = replace(found.choice, chosen=found.best)
    # A warning that the best lies at an end of the space would be no advice: the space was built around the network.
    warnings = tuple(words for words in found.warnings if words == NOT_INSTALLED)
    found = replace(found, choice=choice, warnings=warnings, monte_carlo=None)
    run.recall("sweep", str(step), lambda: {**found.to_json(), "coupled": True})
    return min(before, found.best, key=lambda outcome: outcome.losses["dev"])


class _Spending:
    """Lets configs through until an amount, in the unit of the budget, is spent."""

    def __init__(self, run: RunContext, amount: float) -> None:
        self._run, self._left = run, amount

    def __call__(self, configs: Sequence[Config]) -> list[Config]:
        """Return the first configs that the rest pays for."""
        taken = []
        for config in configs:
            cost = self._run.budget.cost(config)
            if cost > self._left:
                break
            self._left -= cost
            taken.append(config)
        return taken


Grid: TypeAlias = Mapping[str, Sequence[float]]

FEWEST_OF_GRID = 8
"""A network is too expensive for the rest of the budget if fewer of it can be trained."""
SWEEP_SHARE = 0.8
"""Share of the rest of the budget that is planned: predicted costs are rough."""
SHARE_BESIDE_SEARCH, FEWEST_BESIDE_SEARCH = 0.2, 8
"""Share and fewest members if a search of both boards follows, which learns from this sweep."""
BEYOND_LAMBDA = (10**0.5, 10.0)
BEYOND_KEEP_PROB = 0.6
"""Factors by which an edge of the grid moves out if the best member lies on it."""


def grid_members(run: RunContext, config: Config, *, share: float) -> int:
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
        members = grid_members(run, before.config, share=share)
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
