"""What the recipe works with on a case: an engine that remembers, a journal in memory, a budget in updates."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence
from typing import Any

from suffering import HEALTHY, Case
from wellfit.base.typing import Floats, Json
from wellfit.data.prepare import Prepared
from wellfit.diagnosis.diagnosis import Diagnosis, diagnose_losses
from wellfit.diagnosis.optimal_error import Optimal
from wellfit.recipe.budget import Budget, BudgetTracker
from wellfit.recipe.context import RunContext
from wellfit.records.config import Config
from wellfit.records.goals import Goal
from wellfit.records.outcome import Outcome, Status
from wellfit.sweeps.executor import InProcess, OnOutcome, ignore_outcome
from wellfit.sweeps.forward_selection import parts_of
from wellfit.sweeps.rungs import Rungs
from wellfit.sweeps.search import sweep
from wellfit.sweeps.space import log_uniform, uniform
from wellfit.training.references import fit_references
from wellfit.training.tensors import predict_average


class Remembering(InProcess):
    """Trains no config twice: remedies share the first network and more."""

    def __init__(self, data: Prepared, *, goal: Goal) -> None:
        super().__init__(data, goal=goal)
        self.known: dict[str, Outcome] = {}
        references = fit_references(data, goal=goal, seed=0)
        self.best_dev_high = min(goal.estimate(data.dev.target, each.predictions["dev"]).high for each in references)
        """Smallest upper limit of dev among the reference models, which every run fits before its first network."""

    def train(
        self,
        configs: Sequence[Config],
        *,
        deadline: float | None = None,
        rungs: Rungs | None = None,
        on_outcome: OnOutcome = ignore_outcome,
    ) -> list[Outcome]:
        """Train what is new."""
        missing = [config for config in configs if config.identity not in self.known]
        for outcome in super().train(missing, deadline=deadline, rungs=rungs, on_outcome=on_outcome):
            self.known[outcome.config.identity] = outcome
        return [self.known[config.identity] for config in configs]


class Notes:
    """A journal in memory."""

    def __init__(self) -> None:
        self.entries: dict[tuple[str, str], Json] = {}

    def __call__(self, kind: str, key: str, compute: Callable[[], Json]) -> Json:
        """Compute once, and remember."""
        if (kind, key) not in self.entries:
            self.entries[kind, key] = compute()
        return self.entries[kind, key]

    def known(self, kind: str, key: str) -> Json | None:
        """What is remembered."""
        return self.entries.get((kind, key))


def bench_of(case: Case, executor: Remembering, notes: Notes, *, networks: int) -> RunContext:
    """A run with a budget of the first network and so many trainings of a healthy one."""

    def diagnose(errors: Mapping[str, Any], *, outcome: Outcome, best_dev_high: float) -> Diagnosis:  # noqa: ARG001
        known = case.optimal is not None
        reference = Optimal(case.optimal, case.optimal, source="given", upper_bound=False) if known else None
        return diagnose_losses(
            goal=case.goal,
            optimal=reference,
            train=errors["train"],
            dev=errors["dev"],
            best_dev_high=best_dev_high,
        )

    data = case.data
    healthy = BudgetTracker(Budget(seconds=None, updates=1), data=data, workers=1).cost(HEALTHY)
    first = BudgetTracker(Budget(seconds=None, updates=1), data=data, workers=1).cost(case.start)
    budget = Budget(seconds=None, updates=math.ceil(first + networks * max(healthy, first)))
    return RunContext(
        data=data,
        goal=case.goal,
        executor=executor,
        budget=BudgetTracker(budget, data=data, workers=1),
        recall=notes,
        diagnosing=diagnose,
        best_dev_high=executor.best_dev_high,
        notify=lambda _event: None,
    )


def fresh_losses(case: Case, outcome: Outcome, executor: Remembering) -> Floats:
    """[rows] the loss of every fresh row."""
    members = [executor.known[identity] for identity in outcome.members] or [outcome]
    average = predict_average(case.data.preparation, parts_of(members, outcome.members or {outcome.identity: 1.0}))
    return case.goal.row_losses(case.fresh.target, average(case.fresh))


def search_everything(case: Case, first: Outcome, executor: Remembering, *, networks: int) -> Outcome:
    """One search by Optuna over the knobs of both boards, at the price of so many trainings of a healthy network."""
    epochs = HEALTHY.optimization.epochs
    over: dict[str, Any] = {
        "widths": [(16,), (64, 64), (128, 128), (256, 256)],
        "lr": log_uniform(1e-4, 1e-2),
        "epochs": [epochs // 2, epochs, 2 * epochs],
        "shrink": log_uniform(1e-6, 3e-3, zero=0.15),
        "keep_prob": uniform(0.5, 1.0, zero=0.3),
    }
    members = round(networks / 1.17)  # the mean of the epochs above
    found = sweep(case.data, case.start, executor=executor, goal=case.goal, over=over, members=members)
    return min(
        (*(each for each in found.members if each.status is Status.FINISHED), first),
        key=lambda outcome: outcome.losses["dev"],
    )
