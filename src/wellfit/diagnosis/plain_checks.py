"""Checks of facts that are already known: errors and gaps, the training run, and the columns."""

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
    "mismatch": "There is no train-dev set, so variance and mismatch cannot be separated. If deployment data may "
    "differ from the training data, add a sample of it.",
    "dev_overfit": "There is no test error yet.",
}
_TAKEN_AS_EXACT = (
    "No interval could be computed for the dev error, so it was treated as exact. Give the number of dev rows and, "
    "for losses other than the error rate, the standard deviation of the loss per row."
)


def high_bias(*, goal: Goal, gaps: Gaps, errors: Errors) -> Finding:
    """WF101: fires if the avoidable bias is high."""
    return _of_gap("avoidable_bias", gaps, goal=goal, errors=errors)


def high_variance(*, goal: Goal, gaps: Gaps, errors: Errors) -> Finding:
    """WF102: fires if the variance is high."""
    return _of_gap("variance", gaps, goal=goal, errors=errors)


def high_mismatch(*, goal: Goal, gaps: Gaps, errors: Errors) -> Finding:
    """WF301: fires if the mismatch is high."""
    return _of_gap("mismatch", gaps, goal=goal, errors=errors)


def high_dev_overfit(*, goal: Goal, gaps: Gaps, errors: Errors) -> Finding:
    """WF401: fires if the overfitting to dev is high."""
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
        chance = "it is high for these rows, but on so few training rows even the best possible rule may err as often"
        return finding(code, fired=None, evidence=f"Cannot tell: {said}; {chance}.")
    return finding(code, fired=gap.verdict == "yes", evidence=f"{said[0].upper()}{said[1:]}.")


def below_reference(*, goal: Goal, gaps: Gaps, errors: Errors) -> Finding:
    """WF103: fires if the train error is below the reference."""
    if errors.optimal.source == "none":
        return finding("WF103", fired=None, evidence="No reference was given.")
    shown = f"Train {Unit(goal).show(errors.train.value)}, reference {Unit(goal).show(errors.optimal.low)}."
    bias, sample = gaps["avoidable_bias"], errors.train_sample
    below = bool(bias and bias.below_reference)
    if below and sample is not None and sample.high >= errors.optimal.low:
        to = "down" if goal.higher_is_better else "up"
        shown += f" On so few rows this may be due to chance ({to} to {Unit(goal).show(sample.high)})."
        below = False
    return finding("WF103", fired=below, evidence=shown)


def no_reference(*, goal: Goal, errors: Errors, hint: str) -> Finding:
    """WF104: fires if there is no reference; adds what the rows suggest about the optimal error."""
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
    """WF105: fires if training did not finish."""
    fired = training.status != "finished"
    return finding("WF105", fired=fired, evidence=f"Status: {training.status}. {training.advice}")


def another_method_wins(*, goal: Goal, errors: Errors, training: Training) -> Finding:
    """WF106: fires if another method does better, compared row by row if the rows are known."""
    unit, references = Unit(goal), training.references
    if not references:
        return finding("WF106", fired=None, evidence=f"No reference model was fitted.{training.note}")
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
    """WF107: fires if the dev error is below the optimal error: rows leak, or the reference has a different target."""
    optimal = errors.optimal
    if optimal.source == "none" or optimal.upper_bound:
        return finding("WF107", fired=None, evidence="The optimal error has no lower limit.")
    best, worst = Unit(goal).show(optimal.low), Unit(goal).show(errors.dev.high)
    said = f"The dev error is at most {worst} (upper limit), but the optimal error is at least {best}."
    if goal.higher_is_better:
        said = f"The optimal {goal.noun} is at most {best}, but dev reaches at least {worst} (lower limit)."
    return finding("WF107", fired=errors.dev.high < optimal.low, evidence=said)


def too_few_rows(*, goal: Goal, tolerance: float, gaps: Gaps, errors: Errors) -> Finding:
    """WF402: fires if there are too few rows to decide."""
    undecided = [gap for gap in present(gaps) if gap.verdict == "cannot tell" and gap.rows_needed]
    if undecided:
        said = "; ".join(f"{gap.kind.noun}: {_rows_text(errors, gap)}" for gap in undecided)
        return finding(
            "WF402", fired=True, evidence=f"{said} (tolerance {Unit(goal).size(tolerance, end=errors.dev.value)})."
        )
    if errors.dev.rows is None or errors.dev.is_fixed:
        return finding("WF402", fired=None, evidence=_TAKEN_AS_EXACT)
    return finding("WF402", fired=False, evidence="Every verdict that more dev rows could decide is already decided.")


def _rows_text(errors: Errors, gap: Gap) -> str:
    rows = errors.decided_by(gap).rows or 0
    name = "train-dev" if gap.name == "variance" and errors.train_dev is not None else "dev"
    if not errors.lacks_rows(gap):
        return f"the {rows:,} rows of the {name} set would decide this gap alone, but not together with the other gaps"
    wanted = errors.rows_wanted(gap)
    return f"{name} has {rows:,} rows; " + (f"about {wanted:,} would decide" if wanted else TOO_CLOSE)


FEWEST_OF_CLASS = 10
"""Fewest rows of a class: with fewer dev rows, an error of 30 % is possible even if no row is wrong."""
MANY_MISSING = 0.2
"""Share of missing values in train above which a column is reported."""
MANY_UNSEEN = 0.01
"""Share of dev rows with an unseen category above which a column is reported."""
_NAMED_AT_MOST = 6


def empty_columns(*, columns: Columns) -> Finding:
    """WF201: fires for constant or empty columns."""
    names = [name for name, why in columns.dropped.items() if why.startswith(("constant", "all missing"))]
    return _of_dropped("WF201", names, none="No column is constant or empty.")


def identifiers(*, columns: Columns) -> Finding:
    """WF202: fires for columns that look like identifiers."""
    names = [name for name, why in columns.dropped.items() if why.startswith("id-like")]
    return _of_dropped("WF202", names, none="No column looks like an identifier.")


def _of_dropped(code: str, names: Sequence[str], *, none: str) -> Finding:
    more = f" and {len(names) - _NAMED_AT_MOST} more" if len(names) > _NAMED_AT_MOST else ""
    shown = ", ".join(names[:_NAMED_AT_MOST]) + more
    return finding(code, fired=bool(names), evidence=f"Dropped: {shown}." if names else none)


def too_few_of_a_class(*, rows: OpenRows) -> Finding:
    """WF214: fires if a class has too few rows in train or in dev to say anything about it."""
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
    said = f"Classes with fewer than {FEWEST_OF_CLASS} rows: {named}{more}." if few else f"The rarest class is {named}."
    return finding("WF214", fired=bool(few), evidence=said)


def incomplete_columns(*, columns: Columns) -> Finding:
    """WF204: fires for columns with many missing or unseen values."""
    missing, unseen = columns.missing, columns.unseen
    if missing is None and unseen is None:
        return finding("WF204", fired=None, evidence="Not checked, because there is no table.")
    said = [
        f"{100 * share:.0f} % of {name} is missing" for name, share in (missing or {}).items() if share > MANY_MISSING
    ]
    said += [
        f"{100 * share:.1f} % of the dev rows have an unseen category in {name}"
        for name, share in (unseen or {}).items()
        if share > MANY_UNSEEN
    ]
    few = f"No column has more than {100 * MANY_MISSING:.0f} % missing values, and dev has hardly any new categories."
    return finding("WF204", fired=bool(said), evidence=f"{'; '.join(said[:_NAMED_AT_MOST])}." if said else few)
