"""The diagnosis of a network inside its experiment: with the reference models and what is known about the data.

How many networks an experiment has compared on dev, and what that costs: counted from its journal.
"""

from __future__ import annotations

import difflib
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any, TypeAlias, TypedDict

import numpy as np

from wellfit._typing import Booleans, Floats, Integers
from wellfit.data.prepare import Arrays, Prepared
from wellfit.data.training_rows import kept_rows
from wellfit.diagnosis.diagnosis import Diagnosis, diagnose_losses
from wellfit.diagnosis.facts import Facts, Training
from wellfit.diagnosis.findings import Finding
from wellfit.diagnosis.optimal_error import Optimal, reference
from wellfit.diagnosis.reference.from_rows import said_by_rows
from wellfit.diagnosis.rows import NetworkOnRows, OpenRows
from wellfit.exceptions import BadInput
from wellfit.experiment.preparing import Rivals
from wellfit.goals import Goal
from wellfit.journal.outcomes import KIND, SNAPSHOT, OutcomeStore
from wellfit.journal.store import Journal
from wellfit.outcome import Outcome, Status
from wellfit.stats.intervals import Estimate, mean_interval
from wellfit.training.pictures import picture_features
from wellfit.training.predict import Part, at_temperature, predict_average

Network: TypeAlias = tuple[Outcome, Sequence[Part]]
"""A network, and the parts that it predicts with."""


@dataclass(frozen=True, kw_only=True)
class Diagnostician:
    """Everything about an experiment that a diagnosis needs beside the errors; called with them, it diagnoses."""

    data: Prepared
    goal: Goal
    rivals: Rivals
    rows: OpenRows
    about_data: tuple[Finding, ...]
    optimal: Optimal | None
    tolerance: float | None

    def __call__(
        self,
        errors: Mapping[str, Estimate],
        *,
        outcome: Outcome,
        best_dev_high: float | None = None,
        test: Estimate | None = None,
    ) -> Diagnosis:
        """Diagnose one network from its losses on train, train_dev (if any) and dev."""
        # Rows that were added to train come after its own.
        kept = kept_rows(self.data, outcome.config.data)
        # Near copies are looked for again among the rows that are left.
        stand = [found for found in self.about_data if kept.all() or found.code != "WF205"]
        facts = Facts(
            goal=self.goal,
            hint="" if self.optimal is not None else self.hint,
            training=self._training(outcome),
            rows=self.rows.of_train(kept),
            network=self._on_rows(outcome, kept),
            seen=self._seen(outcome, kept),
        )
        return diagnose_losses(
            goal=self.goal,
            optimal=self.optimal,
            train=errors["train"],
            train_sample=None if self.goal.counts_rows else mean_interval(outcome.train_losses),
            train_dev=errors.get("train_dev"),
            dev=errors["dev"],
            test=test,
            tolerance=self.tolerance,
            facts=facts,
            context=stand,
            best_dev_high=best_dev_high,
            pictures=self.rows.pictures,
        )

    @cached_property
    def hint(self) -> str:
        """What the training rows say about the optimal error."""
        rows = self.rows
        return said_by_rows(rows.train, goal=self.goal, seed=rows.seed) if rows.train.features.columns else ""

    def _training(self, outcome: Outcome) -> Training:
        added = outcome.config.data.more_data
        return Training(
            status=outcome.status.value,
            advice=outcome.status.advice,
            references=self.rivals.dev,
            ahead=self.rivals.ahead_of(outcome, data=self.data, goal=self.goal),
            note=f" The reference models were fit without the added {added.split()[0]} rows." if added else "",
        )

    def _on_rows(self, outcome: Outcome, kept: Booleans) -> NetworkOnRows:
        parts = {"train_dev": self.data.train_dev, "dev": self.data.dev}
        losses = {
            part: self.goal.row_losses(arrays.target, outcome.predictions[part])
            for part, arrays in parts.items()
            if arrays is not None
        }
        best = min(self.rivals.dev, key=lambda name: self.rivals.dev[name].value, default=None)
        return NetworkOnRows(
            losses={**losses, "train": outcome.train_losses[: int(kept.sum())]},
            predictions=outcome.predictions["dev"],
            rival=None if best is None else self.rivals.dev_losses[best],
        )

    def _seen(self, outcome: Outcome, kept: Booleans) -> dict[str, Floats] | None:
        """What a network of pictures sees in train-dev (in train, where there is none) and in dev."""
        held_out = "train" if self.data.train_dev is None else "train_dev"
        parts = {held_out: self.data.train_dev or self.data.train, "dev": self.data.dev}
        seen = {
            part: picture_features(self.data.preparation, outcome.config, outcome.state, arrays=arrays)
            for part, arrays in parts.items()
        }
        found = {part: values for part, values in seen.items() if values is not None}
        if "train" in found:
            found["train"] = found["train"][kept]
        return found or None


REFERENCES = frozenset({"human_error", "human_rows", "optimal_error"})


class Referred(TypedDict):
    """What a diagnosis is measured against."""

    optimal: Optimal | None
    tolerance: float | None


def require_known(asked: Collection[str]) -> None:
    """Check the names of what is asked for: a slip must not pass for no reference at all.

    Raises:
        BadInput: with the nearest known name.
    """
    known = sorted({*REFERENCES, "tolerance"})
    for name in asked:
        if name not in known:
            near = difflib.get_close_matches(name, known, n=1)
            raise BadInput(
                f"a reference is given by {', '.join(known)}",
                found=f"an argument {name!r}",
                remedy=f"Did you mean {near[0]!r}?" if near else "Leave it out, or correct its name",
            )


def referred(asked: Mapping[str, Any], *, goal: Goal) -> Referred:
    """Read human_error, human_rows, optimal_error and tolerance, as they were given.

    Raises:
        BadInput: for values out of range, or two references at once.
    """
    optimal = reference(
        goal=goal,
        human_error=asked.get("human_error"),
        human_rows=asked.get("human_rows"),
        optimal_error=asked.get("optimal_error"),
    )
    return {"optimal": optimal, "tolerance": asked.get("tolerance")}


def with_earlier(asked: Mapping[str, Any], earlier: Mapping[str, Any]) -> dict[str, Any]:
    """Fill in what an earlier command gave: its tolerance, and its reference where no other is given."""
    given = {name: value for name, value in asked.items() if value is not None}
    kept = {name: value for name, value in earlier.items() if name == "tolerance" or not given.keys() & REFERENCES}
    return {**kept, **given}


def with_columns(diagnosis: Diagnosis, rows: OpenRows, *, data: Prepared, network: Network) -> Diagnosis:
    """The same diagnosis with what the network makes of each column; of pictures it sees no column."""
    if rows.pictures:
        return diagnosis
    outcome, parts = network
    predict = at_temperature(predict_average(data.preparation, parts), outcome.temperature)

    def shuffled(column: str, chosen: Integers, orders: Integers) -> Floats:
        numeric = np.tile(data.dev.numeric[chosen], (len(orders), 1))
        codes = np.tile(data.dev.codes[chosen], (len(orders), 1))
        numbers, categories = data.preparation.inputs_of(column)
        numeric[:, numbers] = data.dev.numeric[orders.ravel()][:, numbers]
        codes[:, categories] = data.dev.codes[orders.ravel()][:, categories]
        found = predict(Arrays(numeric, codes, np.empty(0)))
        return found.reshape(*orders.shape, *found.shape[1:])

    return diagnosis.with_findings(rows=rows, shuffled=shuffled)


def with_dev_use(diagnosis: Diagnosis, journal: Journal, *, models: Path, data: Prepared) -> Diagnosis:
    """The same diagnosis with WF403, over all trainings and snapshots in the journal that did not diverge."""
    store, goal = OutcomeStore(models, journal), diagnosis.goal
    # Workers end in any order, and of equals the first is chosen: sorted, a killed run says the same when it goes on.
    # A training that was cut short and taken up again has two entries, and is one network.
    identities = sorted({entry.body["identity"] for kind in (KIND, SNAPSHOT) for entry in journal.entries(kind)})
    outcomes = [store.get(identity) for identity in identities]
    losses = [
        goal.row_losses(data.dev.target, outcome.predictions["dev"])
        for outcome in outcomes
        if outcome is not None and outcome.status is not Status.DIVERGED
    ]
    return diagnosis.with_findings(candidates=np.stack(losses) if losses else np.empty((0, 0)))
