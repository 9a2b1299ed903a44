"""Benches for tests of the recipe: the real engine, counted; a journal as a dictionary; a known reference."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import numpy as np
import pyarrow as pa

from wellfit.data.prepare import Prepared, fit_preparation
from wellfit.data.schema import infer_schema
from wellfit.diagnosis.diagnosis import diagnose_losses
from wellfit.diagnosis.optimal_error import Optimal
from wellfit.recipe.budget import BudgetTracker, parse_budget
from wellfit.recipe.context import RunContext
from wellfit.records.config import Config
from wellfit.records.goals import Goal, goal_named
from wellfit.records.outcome import Outcome
from wellfit.sweeps.executor import InProcess, OnOutcome, ignore_outcome
from wellfit.sweeps.rungs import Rungs

ERROR = goal_named("error")


class Counting(InProcess):
    """The real executor, which remembers outcomes and counts the trainings it made."""

    def __init__(self, data: Prepared, *, goal: Goal) -> None:
        super().__init__(data, goal=goal)
        self.known: dict[str, Outcome] = {}
        self.trained = 0

    def train(
        self,
        configs: Sequence[Config],
        *,
        deadline: float | None = None,
        rungs: Rungs | None = None,
        on_outcome: OnOutcome = ignore_outcome,
    ) -> list[Outcome]:
        missing = [config for config in configs if config.identity not in self.known]
        self.trained += len(missing)
        self.known |= {
            outcome.config.identity: outcome for outcome in super().train(missing, deadline=deadline, rungs=rungs)
        }
        return [self.known[config.identity] for config in configs]


class Notes:
    """The journal's memory as a dictionary."""

    def __init__(self, entries: dict[str, Any]) -> None:
        self._entries = entries

    def __call__(self, kind: str, key: str, compute: Callable[[], Any]) -> Any:
        name = f"{kind}/{key}"
        if name not in self._entries:
            self._entries[name] = compute()
        return self._entries[name]

    def known(self, kind: str, key: str) -> Any:
        return self._entries.get(f"{kind}/{key}")


def prepared(x: np.ndarray, y: np.ndarray, *, train: int) -> Prepared:
    """The first rows train, the others are dev."""
    table = pa.table({**{f"x{place}": column for place, column in enumerate(x.T)}, "y": np.where(y, "yes", "no")})
    schema = infer_schema(table, target="y")
    preparation = fit_preparation(table.slice(0, train), schema)
    return Prepared(
        preparation, preparation.transform(table.slice(0, train)), None, preparation.transform(table.slice(train))
    )


def fixed_at(*knobs: str) -> dict[str, dict[str, None]]:
    """Fixed knobs whose board and value do not matter."""
    return {"any board": dict.fromkeys(knobs)}


def run_of(
    data: Prepared, *, optimal: float, budget: str = "8000updates", journal: dict[str, Any] | None = None
) -> tuple[RunContext, Counting]:
    """A run with a budget, of which the optimal error is known."""

    def diagnose(errors, *, outcome, best_dev_high):
        reference = Optimal(optimal, optimal, source="given", upper_bound=False)
        return diagnose_losses(goal=ERROR, optimal=reference, train=errors["train"], dev=errors["dev"])

    executor = Counting(data, goal=ERROR)
    budget = BudgetTracker(parse_budget(budget), data=data, workers=1)
    run = RunContext(
        data=data,
        goal=ERROR,
        executor=executor,
        budget=budget,
        recall=Notes({} if journal is None else journal),
        diagnosing=diagnose,
        best_dev_high=1.0,
        notify=lambda _event: None,
    )
    return run, executor
