"""The learning curve of an experiment's network, trained again on parts of the rows: the gain from more data.

A run that ends while some variance remains also measures it, if its budget allows.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import replace

from wellfit.base.typing import Floats, Integers, Json
from wellfit.data.prepare import Arrays, Prepared
from wellfit.data.training_rows import flattened, trained_on
from wellfit.diagnosis.findings import Finding, finding
from wellfit.diagnosis.more_data import (
    FEWEST_ANCHORS,
    FEWEST_REPEATS,
    Anchors,
    MoreData,
    anchor_rows,
    measure_anchors,
    more_data,
    worth_of_more_rows,
)
from wellfit.diagnosis.worth import Worth, worth_in_rows
from wellfit.exceptions import BadInput, Refusal
from wellfit.journal.store import Entry
from wellfit.recipe.context import RunContext
from wellfit.recipe.state import RecipeState
from wellfit.records.config import Config, DataBoard, total_updates, updates_per_epoch
from wellfit.records.goals import Goal
from wellfit.records.outcome import Status
from wellfit.sweeps.worker_pool import executor_for

MORE_DATA = "more data"
LONGEST = 8
"""Largest factor by which epochs grow on a part of the rows, to give a small part as many updates."""


def measured_curve(
    data: Prepared,
    config: Config,
    *,
    goal: Goal,
    delta: float,
    refits: int,
    floor: float = 0.0,
    target: float | None = None,
    deadline: float | None = None,
) -> tuple[MoreData, Worth | None]:
    """Retrain a config on nested parts of the training rows, and extrapolate its dev error.

    If it augments pictures, the same is done without augmentation, to show how many pictures augmentation is worth.

    The transforms stay those of all training rows, and the number of rows determines the epochs: as many updates as on
    all of them, within bounds. A gain below `delta` does not matter; `floor` is the lower limit of the optimal error;
    `target` is a dev error for which the necessary rows are estimated. The function refuses too few rows, fewer refits
    than four sizes with three repeats need, a training run that diverges, and one that the `deadline`, a
    `time.monotonic()`, cuts short.
    """
    data, config = trained_on(data, config.data), replace(config, data=DataBoard())
    anchors = _anchors(data, config, goal=goal, refits=refits, deadline=deadline)
    found = more_data(anchors, delta=delta, floor=floor, target=target, seed=config.seed)
    if data.preparation.schema.picture is None or not config.regularization.augment:
        return found, None
    plain = config.with_knobs(augment=0.0)
    without = _anchors(data, plain, goal=goal, refits=refits, deadline=deadline)
    return found, worth_in_rows(without, anchors.dev[-1], floor=floor, seed=config.seed)


def updates_of_curve(config: Config, *, rows: int, refits: int) -> int:
    """Return the number of updates of all refits on parts of `rows` rows; BadInput for too few rows."""
    sizes = anchor_rows(rows, most=refits // FEWEST_REPEATS)
    planned = total_updates(config, rows=rows)
    once = sum(total_updates(_on_part(config, rows=int(size), planned=planned), rows=int(size)) for size in sizes)
    return refits // len(sizes) * once


def _anchors(data: Prepared, config: Config, *, goal: Goal, refits: int, deadline: float | None) -> Anchors:
    train, planned = data.train, total_updates(config, rows=data.train.rows)

    def refit(rows: Integers, seed: int) -> tuple[float, Floats]:
        weights = None if train.weights is None else flattened(train.weights[rows], 1.0)
        taken = Arrays(train.numeric[rows], train.codes[rows], train.target[rows], weights=weights)
        part = replace(data, train=taken, train_dev=None)
        again = replace(_on_part(config, rows=len(rows), planned=planned), seed=seed)
        trained = executor_for(part, goal=goal, single=True).train([again], deadline=deadline)
        if not trained or trained[0].status is Status.OUT_OF_BUDGET:
            raise Refusal(
                "a learning curve must be measured completely",
                found="no time left for all of its training runs",
                remedy="Use a larger budget, or run `wellfit diagnose EXPERIMENT --refits`",
            )
        outcome = trained[0]
        if outcome.status is Status.DIVERGED:
            raise Refusal(
                "every training run of a learning curve must converge",
                found=f"one that diverged, on {len(rows):,} rows",
                remedy="Lower the learning rate",
            )
        return outcome.losses["train"], goal.row_losses(data.dev.target, outcome.predictions["dev"])

    return measure_anchors(refit, rows=train.rows, refits=refits, seed=config.seed)


def _on_part(config: Config, *, rows: int, planned: int) -> Config:
    """Return the config for fewer rows, with as many updates, within bounds."""
    in_epoch = updates_per_epoch(rows=rows, batch_size=config.optimization.batch_size)
    epochs = min(-(-planned // in_epoch), LONGEST * config.optimization.epochs)
    return config.with_knobs(epochs=epochs)


def known_curve(entries: Iterable[Entry], identity: str) -> Finding | None:
    """Return the finding of the last learning curve measured for a network."""
    bodies = [entry.body for entry in entries if entry.kind == MORE_DATA and entry.body["identity"] == identity]
    return Finding.from_json(bodies[-1]["finding"]) if bodies else None


REFITS = FEWEST_ANCHORS * FEWEST_REPEATS
"""Fewest refits that show a curve; `wellfit diagnose EXPERIMENT --refits` accepts more."""
SHARE = 0.8
"""The curve's share of the remaining budget: the time of a refit is a guess, and the report comes after it."""


def price_more_data(state: RecipeState, run: RunContext) -> Finding | None:
    """Return WF210 for the last network of a run; None without variance, or if the budget does not allow it.

    The refits run one at a time, because their rows differ and the members of a stack share the same rows.
    """
    variance = state.diagnosis.gap("variance")
    if variance is None or variance.verdict != "yes":
        return None
    planned = run.recall("plan", "curve", lambda: {"updates": _affordable(state, run)})
    if not planned["updates"]:
        return None
    body = run.recall(MORE_DATA, "end", lambda: _measured(state, run))
    run.budget.booked += planned["updates"]
    return Finding.from_json(body["finding"])


def _affordable(state: RecipeState, run: RunContext) -> int:
    """Return the updates of the whole curve; 0 if the budget does not cover them or there are too few rows."""
    config, rows = state.outcome.config, len(state.outcome.train_losses)
    try:
        updates = updates_of_curve(config, rows=rows, refits=REFITS)
    except BadInput:
        return 0
    cost = run.budget.cost_alone(config) * updates / total_updates(config, rows=rows)
    return updates if cost <= SHARE * run.budget.remaining else 0


def _measured(state: RecipeState, run: RunContext) -> Json:
    config, diagnosis = state.outcome.config, state.diagnosis
    run.notify({"event": "curve", "refits": REFITS})
    floor = diagnosis.errors.optimal.low
    try:
        found, _ = measured_curve(
            run.prepared,
            config,
            goal=run.goal,
            delta=diagnosis.tolerance,
            refits=REFITS,
            floor=floor,
            deadline=run.budget.deadline,
        )
    except Refusal as refusal:
        judged, body = finding("WF210", fired=None, evidence=f"Cannot tell: {refusal.found}."), {}
    else:
        judged, body = worth_of_more_rows(goal=run.goal, curve=found), found.to_json()
    return {"identity": state.outcome.identity, "finding": judged.to_json(), **body}
