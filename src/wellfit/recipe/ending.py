"""How a run ends: a reason, and a sentence that a manager understands."""

from __future__ import annotations

from collections.abc import Mapping

from wellfit._typing import Json
from wellfit.diagnosis.diagnosis import Diagnosis
from wellfit.diagnosis.gaps import GapName
from wellfit.diagnosis.words import error_text
from wellfit.recipe.bench import Bench
from wellfit.recipe.remedies.change import describe_change
from wellfit.recipe.turn import Turn

LEFT: Mapping[GapName, str] = {
    "avoidable_bias": "bias left",
    "variance": "variance left",
    "mismatch": "mismatch left",
}


def ending(turn: Turn, *, bench: Bench) -> Json:
    """The journal's "finish" entry."""
    return {
        "reason": reason_of(turn.diagnosis, spent=bench.purse.remaining <= 0),
        "sentence": sentence_of(turn, bench=bench),
        "best": turn.outcome.identity,
        "seconds": bench.purse.seconds,
        "updates": bench.purse.updates,
    }


def reason_of(diagnosis: Diagnosis, *, spent: bool) -> str:
    """Why the recipe stopped, as a few words."""
    verdicts = {name: gap.verdict for name, gap in diagnosis.gaps.items() if gap is not None}
    if set(verdicts.values()) == {"no"}:
        return "fine within tolerance"
    for name, left in LEFT.items():
        if verdicts.get(name) == "yes":
            return f"{left}, and the budget is spent" if spent else f"{left}, and nothing promising to try"
    if verdicts.get("avoidable_bias") == "cannot tell" and diagnosis.errors.optimal.source == "none":
        return "the reference is the obstacle: give --human-error"
    return "cannot tell with this many rows"


def sentence_of(turn: Turn, *, bench: Bench) -> str:
    """What was changed and what it bought, what is left, and whether another method is ahead."""
    parts = [_bought(turn, bench=bench), turn.diagnosis.headline, _rival(turn.diagnosis)]
    return " ".join(part for part in parts if part)


def _bought(turn: Turn, *, bench: Bench) -> str:
    first, last = turn.first, turn.outcome
    if last.identity == first.identity:
        return ""
    before, after = (error_text(bench.goal, outcome.losses["dev"]) for outcome in (first, last))
    return f"From {before} to {after} on dev by {describe_change(first, last)}."


def _rival(diagnosis: Diagnosis) -> str:
    wins = next(found for found in diagnosis.findings if found.code == "WF106")
    return f"Another method is ahead. {wins.evidence}" if wins.status == "fired" else ""
