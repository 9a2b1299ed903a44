"""A run while it is at work: its clock, the networks of the present step over lambda and dev error, the end so far."""

from __future__ import annotations

import contextlib
import math
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from datetime import datetime

from wellfit.exceptions import BadInput
from wellfit.journal.history import seconds_spent
from wellfit.journal.store import Entry
from wellfit.recipe.budget import parse_budget
from wellfit.records.outcome import Status
from wellfit.records.units import Unit, plain
from wellfit.reports.errors import counted
from wellfit.reports.records import Summary
from wellfit.reports.text import render_end

STALE = 300.0
"""Seconds without an entry after which a run may have been stopped."""
_ROWS, _COLUMNS = 6, 48
"""Size of the chart of networks, in characters."""
_GREY, _PLAIN = "\x1b[2m", "\x1b[0m"


@dataclass(frozen=True, kw_only=True)
class Member:
    """One network of the step at work."""

    l2: float
    dev: float
    kept: bool
    """Whether it was trained to its end; the others were dropped, or diverged."""


@dataclass(frozen=True, kw_only=True)
class Work:
    """What a journal says about the run that writes it."""

    seconds: float
    """Of the run and of the sessions that it continues."""
    quiet: float
    """Seconds since the last entry."""
    step: int
    """Number of the step at work."""
    networks: int
    best: float | None
    """Lowest dev loss so far."""
    members: tuple[Member, ...]
    ended: bool


def work_of(entries: Sequence[Entry], *, now: datetime) -> Work:
    """Return the state of the last run in a journal at the time `now`."""
    starts = [place for place, entry in enumerate(entries) if _is_run(entry)]
    earlier, mine = (entries[: starts[-1]], entries[starts[-1] :]) if starts else ([], entries)
    start = mine[0] if starts else None
    steps = [place for place, entry in enumerate(mine) if entry.kind == "step"]
    trained = [entry.body for entry in mine if entry.kind == "training"]
    present = [entry.body for entry in mine[steps[-1] + 1 if steps else 0 :] if entry.kind == "training"]
    devs = [dev for body in trained if (dev := _dev(body)) is not None]
    return Work(
        seconds=0.0 if start is None else seconds_spent(earlier, start.body.get("asked", {})) + _since(start, now),
        quiet=(now - _moment(entries[-1])).total_seconds() if entries else 0.0,
        step=len(steps) + 1,
        networks=len(trained),
        best=min(devs, default=None),
        members=tuple(
            Member(l2=float(body["config"].get("regularization", {}).get("l2", 0.0)), dev=dev, kept=_is_whole(body))
            for body in present
            if (dev := _dev(body)) is not None
        ),
        ended=bool(mine) and any(entry.kind == "finish" for entry in mine),
    )


def _is_run(entry: Entry) -> bool:
    return entry.kind == "session" and entry.body.get("command") in ("run", "study")


def _since(start: Entry, now: datetime) -> float:
    """Return the seconds since the command of a session was given."""
    before = float(start.body.get("seconds_before", 0.0))
    return before + (now - _moment(start)).total_seconds()


def _moment(entry: Entry) -> datetime:
    return datetime.fromisoformat(entry.at)


def _dev(body: dict[str, object]) -> float | None:
    losses = body["losses"]
    dev = losses.get("dev") if isinstance(losses, dict) else None
    return float(dev) if isinstance(dev, int | float) and math.isfinite(dev) else None


def _is_whole(body: dict[str, object]) -> bool:
    return body["status"] in (Status.FINISHED.value, Status.STOPPED_EARLY.value)


def render_watch(
    summary: Summary, work: Work, *, path: str = "", width: int = 100, height: int = 40, color: bool = False
) -> str:
    """Write what a run is doing, in at most `height` lines where there is room for its end."""
    # The run is at work: that it has not finished is no news.
    shown = replace(summary, remarks=tuple(said for said in summary.remarks if "has not finished" not in said))
    head = "\n".join(_head(summary, work, path=path))
    end = render_end(shown, path=path, width=width, color=color).rstrip("\n")
    chart = list(_chart(work.members, summary.unit, color=color)) if not work.ended and width > _COLUMNS + 12 else []
    room = height - end.count("\n") - head.count("\n") - 4
    parts = [head, *(["\n".join(chart)] if chart and len(chart) <= room else []), end]
    return "\n\n".join(parts) + "\n"


def _head(summary: Summary, work: Work, *, path: str) -> Iterator[str]:
    name = f"{path}: " if path else ""
    if work.ended:
        yield f"{name}the run has ended."
        return
    limit = _seconds(summary.budget)
    clock = f"{work.seconds:.0f} s" if limit is None else f"{work.seconds:.0f} of {limit:.0f} s"
    best = "" if work.best is None else f", best dev {summary.unit.noun} {summary.unit.show(work.best)}"
    doing = f"working on step {work.step}" if work.networks else "preparing"
    yield f"{name}{doing}, {clock}, {counted(work.networks, 'network')}{best}"
    if work.quiet > STALE:
        minutes = work.quiet / 60
        yield f"Nothing new for {minutes:.0f} minutes: it may have been stopped. The same command continues it."


def _seconds(budget: str) -> float | None:
    """Return a budget in time; None for one in updates or fits, or without any."""
    with contextlib.suppress(BadInput):
        return parse_budget(budget).seconds
    return None


def _chart(members: Sequence[Member], unit: Unit, *, color: bool) -> Iterator[str]:
    """Yield the networks of the step as signs: dev error upwards, lambda to the right; dropped ones are grey dots."""
    known = [each for each in members if each.l2 > 0]
    if len(members) < 2 or not known:
        return
    low, high = min(each.dev for each in members), max(each.dev for each in members)
    first, last = (math.log10(pick(each.l2 for each in known)) for pick in (min, max))
    grid = [[" "] * _COLUMNS for _ in range(_ROWS)]
    for each in sorted(members, key=lambda each: each.kept):
        across = 0.0 if last == first else (math.log10(each.l2) - first) / (last - first) if each.l2 > 0 else -1.0
        column = 0 if each.l2 <= 0 else 3 + round(across * (_COLUMNS - 4))
        row = 0 if high == low else round((high - each.dev) / (high - low) * (_ROWS - 1))
        grid[row][column] = "●" if each.kept else f"{_GREY}·{_PLAIN}" if color else "·"
    names = [unit.show(high), *[""] * (_ROWS - 2), unit.show(low)]
    wide = max(map(len, names))
    for name, cells in zip(names, grid, strict=True):
        yield f"  {name:>{wide}} ┤{''.join(cells)}".rstrip()
    least, most = (plain(10**value) for value in (first, last))
    yield f"  {'dev':>{wide}}  0  {least}{most:>{max(1, _COLUMNS - 3 - len(least))}}  λ"
    dropped = sum(not each.kept for each in members)
    yield f"  {len(members)} networks of this step" + (f", {dropped} of them dropped (·)" if dropped else "")
