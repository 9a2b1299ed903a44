"""The diagnosis: one path from losses to verdicts, findings and a prescription."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any

from wellfit._typing import Json
from wellfit.diagnosis.findings import Finding, completed, gap_findings
from wellfit.diagnosis.gaps import Errors, Gap, GapName, checked_tolerance, measure
from wellfit.diagnosis.headline import headline
from wellfit.diagnosis.leading import leading
from wellfit.diagnosis.optimal_error import Optimal, no_reference
from wellfit.diagnosis.prescribe import Remedy, ceiling, prescribe
from wellfit.diagnosis.screen import screen
from wellfit.goals import Goal
from wellfit.reports.notebook import diagnosis_bundle
from wellfit.stats.intervals import Estimate, wilson
from wellfit.stats.scores import in_unit_of


@dataclass(frozen=True, kw_only=True)
class Diagnosis:
    """Errors, gaps with verdicts, findings and the prescription; `print` shows the whole screen.

    Attributes:
        goal: what is minimized; errors and gaps are held in its loss and reported in its own unit.
        tolerance: the gap that does not matter, in the goal's loss.
        errors: the rungs.
        gaps: by name; None where a set is missing.
        findings: every code of the catalogue.
        prescription: remedies in the order to try.
        notes: what was inferred or assumed, as sentences.
    """

    goal: Goal
    tolerance: float
    errors: Errors
    gaps: Mapping[GapName, Gap | None]
    findings: tuple[Finding, ...]
    prescription: tuple[Remedy, ...]
    notes: tuple[str, ...] = ()

    @property
    def headline(self) -> str:
        """One to three sentences: what spoils the errors if anything, cause, action, remainder."""
        return headline(self.errors, self.gaps, goal=self.goal, tolerance=self.tolerance, findings=self.findings)

    @property
    def leading(self) -> tuple[Finding, ...]:
        """The findings to act on first: leakage before an over-used dev set, that before the gaps; () without any."""
        return leading(self.findings, self.gaps)

    def gap(self, name: GapName) -> Gap | None:
        """One gap, or None where it was not measured."""
        return self.gaps[name]

    def ceiling(self, name: GapName) -> float:
        """The most that closing one gap can buy, in the goal's loss; 0 where it was not measured."""
        gap = self.gaps[name]
        return 0.0 if gap is None else ceiling(self.errors, gap)

    def to_json(self) -> Json:
        """The object that scripts rely on: errors in the goal's own unit, gaps and tolerance in its loss."""
        return {
            "schema": 1,
            "goal": self.goal.name,
            "tolerance": self.tolerance,
            "errors": {
                "optimal": self.errors.optimal.in_unit_of(self.goal).to_json(),
                "train": _in_unit(self.errors.train, self.goal),
                "train_dev": _in_unit(self.errors.train_dev, self.goal),
                "dev": _in_unit(self.errors.dev, self.goal),
                "test": _in_unit(self.errors.test, self.goal),
            },
            "gaps": {name: gap and gap.to_json() for name, gap in self.gaps.items()},
            "findings": [found.to_json() for found in self.findings],
            "prescription": [remedy.to_json() for remedy in self.prescription],
        }

    def _repr_mimebundle_(self, **_: Any) -> Mapping[str, str]:
        return diagnosis_bundle(self.to_json(), headline=self.headline, plain=str(self))

    def __str__(self) -> str:
        return screen(
            self.errors,
            self.gaps,
            goal=self.goal,
            tolerance=self.tolerance,
            findings=self.findings,
            prescription=self.prescription,
            notes=self.notes,
        )


def diagnose_losses(  # noqa: PLR0913 - one argument a thing that is known
    *,
    goal: Goal,
    optimal: Optimal | None,
    train: Estimate,
    train_sample: Estimate | None = None,
    train_dev: Estimate | None = None,
    dev: Estimate,
    test: Estimate | None = None,
    tolerance: float | None = None,
    context: Iterable[Finding] = (),
    best_dev_high: float | None = None,
    hint: str = "",
    notes: tuple[str, ...] = (),
    pictures: bool = False,
) -> Diagnosis:
    """Diagnose losses with their intervals: the one path that every other entrance leads to.

    Args:
        goal: in whose loss all numbers are.
        optimal: the reference; None where nobody gave one.
        train: loss over all training rows: a fixed number of this model (`Estimate.fixed`).
        train_sample: the same loss with the interval of a sample of so many rows; Wilson's for a fixed error rate.
        train_dev: rows of the training distribution that were not trained on.
        dev: rows of the distribution that matters.
        test: only once it has been unsealed.
        tolerance: in the goal's loss; None for the default.
        context: findings about the data and the training.
        best_dev_high: the smallest upper limit of any dev loss seen on this split; without it this dev's.
        hint: what rows say about the optimal error, where there is no reference.
        notes: what was inferred or assumed, as sentences.
        pictures: whether the rows are pictures.

    Raises:
        BadInput: for a tolerance out of range.
    """
    highest = dev.high if best_dev_high is None else min(best_dev_high, dev.high)
    if train_sample is None and goal.name == "error" and train.is_fixed and train.rows:
        train_sample = wilson(train.value * train.rows, train.rows)
    errors = Errors(
        optimal=optimal or no_reference(highest),
        train=train,
        train_sample=train_sample,
        train_dev=train_dev,
        dev=dev,
        test=test,
    )
    chosen = checked_tolerance(tolerance, goal=goal, dev=dev.value)
    gaps = measure(errors, tolerance=chosen)
    findings = completed((*context, *gap_findings(errors, gaps, goal=goal, tolerance=chosen, hint=hint)))
    prescription = prescribe(errors, gaps, goal=goal, tolerance=chosen, pictures=pictures)
    return Diagnosis(
        goal=goal,
        tolerance=chosen,
        errors=errors,
        gaps=gaps,
        findings=findings,
        prescription=prescription,
        notes=notes,
    )


def _in_unit(estimate: Estimate | None, goal: Goal) -> Json | None:
    return None if estimate is None else in_unit_of(goal, estimate).to_json()
