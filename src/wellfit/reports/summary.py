"""Numbers first: fold the journal into everything that a report shows.

A report can be rebuilt from the journal alone, at any moment: whatever has not happened yet is None or empty.
"""

from __future__ import annotations

import shlex
from collections.abc import Sequence
from dataclasses import replace
from importlib.metadata import version
from pathlib import PurePath
from typing import Any, Protocol

from wellfit._typing import Json
from wellfit.goals import GOALS, Goal
from wellfit.reports import reading
from wellfit.reports.boards import knob_boards
from wellfit.reports.records import (
    Gap,
    Ladder,
    Network,
    OpeningCard,
    OtherMethod,
    Redo,
    Rung,
    SealCard,
    Summary,
    SweepCard,
)
from wellfit.reports.sentences import Story, headline, remarks
from wellfit.reports.trade import trade_rows, trade_sentence
from wellfit.reports.units import Unit


class EntryLike(Protocol):
    """What a report needs of a journal entry."""

    @property
    def kind(self) -> str:
        """The kind of entry: split, training, diagnosis, ..."""

    @property
    def body(self) -> Any:
        """Its JSON object."""


def summarize(entries: Sequence[EntryLike]) -> Summary:
    """Fold the journal's entries, in their order, into one summary.

    Args:
        entries: objects with `kind` and `body`, oldest first; kinds that a report does not show are skipped.
    """
    bodies = _by_kind(entries)
    split = bodies.get("split", [{}])[-1]
    seal = reading.seal(split) if "split" in bodies else None
    story, diagnosed = _story(bodies, seal)
    optimization, regularization = knob_boards(story.first, story.best)
    networks = [reading.network(body) for body in bodies.get("training", [])]
    trade = trade_rows(networks, story.sweeps, best=story.best, openings=story.openings)
    return Summary(
        title=_title(seal),
        headline=headline(story),
        remarks=tuple(remarks(story)),
        unit=story.unit,
        seal=seal,
        before=story.before,
        after=story.after,
        others=story.others,
        first=story.first,
        best=story.best,
        optimization=optimization,
        regularization=regularization,
        sweeps=story.sweeps,
        trade=trade,
        trade_sentence=trade_sentence(trade, story.unit),
        findings=reading.findings(diagnosed),
        prescription=reading.prescription(diagnosed),
        steps=story.steps,
        finished=story.finished,
        openings=story.openings,
        redo=_redo(bodies, seal, story.unit) if seal else None,
    )


def _story(bodies: dict[str, list[Json]], seal: SealCard | None) -> tuple[Story, Json]:
    """The experiment as far as it went, and the diagnosis of the network it stands at."""
    openings = tuple(found for found in map(reading.opening, bodies.get("opening", [])) if found)
    sweeps = tuple(map(reading.sweep, bodies.get("sweep", [])))
    networks = [reading.network(body) for body in bodies.get("training", [])]
    finish = bodies.get("finish", [{}])[-1]
    best = _best(networks, reading.text(finish.get("best")), sweeps)
    before, after, diagnosed = _ladders(bodies.get("diagnosis", []), best, openings)
    story = Story(
        unit=Unit(_goal(bodies, seal)),
        has_split=seal is not None,
        before=before,
        after=after,
        first=networks[0] if networks else None,
        best=best,
        steps=tuple(map(reading.step, bodies.get("step", []))),
        sweeps=sweeps,
        others=_others(bodies),
        openings=openings,
        finished=reading.text(finish.get("sentence")) or reading.text(finish.get("reason")),
    )
    return story, diagnosed


def _by_kind(entries: Sequence[EntryLike]) -> dict[str, list[Json]]:
    found: dict[str, list[Json]] = {}
    for entry in entries:
        found.setdefault(entry.kind, []).append(dict(entry.body))
    return found


def _goal(bodies: dict[str, list[Json]], seal: SealCard | None) -> Goal:
    named = [body.get("goal") for kind in ("diagnosis", "experiment", "split", "run") for body in bodies.get(kind, [])]
    known = [goal for goal in GOALS if goal in named]
    if known:
        return Goal(known[0])
    return Goal("rmse" if seal is not None and seal.task == "regression" else "error")


def _best(networks: list[Network], identity: str, sweeps: tuple[SweepCard, ...]) -> Network | None:
    """The network that the experiment ends with: the finish says so; before it, the last choice of a sweep, or dev."""
    chosen = sweeps[-1].chosen if sweeps else None
    for wanted in (identity, chosen.identity if chosen else ""):
        named = [network for network in networks if wanted and network.identity == wanted]
        if named:
            return named[-1]
    measured = [network for network in networks if network.dev is not None]
    return min(measured, key=lambda network: network.dev.value if network.dev else 0.0, default=None)


def _ladders(
    diagnoses: list[Json], best: Network | None, openings: tuple[OpeningCard, ...]
) -> tuple[Ladder | None, Ladder | None, Json]:
    """The ladder of the first diagnosis, that of the network the experiment ends with, and the latter's body."""
    if not diagnoses:
        return None, None, {}
    of_best = [body for body in diagnoses if best is not None and body.get("identity") == best.identity]
    last = (of_best or diagnoses)[-1]
    before = reading.ladder(diagnoses[0])
    if last is diagnoses[0]:
        opened = _with_test(before, openings)
        return opened, opened, last
    if openings:
        before = _without_test(before)
    return before, _with_test(reading.ladder(last), openings), last


def _without_test(ladder: Ladder) -> Ladder:
    """Say at the test rung that the seal was broken for another network."""
    note = "opened for the chosen network only"
    rungs = (replace(rung, note=note) if rung.measure is None else rung for rung in ladder.rungs)
    return replace(ladder, rungs=tuple(rungs))


def _with_test(ladder: Ladder, openings: tuple[OpeningCard, ...]) -> Ladder:
    """Fill the test rung in from the first opening, and the gap before it where the diagnosis has none."""
    dev = ladder.rung("dev")
    if not openings or dev is None:
        return ladder
    first = openings[0]
    note = f"opened {first.at[:16].replace('T', ' ')}" if first.at else "opened"
    rungs = tuple(
        Rung(part=rung.part, label=rung.label, measure=first.error, note=note) if rung.part == "test" else rung
        for rung in ladder.rungs
    )
    if ladder.gap("dev overfit"):
        return replace(ladder, rungs=rungs)
    difference = first.error.value - dev.value
    overfit = Gap(
        name="dev overfit",
        before="test",
        start=dev.value,
        end=first.error.value,
        value=difference,
        low=difference,
        high=difference,
        verdict="",
    )
    return replace(ladder, rungs=rungs, gaps=(*ladder.gaps, overfit))


def _others(bodies: dict[str, list[Json]]) -> tuple[OtherMethod, ...]:
    tests = reading.section(bodies.get("opening", [{}])[0], "references")
    latest = {reading.text(body.get("name")): body for body in bodies.get("reference", [])}
    return tuple(reading.other_method(body, tests) for body in latest.values())


def _title(seal: SealCard | None) -> str:
    if seal is None:
        return "wellfit experiment"
    name = PurePath(seal.source.replace("\\", "/")).name or "a table"
    return f"{name}, target {seal.target}"


def _redo(bodies: dict[str, list[Json]], seal: SealCard, unit: Unit) -> Redo:
    split = bodies["split"][-1]
    asked = reading.section(bodies.get("session", [{}])[-1], "asked")
    command = reading.text(split.get("command")) or _command(seal, unit, asked)
    versions = {"wellfit": version("wellfit"), **reading.section(split, "versions")}
    return Redo(
        command=command,
        seed=seal.seed,
        versions=tuple((name, reading.text(value)) for name, value in versions.items()),
        data=seal.source,
    )


def _command(seal: SealCard, unit: Unit, asked: Json) -> str:
    """The command that asks for the same again; options that were not given are left out."""
    options = {"target": seal.target, "goal": unit.goal.name, **asked, "seed": seal.seed}
    words = ["wellfit", "run", seal.source or "DATA"]
    for name, value in options.items():
        if isinstance(value, str | int | float) and not isinstance(value, bool):
            words += [f"--{name.replace('_', '-')}", str(value)]
    return shlex.join(words)
