"""The reason why a run stopped (a code for scripts, a few words, a sentence), and the last entry of its journal."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Literal

from wellfit.base.typing import Json
from wellfit.diagnosis.diagnosis import Diagnosis
from wellfit.diagnosis.findings import Finding
from wellfit.diagnosis.gaps import TOO_CLOSE, Gap, present
from wellfit.recipe.context import RunContext
from wellfit.recipe.pick import applicable, shelf_of
from wellfit.recipe.remedies.mismatch import rows_wanted
from wellfit.recipe.remedies.remedy import Remedy
from wellfit.recipe.state import RecipeState, Rules, StepContext, describe_change
from wellfit.records.units import Unit
from wellfit.stats.intervals import LEVEL

Code = Literal["fine", "budget", "bias", "more data", "mismatch", "dev used up", "reference", "rows"]


@dataclass(frozen=True)
class Stop:
    """The reason why a run stopped."""

    code: Code
    reason: str
    sentence: str


def stop_of(context: StepContext, findings: Iterable[Finding] = ()) -> Stop:
    """Return the reason why the run stops; the `findings` of the final diagnosis show how much dev was used."""
    diagnosis = context.state.diagnosis
    verdicts = {name: gap.verdict for name, gap in diagnosis.gaps.items() if gap is not None}
    overused = next((found for found in findings if found.code == "WF403" and found.status == "fired"), None)
    if overused is not None:
        return Stop(
            "dev used up", "dev used up", f"{overused.evidence} Draw a larger dev set before you compare more networks."
        )
    if set(verdicts.values()) == {"no"}:
        tolerance = Unit(diagnosis.goal).size(diagnosis.tolerance, end=diagnosis.errors.dev.value)
        said = f"The network is fine: every gap is within the tolerance of {tolerance}, so nothing needs repair."
        return Stop("fine", "every gap is within the tolerance", said)
    for gap in present(diagnosis.gaps):
        if gap.verdict == "yes":
            return _left(context, gap)
    if verdicts.get("avoidable_bias") == "cannot tell":
        return _unsure_of_bias(diagnosis)
    return Stop("rows", "too few rows to tell", _rows(diagnosis))


def _left(context: StepContext, gap: Gap) -> Stop:
    waiting, cause = cheapest_waiting(context, gap), gap.kind.cause
    if waiting is not None:
        return Stop("budget", f"{cause} remains, but the budget is spent", _budget(context, gap, waiting))
    diagnosis = context.state.diagnosis
    low, high = rows_wanted(context.rows, gap=gap.value, tolerance=diagnosis.tolerance)
    sentence = gap.kind.left.format(
        size=diagnosis.errors.size(gap, unit=Unit(diagnosis.goal)),
        rows=f"{context.rows:,}",
        wanted=f"{low:,} to {high:,}" if high else f"{low:,} or many more",
    )
    return Stop(gap.kind.stop, f"{cause} remains, but no promising remedy is left", sentence)


def cheapest_waiting(context: StepContext, gap: Gap) -> Remedy | None:
    """Return the untried remedy of this gap that would need the smallest increase of the budget."""
    shelf = shelf_of(context.run)
    boards = shelf.boards if context.rules.only is None else ()
    waiting = [each for board in boards for each in applicable(context, board) if each.closes == gap.name]
    if boards and gap.name != "mismatch":
        waiting += [each for each in shelf.closing if each.coupled and each.kind not in context.state.exhausted]
    priced = [(price.least, remedy.kind, remedy) for remedy in waiting if (price := remedy.price(context))]
    return min(priced, default=(0.0, "", None), key=lambda each: each[:2])[2]


def _budget(context: StepContext, gap: Gap, waiting: Remedy) -> str:
    budget, price = context.run.budget, waiting.price(context)
    more = max(0.0, (price.least if price else 0.0) - budget.remaining)
    took = f"needs about {more:,.0f} {budget.unit} more" if more >= 1 else "was not covered by it"
    diagnosis = context.state.diagnosis
    size = diagnosis.errors.size(gap, unit=Unit(diagnosis.goal))
    step = waiting.kind.replace("_", " ")
    return f"The budget ran out with {size} of {gap.kind.noun} left: the next step, {step}, {took}."


def _unsure_of_bias(diagnosis: Diagnosis) -> Stop:
    if diagnosis.errors.optimal.source == "none":
        return Stop(
            "reference",
            "the reference is missing: give --human-error",
            "Without a reference it is unknown whether the bias is high: give --human-error.",
        )
    limits = Unit(diagnosis.goal).interval(diagnosis.errors.optimal.at_level(LEVEL))
    return Stop(
        "reference",
        "bias remains, but within the uncertainty of the reference",
        f"Any remaining bias is within the uncertainty of the reference ({limits}). Measure the reference on more "
        "rows before you work on the network.",
    )


def _rows(diagnosis: Diagnosis) -> str:
    short = [gap for gap in present(diagnosis.gaps) if diagnosis.errors.lacks_rows(gap)]
    rows = max((diagnosis.errors.rows_wanted(gap) or 0 for gap in short), default=0)
    if short and not rows:
        return f"No gap is significantly above the tolerance; the undecided gaps are {TOO_CLOSE}."
    if not rows:
        return "No gap is significantly above the tolerance, and more rows would not change this."
    return f"No gap is significantly above the tolerance; about {rows:,} dev rows would decide."


PRICE_BY = "`wellfit diagnose EXPERIMENT --refits 24` predicts the gain from twice the data."


def ending(
    state: RecipeState,
    *,
    run: RunContext,
    rules: Rules | None = None,
    findings: Iterable[Finding] = (),
    priced: Finding | None = None,
) -> Json:
    """Return the journal's "finish" entry; `priced` is WF210 if the budget covered it."""
    stop = stop_of(StepContext(run=run, state=state, rules=rules or Rules()), findings)
    wins = next(found for found in state.diagnosis.findings if found.code == "WF106")
    rival = f"Another method does better. {wins.evidence}" if wins.status == "fired" else ""
    worth = _worth(state.diagnosis, priced) if run.data is not None else ""
    parts = [_bought(state, run=run), rival, stop.sentence, worth]
    return {
        "stop": stop.code,
        "reason": stop.reason,
        "sentence": " ".join(part for part in parts if part),
        "best": state.outcome.identity,
        "seconds": run.budget.seconds,
        "updates": run.budget.booked,
    }


def _bought(state: RecipeState, *, run: RunContext) -> str:
    first, last = state.first, state.outcome
    if last.identity == first.identity:
        return ""
    unit = Unit(run.goal)
    before, after = (unit.show(outcome.losses["dev"]) for outcome in (first, last))
    changes = describe_change(first, last)
    flattered = last.config.data.drop_rows and not first.config.data.drop_rows
    why = " The first error was too low because of copies of training rows in dev." if flattered else ""
    return f"Dev {unit.noun} went from {before} to {after} ({changes}).{why}{_luck(state, run=run)}"


def _luck(state: RecipeState, *, run: RunContext) -> str:
    """Explain why an average is worse on dev than the network before it, which was chosen there."""
    step = run.remembered_step(state.step)
    if step is None or not (step.get("ensemble") and step["kept"] and step["got"] < 0):
        return ""
    before, alike = step["errors_before"]["dev"], step["ensemble"]["honest_single"]
    if alike <= before:
        return ""
    return (
        f" The network before the average had {Unit(run.goal).show(before)} by luck: networks trained in the same way "
        f"with other seeds have {Unit(run.goal).show(alike)}."
    )


def _worth(diagnosis: Diagnosis, priced: Finding | None) -> str:
    """Return the predicted gain from more data if variance remains, or the command that predicts it."""
    variance = diagnosis.gap("variance")
    if variance is None or variance.verdict != "yes":
        return ""
    return PRICE_BY if priced is None else priced.evidence
