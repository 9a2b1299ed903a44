"""Findings: coded, three-valued checks with evidence and a remedy."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import Literal

from wellfit.diagnosis.catalogue.lookup import CATALOGUE, entry_of
from wellfit.diagnosis.gaps import Errors, Gap, present
from wellfit.diagnosis.words import error_text, gap_text, interval_text
from wellfit.gaps import GapName
from wellfit.goals import Goal
from wellfit.serialize import Record, omitted_if
from wellfit.stats.intervals import Estimate

FindingStatus = Literal["fired", "passed", "not applicable"]
MANY_MISSING = 0.2  # catalogue WF204
MANY_UNSEEN = 0.01
_NAMED_AT_MOST = 6  # columns listed in evidence


@dataclass(frozen=True)
class Finding(Record):
    """One check: what was found, and what to do when it fired; `interval` where one number decides it."""

    code: str
    title: str
    status: FindingStatus
    evidence: str
    remedy: str
    interval: Estimate | None = field(default=None, metadata=omitted_if(None))


def finding(code: str, *, fired: bool | None, evidence: str, interval: Estimate | None = None) -> Finding:
    """One entry of the catalogue with its outcome; `fired` None means not applicable."""
    entry = entry_of(code)
    status: FindingStatus = "not applicable" if fired is None else "fired" if fired else "passed"
    return Finding(entry.code, entry.title, status, evidence, entry.remedy, interval)


def gap_findings(
    errors: Errors, gaps: Mapping[GapName, Gap | None], *, goal: Goal, tolerance: float, hint: str = ""
) -> tuple[Finding, ...]:
    """The findings that follow from errors and gaps alone: WF101-WF104, WF107, WF301, WF401, WF402.

    `hint` is what rows say about the optimal error where there is no reference.
    """
    return (
        _of_gap("WF101", gaps["avoidable_bias"], goal, absent=""),
        _of_gap("WF102", gaps["variance"], goal, absent=""),
        _below_reference(errors, gaps["avoidable_bias"], goal),
        _no_reference(errors, goal, hint=hint),
        _below_optimal(errors, goal),
        _of_gap("WF301", gaps["mismatch"], goal, absent=_NO_TRAIN_DEV),
        _of_gap(
            "WF401",
            gaps["dev_overfit"],
            goal,
            absent="There is no test error (yet).",
        ),
        _too_few_rows(errors, gaps, goal=goal, tolerance=tolerance),
    )


def training_findings(
    *,
    goal: Goal,
    status: str,
    advice: str,
    dev: Estimate,
    references: Mapping[str, Estimate],
    ahead: Mapping[str, Estimate] | None = None,
) -> tuple[Finding, ...]:
    """WF105 and WF106, from one training and the reference models on the same dev rows.

    Args:
        goal: in whose loss everything is.
        status: of the outcome: "finished", "diverged" or "out of budget".
        advice: of that status.
        dev: the network's dev loss.
        references: name -> dev loss of the dummy, linear and tree models.
        ahead: name -> paired interval of (network's loss - that model's loss), where the rows are known.
    """
    ended = finding("WF105", fired=status != "finished", evidence=f"Status: {status}. {advice}")
    if not references:
        return ended, finding("WF106", fired=None, evidence="No reference model was fit.")
    best = min(references, key=lambda name: references[name].value)
    lead = (ahead or {}).get(best)
    fired = references[best].value < dev.value if lead is None else lead.low > 0
    margin = (
        "" if lead is None else f"; paired difference {gap_text(goal, lead.value)}, at least {gap_text(goal, lead.low)}"
    )
    evidence = (
        f"Dev: network {error_text(goal, dev.value)}, best reference model ({best}) "
        f"{error_text(goal, references[best].value)}{margin}."
    )
    return ended, finding("WF106", fired=fired, evidence=evidence)


def data_findings(
    *,
    dropped: Mapping[str, str] | None = None,
    duplicates: Mapping[str, int] | None = None,
    missing: Mapping[str, float] | None = None,
    unseen: Mapping[str, float] | None = None,
) -> tuple[Finding, ...]:
    """WF201-WF204; each is "not applicable" where its input is None.

    Args:
        dropped: column -> why it left the features ("constant", "all missing", "id-like: ...", "asked").
        duplicates: name of a comparison ("dev", "test", ...) -> rows that are exact copies of training rows.
        missing: column -> share of missing values in train.
        unseen: column -> share of dev rows whose category train has not.
    """
    empty = ids = None
    if dropped is not None:
        empty = [name for name, why in dropped.items() if why.startswith(("constant", "all missing"))]
        ids = [name for name, why in dropped.items() if why.startswith("id-like")]
    return (
        _of_columns("WF201", empty, none="No column is constant or empty."),
        _of_columns("WF202", ids, none="No column looks like an identifier."),
        _duplicates(duplicates),
        _incomplete(missing, unseen),
    )


def completed(findings: Iterable[Finding]) -> tuple[Finding, ...]:
    """All codes of the catalogue in their order: what was not checked is "not applicable"."""
    known = {found.code: found for found in findings}
    unchecked = "Not checked: this needs the table or the training itself."
    return tuple(known.get(code) or finding(code, fired=None, evidence=unchecked) for code in CATALOGUE)


_NO_TRAIN_DEV = (
    "There is no train-dev set, so variance and mismatch cannot be told apart. If deployment data may differ from the "
    "training data, bring a sample of it."
)


def _of_gap(code: str, gap: Gap | None, goal: Goal, *, absent: str) -> Finding:
    if gap is None:
        return finding(code, fired=None, evidence=absent)
    said = f"{gap.kind.noun.capitalize()} {interval_text(goal, gap)}"
    if gap.verdict == "cannot tell":
        return finding(code, fired=None, evidence=f"Cannot tell: {said[0].lower()}{said[1:]}.")
    if gap.by_chance:
        chance = "for these rows it is high, but on so few training rows the best rule there is may err as often"
        return finding(code, fired=None, evidence=f"Cannot tell: {said[0].lower()}{said[1:]}; {chance}.")
    return finding(code, fired=gap.verdict == "yes", evidence=f"{said}.")


def _below_reference(errors: Errors, bias: Gap | None, goal: Goal) -> Finding:
    if errors.optimal.source == "none":
        return finding("WF103", fired=None, evidence="No reference was given.")
    shown = f"Train {error_text(goal, errors.train.value)}, reference {error_text(goal, errors.optimal.low)}."
    below = bool(bias and bias.below_reference)
    sample = errors.train_sample
    if below and sample is not None and sample.high >= errors.optimal.low:
        shown += f" On so few rows chance alone would do that (up to {error_text(goal, sample.high)})."
        below = False
    return finding("WF103", fired=below, evidence=shown)


def _below_optimal(errors: Errors, goal: Goal) -> Finding:
    """Whether dev is better than anything can be: then rows leak, or the reference speaks of another target."""
    optimal = errors.optimal
    if optimal.source == "none" or optimal.upper_bound:
        return finding("WF107", fired=None, evidence="There is no lower limit for the optimal error.")
    least, most = error_text(goal, optimal.low), error_text(goal, errors.dev.high)
    said = f"Dev is at most {most} (upper limit), the optimal error at least {least}."
    return finding("WF107", fired=errors.dev.high < optimal.low, evidence=said)


def _no_reference(errors: Errors, goal: Goal, *, hint: str) -> Finding:
    optimal = errors.optimal
    low, high = sorted((optimal.low, optimal.high), key=goal.score_of)
    limits = (error_text(goal, low), error_text(goal, high))
    if optimal.source == "none":
        evidence = f"Without a reference the optimal error is only known to lie between {' and '.join(limits)}."
        evidence = f"{evidence} {hint}".strip()
    else:
        evidence = f"Optimal error {' to '.join(dict.fromkeys(limits))} ({optimal.source})."
    return finding("WF104", fired=optimal.source == "none", evidence=evidence)


def _too_few_rows(errors: Errors, gaps: Mapping[GapName, Gap | None], *, goal: Goal, tolerance: float) -> Finding:
    undecided = [gap for gap in present(gaps) if gap.verdict == "cannot tell" and gap.rows_needed]
    if undecided:
        said = "; ".join(f"{gap.kind.noun}: {_rows_text(errors, gap)}" for gap in undecided)
        return finding("WF402", fired=True, evidence=f"{said} (tolerance {gap_text(goal, tolerance)}).")
    if errors.dev.rows is None or errors.dev.is_fixed:
        return finding("WF402", fired=None, evidence=_TAKEN_AS_EXACT)
    return finding("WF402", fired=False, evidence="Every verdict that dev rows can decide is decided.")


_TAKEN_AS_EXACT = (
    "No interval could be put on the dev error, so it was taken as exact: give the number of dev rows (and for losses "
    "other than the error rate the standard deviation of the per-row loss)."
)


def _rows_text(errors: Errors, gap: Gap) -> str:
    rows = errors.decided_by(gap).rows or 0
    name = "train-dev" if gap.name == "variance" and errors.train_dev is not None else "dev"
    if not errors.lacks_rows(gap):
        return f"the {name} set's {rows:,} rows decide it alone, but not among several gaps"
    return f"{name} has {rows:,} rows, about {gap.rows_needed:,} would decide"


def _of_columns(code: str, columns: list[str] | None, *, none: str) -> Finding:
    if columns is None:
        return finding(code, fired=None, evidence="Not checked: there is no table.")
    more = f" and {len(columns) - _NAMED_AT_MOST} more" if len(columns) > _NAMED_AT_MOST else ""
    shown = ", ".join(columns[:_NAMED_AT_MOST]) + more
    return finding(code, fired=bool(columns), evidence=f"Dropped: {shown}." if columns else none)


def _duplicates(duplicates: Mapping[str, int] | None) -> Finding:
    if duplicates is None:
        return finding("WF203", fired=None, evidence="Not checked: rows were not compared across splits.")
    copies = {name: count for name, count in duplicates.items() if count}
    said = ", ".join(f"{count:,} rows of {name}" for name, count in copies.items())
    evidence = f"Exact copies of training rows: {said}." if copies else "No row is in two splits."
    return finding("WF203", fired=bool(copies), evidence=evidence)


def _incomplete(missing: Mapping[str, float] | None, unseen: Mapping[str, float] | None) -> Finding:
    if missing is None and unseen is None:
        return finding("WF204", fired=None, evidence="Not checked: there is no table.")
    said = [f"{name} misses {100 * share:.0f} %" for name, share in (missing or {}).items() if share > MANY_MISSING]
    said += [f"{name}: {100 * share:.1f} % unseen" for name, share in (unseen or {}).items() if share > MANY_UNSEEN]
    few = f"No column misses more than {100 * MANY_MISSING:.0f} %, and dev brings hardly any new category."
    return finding("WF204", fired=bool(said), evidence=f"{'; '.join(said[:_NAMED_AT_MOST])}." if said else few)
