"""Numbers first: everything that a report shows, from the fold of a journal.

A report can be made at any moment: what has not happened yet is None or empty.
"""

from __future__ import annotations

import json
import math
import re
import shlex
from collections.abc import Iterator, Mapping
from dataclasses import replace
from importlib.metadata import version
from pathlib import PurePath

from wellfit.base.typing import Json
from wellfit.diagnosis.diagnosis import Diagnosis
from wellfit.diagnosis.error_analysis import ErrorShares
from wellfit.diagnosis.gaps import gaps_from, measure
from wellfit.journal.history import History
from wellfit.opening import Opening
from wellfit.records.goals import Goal, default_goal, goal_named
from wellfit.records.outcome import Outcome
from wellfit.records.time_spent import TimeSpent
from wellfit.records.units import Unit, knob, typeset
from wellfit.reports.boards import data_board, knob_boards, trade_rows
from wellfit.reports.fits import fit_table
from wellfit.reports.records import (
    PARTS,
    Diagnosed,
    Network,
    OtherMethod,
    PictureSheet,
    Reproduction,
    SplitFacts,
    Step,
    Summary,
    Temperature,
)
from wellfit.reports.sweep_card import SweepCard, sweep_from
from wellfit.reports.verdict import headline, remarks
from wellfit.stats.intervals import Estimate

METHODS = {"dummy": "Dummy", "linear": "Linear model", "trees": "Gradient-boosted trees"}


def summarize(history: History) -> Summary:
    """Read everything that a report shows from the fold of a journal."""
    networks = [_network(body) for body in history.of("training")]
    intervals = {each.identity: each.errors["dev"] for each in networks if "dev" in each.errors}
    sweeps = tuple(sweep_from(body, intervals=intervals) for body in history.of("sweep"))
    best = _best(history, networks, sweeps)
    own, elsewhere = _openings(history, best)
    before, after = _diagnosed(history, best, own, elsewhere=bool(elsewhere))
    first = next((each for each in networks if before and each.identity == before.identity), None)
    first = first or next(iter(networks), None)
    optimization, regularization = knob_boards(first, best)
    split = _split(history.last("split")) if history.of("split") else None
    unit = Unit(_goal(history, split))
    looked_at = history.of_network("errors", best.identity) if best else {}
    numbers = Summary(
        title=_title(split, history),
        unit=unit,
        split=split,
        before=before,
        after=after,
        others=_others(history, best),
        first=first,
        best=best,
        optimization=optimization,
        regularization=regularization,
        data=data_board(first, best),
        sweeps=sweeps,
        trade=trade_rows(networks, sweeps, best=best, openings=own),
        steps=tuple(map(_step, history.of("step"))),
        fits=fit_table(history, best=best.identity if best else None, unit=unit),
        gain=_gain(history, first=before, best=best),
        optimism=_optimism(history, after),
        compared=history.compared,
        budget=str(history.asked.get("budget") or ""),
        stop=history.last("finish").get("stop", ""),
        finished=typeset(history.last("finish").get("sentence", "")),
        time=TimeSpent.from_json(time) if (time := history.last("finish").get("time")) else None,
        openings=own,
        elsewhere=elsewhere,
        temperature=_temperature(history.of_network("temperature", best.identity)) if best else None,
        pictures=picture_sheet(history.last("pictures"), curve=history.last("more data")),
        again=_reproduction(history, split, unit.goal) if split else None,
        errors=ErrorShares.from_json(looked_at) if looked_at else None,
    )
    return replace(numbers, headline=headline(numbers), remarks=tuple(remarks(numbers)))


def _network(body: Json) -> Network:
    """One network, or one average of several; errors that are not finite are left out."""
    errors = {part: Estimate.from_json(found) for part, found in body["errors"].items() if found is not None}
    return Network(
        identity=body["identity"],
        outcome=Outcome.from_json(body),
        errors={part: error for part, error in errors.items() if math.isfinite(error.value)},
        weight_decay=body.get("weight_decay"),
        shrink=body.get("shrink"),
    )


def _best(history: History, networks: list[Network], sweeps: tuple[SweepCard, ...]) -> Network | None:
    """The network that represents the experiment; before a run has ended, the best one so far."""
    single = {each.identity: each for each in (*networks, *map(_network, history.of("snapshot")))}
    averages = (
        replace(each, parts=tuple(single[one] for one in each.outcome.members if one in single))
        for each in map(_network, history.of("ensemble"))
    )
    known = {each.identity: each for each in (*networks, *averages)}
    chosen = sweeps[-1].chosen if sweeps else None
    named = (history.chosen, history.last("diagnosis").get("identity"), chosen.identity if chosen else None)
    found = next((known[identity] for identity in named if identity in known), None)
    measured = [each for each in known.values() if "dev" in each.errors]
    return found or min(measured, key=lambda each: each.errors["dev"].value, default=None)


def _openings(history: History, best: Network | None) -> tuple[tuple[Opening, ...], tuple[Opening, ...]]:
    """The openings for this network, and those for others: a test error belongs to one network."""
    own: list[Opening] = []
    elsewhere: list[Opening] = []
    for body in history.of("opening"):
        is_own = best is not None and body["identity"] == best.identity
        (own if is_own else elsewhere).append(Opening.from_json({"reason": "", **body}))
    return tuple(own), tuple(elsewhere)


def _diagnosed(
    history: History, best: Network | None, openings: tuple[Opening, ...], *, elsewhere: bool
) -> tuple[Diagnosed | None, Diagnosed | None]:
    """The first diagnosis, and that of the network that represents the experiment."""
    bodies = history.of("diagnosis")
    if not bodies:
        return None, None
    last = history.of_network("diagnosis", best.identity if best else None) or bodies[-1]
    is_own = best is not None and last["identity"] == best.identity
    # A study has a test set only once one was opened.
    sealed = bool(history.of("split", "opening"))
    after = _with_test(replace(_diagnosis(last), has_test=sealed), openings if is_own else ())
    if elsewhere and not openings:
        after = replace(after, note="opened for another network")
    if last["identity"] == bodies[0]["identity"]:
        return after, after
    before = replace(_diagnosis(bodies[0]), has_test=sealed)
    if openings:
        before = replace(before, note="opened for the chosen network only")
    return before, after


def _diagnosis(body: Json) -> Diagnosed:
    return Diagnosed(identity=body["identity"], diagnosis=Diagnosis.from_json(body))


def _with_test(found: Diagnosed, openings: tuple[Opening, ...]) -> Diagnosed:
    """Fill in the test error of the first opening, and the gap between dev and test if it is missing."""
    if not openings:
        return found
    first, diagnosis = openings[0], found.diagnosis
    errors = replace(diagnosis.errors, test=first.error)
    gaps = {**diagnosis.gaps}
    if gaps["dev_overfit"] is None:
        gaps["dev_overfit"] = measure(errors, tolerance=diagnosis.tolerance)["dev_overfit"]
    note = f"opened {first.at[:16].replace('T', ' ')}" if first.at else "opened"
    return replace(found, diagnosis=replace(diagnosis, errors=errors, gaps=gaps), note=note)


def _others(history: History, best: Network | None) -> tuple[OtherMethod, ...]:
    opened = [body for body in history.of("opening") if best is not None and body["identity"] == best.identity]
    tests = opened[0]["references"] if opened else {}
    latest = {body["name"]: body for body in history.of("reference")}
    return tuple(
        OtherMethod(
            name=name,
            label=METHODS.get(name, name),
            train=Estimate.from_json(body["errors"]["train"]),
            dev=Estimate.from_json(body["errors"]["dev"]),
            test=Estimate.from_json(tests[name]) if name in tests else None,
            seconds=body["seconds"],
            note=body["note"],
        )
        for name, body in latest.items()
    )


def _step(body: Json) -> Step:
    return Step(
        step=body["step"],
        round=body.get("round", 1),
        board=body["board"],
        locked=body.get("locked", ""),
        kind=body.get("kind", ""),
        did=typeset(body["did"]),
        because=body["because"],
        idea=body["idea"] or "",
        expected=body["expected"],
        low=body.get("expected_low"),
        high=body.get("expected_high"),
        got=body["got"],
        as_expected=body.get("as_expected"),
        kept=body["kept"],
        coupled=body.get("coupled", False),
        without_gain=tuple(body.get("without_gain", ())),
        previous=body["config_before"],
        network=body["config_after"],
        before=body["errors_before"],
        after=body["errors_after"],
        gaps_before=tuple(gap for gap in gaps_from(body["gaps_before"]).values() if gap),
        gaps_after=tuple(gap for gap in gaps_from(body["gaps_after"]).values() if gap),
        seconds=body["seconds"],
        single=body.get("ensemble", {}).get("honest_single"),
    )


def _gain(history: History, *, first: Diagnosed | None, best: Network | None) -> Estimate | None:
    """The paired difference that was measured when the network became a candidate, if it was with this first one."""
    bodies = [body for body in history.of("candidate") if best is not None and body["identity"] == best.identity]
    found = next((body for body in reversed(bodies) if first and body.get("first") == first.identity), None)
    return Estimate.from_json(found["gain"]) if found else None


def _optimism(history: History, after: Diagnosed | None) -> float:
    """How much the lowest dev loss among all networks flatters it, by WF403's correction."""
    findings = after.diagnosis.findings if after else ()
    corrected = next((found.interval for found in findings if found.code == "WF403"), None)
    losses = [body["losses"]["dev"] for body in history.of("training", "snapshot") if body["status"] != "diverged"]
    return max(0.0, corrected.value - min(losses)) if corrected is not None and losses else 0.0


def _temperature(body: Json) -> Temperature | None:
    if not body or body["temperature"] == 1.0:
        return None
    return Temperature(value=body["temperature"], before=body["log_loss_before"], honest=body["log_loss_honest"])


_BASE64 = re.compile(r"[A-Za-z0-9+/]+={0,2}")


def picture_sheet(body: Json, *, curve: Json) -> PictureSheet | None:
    """Read the journal's entry, and the last learning curve for its worth; None if there is no picture in it."""
    if not _BASE64.fullmatch(body.get("png") or ""):
        return None
    return PictureSheet(
        png=body["png"],
        labels=tuple(body["labels"]),
        changes=body["changes"],
        ranges=tuple((name.replace("_", " "), knob(value)) for name, value in body["ranges"].items()),
        worth=curve.get("worth", {}).get("sentence", ""),
    )


def _split(body: Json) -> SplitFacts:
    schema = body["schema"]
    columns = schema["columns"]
    counts = ((label, body["rows"].get(part)) for part, label in PARTS.items())
    return SplitFacts(
        source=body["source"]["path"] or "",
        target=schema["target"],
        task=schema["task"],
        classes=tuple(schema["classes"]),
        features=sum(column["role"] == "feature" for column in columns),
        dropped=tuple((column["name"], column["note"]) for column in columns if column["role"] == "dropped"),
        rows=tuple((label, rows) for label, rows in counts if rows is not None),
        policy=body["policy"],
        precision=typeset(body["precision"].get("sentence", "")),
        left_over=tuple(_left_over(body)),
        sha256=body["seal"]["sha256"],
        sealed_at=body["seal"]["sealed_at"],
        seed=body["seed"],
    )


_NEAR = "near-"
"""Prefix of the part in which pictures look like one of train."""


def _left_over(body: Json) -> Iterator[tuple[str, str]]:
    """Numbers of rows that occur in two parts, and of rows without a target."""
    for key, rows in body["duplicates"].items():
        part, _, other = key.partition("_in_")
        name = part.replace("_", "-")
        twins = f"{name.removeprefix(_NEAR)} pictures that look like a training picture"
        yield twins if name.startswith(_NEAR) else f"{name} rows also in {other or 'train'}", f"{rows:,}"
    if body["unlabelled"]:
        yield "rows without a target, left out", f"{body['unlabelled']:,}"


def _goal(history: History, split: SplitFacts | None) -> Goal:
    named = next((body["goal"] for body in history.of("diagnosis", "experiment", "split") if body.get("goal")), None)
    if named is not None:
        return goal_named(named)
    return default_goal("regression" if split is not None and split.task == "regression" else "classification")


def _title(split: SplitFacts | None, history: History) -> str:
    if split is None:
        knobs: Json = next((body["knobs"] for body in history.of("ask")), {})
        return f"a study of {', '.join(knobs)}" if knobs else "wellfit experiment"
    return f"{PurePath(split.source.replace(chr(92), '/')).name or 'a table'}, target {split.target}"


def _reproduction(history: History, split: SplitFacts, goal: Goal) -> Reproduction:
    body = history.last("split")
    session = next((each for each in reversed(history.of("session")) if "asked" in each), {})
    plan = session.get("asked", {})
    asked = {**body.get("asked", {}), **plan, **plan.get("reference", {})}
    given = {name: value for name, value in asked.items() if name not in ("target", "goal", "seed")}
    # The plan names the network of a branch and the rows of a file by their hashes.
    given |= {"branch": session.get("branch_step")} if "branch" in given else {}
    added = {each["name"]: each["path"] for each in history.of("added rows")}
    more = added.get(given.get("more_data"), "") or ""
    given |= {"more_data": more or None} if "more_data" in given else {}
    versions = {"wellfit": version("wellfit"), **body.get("versions", {})}
    return Reproduction(
        command=_command(split.source, {"target": split.target, "goal": goal.name, **given, "seed": split.seed}),
        seed=split.seed,
        versions=tuple(versions.items()),
        data=split.source,
        more_data=more,
    )


_KNOBS_FILE = "knobs.toml"


def _command(source: str, options: Json) -> str:
    """Return a line for a shell, with options named after the Python arguments.

    Fixed knobs have no option: they are named in a comment, as lines of the file to write.
    """
    fixed = options.get("fixed")
    words = ["wellfit", "run", source or "DATA", *_words(options)]
    if not isinstance(fixed, Mapping):
        return shlex.join(words)
    knobs = [f"{board}.{name} = {json.dumps(value)}" for board, found in fixed.items() for name, value in found.items()]
    return f"{shlex.join([*words, '--config', _KNOBS_FILE])}  # {_KNOBS_FILE}: {'; '.join(knobs)}"


def _words(options: Json) -> Iterator[str]:
    for name, value in options.items():
        option = f"--{name.replace('_', '-')}"
        if name == "optimal_error" and isinstance(value, list):
            yield from (option, *map(str, value))
        elif isinstance(value, bool):
            yield option if value else option.replace("--", "--no-", 1)
        elif isinstance(value, list):
            yield from (word for each in value for word in (option, str(each)))
        elif isinstance(value, str | int | float):
            yield from (option, str(value))
