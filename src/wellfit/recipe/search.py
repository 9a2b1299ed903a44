"""The two sweeps of a run: lambda x keep_prob against variance, and the knobs of both boards around the last network.

A step turns one board, which is cheap and shows why it helped. But knobs depend on one another: a larger learning rate
and a larger network regularize as lambda does (Li et al., 2019, "Towards explaining the regularization effect of
initial large learning rate in training neural networks"; Nakkiran et al., 2019, "Deep double descent"). This is why a
search of both boards follows the single steps.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Any, TypeAlias

from wellfit.base.typing import Json
from wellfit.data.training_rows import rows_trained_on
from wellfit.diagnosis.diagnosis import Diagnosis
from wellfit.exceptions import Refusal
from wellfit.recipe.context import RunContext
from wellfit.recipe.defaults import affordable_shapes
from wellfit.records.augmentation import NOTHING
from wellfit.records.config import Config
from wellfit.records.knobs import KNOBS, OFF, SWEPT, Knob, own_name
from wellfit.records.outcome import Outcome
from wellfit.sweeps.proposals import NOT_INSTALLED
from wellfit.sweeps.search import Sweep, sweep
from wellfit.sweeps.selection import TrainLimit, mean_keep_prob
from wellfit.sweeps.space import (
    DEFAULT_MEMBERS,
    LEAST_KEEP_PROB,
    Interval,
    Space,
    changed,
    default_grid,
    log_uniform,
    useful_shrinks,
)
from wellfit.sweeps.usual import usual_space

Grid: TypeAlias = Mapping[str, Sequence[float]]

FEWEST_MEMBERS, MOST_MEMBERS = 8, 64
"""Fewer members find nothing; beyond the largest number, the time is better spent on the ensemble."""
SWEEP_SHARE, SEARCH_SHARE = 0.8, 0.65
"""Shares of the rest of the budget: predicted costs are rough, and an ensemble follows the search of both boards."""
SHARE_BESIDE_SEARCH = 0.2
"""Share for a sweep that is followed by a search of both boards, which learns from the sweep."""
MEAN_COST = 1.25
"""Mean cost of a member of the search relative to the current network, with half, equal or twice the epochs."""
RANGES = frozenset({"lr", *SWEPT})
"""Knobs that are searched over a range; if all of them are fixed, single steps have already tried the others."""
BEYOND_LAMBDA = (10**0.5, 10.0)
BEYOND_KEEP_PROB = 0.6
"""Factors by which an edge of the grid moves outwards if the best member is on it."""
STRENGTHS = (0.0, 0.5, 1.0)
KEEPS = (1.0, 0.75, LEAST_KEEP_PROB)
PICTURE_COST = 1.5
"""Rough cost of a sweep's member on pictures relative to the first network: augmentation and dropout take time."""


def members_affordable(run: RunContext, config: Config, *, share: float, both_boards: bool = False) -> int:
    """Return roughly how many members of a sweep this share of the remaining budget covers."""
    affordable = run.budget.affordable(config, share=share)
    if both_boards:
        return max(FEWEST_MEMBERS, min(MOST_MEMBERS, int(affordable / MEAN_COST)))
    return max(2, min(DEFAULT_MEMBERS, affordable))


def sweep_step(
    run: RunContext,
    before: Outcome,
    *,
    diagnosis: Diagnosis,
    step: int,
    share: float = SWEEP_SHARE,
    fixed: frozenset[str] = frozenset(),
) -> Outcome:
    """Train the grid, which includes `before` (lambda 0, keep_prob 1), and return the chosen member.

    If the best member is on the edge of the grid and the budget allows it, the grid is extended once.
    """
    limit = TrainLimit(diagnosis.errors.optimal.high, diagnosis.tolerance)

    def told(outcome: Outcome) -> None:
        knobs = outcome.config.regularization
        shown = {"l2": knobs.l2, "keep_prob": knobs.keep_prob, "dev": outcome.losses["dev"]}
        run.notify({"event": "member", **shown})

    def first() -> Json:
        members = members_affordable(run, before.config, share=share)
        grid = picture_grid if before.config.network.kind == "conv" else default_grid
        over = grid(before.config, rows=rows_trained_on(run.prepared, before.config.data), members=members)
        return {"over": {knob: values for knob, values in over.items() if knob not in fixed}}

    def trained(over: Grid, known: Sequence[Outcome]) -> Sweep:
        deadline = run.budget.deadline
        return _swept(run, before, known=known, over=over, limit=limit, deadline=deadline, on_outcome=told)

    over = _in_order(run.recall("plan", f"{step}/grid", first)["over"])
    found = trained(over, [before])

    def beyond() -> Json:
        affordable = run.budget.affordable(before.config, share=share)
        return {"over": widened(over, found=found, affordable=affordable)}

    if wider := run.recall("plan", f"{step}/wider", beyond)["over"]:
        found = trained(_in_order(wider), found.members)
    run.recall("sweep", str(step), found.to_json)
    return found.chosen


def _in_order(over: Grid) -> Grid:
    """Return the grid in the order of the table, since the journal sorts names, which would change how ties break."""
    return {knob: over[knob] for knob in KNOBS if knob in over}


def _swept(run: RunContext, before: Outcome, *, known: Sequence[Outcome], **options: Any) -> Sweep:
    """Sweep around `before`, and pay for the members that were not known yet."""
    baseline, config = before.losses["dev"], before.config
    found = sweep(run.prepared, config, executor=run.executor, goal=run.goal, baseline=baseline, known=known, **options)
    identities = {outcome.config.identity for outcome in known}
    run.book(member for member in found.members if member.config.identity not in identities)
    return found


def picture_grid(config: Config, *, rows: int, members: int) -> dict[str, list[float]]:
    """Return a grid of augmentation strength x keep_prob x lambda with at most `members` combinations.

    If there are few members, the last knobs lose values first, because pictures need the first ones most.
    """
    members = max(2, int(members / PICTURE_COST))
    strengths = list(STRENGTHS) if config.augmentation != NOTHING else [0.0]
    strengths = [*strengths[:1], *strengths[-1:]] if members < len(strengths) else strengths
    keeps = list(KEEPS[: max(1, min(len(KEEPS), members // len(strengths)))])
    lambdas = min(3, max(1, members // (len(strengths) * len(keeps))))
    least, most = useful_shrinks(config, rows=rows)
    shrinks = (0.0, (least * most) ** 0.5, most)[:lambdas]
    values = ([float(f"{shrink * rows / config.optimization.lr:.4g}") for shrink in shrinks], keeps)
    return {**dict(zip(SWEPT, values, strict=True)), "augment": strengths}


def widened(over: Grid, *, found: Sweep, affordable: int) -> Grid | None:
    """Extend the grid beyond its best member; None if that is inside the grid, or new members cost too much."""
    l2, keep_prob = found.best.config.regularization.l2, mean_keep_prob(found.best.config)
    lambdas, keeps = list(over.get("l2", ())), list(over.get("keep_prob", ()))
    # A knob that the user has fixed has no edge to move.
    if len(lambdas) > 1 and l2 == max(lambdas) > 0:
        lambdas += [factor * l2 for factor in BEYOND_LAMBDA]
    if len(keeps) > 1 and keep_prob == min(keeps) < 1:
        keeps += [round(BEYOND_KEEP_PROB * keep_prob, 3)]
    wider = {**over, **{knob: values for knob, values in zip(SWEPT, (lambdas, keeps), strict=True) if values}}
    more = math.prod(map(len, wider.values())) - len(found.members)
    return wider if wider != over and more <= affordable else None


def best_members(run: RunContext, config: Config, *, step: int, count: int) -> list[Config]:
    """Return `config` with the knobs of the best members of the last sweep, or `config` alone without a sweep.

    The network may have grown since then; the knobs that regularized the smaller one are then a starting point for the
    larger one. A search of both boards that found nothing better is ignored.
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
        known = {**{name: row[name] for name in SWEPT}, **row.get("knobs", {})}
        found.append(changed(config, {name: known.get(name, OFF.get(name)) for name in over}, rows=1))
    return found[:count] or [config]


def _breeds(run: RunContext, step: int) -> bool:
    body, taken = run.recall.known("sweep", str(step)), run.remembered_step(step)
    return body is not None and (taken is None or not taken["coupled"] or taken["kept"])


def search_step(
    run: RunContext, before: Outcome, *, step: int, share: float = SEARCH_SHARE, fixed: frozenset[str] = frozenset()
) -> Outcome:
    """Search both boards around `before`, and return the best member, or `before` if its dev loss is lower.

    The search may spend `share` of the rest of the budget, and does not turn the knobs in `fixed`.
    """
    config, trained = before.config, list[Outcome]()

    def planned() -> Json:
        return {
            "members": members_affordable(run, config, share=share, both_boards=True),
            "widths": [*map(list, shapes_of(run, config))],
            "spend": share * run.budget.remaining,
        }

    def told(outcome: Outcome) -> None:
        trained.append(outcome)
        run.notify({"event": "member", "dev": outcome.losses["dev"]})

    plan = run.recall("plan", f"{step}/search", planned)
    widths = [tuple(shape) for shape in plan["widths"]]
    try:
        found = _swept(
            run,
            before,
            known=[before],
            seen=[before, *run.earlier(config)],
            over=space_of(config, widths, rows=rows_trained_on(run.prepared, config.data), fixed=fixed),
            members=plan["members"],
            within=None if run.budget.is_timed else _Spending(run, plan["spend"]),
            deadline=run.budget.deadline_at(share),
            on_outcome=told,
        )
    except Refusal:
        # No member was trained to a finite loss.
        run.book(trained)
        return before
    # Knobs of both boards have no order of simplicity: the best member is taken, and the ensemble sees the others.
    choice = replace(found.choice, chosen=found.best)
    # A warning that the best is at an end of the space would not help: the space was built around the network.
    warnings = tuple(words for words in found.warnings if words == NOT_INSTALLED)
    found = replace(found, choice=choice, warnings=warnings, monte_carlo=None)
    run.recall("sweep", str(step), lambda: {**found.to_json(), "coupled": True})
    return min(before, found.best, key=lambda outcome: outcome.losses["dev"])


def space_of(config: Config, widths: Sequence[tuple[int, ...]], *, rows: int, fixed: frozenset[str]) -> Space:
    """Return the search space around `config`, with the given shapes and without the fixed knobs."""
    near = {name: _near(knob, config.value_of(name)) for name, knob in KNOBS.items() if knob.factors}
    space: Space = {"widths": widths, **near, **usual_space(("shrink", "keep_prob"), config, rows=rows)}
    return {knob: values for knob, values in space.items() if own_name(knob) not in fixed}


def _near(knob: Knob, value: float) -> Interval | list[int]:
    if knob.kind == "whole":
        return sorted({max(1, int(factor * value)) for factor in knob.factors})
    return log_uniform(knob.factors[0] * value, knob.factors[-1] * value)


def shapes_of(run: RunContext, config: Config) -> list[tuple[int, ...]]:
    """Return the current and the next larger affordable shapes; only the current one for keep_prob by layer."""
    by_layer = isinstance(config.regularization.keep_prob, tuple)
    return [config.network.widths, *([] if by_layer else affordable_shapes(config, run.budget))]


class _Spending:
    """A filter that admits configs until an amount, in the unit of the budget, is spent."""

    def __init__(self, run: RunContext, amount: float) -> None:
        self._run, self._left = run, amount

    def __call__(self, configs: Sequence[Config]) -> list[Config]:
        """Return as many of the first configs as the remaining amount covers."""
        taken = []
        for config in configs:
            cost = self._run.budget.cost(config)
            if cost > self._left:
                break
            self._left -= cost
            taken.append(config)
        return taken
