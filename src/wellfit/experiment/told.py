"""The folder of a study: an experiment whose fits the user reports (tells), so that wellfit itself has no rows."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping, Sequence
from dataclasses import replace
from functools import cached_property
from pathlib import Path
from typing import Any

import numpy as np
from safetensors.numpy import save

from wellfit.base.files import write_whole
from wellfit.base.typing import Floats, Integers, Json
from wellfit.data.hashing import Words
from wellfit.data.prepare import Prepared
from wellfit.diagnosis.diagnosis import Diagnosis, diagnose_losses
from wellfit.diagnosis.facts import Facts, Training
from wellfit.diagnosis.findings import Finding
from wellfit.diagnosis.rows import Predicted
from wellfit.exceptions import Refusal
from wellfit.experiment.diagnosing import Diagnoses, referred
from wellfit.experiment.folder import Folder
from wellfit.experiment.prepared import ReferenceModels
from wellfit.experiment.workspace import OPENING, STEP_FIELDS, Workspace
from wellfit.journal.outcomes import KIND, load_arrays
from wellfit.records.outcome import Outcome
from wellfit.splits.split import Split
from wellfit.stats.intervals import Estimate, mean_interval

ASK, FAILURE, NOISE = "ask", "failure", "noise"
"""Journal entries for fits that were asked for, for those that failed, and for the measured noise."""
ROWS = "rows"
"""Journal entry for the rows of the first fit with predictions: classes, numbers of rows, hash of dev."""


class StudyWorkspace(Workspace):
    """A study's folder in use: what other workspaces take from rows, this one takes from the fits that were told."""

    @cached_property
    def split(self) -> Split:
        """Not available, because the rows of a study belong to its user.

        Raises:
            Refusal: always.
        """
        raise _no_rows(self.folder)

    @cached_property
    def prepared(self) -> Prepared:
        """Not available: a study has no rows of its own.

        Raises:
            Refusal: always.
        """
        raise _no_rows(self.folder)

    @property
    def data_findings(self) -> tuple[Finding, ...]:
        """Always None, because they are findings on rows."""
        return ()

    @property
    def rows(self) -> Json:
        """The entry for the rows that were told; {} if only numbers were told."""
        return next((entry.body for entry in self.entries(ROWS)), {})

    @property
    def classes(self) -> tuple[Any, ...] | None:
        """The classes of the target; None for values, and before any predictions are told."""
        known = self.rows.get("classes")
        return None if known is None else tuple(known)

    @cached_property
    def targets(self) -> Mapping[str, Integers | Floats]:
        """Targets of train (of the first fit), train_dev (if any) and dev; empty if only numbers were told."""
        return load_arrays(self._targets) or {}

    @property
    def _targets(self) -> Path:
        return self.folder.models / "targets.safetensors"

    def keep_rows(self, targets: Mapping[str, Integers | Floats], *, classes: Sequence[Any] | None) -> None:
        """Keep the targets of the first fit that told predictions; the journal must be open for writing."""
        self.folder.models.mkdir(exist_ok=True)
        content = save({name: np.ascontiguousarray(target) for name, target in targets.items()})
        write_whole(self._targets, lambda file: file.write(content))
        self.__dict__.pop("targets", None)
        dev = hash_of(targets["dev"], classes)
        counts = {name: len(target) for name, target in targets.items()}
        with self.reading() as journal:
            journal.append(ROWS, {"classes": None if classes is None else list(classes), "rows": counts, "dev": dev})

    @property
    def dev_target(self) -> Integers | Floats:
        """The targets of dev, [rows].

        Raises:
            Refusal: only numbers were told.
        """
        if "dev" not in self.targets:
            raise Refusal(
                "each fit must have predictions to be compared on the same rows",
                found=f"only numbers in {self.folder.path}",
                remedy="Tell train=(y, p) and dev=(y, p) instead of errors",
            )
        return self.targets["dev"]

    @property
    def hashes(self) -> Mapping[str, Words]:
        """One hash per part instead of one per row: the rows are identified by their targets in order."""
        dev = self.dev_target
        parts = {"dev": dev, "train": self.targets["train"]}
        return {name: np.frombuffer(_digest(part, self.classes), dtype=np.uint64) for name, part in parts.items()}

    def estimates(self, outcome: Outcome) -> dict[str, Estimate]:
        """Return the losses of a fit with intervals, by part, as they were kept when it was told."""
        body = next((each.body for each in self.entries(KIND) if each.body["identity"] == outcome.identity), {})
        exact = self.goal.counts_rows
        return {
            part: Estimate.from_json(found, binomial=exact and part != "train")
            for part, found in body.get("errors", {}).items()
        }

    def keep_told(self, outcome: Outcome, *, errors: Mapping[str, Estimate], details: Json) -> None:
        """Keep a fit; `details` are additional values for its journal entry."""
        self.folder.models.mkdir(exist_ok=True)
        body = {"errors": {part: found.to_json() for part, found in errors.items()}, **details}
        with self.outcomes() as outcomes:
            outcomes.put(outcome, details=body)

    def _gain_of(self, outcome: Outcome) -> Json:
        return super()._gain_of(outcome) if "dev" in outcome.predictions else {}

    def temper(self, outcome: Outcome) -> Outcome:
        """Return the fit as it is, because its probabilities come from the user."""
        return outcome

    def with_columns(self, diagnosis: Diagnosis, outcome: Outcome) -> Diagnosis:  # noqa: ARG002 - as a workspace does
        """Return the diagnosis as it is, because the columns are not known."""
        return diagnosis

    def with_dev_use(self, diagnosis: Diagnosis) -> Diagnosis:
        """Return the diagnosis with WF403 over all fits that told predictions."""
        return super().with_dev_use(diagnosis) if "dev" in self.targets else diagnosis

    def diagnostician(self, references: ReferenceModels, asked: Mapping[str, Any]) -> Diagnoses:  # noqa: ARG002
        """Return the function that diagnoses fits; `asked` is the reference as the user passed it."""
        optimal, tolerance = referred(asked, goal=self.goal), asked.get("tolerance")

        def diagnose(
            errors: Mapping[str, Estimate],
            *,
            outcome: Outcome,
            best_dev_high: float | None = None,
            test: Estimate | None = None,
        ) -> Diagnosis:
            several = len(outcome.train_losses) > 1 and not self.goal.counts_rows
            return diagnose_losses(
                goal=self.goal,
                optimal=optimal,
                train=errors["train"],
                train_sample=mean_interval(outcome.train_losses) if several else None,
                train_dev=errors.get("train_dev"),
                dev=errors["dev"],
                test=test,
                tolerance=tolerance,
                facts=self._facts(outcome),
                best_dev_high=best_dev_high,
            )

        return diagnose

    def _facts(self, outcome: Outcome) -> Facts:
        training = Training(status=outcome.status.value, advice=outcome.status.advice)
        facts = Facts(goal=self.goal, training=training)
        if "dev" not in outcome.predictions:
            return facts
        levels = tuple(map(str, self.classes or ()))
        dev = {"dev": (self.dev_target, outcome.predictions["dev"])}
        return replace(facts, predicted=Predicted.over(dev, goal=self.goal, train=self.targets["train"], levels=levels))


def json_of_study(workspace: StudyWorkspace) -> Json:
    """Return the object of `study --json`: errors in the goal's own unit, gaps in its loss; null where unknown."""
    history, goal = workspace.history, workspace.goal
    finish, steps = history.last("finish"), history.of("step")
    trained, failed = history.of(KIND), history.of(FAILURE)
    best = history.chosen
    diagnosis = history.of_network("diagnosis", best) or history.last("diagnosis")
    chosen = history.of_network(KIND, best)
    test = next((body["error"] for body in history.of(OPENING) if body["identity"] == best), None)
    found = next((body for body in history.of(ASK) if body["identity"] == best), {})
    knobs = {name: found.get("knobs", {}).get(name) for name in workspace.folder.study or {}}
    return {
        "schema": 1,
        "study": str(workspace.folder.path),
        "report": str(workspace.folder.report),
        "goal": goal.name,
        "errors": diagnosis.get("errors", {}),
        "gaps": diagnosis.get("gaps", {}),
        "steps": [{name: step.get(name) for name in STEP_FIELDS} for step in steps],
        "fits": len(trained) + len(failed),
        "failed": len(failed),
        "best": {"knobs": knobs, "artifact": chosen.get("artifact")} if chosen else None,
        "noise": history.last(NOISE) or None,
        "test": goal.in_unit(Estimate.from_json(test)).to_json() if test else None,
        **{name: finish.get(name) for name in ("stop", "reason", "sentence")},
        "seconds": sum(body["seconds"] for body in (*trained, *failed)),
    }


def hash_of(target: Integers | Floats, classes: Sequence[Any] | None) -> str:
    """Return the hash of targets in their order: of the labels of classes, or of the values."""
    return _digest(target, classes).hex()


def _digest(target: Integers | Floats, classes: Sequence[Any] | None) -> bytes:
    values = np.asarray(target, dtype=np.float64) if classes is None else np.asarray(classes).astype(str)[target]
    return hashlib.sha256(values.dtype.str.encode() + values.tobytes()).digest()


def _no_rows(folder: Folder) -> Refusal:
    return Refusal(
        "this must be used with rows and a network of wellfit, which a study does not have",
        found=f"the study {folder.path}",
        remedy="Use your own model: the study shows its knobs and artifact; `study.unseal(predict)` opens a "
        "sealed test set",
    )
