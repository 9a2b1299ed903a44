"""Checks of facts that are known already: errors and gaps, the training run, the columns."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TypeAlias

import numpy as np

from wellfit.diagnosis.facts import Columns, Training
from wellfit.diagnosis.findings import UNCHECKED, Finding, finding
from wellfit.diagnosis.gaps import TOO_CLOSE, Errors, Gap, present
from wellfit.diagnosis.rows import OpenRows
from wellfit.records.gaps import GAPS, GapName
from wellfit.records.goals import Goal
from wellfit.records.units import Unit

Gaps: TypeAlias = Mapping[GapName, Gap | None]

_ABSENT: Mapping[GapName, str] = {
    "mismatch": "There is no train-dev set, so variance and mismatch cannot be told apart. If deployment data may "
    "differ from the training data, add a sample of it.",
    "dev_overfit": "There is no test error (yet).",
}
_TAKEN_AS_EXACT = (
    "No interval could be put on the dev error, so it was taken as exact: give the number of dev rows (and for losses "
    "other than the error rate the standard deviation of the per-row loss)."
)


def high_bias(*, goal: Goal, gaps: Gaps, errors: Errors) -> Finding:
    """WF101: high avoidable bias."""
    return _of_gap("avoidable_bias", gaps, goal=goal, errors=errors)


def high_variance(*, goal: Goal, gaps: Gaps, errors: Errors) -> Finding:
    """WF102: high variance."""
    return _of_gap("variance", gaps, goal=goal, errors=errors)


def high_mismatch(*, goal: Goal, gaps: Gaps, errors: Errors) -> Finding:
    """WF301: high mismatch."""
    return _of_gap("mismatch", gaps, goal=goal, errors=errors)


def high_dev_overfit(*, goal: Goal, gaps: Gaps, errors: Errors) -> Finding:
    """WF401: high overfitting to dev."""
    return _of_gap("dev_overfit", gaps, goal=goal, errors=errors)


def _of_gap(name: GapName, gaps: Gaps, *, goal: Goal, errors: Errors) -> Finding:
    unit, code, gap = Unit(goal), GAPS[name].finding, gaps[name]
    if gap is None:
        return finding(code, fired=None, evidence=_ABSENT.get(name, ""))
    size, limits = errors.size(gap, unit=unit), errors.limits(gap, unit=unit)
    said = f"{gap.kind.noun} {size}" if errors.is_open(gap) else f"{gap.kind.noun} {size} ({limits})"
    if gap.verdict == "cannot tell":
        return finding(code, fired=None, evidence=f"Cannot tell: {said}.")
    if gap.by_chance:
        chance = "for these rows it is high, but on so few training rows the best possible rule may err as often"
        return finding(code, fired=None, evidence=f"Cannot tell: {said}; {chance}.")
    return finding(code, fired=gap.verdict == "yes", evidence=f"{said[0].upper()}{said[1:]}.")


def below_reference(*, goal: Goal, gaps: Gaps, errors: Errors) -> Finding:
    """WF103: the train error is below the reference."""
    if errors.optimal.source == "none":
        return finding("WF103", fired=None, evidence="No reference was given.")
    shown = f"Train {Unit(goal).show(errors.train.value)}, reference {Unit(goal).show(errors.optimal.low)}."
    bias, sample = gaps["avoidable_bias"], errors.train_sample
    below = bool(bias and bias.below_reference)
    if below and sample is not None and sample.high >= errors.optimal.low:
        to = "down" if goal.higher_is_better else "up"
        shown += f" On so few rows chance alone could do that ({to} to {Unit(goal).show(sample.high)})."
        below = False
    return finding("WF103", fired=below, evidence=shown)


def no_reference(*, goal: Goal, errors: Errors, hint: str) -> Finding:
    """WF104: there is no reference; with the rows' hints at the optimal error."""
    optimal = errors.optimal
    low, high = sorted((optimal.low, optimal.high), key=goal.score_of)
    limits = (Unit(goal).show(low), Unit(goal).show(high))
    if optimal.source == "none":
        evidence = f"Without a reference the optimal error is only known to lie between {' and '.join(limits)}."
        evidence = f"{evidence} {hint}".strip()
    else:
        evidence = f"Optimal error {' to '.join(dict.fromkeys(limits))} ({optimal.source})."
    return finding("WF104", fired=optimal.source == "none", evidence=evidence)


def unfinished_training(*, training: Training) -> Finding:
    """WF105: training did not finish."""
    fired = training.status != "finished"
    return finding("WF105", fired=fired, evidence=f"Status: {training.status}. {training.advice}")


def another_method_wins(*, goal: Goal, errors: Errors, training: Training) -> Finding:
    """WF106: another method does better, compared row by row if the rows are known."""
    unit, references = Unit(goal), training.references
    if not references:
        return finding("WF106", fired=None, evidence=f"No reference model was fit.{training.note}")
    best = min(references, key=lambda name: references[name].value)
    lead = training.ahead.get(best)
    fired = references[best].value < errors.dev.value if lead is None else lead.low > 0
    margin = ""
    if lead is not None:
        value, least = (unit.size(limit, end=errors.dev.value) for limit in (lead.value, lead.low))
        margin = f"; paired difference {value}, at least {least}"
    evidence = (
        f"Dev: network {unit.show(errors.dev.value)}, best reference model ({best}) "
        f"{unit.show(references[best].value)}{margin}.{training.note}"
    )
    return finding("WF106", fired=fired, evidence=evidence)


def below_optimal(*, goal: Goal, errors: Errors) -> Finding:
    """WF107: the dev error is below the lowest possible one: rows leak, or the reference describes another target."""
    optimal = errors.optimal
    if optimal.source == "none" or optimal.upper_bound:
        return finding("WF107", fired=None, evidence="There is no lower limit for the optimal error.")
    best, worst = Unit(goal).show(optimal.low), Unit(goal).show(errors.dev.high)
    said = f"Dev is at most {worst} (upper limit), the optimal error at least {best}."
    if goal.higher_is_better:
        said = f"Dev is at least {worst} (lower limit), the optimal {goal.noun} at most {best}."
    return finding("WF107", fired=errors.dev.high < optimal.low, evidence=said)


def too_few_rows(*, goal: Goal, tolerance: float, gaps: Gaps, errors: Errors) -> Finding:
    """WF402: too few rows to decide."""
    undecided = [gap for gap in present(gaps) if gap.verdict == "cannot tell" and gap.rows_needed]
    if undecided:
        said = "; ".join(f"{gap.kind.noun}: {_rows_text(errors, gap)}" for gap in undecided)
        return finding(
            "WF402", fired=True, evidence=f"{said} (tolerance {Unit(goal).size(tolerance, end=errors.dev.value)})."
        )
    if errors.dev.rows is None or errors.dev.is_fixed:
        return finding("WF402", fired=None, evidence=_TAKEN_AS_EXACT)
    return finding("WF402", fired=False, evidence="Every verdict that dev rows can decide is decided.")


def _rows_text(errors: Errors, gap: Gap) -> str:
    rows = errors.decided_by(gap).rows or 0
    name = "train-dev" if gap.name == "variance" and errors.train_dev is not None else "dev"
    if not errors.lacks_rows(gap):
        return f"the {name} set's {rows:,} rows decide this gap alone, but not among several gaps"
    wanted = errors.rows_wanted(gap)
    return f"{name} has {rows:,} rows, " + (f"about {wanted:,} would decide" if wanted else TOO_CLOSE)


FEWEST_OF_CLASS = 10
"""Fewest rows of a class: with fewer dev rows, an error of 30 % is possible even if none is wrong."""
MANY_MISSING = 0.2
"""Share of a column's values missing in train above which it is reported."""
MANY_UNSEEN = 0.01
"""Share of dev rows with a category unseen in train above which a column is reported."""
_NAMED_AT_MOST = 6


def empty_columns(*, columns: Columns) -> Finding:
    """WF201: constant or empty columns."""
    names = [name for name, why in columns.dropped.items() if why.startswith(("constant", "all missing"))]
    return _of_dropped("WF201", names, none="No column is constant or empty.")


def identifiers(*, columns: Columns) -> Finding:
    """WF202: columns that look like identifiers."""
    names = [name for name, why in columns.dropped.items() if why.startswith("id-like")]
    return _of_dropped("WF202", names, none="No column looks like an identifier.")


def _of_dropped(code: str, names: Sequence[str], *, none: str) -> Finding:
    more = f" and {len(names) - _NAMED_AT_MOST} more" if len(names) > _NAMED_AT_MOST else ""
    shown = ", ".join(names[:_NAMED_AT_MOST]) + more
    return finding(code, fired=bool(names), evidence=f"Dropped: {shown}." if names else none)


def too_few_of_a_class(*, rows: OpenRows) -> Finding:
    """WF214: fired where a class has so few rows in train or in dev that nothing can be said about it."""
    if not rows.train.classes:
        return finding("WF214", fired=None, evidence=UNCHECKED)
    counts = {
        part: np.bincount(np.asarray(each.target, np.int64), minlength=rows.train.classes)
        for part, each in (("train", rows.train), ("dev", rows.dev))
    }
    fewest = np.minimum(*counts.values())
    order = np.argsort(fewest, kind="stable")
    few = [code for code in order if fewest[code] < FEWEST_OF_CLASS]

    def counted(code: int) -> str:
        name = rows.levels[code] if rows.levels else str(code)
        return f"{name}: {', '.join(f'{count[code]:,} in {part}' for part, count in counts.items())}"

    named = "; ".join(counted(int(code)) for code in (few or order[:1])[:_NAMED_AT_MOST])
    more = f" and {len(few) - _NAMED_AT_MOST} more" if len(few) > _NAMED_AT_MOST else ""
    said = f"Classes with fewer than {FEWEST_OF_CLASS} rows: {named}{more}." if few else f"The rarest class, {named}."
    return finding("WF214", fired=bool(few), evidence=said)


def incomplete_columns(*, columns: Columns) -> Finding:
    """WF204: columns with many missing or unseen values."""
    missing, unseen = columns.missing, columns.unseen
    if missing is None and unseen is None:
        return finding("WF204", fired=None, evidence="Not checked: there is no table.")
    said = [
        f"{100 * share:.0f} % of {name} is missing" for name, share in (missing or {}).items() if share > MANY_MISSING
    ]
    said += [f"{name}: {100 * share:.1f} % unseen" for name, share in (unseen or {}).items() if share > MANY_UNSEEN]
    few = f"No column has more than {100 * MANY_MISSING:.0f} % missing, and dev has hardly any new category."
    return finding("WF204", fired=bool(said), evidence=f"{'; '.join(said[:_NAMED_AT_MOST])}." if said else few)
