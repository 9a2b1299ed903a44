"""Earlier commands as the journal has them: their requests, their time, their steps, and the best network."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from datetime import datetime, timedelta

from wellfit.base.typing import Json
from wellfit.diagnosis.findings import Finding
from wellfit.exceptions import BadInput
from wellfit.journal.store import Entry
from wellfit.records.config import Config
from wellfit.records.goals import Goal
from wellfit.records.outcome import Outcome
from wellfit.stats.intervals import Estimate

MORE_DATA = "more data"
BRANCH = "branch"
"""The network from which a request branched off."""


def last_plan(entries: Iterable[Entry]) -> str | None:
    """Return the plan of the last session that had one."""
    plans = [str(entry.body["plan"]) for entry in entries if entry.kind == "session" and "plan" in entry.body]
    return plans[-1] if plans else None


def known_curve(entries: Iterable[Entry], identity: str) -> Finding | None:
    """Return the finding of the last learning curve that was measured for a network."""
    bodies = [entry.body for entry in entries if entry.kind == MORE_DATA and entry.body["identity"] == identity]
    return Finding.from_json(bodies[-1]["finding"]) if bodies else None


def known_test(entries: Iterable[Entry], outcome: Outcome, *, goal: Goal) -> Estimate | None:
    """Return the test loss of the first opening if that was made for this network."""
    opened = [entry.body for entry in entries if entry.kind == "opening"]
    if not opened or opened[0]["identity"] != outcome.identity:
        return None
    return Estimate.from_json(opened[0]["error"], binomial=goal.counts_rows)


def seconds_spent(entries: Iterable[Entry], asked: Json) -> float:
    """Return the wall-clock seconds of earlier `run` sessions, each from its command's start to its last entry.

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


def network_at(entries: Sequence[Entry], step: int) -> Json:
    """Return the body of a step of the last run, which names its network; step 0 is the first network.

    Raises:
        BadInput: when the run took no such step.
    """
    plan = _main_plan(entries)
    found = {int(entry.body["step"]): entry.body for entry in entries if entry.kind == "step" and _plan(entry) == plan}
    starts = [entry.body for entry in entries if entry.kind == "plan" and "config" in entry.body]
    first = next((body for body in reversed(starts) if body.get("plan") == plan), None)
    if first is not None:
        config = Config.from_json(first["config"])
        found[0] = {"step": 0, "config": first["config"], "config_after": config.identity}
    if step not in found:
        steps = f"the steps {', '.join(map(str, sorted(found)))}" if found else "none"
        raise BadInput(
            "a branch must start from a step of the last run",
            found=f"step {step}, where it has {steps}",
            remedy="`wellfit report EXPERIMENT` shows the steps",
        )
    return found[step]


def _main_plan(entries: Sequence[Entry]) -> str | None:
    """Return the last plan that did not branch off: its steps are counted, so a branch keeps its name."""
    asked = [entry.body for entry in entries if entry.kind == "session" and "asked" in entry.body]
    plans = [str(body["plan"]) for body in asked if BRANCH not in body["asked"]]
    return plans[-1] if plans else None


def _plan(entry: Entry) -> str:
    return str(entry.body.get("plan"))
