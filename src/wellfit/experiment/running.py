"""Carry the recipe out inside an experiment: everything finished is journaled, everything journaled is not done again."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterable, Mapping
from dataclasses import asdict, dataclass
from datetime import datetime

from wellfit._typing import Json, Notify
from wellfit.config import shrink_of, weight_decay_of
from wellfit.data.prepare import Prepared
from wellfit.diagnosis.diagnosis import Diagnosis
from wellfit.diagnosis.optimal_error import Optimal
from wellfit.experiment.folder import Folder
from wellfit.experiment.memory import Memory, RememberingExecutor
from wellfit.experiment.rivals import Rivals, remembered_rivals
from wellfit.goals import Goal
from wellfit.journal.entry import Entry
from wellfit.journal.outcomes import OutcomeStore
from wellfit.journal.store import Journal, open_journal
from wellfit.outcome import Outcome
from wellfit.recipe.bench import Bench, estimates
from wellfit.recipe.budget import Budget
from wellfit.recipe.defaults import first_config
from wellfit.recipe.ending import ending
from wellfit.recipe.follow import follow
from wellfit.recipe.purse import Purse
from wellfit.sweeps.executor import WorkerPool

WORKERS = 2
DIAGNOSIS_SHARE = 0.1
"""Share of a budget in time that the reference models may use."""


@dataclass(frozen=True, kw_only=True)
class Plan:
    """What one `run` is asked to do inside an experiment; another plan may follow in the same folder."""

    budget: Budget
    optimal: Optimal | None
    tolerance: float | None
    only: str | None = None
    idea: str | None = None
    seed: int = 0

    @property
    def identity(self) -> str:
        """Names the plan in the journal; the idea is only a comment and does not count."""
        asked = {
            "budget": str(self.budget),
            "optimal": self.optimal and self.optimal.to_json(),
            "tolerance": self.tolerance,
            "only": self.only,
            "seed": self.seed,
        }
        return hashlib.sha256(json.dumps(asked, sort_keys=True).encode()).hexdigest()[:12]


def run_plan(folder: Folder, plan: Plan, *, notify: Notify) -> Entry:
    """Follow the recipe until it ends, and return the journal's "finish" entry; a finished plan is not run again.

    Raises:
        Refusal: when another process works in the folder.
        NoRoom: when the disk is full; what was finished by then is kept.
    """
    with open_journal(folder.journal) as journal:
        done = journal.find("finish", f"{plan.identity}/end")
        if done is not None:
            return done
        spent = seconds_spent(journal.entries())
        journal.append("session", {"command": "run", "plan": plan.identity, "asked": plan.asked})
        _run(folder, plan, journal=journal, spent=spent, notify=notify)
        finished = journal.find("finish", f"{plan.identity}/end")
        assert finished is not None
        return finished


def seconds_spent(entries: Iterable[Entry]) -> float:
    """Wall-clock seconds that earlier `run` sessions used, each from its start to its last entry."""
    total, started, last = 0.0, None, None
    for entry in entries:
        at = datetime.fromisoformat(entry.at)
        if entry.kind == "session":
            total += (last - started).total_seconds() if started and last else 0.0
            started = at if entry.body["command"] == "run" else None
        last = at
    return total + ((last - started).total_seconds() if started and last else 0.0)
