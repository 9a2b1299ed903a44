"""The prescription, and the verdict in a sentence: cause, action, remainder.

Findings that spoil the measurements come before those based on them.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from wellfit.base.serialize import Record
from wellfit.base.typing import Board
from wellfit.diagnosis.checks import Urgency, codes_of
from wellfit.diagnosis.findings import Finding, fired
from wellfit.diagnosis.gaps import TOO_CLOSE, Errors, Gap, present
from wellfit.diagnosis.label_noise import MATERIAL
from wellfit.diagnosis.remedy_kinds import REMEDY_KINDS, prescribed_against
from wellfit.records.gaps import GapName
from wellfit.records.goals import Goal
from wellfit.records.units import Unit

CUT = "out of budget"
"""How the evidence of WF105 names a training that was cut short."""
BEFORE_GAPS: tuple[Urgency, ...] = ("leak", "dev overuse", "impossible", "doubt")
"""Kinds of findings that are acted on before any gap."""
SPOILING: tuple[Urgency, ...] = ("leak", "impossible", "doubt")
"""Kinds of findings after which no gap can be trusted."""


@dataclass(frozen=True)
class Prescribed(Record):
    """One prescribed remedy."""

    kind: str  # a name of the table of kinds, or "none"
    board: Board
    because: str  # the gap it works on; "" without one
    ceiling: float  # the most that it can gain, in the goal's loss
    why: str  # the reason, as one sentence; "cause: reason." if a gap is to be treated


def ceiling(errors: Errors, gap: Gap) -> float:
    """Return the largest gain from closing this gap: max(0, min(gap, dev - L)).

    L is the lower limit of the optimal error, or the train error if the reference is only an upper bound and train is
    below it.
    """
    lowest = errors.optimal.low
    if errors.optimal.upper_bound and errors.train.value < lowest:
        lowest = errors.train.value
    return max(0.0, min(gap.value, errors.dev.value - lowest))


def prescribe(
    errors: Errors,
    gaps: Mapping[GapName, Gap | None],
    *,
    goal: Goal,
    tolerance: float,
    findings: Sequence[Finding] = (),
    pictures: bool = False,
) -> tuple[Prescribed, ...]:
    """Return remedies in the order in which to try them: bias first, then variance, mismatch, dev overfit.

    `pictures` says whether the rows are pictures, for which augmentation is also a remedy for mismatch.

    A gap is treated if its verdict is "yes", or if it is "cannot tell" but the value is above the tolerance. Other
    undecided gaps call for a bigger dev set or a reference; otherwise there is nothing to do. If `findings` doubt the
    numbers, the first thing is to explain these, and each remedy depends on it.
    """
    known = list(present(gaps))
    doubts = [each for urgency in SPOILING for each in fired(findings, codes_of(urgency))]
    remedies = [
        remedy
        for gap in known
        if gap.verdict == "yes" or (gap.verdict == "cannot tell" and gap.value > tolerance)
        for remedy in _remedies(errors, gap, goal=goal, doubted=bool(doubts), pictures=pictures)
    ]
    found = (*remedies, *_for_certainty(errors, known, done={remedy.kind for remedy in remedies}))
    return (_explained(doubts), *found) if doubts else found or (_nothing(known),)


def _explained(doubts: Sequence[Finding]) -> Prescribed:
    named = _joined([f"{each.title} ({each.code})" for each in doubts])
    why = f"Explain {named} first, because no gap can be trusted until then."
    return Prescribed("none", "none", "", 0.0, why)


def _remedies(errors: Errors, gap: Gap, *, goal: Goal, doubted: bool, pictures: bool) -> list[Prescribed]:
    most = ceiling(errors, gap)
    name, size = gap.kind.noun.capitalize(), errors.size(gap, unit=Unit(goal))
    if gap.name == "variance" and gap.includes_mismatch:
        name = "Variance (any mismatch included)"
    doubt = "" if gap.verdict == "yes" or errors.is_open(gap) else ", though its interval is too wide to be sure"
    doubt += ", if the numbers are right" if doubted else ""
    return [
        Prescribed(kind.name, kind.board, gap.name, most, f"{name} is {size}{doubt}: {kind.reason}.")
        for kind in prescribed_against(gap.name, pictures=pictures)
    ]


def _for_certainty(errors: Errors, gaps: list[Gap], *, done: set[str]) -> list[Prescribed]:
    """Return remedies that turn "cannot tell" into an answer; they do not lower any error, so their ceiling is 0."""
    asked: list[Prescribed] = []
    unsure = [gap for gap in gaps if gap.verdict == "cannot tell"]
    short = [gap for gap in unsure if errors.rows_wanted(gap)]
    rows = max(short, key=lambda gap: gap.rows_needed or 0, default=None)
    if rows is not None and "bigger_dev_set" not in done:
        held_out = "train-dev" if rows.name == "variance" and errors.train_dev is not None else "dev"
        why = f"About {rows.rows_needed:,} {held_out} rows would decide whether the {rows.kind.noun} is high."
        kind = REMEDY_KINDS["bigger_dev_set"]
        asked.append(Prescribed(kind.name, kind.board, rows.name, 0.0, why))
    elif rows is None and (close := [gap for gap in unsure if errors.lacks_rows(gap)]):
        why = f"The {_joined([gap.kind.noun for gap in close])} is {TOO_CLOSE}."
        asked.append(Prescribed("none", "none", close[0].name, 0.0, why))
    if errors.optimal.source == "none" and any(gap.name == "avoidable_bias" for gap in unsure):
        why = "Give --human-error (or --optimal-error), because the bias cannot be judged without it."
        asked.append(Prescribed("none", "none", "avoidable_bias", 0.0, why))
    return asked


def _nothing(gaps: list[Gap]) -> Prescribed:
    undecided = [gap.kind.noun for gap in gaps if gap.verdict == "cannot tell"]
    why = "Every gap is within the tolerance, so there is nothing to treat."
    if undecided:
        why = f"No gap is above the tolerance by its value; {' and '.join(undecided)} remain uncertain."
    return Prescribed("none", "none", "", 0.0, why)


def leading(findings: Sequence[Finding], gaps: Mapping[GapName, Gap | None]) -> tuple[Finding, ...]:
    """Return the findings to act on first; () if nothing is clearly wrong.

    The order is: leakage; a dev set used for too many choices; a dev error below the optimal error; other doubts about
    the numbers; the gaps that are significantly high, the largest lower limit first; then regions. Wrong labels look
    like bias, so their finding leads in place of bias if it fired. If it is undecided, bias does not lead, because it
    may be due to wrong labels.
    """
    for urgency in BEFORE_GAPS:
        if found := fired(findings, codes_of(urgency)):
            return found
    noise = next((found.interval for found in findings if found.code in codes_of("labels")), None)
    bias = gaps["avoidable_bias"]
    doubtful = noise is not None and bias is not None and noise.high > MATERIAL and bias.value <= noise.high
    high = [
        gap
        for gap in present(gaps)
        if gap.verdict == "yes" and not (gap.name == "avoidable_bias" and (doubtful or gap.by_chance))
    ]
    labels = fired(findings, codes_of("labels"))
    if labels and all(gap.name == "avoidable_bias" for gap in high):
        return labels
    if high:
        return fired(findings, [gap.kind.finding for gap in sorted(high, key=lambda gap: -gap.low)])
    return fired(findings, codes_of("region"))


def is_cut_short(findings: Sequence[Finding]) -> bool:
    """Return True if the budget ended the training (WF105): then nothing else can be said of the network."""
    return any(found.code == "WF105" and found.status == "fired" and CUT in found.evidence for found in findings)


def headline(
    errors: Errors,
    gaps: Mapping[GapName, Gap | None],
    *,
    goal: Goal,
    tolerance: float,
    findings: Sequence[Finding] = (),
) -> str:
    """Return one to three sentences: leaks that spoil the errors, if any; cause, action, remainder."""
    if is_cut_short(findings):
        return "Nothing can be said yet: the training was cut short by its budget. Give it a larger one."
    leaks, doubts = (
        _joined([f"{found.title} ({found.code})" for found in fired(findings, codes_of(urgency))])
        for urgency in ("leak", "doubt")
    )
    verdict = _of_gaps(errors, gaps, goal=goal, tolerance=tolerance, advised=not doubts)
    if leaks:
        return f"First look at the rows: {leaks}. Until that is fixed no error can be trusted. {verdict}"
    if doubts:
        return f"First look at the numbers: {doubts}. Until that is explained no gap can be trusted. {verdict}"
    return verdict


def _of_gaps(errors: Errors, gaps: Mapping[GapName, Gap | None], *, goal: Goal, tolerance: float, advised: bool) -> str:
    unit, known = Unit(goal), list(present(gaps))

    def causes(high: list[Gap]) -> str:
        return _joined([gap.kind.symptom.format(size=errors.size(gap, unit=unit)) for gap in high])

    high = [gap for gap in known if gap.verdict == "yes"]
    unsure = [gap.kind.noun for gap in known if gap.verdict == "cannot tell"]
    rest = f"There are too few rows to tell whether {_joined(unsure)} {'is' if len(unsure) == 1 else 'are'} high."
    if unsure == ["avoidable bias"] and errors.optimal.source == "none":
        rest = "Without a reference nobody can tell whether it underfits: give a human error."
    if high:
        chance = [_BY_CHANCE] if any(gap.by_chance for gap in high) else []
        parts = [f"The network {causes(high)}.", *chance, *([high[0].kind.action] if advised else [])]
        return " ".join([*parts, rest] if unsure else parts)
    # Without a reference the value of the bias is the middle of the range of possible values.
    guessed = "avoidable_bias" if errors.optimal.source == "none" else None
    leaning = [gap for gap in known if gap.verdict == "cannot tell" and gap.value > tolerance and gap.name != guessed]
    if leaning:
        return f"It looks as if the network {causes(leaning)}, but no gap is certain. {rest}"
    if unsure:
        return f"No gap is surely above {unit.size(tolerance, end=errors.dev.value)}. {rest}"
    return (
        f"The network fits well: every gap is within {unit.size(tolerance, end=errors.dev.value)}, "
        f"with a dev {'score' if goal.higher_is_better else 'error'} of {unit.show(errors.dev.value)}. "
        "There is nothing to treat."
    )


_BY_CHANCE = "On so few training rows even the best possible rule may err as often."


def _joined(words: list[str]) -> str:
    return " and ".join(filter(None, (", ".join(words[:-1]), *words[-1:])))
