"""How a run ends: why it stopped, what it bought, and how well it foretold that."""

from __future__ import annotations

from collections.abc import Iterable

from wellfit._typing import Json
from wellfit.diagnosis.diagnosis import Diagnosis
from wellfit.diagnosis.findings import Finding
from wellfit.diagnosis.words import error_text
from wellfit.recipe.bench import Bench
from wellfit.recipe.remedies.change import describe_change
from wellfit.recipe.rules import Rules
from wellfit.recipe.stop import stop_of
from wellfit.recipe.turn import Turn, Work

PRICE_BY = "`wellfit diagnose EXPERIMENT --refits 24` says what twice the data would buy."


def ending(
    turn: Turn,
    *,
    bench: Bench,
    rules: Rules | None = None,
    findings: Iterable[Finding] = (),
    priced: Finding | None = None,
) -> Json:
    """The journal's "finish" entry.

    Args:
        turn: the last one.
        bench: the run's.
        rules: what the user asked for.
        findings: of the final diagnosis.
        priced: WF210, where the budget paid for it.
    """
    stop = stop_of(Work(bench=bench, turn=turn, rules=rules or Rules()), findings)
    return {
        "stop": stop.code,
        "reason": stop.reason,
        "sentence": _sentence(turn, bench=bench, stopped=stop.sentence, priced=priced),
        "best": turn.outcome.identity,
        "seconds": bench.purse.seconds,
        "updates": bench.purse.updates,
    }


def _sentence(turn: Turn, *, bench: Bench, stopped: str, priced: Finding | None) -> str:
    """What was changed and bought, whether another method is ahead, why the run stopped, what more data would buy."""
    parts = [_bought(turn, bench=bench), _rival(turn.diagnosis), stopped, _worth(turn.diagnosis, priced)]
    return " ".join(part for part in parts if part)


def _bought(turn: Turn, *, bench: Bench) -> str:
    first, last = turn.first, turn.outcome
    if last.identity == first.identity:
        return ""
    before, after = (error_text(bench.goal, outcome.losses["dev"]) for outcome in (first, last))
    flattered = last.config.data.drop_rows and not first.config.data.drop_rows
    why = " The first error was flattered by copies of training rows in dev." if flattered else ""
    return f"From {before} to {after} on dev by {describe_change(first, last)}.{why}{_luck(turn, bench=bench)}"


def _luck(turn: Turn, *, bench: Bench) -> str:
    """Why an average is taken that is behind on dev: the network before it was chosen there."""
    step = bench.remembered_step(turn.step)
    if step is None or not (step.get("ensemble") and step["kept"] and step["got"] < 0):
        return ""
    before, alike = step["errors_before"]["dev"], step["ensemble"]["honest_single"]
    if alike <= before:
        return ""
    return (
        f" The network before the average had {error_text(bench.goal, before)} by luck: others trained alike, with "
        f"other seeds, have {error_text(bench.goal, alike)}."
    )


def _worth(diagnosis: Diagnosis, priced: Finding | None) -> str:
    """What more data would buy where variance is left, or the command that says it."""
    variance = diagnosis.gap("variance")
    if variance is None or variance.verdict != "yes":
        return ""
    return PRICE_BY if priced is None else priced.evidence


def _rival(diagnosis: Diagnosis) -> str:
    wins = next(found for found in diagnosis.findings if found.code == "WF106")
    return f"Another method is ahead. {wins.evidence}" if wins.status == "fired" else ""
