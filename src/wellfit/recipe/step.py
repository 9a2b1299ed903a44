"""What the journal keeps of a step: what was turned, why, what was expected, and what came."""

from __future__ import annotations

from wellfit._typing import Board, Json
from wellfit.outcome import Outcome
from wellfit.recipe.expectation import Expected
from wellfit.recipe.remedies.change import describe_change
from wellfit.recipe.remedies.remedy import Remedy
from wellfit.recipe.turn import CAUSE_OF, PART_OF, Turn, Work

OTHER: dict[Board, Board] = {
    "optimization": "regularization",
    "data": "optimization",
    "regularization": "optimization",
}


def step_body(work: Work, remedy: Remedy, *, expected: Expected, after: Outcome, spent: float) -> Json:
    """The journal entry of one step.

    Args:
        work: where the recipe stood before.
        remedy: what was carried out.
        expected: what was expected of it.
        after: the network to go on with.
        spent: what it took, in the unit of the budget.
    """
    turn, board = work.turn, remedy.board
    before, part = turn.outcome, PART_OF[board]
    got = before.losses[part] - after.losses[part]
    return {
        "step": turn.step + 1,
        "round": turn.round,
        "board": board,
        "locked": "none" if remedy.coupled else OTHER[board],
        "kind": remedy.kind,
        "finding": remedy.finding,
        "did": f"{remedy.kind.replace('_', ' ')}: {_change(before, after)}",
        "because": _cause(turn, remedy),
        **expected.to_json(),
        "spent": spent,
        "got": got,
        # A ceiling of 0 foretells nothing that could hold.
        "as_expected": expected.holds(got) if expected.low < expected.high else None,
        "kept": after is not before,
        "coupled": remedy.coupled,
        "without_gain": sorted(work.without_gain),
        "idea": work.rules.idea,
        "config": after.config.to_json(),
        "config_before": before.identity,
        "config_after": after.identity,
        "errors_before": dict(before.losses),
        "errors_after": dict(after.losses),
        "gaps_before": turn.diagnosis.to_json()["gaps"],
        "gaps_after": work.bench.diagnose(after).to_json()["gaps"],
    }


def _change(before: Outcome, after: Outcome) -> str:
    # Members of an average differ in many knobs, of which the heaviest one's are no better than the others'.
    if after.networks != before.networks:
        return f"networks {before.networks} -> {after.networks}"
    return describe_change(before, after)


def _cause(turn: Turn, remedy: Remedy) -> str:
    gap = turn.diagnosis.gap(remedy.closes)
    if gap is None:
        return "asked"
    if remedy.coupled:
        left = {name: found.verdict for name, found in turn.diagnosis.gaps.items() if found and found.verdict != "no"}
        return ", ".join(f"{CAUSE_OF[name]}: {verdict}" for name, verdict in left.items()) or "asked"
    said = f"{CAUSE_OF[remedy.closes]}: {gap.verdict}"
    brought_back = remedy.board == "optimization" and turn.round > 1
    return f"{said}, brought back by regularizing (round {turn.round})" if brought_back else said
