"""The ladder of a diagnosis entry: rungs, and the gaps between them."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace

from wellfit._typing import Json
from wellfit.goals import GOALS, Goal
from wellfit.reports.records import Gap, Ladder, Rung
from wellfit.reports.values import Measure, Reference, count, measure, number, reference, section, text

PARTS = (("train", "Train"), ("train_dev", "Train-dev"), ("dev", "Dev"), ("test", "Test"))
GAPS = (
    ("avoidable_bias", "avoidable bias"),
    ("variance", "variance"),
    ("mismatch", "mismatch"),
    ("dev_overfit", "dev overfit"),
)


def ladder(body: Json) -> Ladder:
    """The ladder of one diagnosis entry, whose errors are in the goal's own unit, and whose gaps are in its loss."""
    errors = section(body, "errors")
    goal = GOALS.get(text(body.get("goal")), GOALS["error"])
    optimal = _optimal_loss(reference(section(errors, "optimal")), goal)
    measures = {part: _loss(measure(errors.get(part)), goal) for part, _ in PARTS}
    rungs = tuple(
        Rung(part=part, label=label, measure=measures[part])
        for part, label in PARTS
        if measures[part] is not None or part == "test"
    )
    gaps = (gap(name, section(section(body, "gaps"), key), optimal=optimal, measures=measures) for key, name in GAPS)
    return Ladder(
        identity=text(body.get("identity")),
        step=count(body.get("step")),
        optimal=optimal,
        rungs=rungs,
        gaps=tuple(found for found in gaps if found is not None),
        tolerance=number(body.get("tolerance")),
    )


def _loss(found: Measure | None, goal: Goal) -> Measure | None:
    if found is None:
        return None
    low, high = sorted(goal.loss_of(limit) for limit in (found.low, found.high))
    return Measure(value=goal.loss_of(found.value), low=low, high=high, rows=found.rows)


def _optimal_loss(found: Reference | None, goal: Goal) -> Reference | None:
    if found is None:
        return None
    low, high = sorted(goal.loss_of(limit) for limit in (found.low, found.high))
    return replace(found, low=low, high=high)


def gap(name: str, body: Json, *, optimal: Reference | None, measures: Mapping[str, Measure | None]) -> Gap | None:
    """One gap with the two losses that it joins; None where the diagnosis has none."""
    value = number(body.get("value"))
    before, after = _ends(name, measures)
    end = measures.get(after)
    start = optimal.middle if before == "optimal" and optimal else value_of(measures.get(before))
    if value is None or end is None or start is None:
        return None
    clamped = value
    if name == "avoidable bias":  # never negative: below the reference there is nothing to avoid
        clamped, start = max(value, 0.0), min(start, end.value)
    low, high = number(body.get("low")), number(body.get("high"))
    return Gap(
        name=name,
        before=after,
        start=start,
        end=end.value,
        value=clamped,
        low=clamped if low is None else low,
        high=clamped if high is None else high,
        verdict=text(body.get("verdict")) or "cannot tell",
        rows_needed=_more_than(end.rows, count(body.get("rows_needed"))),
        below_reference=bool(body.get("below_reference")),
        includes_mismatch=bool(body.get("includes_mismatch")),
    )


def _more_than(rows: int | None, needed: int | None) -> int | None:
    """The rows needed, where they are more than there are: fewer say only that this gap alone would be decided."""
    return needed if needed and needed > (rows or 0) else None


def _ends(name: str, measures: Mapping[str, Measure | None]) -> tuple[str, str]:
    held_out = "dev" if measures.get("train_dev") is None else "train_dev"
    ends = {
        "avoidable bias": ("optimal", "train"),
        "variance": ("train", held_out),
        "mismatch": ("train_dev", "dev"),
        "dev overfit": ("dev", "test"),
    }
    return ends[name]


def value_of(found: Measure | None) -> float | None:
    """The point value, None where there is none."""
    return None if found is None else found.value
