"""The sentences of a report, shared by terminal, page, notebook and model card.

Verdicts are repeated here, never made: a sentence follows from the numbers of a summary.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping

from wellfit.diagnosis.gaps import TOO_CLOSE, Gap
from wellfit.diagnosis.optimal_error import Optimal
from wellfit.opening import Opening
from wellfit.records.units import Unit, knob, seconds
from wellfit.reports.records import Diagnosed, Step, Summary, Temperature
from wellfit.reports.sweep_card import Member, SweepCard, coupled, searched_knobs
from wellfit.stats.intervals import LEVEL, Estimate

QUESTIONS = {
    "ladder": "Where does the error come from?",
    "split": "Is the split fair?",
    "knobs": "What did we change?",
    "trade": "What did regularization cost, and what did it gain?",
    "others": "Would another method do better?",
    "errors": "Which rows does it get wrong?",
    "findings": "What was checked?",
    "next": "What next?",
    "steps": "What was expected of each step, and what was the result?",
    "fits": "Which fits were made?",
    "end": "How did it end?",
}
"""Headings of the sections that terminal and page share."""


def gap_text(unit: Unit, found: Diagnosed, gap: Gap, *, sign: bool = False) -> str:
    """A gap in the goal's unit; of a bias without a reference only the limits are known, or nothing."""
    if gap.below_reference:
        return "none"
    if found.diagnosis.errors.is_open(gap):
        return "unknown" if gap.verdict == "cannot tell" else found.diagnosis.errors.limits(gap, unit=unit)
    start, end = found.diagnosis.errors.ends(gap.name)
    return unit.gap(gap.value, start=start, end=end, sign=sign)


def elsewhere_sentence(opening: Opening) -> str:
    """An opening for a network that no longer represents the experiment, without its number."""
    return f"Opening {opening.opening} measured another network, not this one. Receipt {opening.receipt}"


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


def step_gap(summary: Summary, losses: Mapping[str, float], gap: Gap) -> str:
    """A gap at a step, whose errors are `losses`, in the goal's unit."""
    if gap.name == "avoidable_bias" and summary.after and summary.after.diagnosis.errors.optimal.source == "none":
        return summary.unit.gap_range(gap.low, gap.high, end=losses["train"])
    if gap.name == "variance":
        return summary.unit.gap(gap.value, start=losses["train"])
    return summary.unit.gap(gap.value, end=losses["train" if gap.name == "avoidable_bias" else "dev"])


def step_gain(unit: Unit, step: Step) -> str:
    """What was expected of a step, with its interval, and what it got."""
    end = step.before["train" if step.board == "optimization" and not step.coupled else "dev"]
    expected, got = (unit.gap(value, end=end) for value in (step.expected, step.got))
    if step.low is None or step.high is None:
        return f"Expected at most {expected}, got {got}"
    return f"Expected {expected} ({unit.gap_range(step.low, step.high, end=end)}, 90%), got {got}"


def gap_interval(unit: Unit, found: Diagnosed, gap: Gap) -> str:
    """Return the limits of a gap; "exact" for one without sampling error."""
    return "exact" if gap.low >= gap.high else found.diagnosis.errors.limits(gap, unit=unit)


def verdict_text(found: Diagnosed, gap: Gap) -> str:
    """Return the verdict on a gap, with a note if there is one."""
    if gap.below_reference:
        return "no: memorized, or better than the reference"
    if gap.verdict == "cannot tell" and found.diagnosis.errors.lacks_rows(gap):
        wanted = found.diagnosis.errors.rows_wanted(gap)
        return f"cannot tell: needs about {wanted:,} rows" if wanted else f"cannot tell: {TOO_CLOSE}"
    return gap.verdict


def tolerance_note(unit: Unit, found: Diagnosed) -> str:
    """The rule behind the verdicts."""
    tolerance = unit.size(found.diagnosis.tolerance, end=found.diagnosis.errors.dev.value)
    return f"A gap is high if its interval is above the tolerance of {tolerance}."


def optimal_note(unit: Unit, optimal: Optimal) -> str:
    """The caution about a reference that is only an upper bound; "" for any other reference."""
    if not optimal.upper_bound:
        return ""
    return f"The {optimal_source(optimal)} stands in for the optimal {unit.noun}: the network may do better."


def sweep_line(unit: Unit, sweep: SweepCard, *, units: bool = True) -> str:
    """The choice of a sweep, in two sentences; `units` says lambda also as weight_decay and shrink."""
    planned = f" (of {sweep.planned} planned)" if sweep.planned > len(sweep.members) else ""
    done = f"{len(sweep.members)} networks{planned} in {seconds(sweep.seconds)}."
    chosen = sweep.chosen
    if chosen is None:
        return done
    losses = f"train {unit.show(chosen.train)}, dev {shown(unit, chosen.dev)}"
    return (
        f"{done} {sweep.verb}: {member_text(chosen, units=units)}: {losses}; "
        f"{sum(member.tied for member in sweep.members)} are tied with the best."
    )


def member_text(member: Member, *, units: bool = True) -> str:
    """The knobs of a member: lambda (in its three units), keep_prob, and the others that are on."""
    others = "".join(f", {words}" for words in (member.others, searched_knobs(member.searched)) if words)
    again = f" (weight_decay {knob(member.weight_decay)}, shrink {knob(member.shrink)} per update)" if units else ""
    return f"λ = {knob(member.l2)}{again}, keep_prob {member.keep_probs}{others}"


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
    end = sweep.chosen.dev.value if sweep.chosen and sweep.chosen.dev else None
    value, low, high = (
        unit.gap(-limit, start=end, sign=True) for limit in (found.gain.value, found.gain.high, found.gain.low)
    )
    return (
        f"Monte-Carlo dropout on the chosen network: {found.passes} passes change dev {unit.noun} by "
        f"{value} ({low.partition(' ')[0]} to {high}) and cost {knob(found.cost)} times one pass."
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
    return f"{inside} of {steps} outcomes were within their 90% interval."


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
