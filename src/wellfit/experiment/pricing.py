"""What more data would buy, where a run ends with variance left and its budget still pays for a learning curve."""

from __future__ import annotations

from dataclasses import replace

from wellfit._typing import Json
from wellfit.config import total_updates
from wellfit.diagnosis.diagnosis import Diagnosis
from wellfit.diagnosis.findings import Finding, completed
from wellfit.diagnosis.more_data import FEWEST_ANCHORS, FEWEST_REPEATS, more_data_finding
from wellfit.exceptions import BadInput, Refusal
from wellfit.experiment.learning_curve import KIND, measured_curve, updates_of_curve
from wellfit.recipe.bench import Bench
from wellfit.recipe.turn import Turn

REFITS = FEWEST_ANCHORS * FEWEST_REPEATS
"""The fewest that show a curve; `wellfit diagnose EXPERIMENT --refits` takes more."""
SHARE = 0.8
"""Of what is left of the budget: a refit's time is a guess, and the report is still to come."""


def price_more_data(turn: Turn, bench: Bench) -> Finding | None:
    """WF210 of the network that a run ends with; None without variance, or where the budget does not pay for it.

    The refits run one after the other, on parts of the rows: they are no stack, whose members share their rows.
    """
    variance = turn.diagnosis.gap("variance")
    if variance is None or variance.verdict != "yes":
        return None
    planned = bench.recall("plan", "curve", lambda: {"updates": _affordable(turn, bench)})
    if not planned["updates"]:
        return None
    body = bench.recall(KIND, "end", lambda: _measured(turn, bench))
    bench.purse.book(bench.purse.updates + planned["updates"])
    return Finding(**body["finding"])


def with_price(diagnosis: Diagnosis, priced: Finding | None) -> Diagnosis:
    """The same diagnosis with WF210, where it was measured."""
    return diagnosis if priced is None else replace(diagnosis, findings=completed((*diagnosis.findings, priced)))


def _affordable(turn: Turn, bench: Bench) -> int:
    """Updates of the whole curve; 0 where they are beyond what is left, or the rows are too few."""
    config, rows = turn.outcome.config, len(turn.outcome.train_losses)
    try:
        updates = updates_of_curve(config, rows=rows, refits=REFITS)
    except BadInput:
        return 0
    cost = bench.purse.cost_alone(config) * updates / total_updates(config, rows=rows)
    return updates if cost <= SHARE * bench.purse.remaining else 0


def _measured(turn: Turn, bench: Bench) -> Json:
    config, diagnosis = turn.outcome.config, turn.diagnosis
    bench.notify({"event": "curve", "refits": REFITS})
    identity = {"identity": turn.outcome.identity}
    try:
        found, _ = measured_curve(
            bench.data,
            config,
            goal=bench.goal,
            delta=diagnosis.tolerance,
            refits=REFITS,
            floor=diagnosis.errors.optimal.low,
        )
    except Refusal as refusal:
        evidence = f"Cannot tell: {refusal.found}."
        return {**identity, "finding": replace(more_data_finding(None, bench.goal), evidence=evidence).to_json()}
    return {**identity, "finding": more_data_finding(found, bench.goal).to_json(), **found.to_json()}
