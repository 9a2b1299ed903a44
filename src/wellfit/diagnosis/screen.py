"""The diagnosis as plain text: ladder, gaps, findings, prescription.

The verdict in a sentence: cause, action, remainder.
"""

from __future__ import annotations

import textwrap
from collections.abc import Mapping, Sequence

from wellfit.diagnosis.findings import Finding
from wellfit.diagnosis.gaps import Errors, Gap
from wellfit.diagnosis.prescribe import Remedy, spoiling
from wellfit.diagnosis.words import (
    error_text,
    gap_text,
    number_text,
    rmse_text,
    size_text,
)
from wellfit.gaps import GAPS, GapName
from wellfit.goals import Goal
from wellfit.stats.intervals import Estimate

WIDTH = 96
_SAID = {"given": "given", "labels": "from several labels per row"}


def screen(
    errors: Errors,
    gaps: Mapping[GapName, Gap | None],
    *,
    goal: Goal,
    tolerance: float,
    findings: Sequence[Finding],
    prescription: Sequence[Remedy],
    notes: Sequence[str],
) -> str:
    """The whole screen, at most 96 columns wide."""
    blocks = [
        textwrap.fill(headline(errors, gaps, goal=goal, tolerance=tolerance, findings=findings), WIDTH),
        "\n".join(_ladder(errors, goal)),
        "\n".join(_gaps(gaps, errors=errors, goal=goal, tolerance=tolerance)),
        "\n".join(_findings(findings)),
        "\n".join(_prescription(prescription, goal)),
        "\n".join(textwrap.fill(f"Note: {note}", WIDTH) for note in notes),
    ]
    return "\n\n".join(filter(None, blocks))


def findings_text(findings: Sequence[Finding]) -> str:
    """The findings alone: fired ones first, with what to do."""
    return "\n".join(_findings(findings))


def _ladder(errors: Errors, goal: Goal) -> list[str]:
    lines = [f"{'':<12}{goal.noun:>16}   {'95 % interval':<24}{'rows':>12}", _optimal(errors, goal)]
    rungs = (("train", errors.train), ("train-dev", errors.train_dev), ("dev", errors.dev), ("test", errors.test))
    lines += [_rung(name, estimate, goal) for name, estimate in rungs if estimate is not None]
    return [line.rstrip() for line in lines]


def _optimal(errors: Errors, goal: Goal) -> str:
    optimal = errors.optimal.in_unit_of(goal)
    limits = [error_text(goal, goal.loss_of(limit)) for limit in (optimal.low, optimal.high)]
    if errors.optimal.source == "human":
        said = "human; the network may do better"
        said = said if limits[0] == limits[1] else f"{limits[0]} to {limits[1]}, {said}"
        value = error_text(goal, errors.optimal.low if errors.optimal.point is None else errors.optimal.point)
        return f"{'optimal':<12}{value:>16}   {said}"
    said = _SAID.get(errors.optimal.source, "no reference was given")
    value = limits[0] if limits[0] == limits[1] else f"{limits[0]} to {limits[1]}"
    return f"{'optimal':<12}{value:>16}   {said}"


def _rung(name: str, estimate: Estimate, goal: Goal) -> str:
    low, high = sorted((estimate.low, estimate.high), key=lambda loss: goal.score_of(max(loss, 0.0)))
    interval = f"{error_text(goal, low)} to {error_text(goal, high)}"
    if estimate.is_fixed:
        interval = "exact for these rows" if name == "train" else "rows unknown"
        interval = "no interval" if estimate.rows and name != "train" else interval
    rows = f"{estimate.rows:,}" if estimate.rows else "-"
    return f"{name:<12}{error_text(goal, estimate.value):>16}   {interval:<24}{rows:>12}"


def _gaps(gaps: Mapping[GapName, Gap | None], *, errors: Errors, goal: Goal, tolerance: float) -> list[str]:
    head = f"{'gap':<16}{goal.loss_noun:>12}   {'95 % interval':<24}high? (tolerance {gap_text(goal, tolerance)})"
    return [head, *(_gap(name, gap, errors=errors, goal=goal) for name, gap in gaps.items())]


def _gap(name: GapName, gap: Gap | None, *, errors: Errors, goal: Goal) -> str:
    if gap is None:
        return f"{GAPS[name].noun:<16}{'-':>12}   {GAPS[name].absent}"
    interval = f"{number_text(goal, gap.low)} to {number_text(goal, gap.high)}"
    line = f"{gap.kind.noun:<16}{number_text(goal, gap.value):>12}   {interval:<24}{_verdict(gap, errors)}"
    return line + (f" ({rmse_text(gap, errors)})" if goal.is_squared else "")


def _verdict(gap: Gap, errors: Errors) -> str:
    words = [gap.verdict.upper() if gap.verdict == "yes" else gap.verdict]
    if errors.lacks_rows(gap):
        words.append(f"about {gap.rows_needed:,} rows would decide")
    if gap.below_reference:
        words.append("below the reference: memorized, or better than it")
    if gap.includes_mismatch:
        words.append("any mismatch included")
    return ", ".join(words)


def _findings(findings: Sequence[Finding]) -> list[str]:
    lines = ["findings"]
    for found in findings:
        if found.status == "fired":
            lines += [_wrapped(f"{found.code} {found.title}: {found.evidence}", indent=2)]
            lines += [_wrapped(f"-> {found.remedy}", indent=8)]
    said = [f for f in findings if f.status == "not applicable" and not f.evidence.startswith("Not checked")]
    lines += [_wrapped(f"{f.code} {f.title}: not applicable. {f.evidence}", indent=2) for f in said]
    passed = [f"{f.code} {f.title}" for f in findings if f.status == "passed"]
    unchecked = [f.code for f in findings if f.status == "not applicable" and f not in said]
    lines += [_wrapped(f"passed: {', '.join(passed)}", indent=2)] if passed else []
    return lines + ([_wrapped(f"not checked here: {', '.join(unchecked)}", indent=2)] if unchecked else [])


def _prescription(prescription: Sequence[Remedy], goal: Goal) -> list[str]:
    """The remedies in their order, each cause said once."""
    lines, said = ["prescription"], ""
    for place, remedy in enumerate(prescription, start=1):
        cause, _, reason = remedy.why.partition(": ")
        if reason and cause != said:
            lines.append(_wrapped(f"{cause}; closing it buys at most {gap_text(goal, remedy.ceiling)}", indent=2))
            said = cause
        lines.append(_wrapped(f"{place}. {remedy.kind}: {reason or cause}", indent=4))
    return lines


def _wrapped(text: str, *, indent: int) -> str:
    return textwrap.fill(text, WIDTH, initial_indent=" " * indent, subsequent_indent=" " * (indent + 3))


def headline(
    errors: Errors,
    gaps: Mapping[GapName, Gap | None],
    *,
    goal: Goal,
    tolerance: float,
    findings: Sequence[Finding] = (),
) -> str:
    """What spoils the errors, if anything; cause, action, remainder."""
    verdict = _of_gaps(errors, gaps, goal=goal, tolerance=tolerance)
    leaks = [f"{found.title} ({found.code})" for found in spoiling(findings)]
    if not leaks:
        return verdict
    return f"First look at the rows: {_joined(leaks)}. Until that is mended no error can be trusted. {verdict}"


def _of_gaps(errors: Errors, gaps: Mapping[GapName, Gap | None], *, goal: Goal, tolerance: float) -> str:
    known = [gap for gap in (gaps[name] for name in GAPS) if gap is not None]
    high = [gap for gap in known if gap.verdict == "yes"]
    unsure = [gap.kind.noun for gap in known if gap.verdict == "cannot tell"]
    rest = f"Whether {_joined(unsure)} {'is' if len(unsure) == 1 else 'are'} high, these rows cannot tell."
    if unsure == ["avoidable bias"] and errors.optimal.source == "none":
        rest = "Whether it under-fits cannot be told without a reference: give a human error."
    if high:
        causes = _joined([gap.kind.symptom.format(size=size_text(goal, gap, errors)) for gap in high])
        chance = [_BY_CHANCE] if any(gap.by_chance for gap in high) else []
        parts = [f"The network {causes}.", *chance, high[0].kind.action]
        return " ".join([*parts, rest] if unsure else parts)
    leaning = [gap for gap in known if gap.verdict == "cannot tell" and gap.value > tolerance and _leans(gap, errors)]
    if leaning:
        causes = _joined([gap.kind.symptom.format(size=size_text(goal, gap, errors)) for gap in leaning])
        return f"It looks as if the network {causes}, but no gap is certain. {rest}"
    if unsure:
        return f"No gap is certainly beyond {gap_text(goal, tolerance)}. {rest}"
    return (
        f"The network fits well: every gap is within {gap_text(goal, tolerance)}, "
        f"with a dev {'score' if goal.higher_is_better else 'error'} of {error_text(goal, errors.dev.value)}. "
        "There is nothing to treat."
    )


def _leans(gap: Gap, errors: Errors) -> bool:
    """Without a reference the value of the bias is the middle of what is not known: it leans nowhere."""
    return gap.name != "avoidable_bias" or errors.optimal.source != "none"


_BY_CHANCE = "On so few training rows the best rule there is may err as often."


def _joined(words: list[str]) -> str:
    return " and ".join(filter(None, (", ".join(words[:-1]), *words[-1:])))
