"""What of a budget in time is gone: seconds that earlier sessions used, on the path that a run goes on with."""

from __future__ import annotations

from collections.abc import Iterable
from datetime import datetime, timedelta

from wellfit._typing import Json
from wellfit.experiment.branching import BRANCH
from wellfit.journal.entry import Entry


def seconds_spent(entries: Iterable[Entry], asked: Json) -> float:
    """Wall-clock seconds that earlier `run` sessions used, each from its command's start to its last entry.

    Sessions of another path do not count: one remedy (`--only`) and a branch have a budget of their own.

    Args:
        entries: of the journal.
        asked: what the run was asked for, which names its path.
    """
    total, started, last = 0.0, None, None
    for entry in entries:
        at = datetime.fromisoformat(entry.at)
        if entry.kind == "session":
            total += (last - started).total_seconds() if started and last else 0.0
            before = timedelta(seconds=entry.body.get("seconds_before", 0.0))
            counts = entry.body["command"] == "run" and _path(entry.body.get("asked", {})) == _path(asked)
            started = at - before if counts else None
        last = at
    return total + ((last - started).total_seconds() if started and last else 0.0)


def _path(asked: Json) -> tuple[str | None, str | None]:
    return asked.get("only"), asked.get(BRANCH)
