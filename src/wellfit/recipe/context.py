"""The context of a run: data, executor, budget, diagnosis, and recall from the journal."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Protocol

from wellfit.base.typing import Floats, Json, Notify, Part
from wellfit.data.prepare import Prepared
from wellfit.data.training_rows import rows_trained_on
from wellfit.diagnosis.diagnosis import Diagnosis
from wellfit.recipe.budget import Means
from wellfit.records.config import Config
from wellfit.records.goals import Goal
from wellfit.records.outcome import Outcome, Status
from wellfit.stats.differences import paired_difference
from wellfit.stats.intervals import LEVEL, Estimate
from wellfit.sweeps.executor import Executor


class Recall(Protocol):
    """A recall of the body of a journal entry by kind and key, which computes and records it if it is new."""

    def __call__(self, kind: str, key: str, compute: Callable[[], Json]) -> Json:
        """Return the body recorded under (kind, key), computing it if there is none."""
        ...

    def known(self, kind: str, key: str) -> Json | None:
        """Return the body recorded under (kind, key), or None if there is none."""
        ...


class Diagnose(Protocol):
    """The diagnosis of an outcome, with reference, tolerance and the findings on the data already bound."""

    def __call__(self, errors: Mapping[str, Estimate], *, outcome: Outcome, best_dev_high: float) -> Diagnosis:
        """Diagnose losses on train, train_dev (if there is one) and dev."""
        ...


@dataclass(eq=False, kw_only=True)
class RunContext:
    """The context in which the steps of a recipe train, pay for, diagnose and recall networks.

    A known outcome takes the executor no time, but it is paid for all the same. `best_dev_high` is the smallest upper
    limit of the dev error among the reference models. `estimates` returns the stored losses with intervals (they are
    computed here if it is None). `ended` maps the identities of all networks that finished training in this run,
    including pilots and members, to their configs. `data` is None where the rows are not wellfit's (a study): its
    subclass then says what the recipe asks of rows. `shelf` has the remedies to choose from (recipe/pick.py: Shelf);
    those of wellfit's own networks if None.
    """

    data: Prepared | None
    goal: Goal
    executor: Executor
    budget: Means
    recall: Recall
    diagnosing: Diagnose
    best_dev_high: float
    notify: Notify
    estimates: Callable[[Outcome], Mapping[str, Estimate]] | None = None
    shelf: object | None = None
    ended: dict[str, Config] = field(default_factory=dict, init=False)
    current: tuple[Outcome, Diagnosis] | None = field(default=None, init=False)
    """The network of the last step, with its diagnosis."""
    _of_step: dict[str, Config] = field(default_factory=dict, init=False)

    @property
    def prepared(self) -> Prepared:
        """The rows as arrays; only wellfit's own networks, and the remedies that turn their knobs, have them."""
        if self.data is None:
            raise TypeError("a remedy of wellfit's own networks was taken without their rows")
        return self.data

    def errors(self, outcome: Outcome) -> Mapping[str, Estimate]:
        """Return the losses of an outcome with their intervals, by part."""
        return self.estimates(outcome) if self.estimates else losses_of(outcome, data=self.prepared, goal=self.goal)

    def train(self, configs: Sequence[Config], *, deadline: float | None = None) -> list[Outcome]:
        """Train configs, and return the outcomes in the same order, without those that the budget did not cover."""
        outcomes = self.executor.train(configs, deadline=deadline or self.budget.deadline)
        self.book(outcomes)
        return outcomes

    def book(self, outcomes: Iterable[Outcome]) -> None:
        """Pay for trained networks; their dev errors may lower the limit that replaces a missing reference."""
        for outcome in outcomes:
            self.budget.pay(outcome)
            if outcome.status is Status.FINISHED:
                self._of_step[outcome.identity] = self.ended[outcome.identity] = outcome.config
            if outcome.status is not Status.DIVERGED:
                self.best_dev_high = min(self.best_dev_high, self.errors(outcome)["dev"].high)

    def outcome_of(self, config: Config) -> Outcome:
        """Return the outcome of a config that a step has already paid for."""
        return (self.executor.train([config], deadline=self.budget.deadline) or self.executor.train([config]))[0]

    def earlier(self, config: Config) -> list[Outcome]:
        """Return all other networks that this run has finished on the rows of `config`, with dev predictions only.

        Their weights and training losses are left out, since there are many networks.
        """
        others = [each for each in self.ended.values() if each.data == config.data and each != config]
        outcomes = map(self.outcome_of, others)
        return [
            replace(each, state={}, train_losses=each.train_losses[:0], predictions={"dev": each.predictions["dev"]})
            for each in outcomes
        ]

    def remembered_step(self, step: int) -> Json | None:
        """Return a step of an earlier session, which is replayed even if there is no time for it now."""
        return self.recall.known("step", str(step))

    def remember_step(self, step: int, compute: Callable[[], Json]) -> Json:
        """Recall a whole step, or compute it; in both cases its cost and its best dev error count."""
        seconds, fresh = self.budget.seconds, []

        def measured() -> Json:
            fresh.append(True)
            return {
                **compute(),
                "seconds": self.budget.seconds - seconds,
                "updates_paid": self.budget.booked,
                "best_dev_high": self.best_dev_high,
                # Trainings of the step and of its pilot: they are not repeated when the step is followed again.
                "ended": [config.to_json() for config in self._of_step.values()],
            }

        body = self.recall("step", str(step), measured)
        if not fresh:
            self.budget.booked = body["updates_paid"]
            self.best_dev_high = body["best_dev_high"]
            configs = map(Config.from_json, body.get("ended", ()))
            self.ended |= {config.identity: config for config in configs}
        self._of_step = {}
        return body

    def dev_losses(self, outcome: Outcome) -> Floats:
        """Return the loss on each dev row [dev rows]."""
        return self.goal.row_losses(self.prepared.dev.target, outcome.predictions["dev"])

    def gain(self, before: Outcome, after: Outcome, *, on: Part, level: float = LEVEL) -> Estimate:
        """Return the fall of the loss from one outcome to another, paired on the rows of train or dev."""
        if on == "train":
            return paired_difference(before.train_losses, after.train_losses, level=level)
        return paired_difference(self.dev_losses(before), self.dev_losses(after), level=level)

    def training_rows(self, config: Config) -> int:
        """Return the number m of rows that a config is trained on."""
        return rows_trained_on(self.prepared, config.data)

    def diagnose(self, outcome: Outcome) -> Diagnosis:
        """Diagnose one outcome against the reference."""
        return self.diagnosing(self.errors(outcome), outcome=outcome, best_dev_high=self.best_dev_high)


def losses_of(outcome: Outcome, *, data: Prepared, goal: Goal) -> dict[str, Estimate]:
    """Return the losses with intervals: train (exact, so of zero width), train_dev (if there is one) and dev."""
    measured = {
        part: goal.estimate(arrays.target, outcome.predictions[part], groups=arrays.groups)
        for part, arrays in data.parts.items()
        if part != "train"
    }
    return {"train": Estimate.fixed(outcome.losses["train"], rows=len(outcome.train_losses)), **measured}
