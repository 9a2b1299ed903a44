"""Why a run stopped: a code for scripts, a few words, and a sentence that a manager understands.

How a run ends: why it stopped, what it bought, and how well it foretold that.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from typing import Literal

from wellfit._typing import Json
from wellfit.diagnosis.diagnosis import Diagnosis
from wellfit.diagnosis.findings import Finding
from wellfit.diagnosis.gaps import Gap, GapName
from wellfit.diagnosis.words import GAP_WORDS, error_text, gap_text, size_text
from wellfit.recipe.bench import Bench
from wellfit.recipe.pick import applicable
from wellfit.recipe.remedies.catalogue import BY_BOARD
from wellfit.recipe.remedies.mismatch import rows_wanted
from wellfit.recipe.remedies.regularization import SEARCH
from wellfit.recipe.remedies.remedy import Remedy
from wellfit.recipe.rules import Rules, describe_change
from wellfit.recipe.turn import Turn, Work

Code = Literal["fine", "budget", "bias", "more data", "mismatch", "dev used up", "reference", "rows"]

LEFT: Mapping[GapName, str] = {
    "avoidable_bias": "bias left",
    "variance": "variance left",
    "mismatch": "mismatch left",
}


@dataclass(frozen=True)
class Stop:
    """Why a run stopped."""

    code: Code
    reason: str
    sentence: str


def stop_of(work: Work, findings: Iterable[Finding] = ()) -> Stop:
    """Why the run stops where it stands.

    Args:
        work: the bench, the last turn and the rules.
        findings: of the final diagnosis, which knows how much dev was used.
    """
    diagnosis = work.turn.diagnosis
    verdicts = {name: gap.verdict for name, gap in diagnosis.gaps.items() if gap is not None}
    overused = next((found for found in findings if found.code == "WF403" and found.status == "fired"), None)
    if overused is not None:
        return Stop("dev used up", "dev used up", f"{overused.evidence} Draw a larger dev set before choosing further.")
    if set(verdicts.values()) == {"no"}:
        return Stop("fine", "fine within tolerance", _fine(diagnosis))
    for name, left in LEFT.items():
        gap = diagnosis.gaps[name]
        if gap is not None and gap.verdict == "yes":
            return _left(work, gap, left)
    if verdicts.get("avoidable_bias") == "cannot tell":
        return _unsure_of_bias(diagnosis)
    return Stop("rows", "cannot tell with this many rows", _rows(diagnosis))


def _left(work: Work, gap: Gap, left: str) -> Stop:
    waiting = cheapest_waiting(work, gap)
    if waiting is not None:
        return Stop("budget", f"{left}, and the budget is spent", _budget(work, gap, waiting))
    code, said = _HELP[gap.name]
    return Stop(code, f"{left}, and nothing promising to try", said(work, gap))


def cheapest_waiting(work: Work, gap: Gap) -> Remedy | None:
    """The remedy of this gap that was not tried, and that the least larger budget would pay for."""
    boards = BY_BOARD if work.rules.only is None else ()
    waiting = [each for board in boards for each in applicable(work, board) if each.closes == gap.name]
    if boards and gap.name != "mismatch" and SEARCH.kind not in work.turn.exhausted:
        waiting.append(SEARCH)
    priced = [(price.least, remedy.kind, remedy) for remedy in waiting if (price := remedy.price(work))]
    return min(priced, default=(0.0, "", None), key=lambda each: each[:2])[2]


def _fine(diagnosis: Diagnosis) -> str:
    return (
        f"The network is fine: every gap is inside the tolerance of {gap_text(diagnosis.goal, diagnosis.tolerance)}, "
        "so there is nothing to repair."
    )


def _budget(work: Work, gap: Gap, waiting: Remedy) -> str:
    purse, price = work.bench.purse, waiting.price(work)
    more = max(0.0, (price.least if price else 0.0) - purse.remaining)
    unit = "seconds" if purse.is_timed else "updates"
    took = f"takes about {more:,.0f} {unit} more than the budget left" if more >= 1 else "had no share of the budget"
    size = size_text(work.turn.diagnosis.goal, gap, work.turn.diagnosis.errors)
    return f"The budget ended with {size} of {GAP_WORDS[gap.name]} left: {waiting.kind.replace('_', ' ')} {took}."


def _bias(work: Work, gap: Gap) -> str:
    size = size_text(work.turn.diagnosis.goal, gap, work.turn.diagnosis.errors)
    return (
        f"The network still misses {size} that others reach on the training rows, and no step helps further: look for "
        "columns that say more, or check the reference."
    )


def _more_data(work: Work, gap: Gap) -> str:
    diagnosis, rows = work.turn.diagnosis, work.rows
    low, high = rows_wanted(rows, gap=gap.value, tolerance=diagnosis.tolerance)
    many = f"{low:,} to {high:,}" if high else f"{low:,} or many more"
    return (
        f"More data is what helps now: about {many} training rows (there are {rows:,}) would bring the variance of "
        f"{size_text(diagnosis.goal, gap, diagnosis.errors)} inside the tolerance."
    )


def _mismatch(work: Work, gap: Gap) -> str:
    size = size_text(work.turn.diagnosis.goal, gap, work.turn.diagnosis.errors)
    return f"{size} of the error comes from dev rows unlike the training rows: collect training rows like those in use."


_HELP: Mapping[GapName, tuple[Code, Callable[[Work, Gap], str]]] = {
    "avoidable_bias": ("bias", _bias),
    "variance": ("more data", _more_data),
    "mismatch": ("mismatch", _mismatch),
}


def _unsure_of_bias(diagnosis: Diagnosis) -> Stop:
    if diagnosis.errors.optimal.source == "none":
        return Stop(
            "reference",
            "the reference is the obstacle: give --human-error",
            "Whether more can be won nobody can tell without a reference: give --human-error.",
        )
    optimal = diagnosis.errors.optimal
    low, high = (gap_text(diagnosis.goal, limit) for limit in (optimal.low, optimal.high))
    return Stop(
        "reference",
        "bias left, but inside the uncertainty of the reference",
        f"What bias may be left lies inside the uncertainty of the reference ({low} to {high}): measure that on more "
        "rows before working on the network.",
    )


def _rows(diagnosis: Diagnosis) -> str:
    short = [gap for gap in diagnosis.gaps.values() if gap is not None and diagnosis.errors.lacks_rows(gap)]
    rows = max((gap.rows_needed or 0 for gap in short), default=0)
    if not rows:
        return "No gap is surely beyond the tolerance, and these rows cannot tell more."
    return f"No gap is surely beyond the tolerance; about {rows:,} dev rows would tell for certain."


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
