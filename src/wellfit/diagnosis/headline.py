"""The verdict in a sentence: cause, action, remainder."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from wellfit.diagnosis.findings import Finding
from wellfit.diagnosis.gaps import GAP_NAMES, Errors, Gap, GapName
from wellfit.diagnosis.leading import spoiling
from wellfit.diagnosis.words import GAP_WORDS, error_text, gap_text, size_text
from wellfit.goals import Goal

_CAUSES: dict[GapName, str] = {
    "avoidable_bias": "under-fits ({size} of avoidable bias)",
    "variance": "over-fits ({size} of variance)",
    "mismatch": "meets other data on dev than it was trained on ({size} of mismatch)",
    "dev_overfit": "was chosen too closely on dev ({size} of dev overfit)",
}
_ACTIONS: dict[GapName, str] = {
    "avoidable_bias": "First fit the training set: a bigger network, longer training, a better optimizer.",
    "variance": "Next: more data, or regularize.",
    "mismatch": "Next: collect training data like deployment's.",
    "dev_overfit": "Next: a bigger dev set.",
}


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
    known = [gap for gap in (gaps[name] for name in GAP_NAMES) if gap is not None]
    high = [gap for gap in known if gap.verdict == "yes"]
    unsure = [GAP_WORDS[gap.name] for gap in known if gap.verdict == "cannot tell"]
    rest = f"Whether {_joined(unsure)} {'is' if len(unsure) == 1 else 'are'} high, these rows cannot tell."
    if unsure == ["avoidable bias"] and errors.optimal.source == "none":
        rest = "Whether it under-fits cannot be told without a reference: give a human error."
    if high:
        causes = _joined([_CAUSES[gap.name].format(size=size_text(goal, gap, errors)) for gap in high])
        chance = [_BY_CHANCE] if any(gap.by_chance for gap in high) else []
        parts = [f"The network {causes}.", *chance, _ACTIONS[high[0].name]]
        return " ".join([*parts, rest] if unsure else parts)
    leaning = [gap for gap in known if gap.verdict == "cannot tell" and gap.value > tolerance and _leans(gap, errors)]
    if leaning:
        causes = _joined([_CAUSES[gap.name].format(size=size_text(goal, gap, errors)) for gap in leaning])
        return f"It looks as if the network {causes}, but no gap is certain. {rest}"
    if unsure:
        return f"No gap is certainly beyond {gap_text(goal, tolerance)}. {rest}"
    return (
        f"The network fits well: every gap is within {gap_text(goal, tolerance)}, "
        f"with a dev {'score' if goal.name in ('auc', 'r2') else 'error'} of {error_text(goal, errors.dev.value)}. "
        "There is nothing to treat."
    )


def _leans(gap: Gap, errors: Errors) -> bool:
    """Without a reference the value of the bias is the middle of what is not known: it leans nowhere."""
    return gap.name != "avoidable_bias" or errors.optimal.source != "none"


_BY_CHANCE = "On so few training rows the best rule there is may err as often."


def _joined(words: list[str]) -> str:
    return " and ".join(filter(None, (", ".join(words[:-1]), *words[-1:])))
