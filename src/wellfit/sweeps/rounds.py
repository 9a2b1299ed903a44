"""The rounds of a search: propose configs, train those that are not known, learn from their outcomes."""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field

from wellfit.records.config import Config
from wellfit.records.outcome import Outcome
from wellfit.sweeps.executor import Executor, OnOutcome
from wellfit.sweeps.forward_selection import MOST
from wellfit.sweeps.proposals import Proposals
from wellfit.sweeps.rungs import Rungs

Within = Callable[[Sequence[Config]], Sequence[Config]]
"""Returns the first of some configs, as many as may be trained."""


class Snapshots:
    """The snapshots (members' networks at rungs) that are best on dev: as many as an ensemble considers, for memory."""

    def __init__(self) -> None:
        self._kept: list[Outcome] = []

    def add(self, outcome: Outcome) -> None:
        """Add an outcome, if it is a snapshot."""
        if outcome.is_snapshot:
            self._kept.append(outcome)
            # Workers end in any order: what is kept must not depend on it.
            self._kept = sorted(self._kept, key=lambda each: (each.losses["dev"], each.identity))[:MOST]

    @property
    def best(self) -> list[Outcome]:
        """The snapshots, the best first."""
        return list(self._kept)


@dataclass(frozen=True, kw_only=True)
class Training:
    """Trains configs that are not `known` yet, as many as are `within` a limit.

    After an interruption in the middle of a round with rungs, the rest of the round is compared among itself.
    """

    executor: Executor
    known: dict[str, Outcome]
    deadline: float | None
    rungs: Rungs | None
    on_outcome: OnOutcome
    within: Within | None = None
    snapshots: Snapshots = field(default_factory=Snapshots)
    began: float = field(default_factory=time.monotonic)

    def __call__(self, configs: Sequence[Config]) -> list[Outcome]:
        """Return the outcomes in the order of the configs, without those that the deadline left out."""
        missing = [config for config in configs if config.identity not in self.known]
        if missing:
            trained = self.executor.train(missing, deadline=self.deadline, rungs=self.rungs, on_outcome=self._file)
            self.known.update((outcome.config.identity, outcome) for outcome in trained)
        return [self.known[config.identity] for config in configs if config.identity in self.known]

    def _file(self, outcome: Outcome) -> None:
        self.snapshots.add(outcome)
        self.on_outcome(outcome)


def train_in_rounds(proposals: Proposals, training: Training) -> tuple[list[Outcome], int]:
    """Propose and train until all members are there, or time runs out; return the outcomes, and how many were planned.

    The outcomes are in the order of the configs.
    """
    outcomes: list[Outcome] = []
    while len(outcomes) < proposals.count:
        proposed = proposals.propose(min(proposals.round, proposals.count - len(outcomes)))
        configs = proposed if training.within is None else training.within(proposed)
        found = training(configs)
        outcomes += found
        if len(found) < len(configs):
            break
        if not proposed or len(configs) < len(proposed):
            # The space has no more members that differ, or the limit is reached.
            return outcomes, len(outcomes)
        proposals.tell(found)
    return outcomes, proposals.count
