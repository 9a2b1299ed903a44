"""Which network an experiment stands for: of all that a command ended with, the one with the lowest dev loss.

Choosing on dev is what dev is for; every candidate is journaled, so that the number of choices can be counted.
What lets a killed run continue: finished pieces of work are taken from the journal instead of computed again.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterable, Sequence
from pathlib import Path

from wellfit._typing import Json
from wellfit.config import Config
from wellfit.exceptions import Refusal
from wellfit.journal.history import CANDIDATE
from wellfit.journal.outcomes import OutcomeStore
from wellfit.journal.store import Journal
from wellfit.outcome import Outcome, Status, snapshot_identity
from wellfit.sweeps.executor import Executor, OnOutcome, ignore_outcome
from wellfit.sweeps.forward_selection import parts_of
from wellfit.sweeps.rungs import Rungs
from wellfit.training.predict import Part

KIND = CANDIDATE


def propose(journal: Journal, outcome: Outcome, *, by: str) -> None:
    """Journal the network that a command ended with."""
    journal.append(KIND, {"identity": outcome.identity, "by": by, "dev": outcome.losses["dev"]})


def chosen_network(journal: Journal, models: Path) -> Outcome:
    """Return the candidate with the lowest dev loss, at its temperature; the earlier one of equals.

    Raises:
        Refusal: when nothing was trained yet.
    """
    candidates = [entry.body for entry in journal.entries(KIND)]
    outcomes = OutcomeStore(models, journal)
    for body in sorted(candidates, key=lambda body: float(body["dev"])):
        outcome = outcomes.get(body["identity"])
        if outcome is not None and all(outcomes.get(member) for member in outcome.members):
            at = outcomes.tempered(outcome)
            if at is not None:
                return at
    raise Refusal(
        "this needs a trained network",
        found=f"no finished training in {models.parent}",
        remedy="Train one first: `wellfit run EXPERIMENT`",
    )


def parts_in(outcome: Outcome, outcomes: OutcomeStore) -> tuple[Part, ...]:
    """What a network predicts with: its own weights, or those of the members of an ensemble."""
    if not outcome.members:
        return parts_of([outcome], {outcome.identity: 1.0})
    members = [member for identity in outcome.members if (member := outcomes.get(identity))]
    return parts_of(members, outcome.members)


class Memory:
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
    """Trains only what was never trained before, and keeps each outcome the moment it is there.

    Args:
        executor: does the work.
        outcomes: where finished trainings are kept.
        describe: further scalars for a training's journal entry.
    """

    def __init__(self, executor: Executor, outcomes: OutcomeStore, describe: Callable[[Outcome], Json]) -> None:
        self._executor = executor
        self._outcomes = outcomes
        self._describe = describe

    def train(
        self,
        configs: Sequence[Config],
        *,
        deadline: float | None = None,
        rungs: Rungs | None = None,
        on_outcome: OnOutcome = ignore_outcome,
    ) -> list[Outcome]:
        """Return outcomes in the order of the configs, from the journal where it has them.

        A config that `deadline` did not let start has none. Snapshots of a training that is known are told again.
        """

        def keep(outcome: Outcome) -> None:
            self._outcomes.put(outcome, details=self._describe(outcome))
            known[outcome.identity] = outcome
            on_outcome(outcome)

        known = {
            config.identity: outcome
            for config in configs
            if (outcome := self._outcomes.get(config.identity)) and not _deserves_more(outcome, deadline, rungs)
        }
        for snapshot in self._snapshots(known.values()) if rungs else ():
            on_outcome(snapshot)
        missing = {config.identity: config for config in configs if config.identity not in known}
        if missing:
            self._executor.train(list(missing.values()), deadline=deadline, rungs=rungs, on_outcome=keep)
        return [known[config.identity] for config in configs if config.identity in known]

    def _snapshots(self, outcomes: Iterable[Outcome]) -> list[Outcome]:
        found = (self._outcomes.get(snapshot_identity(one.config, at)) for one in outcomes for at in one.snapshots)
        return [snapshot for snapshot in found if snapshot]

    def close(self) -> None:
        """Close the executor that does the work."""
        self._executor.close()


def _deserves_more(outcome: Outcome, deadline: float | None, rungs: Rungs | None) -> bool:
    """Whether a training that ran out of time, or was dropped at a rung, would now get further than it did."""
    if outcome.status is Status.DROPPED:
        return rungs is None
    if outcome.status is not Status.OUT_OF_BUDGET:
        return False
    return deadline is None or deadline - time.monotonic() > outcome.seconds
