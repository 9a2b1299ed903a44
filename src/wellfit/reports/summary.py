"""Numbers first: fold the journal into everything that a report shows.

A report can be rebuilt from the journal alone, at any moment: whatever has not happened yet is None or empty.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import replace
from importlib.metadata import version
from pathlib import PurePath
from typing import Any, Protocol

from wellfit._typing import Json
from wellfit.goals import GOALS, Goal, default_goal
from wellfit.reports import reading, rungs, values
from wellfit.reports.boards import data_board, knob_boards, trade_rows, trade_sentence
from wellfit.reports.command import command_of
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
    Tempered,
    picture_sheet,
)
from wellfit.reports.sentences import Story, headline, remarks
from wellfit.reports.sweep_card import SweepCard
from wellfit.units import Unit

_RIVAL_CODE = "WF106"
_DIVERGED = "diverged"


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
        pictures=picture_sheet(bodies.get("pictures", [{}])[-1], curve=bodies.get("more data", [{}])[-1]),
        data=data_board(story.first, story.best),
        tempered=story.tempered,
    )


def _story(bodies: dict[str, list[Json]], seal: SealCard | None) -> tuple[Story, Json]:
    """The experiment as far as it went, and the diagnosis of the network it stands at."""
    openings = tuple(found for found in map(reading.opening, bodies.get("opening", [])) if found)
    networks = [reading.network(body) for body in bodies.get("training", [])]
    sweeps = tuple(_with_intervals(reading.sweep(body), networks) for body in bodies.get("sweep", []))
    finish = bodies.get("finish", [{}])[-1]
    diagnoses = bodies.get("diagnosis", [])
    chosen = sweeps[-1].chosen if sweeps else None
    averages = [reading.network(body) for body in bodies.get("ensemble", [])]
    best = _best(
        [*networks, *averages],
        (
            _candidate(bodies.get("candidate", [])),
            values.text(finish.get("best")),
            _identity(diagnoses[-1:]),
            chosen.identity if chosen else "",
        ),
    )
    before, after, diagnosed = _ladders(diagnoses, best, openings)
    story = Story(
        unit=Unit(_goal(bodies, seal)),
        has_split=seal is not None,
        before=before,
        after=after,
        first=_named(networks, _identity(diagnoses[:1])) or next(iter(networks), None),
        best=best,
        steps=tuple(map(reading.step, bodies.get("step", []))),
        sweeps=sweeps,
        compared=_compared(bodies),
        others=_others(bodies),
        openings=openings,
        rival_is_sure=_rival_is_sure(diagnosed),
        finished=values.text(finish.get("sentence")) or values.text(finish.get("reason")),
        tempered=_tempered(bodies.get("temperature", []), best),
    )
    return story, diagnosed


def _compared(bodies: dict[str, list[Json]]) -> int:
    """How many networks dev has compared: those that WF403 counts."""
    trained = [body for kind in ("training", "snapshot") for body in bodies.get(kind, [])]
    return len({values.text(body.get("identity")) for body in trained if body.get("status") != _DIVERGED})


def _by_kind(entries: Sequence[EntryLike]) -> dict[str, list[Json]]:
    found: dict[str, list[Json]] = {}
    for entry in entries:
        found.setdefault(entry.kind, []).append(dict(entry.body))
        # A run that goes on has not ended, whatever an earlier one said; an `unseal` after it leaves it ended.
        if entry.kind == "session" and entry.body.get("command") == "run":
            found.pop("finish", None)
    return found


def _goal(bodies: dict[str, list[Json]], seal: SealCard | None) -> Goal:
    named = [body.get("goal") for kind in ("diagnosis", "experiment", "split", "run") for body in bodies.get(kind, [])]
    known = [goal for goal in GOALS if goal in named]
    if known:
        return GOALS[known[0]]
    return default_goal("regression" if seal is not None and seal.task == "regression" else "classification")


def _with_intervals(sweep: SweepCard, networks: list[Network]) -> SweepCard:
    """Give members the dev intervals of their own trainings; a sweep keeps point values only."""
    measured = {network.identity: network.dev for network in networks if network.dev and not network.dev.is_fixed}
    members = (replace(it, dev=measured.get(it.identity, it.dev)) if it.dev else it for it in sweep.members)
    return replace(sweep, members=tuple(members))


def _candidate(bodies: list[Json]) -> str:
    """The candidate with the lowest dev loss: the network that an experiment stands for."""
    best = min(bodies, key=lambda body: values.number(body.get("dev")) or 0.0, default={})
    return values.text(best.get("identity"))


def _identity(diagnoses: list[Json]) -> str:
    return values.text(diagnoses[0].get("identity")) if diagnoses else ""


def _best(networks: list[Network], named: Iterable[str]) -> Network | None:
    """The network that the experiment stands at: the first of `named` that was trained, else the lowest dev loss."""
    for identity in named:
        found = _named(networks, identity)
        if found is not None:
            return found
    measured = [network for network in networks if network.dev is not None]
    return min(measured, key=lambda network: network.dev.value if network.dev else 0.0, default=None)


def _named(networks: list[Network], identity: str) -> Network | None:
    return next((network for network in reversed(networks) if identity and network.identity == identity), None)


def _tempered(bodies: list[Json], best: Network | None) -> Tempered | None:
    found = [body for body in bodies if best is not None and body.get("identity") == best.identity]
    return reading.tempered(found[-1]) if found else None


def _ladders(
    diagnoses: list[Json], best: Network | None, openings: tuple[OpeningCard, ...]
) -> tuple[Ladder | None, Ladder | None, Json]:
    """The ladder of the first diagnosis, that of the network the experiment ends with, and the latter's body."""
    if not diagnoses:
        return None, None, {}
    of_best = [body for body in diagnoses if best is not None and body.get("identity") == best.identity]
    last = (of_best or diagnoses)[-1]
    before = rungs.ladder(diagnoses[0])
    if last is diagnoses[0]:
        opened = _with_test(before, openings)
        return opened, opened, last
    if openings:
        before = _without_test(before)
    return before, _with_test(rungs.ladder(last), openings), last


def _without_test(ladder: Ladder) -> Ladder:
    """Say at the test rung that the seal was broken for another network."""
    note = "opened for the chosen network only"
    closed = (replace(rung, note=note) if rung.measure is None else rung for rung in ladder.rungs)
    return replace(ladder, rungs=tuple(closed))


def _with_test(ladder: Ladder, openings: tuple[OpeningCard, ...]) -> Ladder:
    """Fill the test rung in from the first opening, and the gap before it where the diagnosis has none."""
    dev = ladder.rung("dev")
    if not openings or dev is None:
        return ladder
    first = openings[0]
    note = f"opened {first.at[:16].replace('T', ' ')}" if first.at else "opened"
    opened = tuple(
        Rung(part=rung.part, label=rung.label, measure=first.error, note=note) if rung.part == "test" else rung
        for rung in ladder.rungs
    )
    if ladder.gap("dev overfit"):
        return replace(ladder, rungs=opened)
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
    return replace(ladder, rungs=opened, gaps=(*ladder.gaps, overfit))


def _rival_is_sure(diagnosed: Json) -> bool:
    """Whether the paired comparison on dev is above chance; without such a check the point values speak."""
    statuses = [row.status for row in reading.findings(diagnosed) if row.code == _RIVAL_CODE]
    return statuses != ["passed"]


def _others(bodies: dict[str, list[Json]]) -> tuple[OtherMethod, ...]:
    tests = values.section(bodies.get("opening", [{}])[0], "references")
    latest = {values.text(body.get("name")): body for body in bodies.get("reference", [])}
    return tuple(reading.other_method(body, tests) for body in latest.values())


def _title(seal: SealCard | None) -> str:
    if seal is None:
        return "wellfit experiment"
    name = PurePath(seal.source.replace("\\", "/")).name or "a table"
    return f"{name}, target {seal.target}"


def _redo(bodies: dict[str, list[Json]], seal: SealCard, unit: Unit) -> Redo:
    split = bodies["split"][-1]
    session = next((body for body in reversed(bodies.get("session", [])) if "asked" in body), {})
    plan = values.section(session, "asked")
    asked = {**values.section(split, "asked"), **plan, **values.section(plan, "reference")}
    given = {name: value for name, value in asked.items() if name not in ("target", "goal", "seed")}
    # The plan names the network of a branch and the rows of a file by their hashes.
    given |= {"branch": session.get("branch_step")} if "branch" in given else {}
    more = _path_of(given.get("more_data"), bodies.get("added rows", []))
    given |= {"more_data": more or None} if "more_data" in given else {}
    versions = {"wellfit": version("wellfit"), **values.section(split, "versions")}
    return Redo(
        command=command_of(seal.source, {"target": seal.target, "goal": unit.goal.name, **given, "seed": seal.seed}),
        seed=seal.seed,
        versions=tuple((name, values.text(value)) for name, value in versions.items()),
        data=seal.source,
        more_data=more,
    )


def _path_of(name: object, added: list[Json]) -> str:
    """The file of rows that were added to train."""
    return next((values.text(body.get("path")) for body in reversed(added) if body.get("name") == name), "")
