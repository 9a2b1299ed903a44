"""Journal bodies to records, one function a kind of entry.

A journal may come from an older version, a killed run or a stranger: what is missing becomes None or empty, never an
error.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping
from typing import Any

from wellfit._typing import Json
from wellfit.reports.records import (
    FindingRow,
    Network,
    OpeningCard,
    OtherMethod,
    RemedyRow,
    SealCard,
    StepRow,
    Tempered,
)
from wellfit.reports.rungs import GAPS, PARTS, value_of
from wellfit.reports.sweep_card import Member, MonteCarloRow, SweepCard
from wellfit.reports.values import count, items, keep_prob, measure, number, objects, reference, section, text
from wellfit.units import knob, plain

METHODS = {"dummy": "Dummy", "linear": "Linear model", "trees": "Gradient-boosted trees"}


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
    """One training entry, or one ensemble of them."""
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
        decayed=tuple(zip(_decayed_names(body, len(norms)), norms, strict=False)),
        spared=tuple(map(text, items(body, "spared"))) or ("biases", "embeddings"),
        networks=max(1, len(section(body, "members"))),
    )


def tempered(body: Json) -> Tempered | None:
    """The temperature of one network, where it has another one than 1."""
    found = [number(body.get(name)) for name in ("temperature", "log_loss_before", "log_loss_honest")]
    temperature, before, honest = found
    if temperature is None or before is None or honest is None or temperature == 1.0:
        return None
    return Tempered(temperature=temperature, before=before, honest=honest)


def _decayed_names(body: Json, count: int) -> list[str]:
    """Names of W: the body's own, else those of the built-in network, from input to output."""
    return list(map(text, items(body, "decayed"))) or [f"layers.{place}.weight" for place in range(count)]


def _curve(points: list[Any]) -> Iterable[tuple[int, float, float]]:
    for point in points:
        if not isinstance(point, list | tuple) or len(point) != 3:
            continue
        update, train, dev = (number(value) for value in point)
        if update is not None and train is not None and dev is not None:
            yield int(update), train, dev


def sweep(body: Json) -> SweepCard:
    """One sweep entry."""
    tied = {text(identity) for identity in items(body, "tied")}
    chosen, best = text(body.get("chosen")), text(body.get("best"))
    rows = [*objects(body, "members"), section(body, "snapshot")]
    *members, snapshot = (_member(row, tied=tied, chosen=chosen, best=best) for row in rows)
    return SweepCard(
        members=tuple(members),
        planned=count(body.get("planned")) or len(members),
        warnings=tuple(map(text, items(body, "warnings"))),
        optimal=reference(section(body, "optimal")),
        seconds=number(body.get("seconds")),
        monte_carlo=_monte_carlo(section(body, "monte_carlo")),
        snapshot=snapshot if snapshot.chosen else None,
        is_coupled=body.get("coupled") is True,
    )


def _monte_carlo(body: Json) -> MonteCarloRow | None:
    passes, gain, cost = count(body.get("passes")), measure(body.get("gain")), number(body.get("cost"))
    if passes is None or gain is None or cost is None:
        return None
    return MonteCarloRow(passes=passes, gain=gain, cost=cost)


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
        effects={
            name: found for name, value in section(body, "effects").items() if (found := number(value)) is not None
        },
        knobs=section(body, "knobs"),
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
        kind=text(body.get("kind")),
        round=count(body.get("round")) or 1,
        locked=text(body.get("locked")),
        expected_low=number(body.get("expected_low")),
        expected_high=number(body.get("expected_high")),
        cost=number(body.get("cost")),
        spent=number(body.get("spent")),
        as_expected=found if isinstance(found := body.get("as_expected"), bool) else None,
        coupled=body.get("coupled") is True,
        without_gain=tuple(map(text, found)) if isinstance(found := body.get("without_gain"), list) else (),
        network=text(body.get("config_after")),
        worth=number(section(body, "ensemble").get("honest_single")),
    )


def _pair(errors: Json) -> tuple[float | None, float | None]:
    return value_of(measure(errors.get("train"))), value_of(measure(errors.get("dev")))


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
        reason=text(body.get("reason")),
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
        duplicates=tuple(_left_over(body)),
        sha256=text(sealed.get("sha256")),
        sealed_at=text(sealed.get("sealed_at")),
        seed=count(body.get("seed")) or 0,
    )


_NEAR = "near-"
"""Before the part in which pictures look like one of train."""


def _left_over(body: Json) -> Iterable[tuple[str, str]]:
    """Rows that occur in two parts, and rows without a target."""
    for key, found in section(body, "duplicates").items():
        part, _, other = text(key).partition("_in_")
        name = part.replace("_", "-")
        twins = f"{name.removeprefix(_NEAR)} pictures that look like one of train"
        yield twins if name.startswith(_NEAR) else f"{name} rows also in {other or 'train'}", _plain(found)
    if count(body.get("unlabelled")):
        yield "rows without a target, left out", _plain(body.get("unlabelled"))


def _precision(body: Json) -> tuple[tuple[str, str], ...]:
    """The sentence that says it all where there is one, else every number."""
    sentence = text(body.get("sentence")).replace("+-", "±")
    return (("precision bought", sentence),) if sentence else _pairs(body)


def _pairs(body: Json) -> tuple[tuple[str, str], ...]:
    return tuple((key.replace("_", " "), _plain(value)) for key, value in body.items() if value is not None)


def _plain(value: object) -> str:
    found = number(value)
    if found is None:
        return text(value)
    return plain(found) if abs(found) >= 0.001 or found == 0 else knob(found)
