"""The verdict of a diagnosis in a sentence: cause, action, remainder."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from wellfit.diagnosis.findings import Finding
from wellfit.diagnosis.gaps import Errors, Gap
from wellfit.diagnosis.prescribe import spoiling
from wellfit.records.gaps import GAPS, GapName
from wellfit.records.goals import Goal
from wellfit.records.units import Unit


def headline(
    errors: Errors,
    gaps: Mapping[GapName, Gap | None],
    *,
    goal: Goal,
    tolerance: float,
    findings: Sequence[Finding] = (),
) -> str:
    """Return one to three sentences: leaks that spoil the errors, if any; cause, action, remainder."""
    verdict = _of_gaps(errors, gaps, goal=goal, tolerance=tolerance)
    leaks = [f"{found.title} ({found.code})" for found in spoiling(findings)]
    if not leaks:
        return verdict
    return f"First look at the rows: {_joined(leaks)}. Until that is fixed no error can be trusted. {verdict}"


def _of_gaps(errors: Errors, gaps: Mapping[GapName, Gap | None], *, goal: Goal, tolerance: float) -> str:
    unit, known = Unit(goal), [gap for gap in (gaps[name] for name in GAPS) if gap is not None]
    high = [gap for gap in known if gap.verdict == "yes"]
    unsure = [gap.kind.noun for gap in known if gap.verdict == "cannot tell"]
    rest = f"There are too few rows to tell whether {_joined(unsure)} {'is' if len(unsure) == 1 else 'are'} high."
    if unsure == ["avoidable bias"] and errors.optimal.source == "none":
        rest = "Without a reference nobody can tell whether it underfits: give a human error."
    if high:
        causes = _joined([gap.kind.symptom.format(size=errors.size(gap, unit=unit)) for gap in high])
        chance = [_BY_CHANCE] if any(gap.by_chance for gap in high) else []
        parts = [f"The network {causes}.", *chance, high[0].kind.action]
        return " ".join([*parts, rest] if unsure else parts)
    leaning = [gap for gap in known if gap.verdict == "cannot tell" and gap.value > tolerance and _leans(gap, errors)]
    if leaning:
        causes = _joined([gap.kind.symptom.format(size=errors.size(gap, unit=unit)) for gap in leaning])
        return f"It looks as if the network {causes}, but no gap is certain. {rest}"
    if unsure:
        return f"No gap is surely above {unit.gap(tolerance, sign=False)}. {rest}"
    return (
        f"The network fits well: every gap is within {unit.gap(tolerance, sign=False)}, "
        f"with a dev {'score' if goal.higher_is_better else 'error'} of {unit.show(errors.dev.value)}. "
        "There is nothing to treat."
    )


def _leans(gap: Gap, errors: Errors) -> bool:
    """Return False for a bias without a reference: its value is the middle of what is not known."""
    return gap.name != "avoidable_bias" or errors.optimal.source != "none"


_BY_CHANCE = "On so few training rows even the best possible rule may err as often."


def _joined(words: list[str]) -> str:
    return " and ".join(filter(None, (", ".join(words[:-1]), *words[-1:])))
