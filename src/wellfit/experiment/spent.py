"""What of a budget in time is gone: seconds that earlier sessions used, on the path that a run goes on with.

Another path from an earlier step: which network a run goes on from, when it is asked to branch off.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from datetime import datetime, timedelta

from wellfit._typing import Json
from wellfit.config import Config
from wellfit.exceptions import BadInput
from wellfit.journal.store import Entry


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


BRANCH = "branch"
"""What a plan that branched off calls the network it started from."""


def main_plan(entries: Sequence[Entry]) -> str | None:
    """The last plan that did not branch off: its steps are the ones that are counted, so a branch keeps its name."""
    asked = [entry.body for entry in entries if entry.kind == "session" and "asked" in entry.body]
    plans = [str(body["plan"]) for body in asked if BRANCH not in body["asked"]]
    return plans[-1] if plans else None


def network_at(entries: Sequence[Entry], step: int) -> Json:
    """The body of a step of the last run, which names its network; step 0 is the first network.

    Raises:
        BadInput: when the run took no such step.
    """
    plan = main_plan(entries)
    found = {int(entry.body["step"]): entry.body for entry in entries if entry.kind == "step" and _plan(entry) == plan}
    starts = [entry.body for entry in entries if entry.kind == "plan" and "config" in entry.body]
    first = next((body for body in reversed(starts) if body.get("plan") == plan), None)
    if first is not None:
        config = Config.from_json(first["config"])
        found[0] = {"step": 0, "config": first["config"], "config_after": config.identity}
    if step not in found:
        raise BadInput(
            "a branch starts from a step of the last run",
            found=f"step {step}, where it has {_steps(sorted(found))}",
            remedy="`wellfit report EXPERIMENT` shows the steps",
        )
    return found[step]


def _plan(entry: Entry) -> str:
    return str(entry.body.get("plan"))


def _steps(numbers: Sequence[int]) -> str:
    return f"the steps {', '.join(map(str, numbers))}" if numbers else "none"
