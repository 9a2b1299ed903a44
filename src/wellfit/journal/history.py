"""The single fold of a journal: the progress of an experiment, and the network that it has chosen."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from datetime import datetime, timedelta
from functools import cached_property

from wellfit.base.typing import Json
from wellfit.journal.store import Entry

CANDIDATE = "candidate"
BRANCH = "branch"


class History:
    """The entries of a whole journal, oldest first, without those of plans that a later plan replaced."""

    def __init__(self, entries: Iterable[Entry]) -> None:
        everything = list(entries)
        plans = [entry.body["plan"] for entry in everything if entry.kind == "session" and "plan" in entry.body]
        kept = [entry for entry in everything if entry.body.get("plan") in (None, *plans[-1:])]
        candidates = [entry.body for entry in everything if entry.kind == CANDIDATE]
        best = min(candidates, key=lambda body: float(body["dev"]), default=None)
        self.chosen = None if best is None else str(best["identity"])
        """Identity of the candidate with the lowest dev loss, the earlier one in a tie; None without candidates."""
        own = [entry for entry in everything if entry.kind == "diagnosis" and entry.body["identity"] == self.chosen]
        # A network of an earlier plan may still be the best: then its diagnosis belongs to the experiment.
        missing = [] if any(entry in kept for entry in own) else own[-1:]
        self.entries: Sequence[Entry] = [*kept, *missing]

    @cached_property
    def _bodies(self) -> dict[str, list[Json]]:
        found: dict[str, list[Json]] = {}
        for entry in self.entries:
            found.setdefault(entry.kind, []).append(entry.body)
            # A run that goes on has not ended, whatever an earlier one recorded; an `unseal` after it leaves it ended.
            if entry.kind == "session" and entry.body.get("command") in ("run", "study"):
                found.pop("finish", None)
        return found

    def of(self, *kinds: str) -> list[Json]:
        """Return the bodies of these kinds, oldest first within each kind."""
        return [body for kind in kinds for body in self._bodies.get(kind, [])]

    def last(self, kind: str) -> Json:
        """Return the last body of a kind; {} if there is none."""
        return self._bodies.get(kind, [{}])[-1]

    def of_network(self, kind: str, identity: str | None) -> Json:
        """Return the last body of a kind about this network; {} if there is none."""
        return next((body for body in reversed(self.of(kind)) if body["identity"] == identity), {})

    @property
    def asked(self) -> Json:
        """The options of the last run; {} if there is none."""
        return next((body["asked"] for body in reversed(self.of("session")) if "asked" in body), {})

    @property
    def compared(self) -> int:
        """Number of networks that were compared on dev, which WF403 counts."""
        trained = self.of("training", "snapshot")
        return len({body["identity"] for body in trained if body["status"] != "diverged"})


def seconds_spent(entries: Iterable[Entry], asked: Json) -> float:
    """Return the wall-clock seconds of earlier `run` sessions, each from its command's start to its last entry.

    Sessions of another path do not count: one remedy (`--only`) and a branch have budgets of their own.
    """
    total, started, last = 0.0, None, None
    for entry in entries:
        at = datetime.fromisoformat(entry.at)
        if entry.kind == "session":
            total += (last - started).total_seconds() if started and last else 0.0
            before = timedelta(seconds=entry.body.get("seconds_before", 0.0))
            started = at - before if is_of_run(entry.body, asked) else None
        last = at
    return total + ((last - started).total_seconds() if started and last else 0.0)


def is_of_run(session: Json, asked: Json) -> bool:
    """Return True if a session belongs to the run with these options, or is one that it continues."""
    return bool(session["command"] == "run" and _path(session.get("asked", {})) == _path(asked))


def _path(asked: Json) -> tuple[str | None, str | None]:
    return asked.get("only"), asked.get(BRANCH)
