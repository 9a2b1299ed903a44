"""The recipe around fits that somebody else makes: it is followed through what was told until a fit is missing."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

from wellfit.base.typing import Floats, Part
from wellfit.diagnosis.diagnosis import Diagnosis
from wellfit.experiment.told import StudyWorkspace
from wellfit.recipe.context import RunContext
from wellfit.records.config import Config
from wellfit.records.outcome import Outcome, Status
from wellfit.stats.differences import difference, paired_difference
from wellfit.stats.intervals import LEVEL, Estimate, wilson
from wellfit.studies.noise import Noise
from wellfit.sweeps.executor import OnOutcome, ignore_outcome
from wellfit.sweeps.rungs import Rungs


class Wanted(Exception):
    """Raised where the recipe needs fits that were not told yet."""

    def __init__(self, configs: Sequence[Config]) -> None:
        super().__init__(len(configs))
        self.configs = tuple(configs)


class ToldExecutor:
    """Returns the fits that were told, and asks for those that are missing."""

    def __init__(self, told: Mapping[str, Outcome]) -> None:
        self._told = told

    def train(
        self,
        configs: Sequence[Config],
        *,
        deadline: float | None = None,  # noqa: ARG002 - as every executor
        rungs: Rungs | None = None,  # noqa: ARG002
        on_outcome: OnOutcome = ignore_outcome,  # noqa: ARG002
    ) -> list[Outcome]:
        """Return outcomes in the order of the configs.

        Raises:
            Wanted: some were not told yet.
        """
        missing = {config.identity: config for config in configs if config.identity not in self._told}
        if missing:
            raise Wanted(list(missing.values()))
        return [self._told[config.identity] for config in configs]

    def has(self, config: Config) -> bool:
        """Return True if a fit was told."""
        return config.identity in self._told

    def known(self) -> list[Outcome]:
        """Return every fit that was told, in an order of their own."""
        return [self._told[identity] for identity in sorted(self._told)]

    def close(self) -> None:
        """Nothing to release."""


def is_told(run: RunContext, config: Config) -> bool:
    """Return True if a fit of a study was told: its result counts even where the clock has passed the budget."""
    return isinstance(run.executor, ToldExecutor) and run.executor.has(config)


@dataclass(eq=False, kw_only=True)
class StudyRun(RunContext):
    """The context of the recipe in a study: rows are known by what the fits told.

    `known` keeps diagnoses from one decision to the next.
    """

    workspace: StudyWorkspace
    noise: Noise | None = None
    known: dict[tuple[str, float], Diagnosis] = field(default_factory=dict)

    def diagnose(self, outcome: Outcome) -> Diagnosis:
        """Diagnose one fit against the reference."""
        key = (outcome.identity, self.best_dev_high)
        if key not in self.known:
            self.known[key] = super().diagnose(outcome)
        return self.known[key]

    def dev_losses(self, outcome: Outcome) -> Floats:
        """Return the loss on each dev row, [dev rows]."""
        return self.workspace.dev_losses(outcome)

    def gain(self, before: Outcome, after: Outcome, *, on: Part, level: float = LEVEL) -> Estimate:
        """Return the fall of the loss: paired where predictions were told, else from the two intervals.

        A gain on dev that another seed could have made as well has an interval that includes 0.
        """
        if Status.DIVERGED in (before.status, after.status):
            value = math.inf if before.status is Status.DIVERGED else -math.inf
            return Estimate.fixed(value)
        found = self._paired(before, after, on=on, level=level)
        if found is None:
            one, two = (self._sampled(outcome, on).at_level(level) for outcome in (before, after))
            found = difference(one, two)
        if on == "train" or self.noise is None:
            return found
        half = math.hypot(found.value - found.low, self.noise.at(level))
        return Estimate(found.value, found.value - half, max(found.high, found.value + half), found.rows)

    def _paired(self, before: Outcome, after: Outcome, *, on: Part, level: float) -> Estimate | None:
        if on == "train":
            one, two = before.train_losses, after.train_losses
            return paired_difference(one, two, level=level) if len(one) == len(two) > 1 else None
        if "dev" not in before.predictions or "dev" not in after.predictions:
            return None
        return paired_difference(self.dev_losses(before), self.dev_losses(after), level=level)

    def _sampled(self, outcome: Outcome, part: Part) -> Estimate:
        """Return a loss with the interval of a sample: two train errors differ by chance too."""
        found = self.errors(outcome)[part]
        if part == "train" and self.goal.counts_rows and found.is_fixed and found.rows:
            return wilson(found.value * found.rows, found.rows)
        return found

    def training_rows(self, config: Config) -> int:
        """Return the number of rows that a fit said it was trained on; 1 if it did not."""
        rows = self.errors(self.outcome_of(config))["train"].rows
        return rows or 1
