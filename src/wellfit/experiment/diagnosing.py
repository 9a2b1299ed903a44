"""The diagnosis of a network in its experiment, with the reference models and the findings on the data.

This module also reads the open rows of a split, and makes the findings on them before anything is trained.
"""

from __future__ import annotations

import difflib
from collections.abc import Collection, Mapping
from dataclasses import dataclass, replace
from functools import cached_property
from typing import Any, Protocol

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from wellfit.base.typing import Booleans, Floats, Integers
from wellfit.data.columns import missing_in
from wellfit.data.features import features_of
from wellfit.data.prepare import Prepared
from wellfit.data.schema import Schema
from wellfit.data.training_rows import kept_rows
from wellfit.diagnosis.checks import run_checks
from wellfit.diagnosis.diagnosis import Diagnosis, diagnose_losses
from wellfit.diagnosis.facts import Columns, Facts, Training
from wellfit.diagnosis.findings import Finding
from wellfit.diagnosis.optimal_error import Optimal, reference
from wellfit.diagnosis.reference.from_rows import said_by_rows
from wellfit.diagnosis.rows import NetworkOnRows, OpenRows, Predicted, Rows
from wellfit.exceptions import BadInput
from wellfit.experiment.prepared import ReferenceModels
from wellfit.records.goals import Goal
from wellfit.records.outcome import Outcome
from wellfit.splits.split import NEAR, Split
from wellfit.stats.intervals import Estimate, mean_interval
from wellfit.training.pictures import picture_features


class Diagnoses(Protocol):
    """A function that diagnoses networks of an experiment or a study."""

    def __call__(
        self,
        errors: Mapping[str, Estimate],
        *,
        outcome: Outcome,
        best_dev_high: float | None = None,
        test: Estimate | None = None,
    ) -> Diagnosis:
        """Diagnose one network from its losses on train, train_dev (if any) and dev."""


@dataclass(frozen=True, kw_only=True)
class Diagnostician:
    """Diagnoses networks of an experiment; has everything that a diagnosis needs besides their errors."""

    data: Prepared
    goal: Goal
    references: ReferenceModels
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
        added = outcome.config.data.more_data
        facts = Facts(
            goal=self.goal,
            hint="" if self.optimal is not None else self.hint,
            training=Training(
                status=outcome.status.value,
                advice=outcome.status.advice,
                references=self.references.dev,
                ahead=self.references.ahead_of(outcome, data=self.data, goal=self.goal),
                note=f" The reference models were fit without the added {added.split()[0]} rows." if added else "",
            ),
            rows=self.rows.of_train(kept),
            network=self._on_rows(outcome, kept),
            predicted=self._predicted(outcome, kept),
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
        """A sentence on the optimal error that the training rows suggest; may be empty."""
        rows = self.rows
        return said_by_rows(rows.train, goal=self.goal, seed=rows.seed) if rows.train.features.columns else ""

    def _on_rows(self, outcome: Outcome, kept: Booleans) -> NetworkOnRows:
        losses = {
            part: self.goal.row_losses(arrays.target, outcome.predictions[part])
            for part, arrays in self.data.parts.items()
            if part != "train"
        }
        best = min(self.references.dev, key=lambda name: self.references.dev[name].value, default=None)
        return NetworkOnRows(
            losses={**losses, "train": outcome.train_losses[: int(kept.sum())]},
            predictions=outcome.predictions["dev"],
            rival=None if best is None else self.references.dev_losses[best],
        )

    def _predicted(self, outcome: Outcome, kept: Booleans) -> Predicted:
        dev = self.rows.dev
        return Predicted.over(
            {"dev": (dev.target, outcome.predictions["dev"])},
            goal=self.goal,
            train=self.rows.train.target[kept],
            levels=self.rows.levels,
            groups=None if dev.groups is None else {"dev": dev.groups},
        )

    def _seen(self, outcome: Outcome, kept: Booleans) -> dict[str, Floats] | None:
        """Return the features of a picture network on train-dev (on train without one) and on dev; None for tables."""
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


def require_known(asked: Collection[str], *, beside: Collection[str] = ()) -> None:
    """Refuse unknown names, naming the nearest known one: a misspelt reference must not be ignored.

    `beside` are the names of the other arguments, which may be meant.
    """
    known = sorted({*REFERENCES, "tolerance"})
    for name in asked:
        if name not in known:
            near = difflib.get_close_matches(name, [*known, *beside], n=1)
            raise BadInput(
                f"a reference must be one of {', '.join(known)}",
                found=f"the argument {name!r}",
                remedy=f"Did you mean {near[0]!r}?" if near else "Remove it, or correct its name",
            )


def referred(asked: Mapping[str, Any], *, goal: Goal) -> Optimal | None:
    """Return the optimal error that a request refers to, if any; BadInput if there are two or one is out of range."""
    return reference(goal=goal, **{name: asked.get(name) for name in REFERENCES})


def with_earlier(asked: Mapping[str, Any], earlier: Mapping[str, Any]) -> dict[str, Any]:
    """Fill in the tolerance of an earlier command, and its reference if no new one was passed."""
    given = {name: value for name, value in asked.items() if value is not None}
    kept = {name: value for name, value in earlier.items() if name == "tolerance" or not given.keys() & REFERENCES}
    return {**kept, **given}


def open_rows(split: Split, data: Prepared, *, goal: Goal) -> OpenRows:
    """Read the open parts of a split."""
    tables = {"train": split.train, "dev": split.dev}
    if split.train_dev is not None:
        tables["train_dev"] = split.train_dev
    features = features_of(tables, split.schema)
    groups, times = _groups(tables, split.schema), _times(tables, split.schema)
    arrays = {"train": data.train, "dev": data.dev, "train_dev": data.train_dev}
    parts = {
        part: Rows(
            features=features[part],
            target=found.target,
            classes=len(split.schema.classes),
            groups=groups.get(part),
            times=times.get(part),
        )
        for part, found in arrays.items()
        if found is not None
    }
    sealed, look_alikes = {}, {}
    for part, count in split.duplicates.items():
        if part.startswith(NEAR):
            near = part.removeprefix(NEAR)
            look_alikes[near] = (count, split.rows[near])
        elif part.startswith("test") and "test" in split.rows:
            sealed[part] = (count, split.rows["test"])
    return OpenRows(
        train=parts["train"],
        dev=parts["dev"],
        train_dev=parts.get("train_dev"),
        goal=goal,
        sealed=sealed,
        look_alikes=look_alikes,
        levels=split.schema.classes,
        pictures=split.schema.picture is not None,
        seed=split.seed,
    )


def findings_on_data(split: Split, data: Prepared, rows: OpenRows) -> tuple[Finding, ...]:
    """Check what the split shows before anything is trained; only the hashes of the test rows are used."""
    unseen = (data.dev.codes == 0).mean(axis=0) if data.dev.rows else np.zeros(data.dev.codes.shape[1])
    columns = Columns(
        dropped={column.name: column.note for column in split.schema.dropped},
        missing={
            column.name: float(missing_in(split.train.column(column.name)).mean()) for column in split.schema.features
        },
        unseen={fit.name: float(share) for fit, share in zip(data.preparation.categories, unseen, strict=True)},
    )
    return run_checks(Facts(goal=rows.goal, columns=columns, rows=rows))


def _groups(tables: Mapping[str, pa.Table], schema: Schema) -> dict[str, Integers]:
    """Return the code [rows] of each row's group, for all parts together; empty without groups."""
    name = next((column.name for column in schema.columns if column.role == "group"), None)
    if name is None or any(name not in table.column_names for table in tables.values()):
        return {}
    columns = {part: table.column(name).cast(pa.string()) for part, table in tables.items()}
    known = pc.unique(pa.chunked_array([chunk for column in columns.values() for chunk in column.chunks], pa.string()))
    return {
        part: np.asarray(pc.fill_null(pc.index_in(column, value_set=known), -1).to_numpy(), np.int64)
        for part, column in columns.items()
    }


def _times(tables: Mapping[str, pa.Table], schema: Schema) -> dict[str, Floats]:
    """Return the time [rows] of each row, in days (or in the column's own unit if it contains numbers)."""
    columns = tuple(replace(column, role="feature") for column in schema.columns if column.role == "time")
    if not columns or any(columns[0].name not in table.column_names for table in tables.values()):
        return {}
    found = features_of(tables, replace(schema, columns=columns))
    return {part: each.values[:, 0] for part, each in found.items()}
