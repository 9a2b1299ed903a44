"""The sentences of a report, shared by terminal, page, notebook and model card.

Verdicts are repeated here, never made: a sentence follows from the numbers of a summary.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from itertools import groupby

from wellfit.diagnosis.gaps import Gap
from wellfit.diagnosis.optimal_error import Optimal
from wellfit.diagnosis.prescribe import Prescribed
from wellfit.opening import Opening
from wellfit.records.gaps import GAPS, GapName
from wellfit.records.units import Unit, knob, seconds
from wellfit.reports.records import Diagnosed, Network, Step, Summary, Temperature
from wellfit.reports.sweep_card import Member, SweepCard, coupled, searched_knobs
from wellfit.stats.intervals import LEVEL, Estimate

QUESTIONS = {
    "ladder": "Where does the error come from?",
    "split": "Is the split fair?",
    "knobs": "What did we change?",
    "trade": "What did regularization cost, and what did it gain?",
    "others": "Would another method do better?",
    "findings": "What was checked?",
    "next": "What next?",
    "steps": "What was expected of each step, and what was the result?",
    "end": "How did it end?",
}
"""Headings of the sections that terminal and page share."""


def headline(summary: Summary) -> str:
    """One to four short sentences: cause, action, remaining error, and the method that does better if there is one."""
    if summary.before is None or summary.after is None:
        return _joined(_before_diagnosis(summary), _winner(summary))
    return _joined(_cause(summary.before), _action(summary), _remainder(summary, summary.after), _winner(summary))


def remarks(summary: Summary) -> Iterator[str]:
    """Return the lines under the headline."""
    yield from _moves(summary)
    if summary.after is not None and _has_no_reference(summary.after):
        yield "How much of the remaining error could be avoided is unknown: give --human-error."
    if summary.compared > 1 and not summary.openings:
        yield (
            f"The dev {summary.unit.noun} shown is the best of {summary.compared:,} networks, so it is slightly "
            "optimistic."
        )
    yield from _test(summary)
    if summary.temperature is not None:
        yield temperature_sentence(summary.temperature)
    if not summary.finished and not summary.openings:
        yield "This experiment has not finished. Run the same command again to continue."


def _joined(*sentences: str) -> str:
    return " ".join(filter(None, sentences))


def _before_diagnosis(summary: Summary) -> str:
    best, unit = summary.best, summary.unit
    if best is not None:
        train, dev = (shown(unit, best.errors.get(part)) for part in ("train", "dev"))
        return f"One network has been trained (train {unit.noun} {train}, dev {dev}); it has not been diagnosed yet."
    if summary.split is not None:
        return "The data is split and the test set is sealed. Nothing has been trained yet."
    return "Nothing has happened in this experiment yet."


def _verdict(found: Diagnosed, name: GapName) -> str:
    gap = found.diagnosis.gap(name)
    return "" if gap is None else gap.verdict


_CAUSES = {
    (True, True): "The first network was both underfitting and overfitting.",
    (True, False): "The first network was underfitting.",
    (False, True): "The first network was overfitting.",
}


def _cause(first: Diagnosed) -> str:
    verdicts = [_verdict(first, name) for name in ("avoidable_bias", "variance")]
    high = (verdicts[0] == "yes", verdicts[1] == "yes")
    if any(high):
        return _CAUSES[high]
    if _verdict(first, "mismatch") == "yes":
        return "The first network fits, but dev data differs from train data."
    if "cannot tell" not in verdicts:
        return "The first network fits: neither bias nor variance is high."
    if verdicts[0] == "cannot tell" and _has_no_reference(first):
        return "How much of the first network's error could be avoided is unknown: no reference error was given."
    return "There are too few rows to tell whether the first network underfits or overfits."


def _action(summary: Summary) -> str:
    kept = [step for step in summary.steps if step.kept]
    if not kept:
        tried = len(summary.steps)
        return f"None of the {tried} steps tried did better." if tried > 1 else ""
    if _is_elsewhere(summary, kept):
        return f"{_capitalized(kept[-1].did)} was tried, but an earlier network does better on dev and is kept."
    if summary.searched_both:
        networks = summary.best.outcome.networks if summary.best else 1
        average = f" and an average of {networks} networks" if networks > 1 else ""
        return f"A search of both boards{average} {_shrunk(summary, 'variance')}."
    if summary.best and any(step.board == "regularization" for step in kept):
        return f"{_regularizers(summary.best)} {_shrunk(summary, 'variance')}."
    return f"{_capitalized(kept[-1].did)} {_shrunk(summary, _gap_of(kept[-1]))}."


def _is_elsewhere(summary: Summary, kept: Sequence[Step]) -> bool:
    """Return True if no step of this run led to the network that represents the experiment."""
    return bool(kept) and summary.best is not None and summary.best.identity not in {step.network for step in kept}


def _regularizers(best: Network) -> str:
    parts = []
    if best.l2:
        parts.append(f"λ = {knob(best.l2)}")
    if best.keep_probs != "1":
        parts.append(f"keep_prob {best.keep_probs}")
    if best.others:
        parts.append(best.others if parts else _capitalized(best.others))
    if best.outcome.networks > 1:
        parts.append(f"{best.outcome.networks} networks averaged")
    return " with ".join(parts) or "The step on regularization"


def _shrunk(summary: Summary, name: GapName) -> str:
    before, after = (found.diagnosis.gap(name) if found else None for found in (summary.before, summary.after))
    if before is None or after is None or not summary.before or not summary.after:
        return "was kept"
    if after.verdict == "no" and before.verdict != "no":
        return f"removed the {GAPS[name].noun}"
    if after.value >= before.value:
        return f"did not lower the {GAPS[name].noun}"
    sizes = (gap_text(summary.unit, found, gap) for found, gap in ((summary.before, before), (summary.after, after)))
    return f"cut the {GAPS[name].noun} from {' to '.join(sizes)}"


def gap_text(unit: Unit, found: Diagnosed, gap: Gap, *, sign: bool = False) -> str:
    """A gap in the goal's unit; for rmse also as the step between the two errors at its ends."""
    if gap.below_reference:
        return "none"
    start, end = found.diagnosis.errors.ends(gap.name)
    return unit.gap(gap.value, start=start, end=end, sign=sign)


def _remainder(summary: Summary, last: Diagnosed) -> str:
    judged = [gap for gap in last.gaps if gap.name != "dev_overfit"]
    high = [gap for gap in judged if gap.verdict == "yes"]
    if high:
        worst = max(high, key=lambda gap: gap.value)
        if worst.name == _treated(summary):
            return ""
        noun = worst.kind.noun
        article = "An" if noun[0] in "aeiou" else "A"
        verb = "is left" if summary.steps else "is to be removed"
        return f"{article} {noun} of {gap_text(summary.unit, last, worst)} {verb}."
    if _has_no_reference(last):
        return ""
    if any(gap.verdict != "no" for gap in judged):
        return "The rest of the error is too small to find its cause with this many rows."
    return "" if _best_other(summary) else "The rest of the error is in the data."


def _treated(summary: Summary) -> str:
    """Return the gap whose size `_action` has named already."""
    kept = [step for step in summary.steps if step.kept]
    treated = set() if _is_elsewhere(summary, kept) else {_gap_of(step) for step in kept}
    return next((name for name in ("variance", "mismatch", "avoidable_bias") if name in treated), "")


def _gap_of(step: Step) -> GapName:
    """Return the gap that a step was meant to close."""
    if step.board == "data":
        return "mismatch" if step.kind in ("augment_toward", "reweight") else "variance"
    return "variance" if step.board == "regularization" else "avoidable_bias"


def _has_no_reference(found: Diagnosed) -> bool:
    return found.diagnosis.errors.optimal.source == "none"


def _winner(summary: Summary) -> str:
    found = _best_other(summary)
    if found is None:
        return ""
    part, ours, loss, label = found
    unit, many = summary.unit, label.endswith("s")
    subject = label if many else f"The {label.lower()}"
    verb = ("do" if many else "does") if part == "test" or _rival_is_sure(summary) else "may do"
    return (
        f"{subject} {verb} better than the network here: {part} {unit.noun} {unit.show(loss)} against "
        f"{unit.show(ours)}."
    )


def _best_other(summary: Summary) -> tuple[str, float, float, str] | None:
    """The part, our loss, theirs and the name of the reference model that does better; on test once opened."""
    part = "test" if summary.openings else "dev"
    ours = summary.openings[0].error if summary.openings else summary.dev
    measured = [(each.test if summary.openings else each.dev, each.label) for each in summary.others]
    known = [(found.value, label) for found, label in measured if found is not None]
    if ours is None or not known or min(known)[0] >= ours.value:
        return None
    return part, ours.value, *min(known)


def _rival_is_sure(summary: Summary) -> bool:
    """Return True unless the paired comparison on dev (WF106) cannot tell the two apart."""
    return [found.status for found in summary.findings if found.code == "WF106"] != ["passed"]


def _moves(summary: Summary) -> Iterator[str]:
    if summary.before is None or summary.after is None or summary.before is summary.after:
        return
    unit = summary.unit
    before, after = summary.before.diagnosis.errors, summary.after.diagnosis.errors
    old, new = unit.show(before.dev.value), unit.show(after.dev.value)
    verb = "went" if after.dev.value >= before.dev.value else "rose" if unit.goal.higher_is_better else "fell"
    yield (
        f"Dev {unit.noun} stays at {old}: no step gained."
        if old == new
        else (f"Dev {unit.noun} {verb} from {old} to {new}.")
    )
    regularized = summary.best is not None and not summary.best.is_plain
    if after.train.value > before.train.value and regularized and not summary.searched_both:
        yield (
            f"Train {unit.noun} went from {unit.show(before.train.value)} to {unit.show(after.train.value)}: "
            "that is the price of regularization, not a fault."
        )


def elsewhere_sentence(opening: Opening) -> str:
    """An opening for a network that no longer represents the experiment, without its number."""
    return f"Opening {opening.opening} measured another network, not this one. Receipt {opening.receipt}"


def _test(summary: Summary) -> Iterator[str]:
    if summary.elsewhere and not summary.openings:
        yield "The test set was opened for another network: this one has no test error. `wellfit unseal --again` " + (
            "measures it, not certified."
        )
    if not summary.openings:
        return
    first, unit = summary.openings[0], summary.unit
    yield f"Test {unit.noun} {unit.show(first.error.value)} (95 % interval {unit.interval(first.error)}), " + (
        "certified." if first.certified else "not certified."
    )
    opened = len(summary.openings) + len(summary.elsewhere)
    if opened > 1:
        yield f"The test set has been opened {opened} times; only the first opening can be certified."


def _capitalized(words: str) -> str:
    return words[:1].upper() + words[1:]


def temperature_sentence(found: Temperature) -> str:
    """Return the change of the probabilities, and its gain on rows that did not choose it."""
    much = "less" if found.value > 1 else "more"
    return (
        f"A temperature of {found.value:.3g} makes the network's probabilities {much} confident: the dev log loss was "
        f"{found.before:.4f} and is {found.honest:.4f} (temperature fitted on one half of dev, measured on the other)."
    )


def shown(unit: Unit, estimate: Estimate | None) -> str:
    """Return an error in the goal's unit; a dash if it is unknown."""
    return unit.show(estimate.value if estimate else None)


def interval_text(unit: Unit, estimate: Estimate | None) -> str:
    """Return the limits of an error; "exact" for one without sampling error."""
    if estimate is None:
        return ""
    return "exact" if estimate.is_fixed else unit.interval(estimate)


def gap_interval(unit: Unit, gap: Gap) -> str:
    """Return the limits of a gap; "exact" for one without sampling error."""
    return "exact" if gap.low >= gap.high else unit.gap_range(gap.low, gap.high)


def verdict_text(found: Diagnosed, gap: Gap) -> str:
    """Return the verdict on a gap, with a note if there is one."""
    if gap.below_reference:
        return "no: memorized, or better than the reference"
    if gap.verdict == "cannot tell" and found.diagnosis.errors.lacks_rows(gap):
        return f"cannot tell: needs about {gap.rows_needed:,} rows"
    return gap.verdict


def tolerance_note(unit: Unit, found: Diagnosed) -> str:
    """The rule behind the verdicts."""
    tolerance = unit.gap(found.diagnosis.tolerance)
    return f"A gap is high if its interval is above the tolerance of {tolerance}."


def optimal_note(unit: Unit, optimal: Optimal) -> str:
    """The caution about a reference that is only an upper bound; "" for any other reference."""
    if not optimal.upper_bound:
        return ""
    return f"The {optimal_source(optimal)} stands in for the optimal {unit.noun}: the network may do better."


def sweep_line(unit: Unit, sweep: SweepCard) -> str:
    """The choice of a sweep, in two sentences."""
    planned = f" (of {sweep.planned} planned)" if sweep.planned > len(sweep.members) else ""
    done = f"{len(sweep.members)} networks{planned} in {seconds(sweep.seconds)}."
    chosen = sweep.chosen
    if chosen is None:
        return done
    return (
        f"{done} {sweep.verb}: {member_text(chosen)}: train {unit.show(chosen.train)}, dev {shown(unit, chosen.dev)}; "
        f"{sum(member.tied for member in sweep.members)} are tied with the best."
    )


def member_text(member: Member) -> str:
    """The knobs of a member: lambda in its three units, keep_prob, and the others that are on."""
    others = "".join(f", {words}" for words in (member.others, searched_knobs(member.searched)) if words)
    return (
        f"λ = {knob(member.l2)} (weight_decay {knob(member.weight_decay)}, shrink {knob(member.shrink)} per update), "
        f"keep_prob {member.keep_probs}{others}"
    )


def coupled_lines(unit: Unit, sweep: SweepCard) -> Iterator[str]:
    """A line for each member that stopped early."""
    for member in coupled(sweep):
        yield (
            f"Coupled: stopped early by dev at ‖W‖ {knob(member.norm)}, dev {shown(unit, member.dev)} (optimistic): "
            "one knob fits and regularizes at once."
        )


def monte_carlo_line(unit: Unit, sweep: SweepCard) -> str:
    """The gain from Monte-Carlo dropout; "" if it was not measured."""
    found = sweep.monte_carlo
    if found is None:
        return ""
    low, high = (unit.gap(-limit, sign=True) for limit in (found.gain.high, found.gain.low))
    return (
        f"Monte-Carlo dropout on the chosen network: {found.passes} passes change dev {unit.noun} by "
        f"{unit.gap(-found.gain.value, sign=True)} ({low} to {high}) and cost {knob(found.cost)} times one pass."
    )


def trade_sentence(summary: Summary) -> str:
    """The cost and the gain of regularization, in the goal's unit."""
    if len(summary.trade) != 2:
        return ""
    (plain, chosen), unit = summary.trade, summary.unit
    if plain.train is None or plain.dev is None or chosen.train is None or chosen.dev is None:
        return ""
    cost = unit.gap(chosen.train - plain.train, start=plain.train, end=chosen.train, sign=True)
    bought = unit.gap(chosen.dev - plain.dev, start=plain.dev, end=chosen.dev, sign=True)
    return f"Regularization changed train {unit.noun} by {cost} and dev {unit.noun} by {bought}."


def luck_sentence(unit: Unit, step: Step) -> str:
    """The reason for keeping an average that is worse on dev; "" if none was kept."""
    if not step.was_luck:
        return ""
    return (
        f"Step {step.step} was kept: the earlier dev {unit.noun} was lucky; networks retrained with other seeds reach "
        f"{unit.show(step.single)}."
    )


def without_gain(step: Step) -> str:
    """The remedies that were tried before the step and did not help; "" if there were none."""
    names = ", ".join(name.replace("_", " ") for name in step.without_gain)
    return f"Also tried at step {step.step}, without a gain: {names}." if names else ""


def score_sentence(summary: Summary) -> str:
    """Number of outcomes within the expected interval; "" if no step had one."""
    if summary.kept_score is None:
        return ""
    inside, steps = summary.kept_score
    return f"{inside} of {steps} outcomes were within their 90 % interval."


def next_lines(unit: Unit, prescription: Sequence[Prescribed]) -> Iterator[str]:
    """Return the remedies in order, those with the same cause on one line."""
    for cause, rows in groupby(prescription, key=lambda row: (row.why.partition(": ")[0], row.ceiling)):
        kinds = ", ".join(row.kind.replace("_", " ") for row in rows if row.kind != "none")
        gain = f" (at most {unit.gap(cause[1])})" if cause[1] else ""
        yield f"{cause[0].rstrip('.')}{f': {kinds}{gain}' if kinds else ''}."


_SOURCES = {
    "human": "human error",
    "given": "as given",
    "labels": "from several labels per row",
    "none": "no reference given",
}


def optimal_source(optimal: Optimal) -> str:
    """The source of the optimal error, in words."""
    return _SOURCES[optimal.source]


def optimal_text(unit: Unit, optimal: Optimal) -> str:
    """The optimal error: a number, or a range."""
    between = unit.show(optimal.low) if optimal.low >= optimal.high else unit.interval(optimal.at_level(LEVEL))
    return f"unknown: {between}" if optimal.source == "none" else between


def rows_text(estimate: Estimate | None) -> str:
    """The number of rows that an error was measured on; "" if it is unknown."""
    return f"{estimate.rows:,}" if estimate and estimate.rows is not None else ""
