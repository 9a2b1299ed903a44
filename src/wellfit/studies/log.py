"""A study's journal, read: the fits that were asked for, told and failed."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from wellfit.base.serialize import Record
from wellfit.base.typing import Json
from wellfit.experiment.told import ASK, FAILURE, StudyWorkspace
from wellfit.journal.outcomes import KIND
from wellfit.journal.store import Entry
from wellfit.records.config import Config
from wellfit.records.outcome import Outcome, Status

LAST_LINES = 20
_MEMORY = re.compile(r"out of memory|MemoryError|cannot allocate memory|OutOfMemory", re.IGNORECASE)


@dataclass(frozen=True, kw_only=True)
class Failure(Record):
    """A fit that failed.

    Attributes:
        reason: "raised", "diverged", "killed", "timeout" or "out of memory".
        lines: the last lines that it wrote, or those of its error.
        seconds: how long it took.
        plan: the plan (budget, reference) under which it failed.
    """

    reason: str
    lines: tuple[str, ...] = ()
    seconds: float = 0.0
    plan: str = ""

    @property
    def words(self) -> str:
        """What happened, in one line."""
        return ": ".join(filter(None, (self.reason, self.lines[-1].strip() if self.lines else "")))


def failure_from(text: str, *, reason: str = "raised", seconds: float = 0.0) -> Failure:
    """Return the failure that the text of an error, or the output of a fit, describes."""
    lines = tuple(line.rstrip()[:500] for line in text.splitlines() if line.strip())[-LAST_LINES:]
    if reason == "raised" and _MEMORY.search("\n".join(lines)):
        reason = "out of memory"
    return Failure(reason=reason, lines=lines, seconds=seconds)


def failed_outcome(config: Config, failure: Failure) -> Outcome:
    """Return the outcome of a failed fit as the recipe sees it: it diverged."""
    return Outcome(
        config=config,
        status=Status.DIVERGED,
        updates=0,
        seconds=failure.seconds,
        losses={},
        curve=(),
        weight_norms=(),
    )


@dataclass(frozen=True)
class Asked:
    """A fit that was asked for."""

    number: int
    config: Config
    knobs: Mapping[str, Any]
    why: str

    def to_json(self) -> Json:
        """Return its journal entry."""
        return {
            "number": self.number,
            "identity": self.config.identity,
            "config": self.config.to_json(),
            "knobs": dict(self.knobs),
            "why": self.why,
        }


class StudyLog:
    """The entries of a study that concern its fits; kept up to date as the journal grows."""

    def __init__(self, workspace: StudyWorkspace) -> None:
        self._workspace = workspace
        self._read = 0
        self.asked: dict[str, Asked] = {}
        self.told: dict[str, Outcome] = {}
        self.failures: dict[str, list[Failure]] = {}
        self.fresh: dict[str, int] = {}
        """Failures of each config in this process: those of earlier ones may have been mended."""

    def update(self) -> None:
        """Read what the journal has gained."""
        entries = self._workspace.entries()
        for entry in entries[self._read :]:
            self._take(entry)
        self._read = len(entries)

    def _take(self, entry: Entry) -> None:
        body = entry.body
        if entry.kind == ASK:
            config = Config.from_json(body["config"])
            self.asked[config.identity] = Asked(int(body["number"]), config, body["knobs"], str(body["why"]))
        elif entry.kind == KIND:
            outcome = self._workspace.outcome(str(body["identity"]))
            if outcome is not None:
                self.told[outcome.identity] = outcome
        elif entry.kind == FAILURE:
            self.failures.setdefault(str(body["identity"]), []).append(Failure.from_json(body))

    @property
    def seconds(self) -> float:
        """Seconds of all fits so far, failed ones too."""
        failed = sum(failure.seconds for failures in self.failures.values() for failure in failures)
        return failed + sum(outcome.seconds for outcome in self.told.values())
