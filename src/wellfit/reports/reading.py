"""Journal bodies to records, one function a kind of entry.

A journal may come from an older version, a killed run or a stranger: what is missing becomes None or empty, never an
error, and no number that is not finite gets past this file.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping
from typing import Any

from wellfit._typing import Json
from wellfit.reports.records import (
    FindingRow,
    Gap,
    Ladder,
    Measure,
    Member,
    Network,
    OpeningCard,
    OtherMethod,
    Reference,
    RemedyRow,
    Rung,
    SealCard,
    StepRow,
    SweepCard,
)
from wellfit.reports.units import knob, plain

PARTS = (("train", "Train"), ("train_dev", "Train-dev"), ("dev", "Dev"), ("test", "Test"))
GAPS = (
    ("avoidable_bias", "avoidable bias"),
    ("variance", "variance"),
    ("mismatch", "mismatch"),
    ("dev_overfit", "dev overfit"),
)
METHODS = {"dummy": "Dummy", "linear": "Linear model", "trees": "Gradient-boosted trees"}


def number(value: object) -> float | None:
    """A finite float, or None."""
    if isinstance(value, bool) or not isinstance(value, int | float):
        return None
    return float(value) if math.isfinite(value) else None


def count(value: object) -> int | None:
    """A whole number, or None."""
    found = number(value)
    return None if found is None else int(found)


def text(value: object) -> str:
    """A string; nothing for None."""
    return "" if value is None else str(value)


def section(body: Mapping[str, Any], name: str) -> Json:
    """A nested object, empty where there is none."""
    found = body.get(name)
    return dict(found) if isinstance(found, Mapping) else {}


def items(body: Mapping[str, Any], name: str) -> list[Any]:
    """A nested list, empty where there is none."""
    found = body.get(name)
    return list(found) if isinstance(found, list | tuple) else []


def objects(body: Mapping[str, Any], name: str) -> Iterable[Json]:
    """The objects of a nested list."""
    return (dict(item) for item in items(body, name) if isinstance(item, Mapping))


def measure(value: object) -> Measure | None:
    """An estimate with its interval, or a bare number."""
    if not isinstance(value, Mapping):
        bare = number(value)
        return None if bare is None else Measure(value=bare, low=bare, high=bare)
    point = number(value.get("value"))
    if point is None:
        return None
    low, high = number(value.get("low")), number(value.get("high"))
    return Measure(
        value=point,
        low=point if low is None else low,
        high=point if high is None else high,
        rows=count(value.get("rows")),
    )


def reference(body: Json) -> Reference | None:
    """The optimal error of a diagnosis or a sweep."""
    low, high = number(body.get("low")), number(body.get("high"))
    if low is None or high is None:
        return None
    return Reference(
        low=low, high=high, source=text(body.get("source")) or "none", upper_bound=bool(body.get("upper_bound"))
    )


def ladder(body: Json) -> Ladder:
    """The ladder of one diagnosis entry."""
    errors = section(body, "errors")
    optimal = reference(section(errors, "optimal"))
    measures = {part: measure(errors.get(part)) for part, _ in PARTS}
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


def gap(name: str, body: Json, *, optimal: Reference | None, measures: Mapping[str, Measure | None]) -> Gap | None:
    """One gap with the two losses that it joins; None where the diagnosis has none."""
    value = number(body.get("value"))
    before, after = _ends(name, measures)
    end = measures.get(after)
    start = optimal.middle if before == "optimal" and optimal else _value(measures.get(before))
    if value is None or end is None or start is None:
        return None
    clamped = max(value, 0.0) if name == "avoidable bias" else value
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
        rows_needed=count(body.get("rows_needed")),
        below_reference=bool(body.get("below_reference")) or (value < 0 and name == "avoidable bias"),
        includes_mismatch=bool(body.get("includes_mismatch")),
    )


def _ends(name: str, measures: Mapping[str, Measure | None]) -> tuple[str, str]:
    held_out = "dev" if measures.get("train_dev") is None else "train_dev"
    ends = {
        "avoidable bias": ("optimal", "train"),
        "variance": ("train", held_out),
        "mismatch": ("train_dev", "dev"),
        "dev overfit": ("dev", "test"),
    }
    return ends[name]


def _value(found: Measure | None) -> float | None:
    return None if found is None else found.value


def findings(body: Json) -> tuple[FindingRow, ...]:
    """The checks of one diagnosis, fired ones first."""
    order = {"fired": 0, "passed": 1}
    rows = (
        FindingRow(**{name: text(item.get(name)) for name in ("code", "title", "status", "evidence", "remedy")})
        for item in objects(body, "findings")
    )
    return tuple(sorted(rows, key=lambda row: (order.get(row.status, 2), row.code)))


def prescription(body: Json) -> tuple[RemedyRow, ...]:
    """The remedies of one diagnosis, in their order."""
    return tuple(
        RemedyRow(
            kind=text(item.get("kind")),
            board=text(item.get("board")),
            because=text(item.get("because")),
            ceiling=number(item.get("ceiling")),
            why=text(item.get("why")),
        )
        for item in objects(body, "prescription")
    )


def other_method(body: Json, tests: Mapping[str, Any]) -> OtherMethod:
    """One reference model; `tests` are the errors of the opening, by name."""
    errors, name = section(body, "errors"), text(body.get("name"))
    return OtherMethod(
        name=name,
        label=METHODS.get(name, name),
        train=measure(errors.get("train")),
        dev=measure(errors.get("dev")),
        test=measure(tests.get(name)),
        seconds=number(body.get("seconds")),
        note=text(body.get("note")),
    )


def network(body: Json) -> Network:
    """One training entry."""
    config, losses, errors = section(body, "config"), section(body, "losses"), section(body, "errors")
    knobs = section(config, "regularization")
    norms = [size for size in map(number, items(body, "weight_norms")) if size is not None]
    keep, keeps = keep_prob(knobs.get("keep_prob"))
    return Network(
        identity=text(body.get("identity")),
        config=config,
        status=text(body.get("status")),
        l2=number(knobs.get("l2")) or 0.0,
        keep_prob=keep,
        keep_probs=keeps,
        weight_decay=number(body.get("weight_decay")),
        shrink=number(body.get("shrink")),
        norm=math.hypot(*norms) if norms else None,
        train=measure(errors.get("train", losses.get("train"))),
        dev=measure(errors.get("dev", losses.get("dev"))),
        updates=count(body.get("updates")),
        seconds=number(body.get("seconds")),
        curve=tuple(_curve(items(body, "curve"))),
    )


def _curve(points: list[Any]) -> Iterable[tuple[int, float, float]]:
    for point in points:
        if not isinstance(point, list | tuple) or len(point) != 3:
            continue
        update, train, dev = (number(value) for value in point)
        if update is not None and train is not None and dev is not None:
            yield int(update), train, dev


def keep_prob(value: object) -> tuple[float, str]:
    """The mean keep_prob over the layers, and how it is written."""
    keeps = [found for found in map(number, value if isinstance(value, list | tuple) else [value]) if found is not None]
    if not keeps:
        return 1.0, "1"
    return sum(keeps) / len(keeps), ", ".join(dict.fromkeys(f"{keep:.3g}" for keep in keeps))


def sweep(body: Json) -> SweepCard:
    """One sweep entry."""
    tied = {text(identity) for identity in items(body, "tied")}
    chosen, best = text(body.get("chosen")), text(body.get("best"))
    return SweepCard(
        members=tuple(_member(item, tied=tied, chosen=chosen, best=best) for item in objects(body, "members")),
        warnings=tuple(map(text, items(body, "warnings"))),
        optimal=reference(section(body, "optimal")),
        seconds=number(body.get("seconds")),
    )


def _member(body: Json, *, tied: set[str], chosen: str, best: str) -> Member:
    identity, train = text(body.get("identity")), measure(body.get("train"))
    keep, keeps = keep_prob(body.get("keep_prob"))
    return Member(
        identity=identity,
        l2=number(body.get("l2")) or 0.0,
        keep_prob=keep,
        keep_probs=keeps,
        weight_decay=number(body.get("weight_decay")),
        shrink=number(body.get("shrink")),
        train=None if train is None else train.value,
        dev=measure(body.get("dev")),
        norm=number(body.get("norm")),
        status=text(body.get("status")),
        tied=identity in tied,
        chosen=bool(identity) and identity == chosen,
        best=bool(identity) and identity == best,
    )


def step(body: Json) -> StepRow:
    """One turn of the recipe."""
    return StepRow(
        step=count(body.get("step")) or 0,
        board=text(body.get("board")),
        did=text(body.get("did")).replace("->", "→"),
        because=text(body.get("because")),
        idea=text(body.get("idea")),
        expected=number(body.get("expected")),
        got=number(body.get("got")),
        kept=bool(body.get("kept")),
        errors_before=_pair(section(body, "errors_before")),
        errors_after=_pair(section(body, "errors_after")),
        gaps_before=_short_gaps(section(body, "gaps_before")),
        gaps_after=_short_gaps(section(body, "gaps_after")),
        seconds=number(body.get("seconds")),
        updates=count(body.get("updates")),
    )


def _pair(errors: Json) -> tuple[float | None, float | None]:
    return _value(measure(errors.get("train"))), _value(measure(errors.get("dev")))


def _short_gaps(gaps: Json) -> tuple[tuple[str, float, str], ...]:
    rows = ((name, measure(gaps.get(key)), section(gaps, key)) for key, name in GAPS)
    return tuple((name, max(found.value, 0.0), text(body.get("verdict"))) for name, found, body in rows if found)


def opening(body: Json) -> OpeningCard | None:
    """One opening of the seal."""
    error = measure(body.get("error"))
    if error is None:
        return None
    return OpeningCard(
        opening=count(body.get("opening")) or 1,
        certified=bool(body.get("certified")),
        error=error,
        dev_optimism=number(body.get("dev_optimism")),
        receipt=text(body.get("receipt")),
        at=text(body.get("at")),
    )


def seal(body: Json) -> SealCard:
    """The split entry."""
    schema, rows, sealed = section(body, "schema"), section(body, "rows"), section(body, "seal")
    columns = list(objects(schema, "columns"))
    counts = ((label, count(rows.get(part))) for part, label in PARTS)
    return SealCard(
        source=text(section(body, "source").get("path")),
        target=text(schema.get("target")),
        task=text(schema.get("task")) or "classification",
        classes=tuple(map(text, items(schema, "classes"))),
        features=sum(column.get("role") == "feature" for column in columns),
        dropped=tuple((text(it.get("name")), text(it.get("note"))) for it in columns if it.get("role") == "dropped"),
        rows=tuple((label, found) for label, found in counts if found is not None),
        policy=text(body.get("policy")),
        precision=_precision(section(body, "precision")),
        duplicates=_pairs(section(body, "duplicates")),
        sha256=text(sealed.get("sha256")),
        sealed_at=text(sealed.get("sealed_at")),
        seed=count(body.get("seed")) or 0,
    )


def _precision(body: Json) -> tuple[tuple[str, str], ...]:
    """The sentence that says it all where there is one, else every number."""
    sentence = text(body.get("sentence"))
    return (("precision bought", sentence),) if sentence else _pairs(body)


def _pairs(body: Json) -> tuple[tuple[str, str], ...]:
    return tuple((key.replace("_", " "), _plain(value)) for key, value in body.items() if value is not None)


def _plain(value: object) -> str:
    found = number(value)
    if found is None:
        return text(value)
    return plain(found) if abs(found) >= 0.001 or found == 0 else knob(found)
