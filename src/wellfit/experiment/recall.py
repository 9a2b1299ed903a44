"""The recall of finished work from the journal, by which a killed run continues instead of computing it again."""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence

from wellfit.base.typing import Json
from wellfit.experiment.workspace import Workspace
from wellfit.journal.store import Journal
from wellfit.records.config import Config
from wellfit.records.outcome import Outcome, Status, snapshot_identity
from wellfit.sweeps.executor import Executor, OnOutcome, ignore_outcome
from wellfit.sweeps.rungs import Rungs


class PlanRecall:
    """Recalls bodies by (kind, key) within one plan: the same command with the same budget and reference.

    Another budget or reference is another plan: its decisions may differ, while trainings are shared by identity.
    """

    def __init__(self, journal: Journal, *, plan: str) -> None:
        self._journal = journal
        self._plan = plan

    def __call__(self, kind: str, key: str, compute: Callable[[], Json]) -> Json:
        """Return the body kept under (kind, key), or compute it and write it down."""
        known = self.known(kind, key)
        if known is not None:
            return known
        return self._journal.append(kind, {**compute(), "plan": self._plan}, key=f"{self._plan}/{key}").body

    def known(self, kind: str, key: str) -> Json | None:
        """Return the body kept under (kind, key), None where there is none."""
        entry = self._journal.find(kind, f"{self._plan}/{key}")
        return entry.body if entry else None


class RememberingExecutor:
    """Trains only what was never trained before, and keeps each outcome at once.

    The workspace's journal must be open to be written.
    """

    def __init__(self, executor: Executor, workspace: Workspace) -> None:
        self._executor = executor
        self._workspace = workspace

    def train(
        self,
        configs: Sequence[Config],
        *,
        deadline: float | None = None,
        rungs: Rungs | None = None,
        on_outcome: OnOutcome = ignore_outcome,
    ) -> list[Outcome]:
        """Return outcomes in the order of the configs, from the journal where it has them.

        A config that `deadline` did not let start has none. Snapshots of a known training are reported again.
        """

        def keep(outcome: Outcome) -> None:
            self._workspace.keep(outcome)
            known[outcome.identity] = outcome
            on_outcome(outcome)

        known = {
            config.identity: outcome
            for config in configs
            if (outcome := self._workspace.outcome(config.identity)) and not _deserves_more(outcome, deadline, rungs)
        }
        for one in known.values() if rungs else ():
            for at in one.snapshots:
                if snapshot := self._workspace.outcome(snapshot_identity(one.config, at)):
                    on_outcome(snapshot)
        missing = {config.identity: config for config in configs if config.identity not in known}
        if missing:
            self._executor.train(list(missing.values()), deadline=deadline, rungs=rungs, on_outcome=keep)
        return [known[config.identity] for config in configs if config.identity in known]

    def close(self) -> None:
        """Close the executor that does the work."""
        self._executor.close()


def _deserves_more(outcome: Outcome, deadline: float | None, rungs: Rungs | None) -> bool:
    """Return True if a training that ran out of time, or was dropped at a rung, would now get further."""
    if outcome.status is Status.DROPPED:
        return rungs is None
    if outcome.status is not Status.OUT_OF_BUDGET:
        return False
    return deadline is None or deadline - time.monotonic() > outcome.seconds
