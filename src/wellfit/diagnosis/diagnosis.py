"""The path from losses to verdicts, findings and a prescription, and the entry point for bare numbers."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace
from typing import Any

from wellfit.base.arguments import named
from wellfit.base.rendering import Rendered
from wellfit.base.typing import Json
from wellfit.diagnosis.checks import run_checks
from wellfit.diagnosis.facts import Facts
from wellfit.diagnosis.findings import UNCHECKED, Finding, counted, findings_frame
from wellfit.diagnosis.gaps import Errors, Gap, checked_tolerance, gaps_from, measure, present
from wellfit.diagnosis.optimal_error import Optimal, checked_loss, checked_rows, no_reference, reference
from wellfit.diagnosis.prescribe import Prescribed, ceiling, headline, leading, prescribe
from wellfit.exceptions import BadInput
from wellfit.records.gaps import GapName
from wellfit.records.goals import Goal, goal_named
from wellfit.records.units import Unit
from wellfit.stats.intervals import Estimate, interval_from_sd, wilson


@dataclass(frozen=True, kw_only=True)
class Diagnosis(Rendered):
    """Errors, gaps with verdicts, findings and the prescription; `print` shows the whole screen.

    Attributes:
        goal: the quantity to minimize; errors and gaps are stored in its loss and reported in its own unit.
        tolerance: the largest gap that does not matter, in the goal's loss.
        errors: the losses of all parts, and the optimal error.
        gaps: by name; None where a set is missing.
        findings: every code of the catalogue.
        prescription: remedies in the order in which to try them.
        notes: what was inferred or assumed, as sentences.
    """

    goal: Goal
    tolerance: float
    errors: Errors
    gaps: Mapping[GapName, Gap | None]
    findings: tuple[Finding, ...]
    prescription: tuple[Prescribed, ...]
    notes: tuple[str, ...] = ()

    @property
    def headline(self) -> str:
        """One to three sentences: leaks that make the errors unreliable, if any; then cause, action and remainder."""
        return headline(self.errors, self.gaps, goal=self.goal, tolerance=self.tolerance, findings=self.findings)

    def __repr__(self) -> str:
        unit = Unit(self.goal)
        measured = {"train": self.errors.train, "train-dev": self.errors.train_dev, "dev": self.errors.dev}
        errors = ", ".join(f"{name} {unit.show(found.value)}" for name, found in measured.items() if found)
        high = "; ".join(f"{gap.kind.noun}: {gap.verdict}" for gap in present(self.gaps))
        return f"Diagnosis({unit.noun}: {errors}; {high})"

    def to_frame(self) -> Any:
        """Return the findings as an Arrow table: code, title, status, evidence, remedy."""
        return findings_frame(self.findings)

    @property
    def leading(self) -> tuple[Finding, ...]:
        """The findings to act on first (leakage, then an over-used dev set, then the gaps); () if there are none."""
        return leading(self.findings, self.gaps)

    def gap(self, name: GapName) -> Gap | None:
        """Return one gap, or None if it was not measured."""
        return self.gaps[name]

    def ceiling(self, name: GapName) -> float:
        """The largest gain from closing one gap, in the goal's loss; 0 if it was not measured."""
        gap = self.gaps[name]
        return 0.0 if gap is None else ceiling(self.errors, gap)

    def with_findings(self, *findings: Finding, **facts: Any) -> Diagnosis:
        """Return the diagnosis with these findings added, and those computed from further facts (fields of `Facts`)."""
        more = Facts(goal=self.goal, tolerance=self.tolerance, **facts)
        return replace(self, findings=run_checks(more, (*self.findings, *findings)))

    @classmethod
    def from_json(cls, body: Json) -> Diagnosis:
        """Rebuild a diagnosis from the values of `to_json`: without notes, and with only the reference's limits."""
        goal, errors = goal_named(body["goal"]), body["errors"]
        optimal = Optimal.from_json(errors["optimal"])
        low, high = sorted((goal.loss_of(optimal.low), goal.loss_of(optimal.high)))
        return cls(
            goal=goal,
            tolerance=body["tolerance"],
            errors=Errors(
                optimal=replace(optimal, low=low, high=high),
                train=_as_loss(errors["train"], goal),
                train_dev=errors["train_dev"] and _as_loss(errors["train_dev"], goal),
                dev=_as_loss(errors["dev"], goal),
                test=errors["test"] and _as_loss(errors["test"], goal),
            ),
            gaps=gaps_from(body["gaps"]),
            findings=tuple(map(Finding.from_json, body["findings"])),
            prescription=tuple(map(Prescribed.from_json, body["prescription"])),
        )

    def to_json(self) -> Json:
        """Return the object that scripts rely on: errors in the goal's own unit, gaps and tolerance in its loss."""
        errors = self.errors
        measured = {"train": errors.train, "train_dev": errors.train_dev, "dev": errors.dev, "test": errors.test}
        return {
            "schema": 1,
            "goal": self.goal.name,
            "tolerance": self.tolerance,
            "errors": {"optimal": errors.optimal.in_unit_of(self.goal).to_json()}
            | {name: part and self.goal.in_unit(part).to_json() for name, part in measured.items()},
            "gaps": {name: gap and gap.to_json() for name, gap in self.gaps.items()},
            "findings": [found.to_json() for found in self.findings],
            "prescription": [remedy.to_json() for remedy in self.prescription],
        }


@dataclass(frozen=True)
class DataDiagnosis(Rendered):
    """Findings about a split; those that need a network are "not applicable". `print` shows the fired ones first."""

    goal: Goal
    findings: tuple[Finding, ...]

    def __repr__(self) -> str:
        return f"DataDiagnosis({counted(self.findings)})"

    def to_frame(self) -> Any:
        """Return the findings as an Arrow table: code, title, status, evidence, remedy."""
        return findings_frame(self.findings)

    @property
    def fired(self) -> tuple[Finding, ...]:
        """The findings that fired."""
        return tuple(found for found in self.findings if found.status == "fired")

    @property
    def headline(self) -> str:
        """The finding to look at first, or how many checks passed and which could not tell."""
        if self.fired:
            titles = "; ".join(found.title for found in self.fired)
            return f"Nothing has been trained yet. Look at the rows first: {titles}."
        said = "Nothing has been trained yet. Nothing in the rows should stop you"
        passed = sum(found.status == "passed" for found in self.findings)
        open_ones = [
            found for found in self.findings if found.status == "not applicable" and found.evidence != UNCHECKED
        ]
        if not open_ones:
            return f"{said}: all {passed} checks passed."
        named = ", ".join(f"{found.title} ({found.code})" for found in open_ones)
        return f"{said}: {passed} checks passed. Could not tell: {named}."

    def to_json(self) -> Json:
        """Return the object of `diagnose --json`; without a network there are no errors and gaps."""
        return {
            "schema": 1,
            "goal": self.goal.name,
            "tolerance": None,
            "errors": {},
            "gaps": {},
            "findings": [found.to_json() for found in self.findings],
            "prescription": [],
        }


def diagnose_losses(  # noqa: PLR0913 - one argument per known fact
    *,
    goal: Goal,
    optimal: Optimal | None,
    train: Estimate,
    train_sample: Estimate | None = None,
    train_dev: Estimate | None = None,
    dev: Estimate,
    test: Estimate | None = None,
    tolerance: float | None = None,
    facts: Facts | None = None,
    context: Iterable[Finding] = (),
    best_dev_high: float | None = None,
    notes: tuple[str, ...] = (),
    pictures: bool = False,
) -> Diagnosis:
    """Diagnose losses of the goal with their intervals; every other entry point ends here.

    `train` is the loss on all training rows, a fixed number for this model (`Estimate.fixed`), and `train_sample` is
    the same loss with the interval of a sample of that size (if omitted, Wilson's for an error rate). `facts` are all
    other known facts, `context` are findings based on facts not given here, `best_dev_high` is the smallest upper limit
    of any dev loss seen on this split, and `notes` are the inferences and assumptions made, as sentences.

    Raises:
        BadInput: for a tolerance out of range.
    """
    highest = dev.high if best_dev_high is None else min(best_dev_high, dev.high)
    if train_sample is None and goal.counts_rows and train.is_fixed and train.rows:
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
    known = replace(facts or Facts(goal=goal), tolerance=chosen, errors=errors, gaps=gaps)
    findings = run_checks(known, context)
    prescription = prescribe(errors, gaps, goal=goal, tolerance=chosen, findings=findings, pictures=pictures)
    return Diagnosis(
        goal=goal,
        tolerance=chosen,
        errors=errors,
        gaps=gaps,
        findings=findings,
        prescription=prescription,
        notes=notes,
    )


def _as_loss(body: Json, goal: Goal) -> Estimate:
    """Return the loss of a value in the goal's own unit: the inverse of `goal.in_unit`."""
    found = Estimate.from_json(body, binomial=goal.counts_rows)
    low, high = sorted((goal.loss_of(found.low), goal.loss_of(found.high)))
    return replace(found, value=goal.loss_of(found.value), low=low, high=high)


@named
def diagnose_errors(  # noqa: PLR0913 - one argument for each number that the command takes
    *,
    train: float,
    dev: float,
    train_rows: int | None = None,
    dev_rows: int | None = None,
    train_dev: float | None = None,
    train_dev_rows: int | None = None,
    test: float | None = None,
    test_rows: int | None = None,
    human_error: float | None = None,
    human_rows: int | None = None,
    optimal_error: tuple[float, float] | float | None = None,
    tolerance: float | None = None,
    train_sd: float | None = None,
    train_dev_sd: float | None = None,
    dev_sd: float | None = None,
    test_sd: float | None = None,
    goal: str = "error",
) -> Diagnosis:
    """Diagnose any model from its errors alone.

    The train error is a fixed number for the model (over all its training rows), unless `train_sd` shows that it was
    measured on a sample. The others get Wilson's interval if the goal is error, and otherwise Student's interval from
    their standard deviation. A number without rows (or without its standard deviation) is treated as exact, and the
    diagnosis says so.

    Args:
        train: error on the training set, in the goal's own unit (.01 for 1 %; the AUC for auc; the RMSE for rmse).
        dev: error on the dev set.
        train_rows: rows of the training set.
        dev_rows: rows of the dev set.
        train_dev: error on rows of the training distribution that were not trained on.
        train_dev_rows: number of those rows.
        test: error on the test set, once unsealed.
        test_rows: rows of the test set.
        human_error: a person's error, the usual stand-in for the optimal error.
        human_rows: number of rows on which it was measured.
        optimal_error: the optimal error as (low, high), or one number.
        tolerance: the largest gap that does not matter, in the goal's loss (.02 for 2 points; MSE for rmse).
        train_sd: standard deviation of the per-row loss (for rmse: of the squared error).
        train_dev_sd: the same on train-dev.
        dev_sd: the same on dev.
        test_sd: the same on test.
        goal: error, balanced_error, log_loss, auc, f1, rmse, mae or r2.

    Raises:
        BadInput: for values out of range, counts without their error, or two references.
    """
    wanted = goal_named(goal)
    measured = {
        "train": part_estimate("train", train, rows=train_rows, sd=train_sd, goal=wanted),
        "train_dev": part_estimate("train_dev", train_dev, rows=train_dev_rows, sd=train_dev_sd, goal=wanted),
        "dev": part_estimate("dev", dev, rows=dev_rows, sd=dev_sd, goal=wanted),
        "test": part_estimate("test", test, rows=test_rows, sd=test_sd, goal=wanted),
    }
    if measured["train"] is None or measured["dev"] is None:
        missing = "train" if measured["train"] is None else "dev"
        raise BadInput("a diagnosis must have a train and a dev error", found=f"no {missing} error", remedy="Give both")
    return diagnose_losses(
        goal=wanted,
        optimal=reference(goal=wanted, human_error=human_error, human_rows=human_rows, optimal_error=optimal_error),
        train=measured["train"],
        train_dev=measured["train_dev"],
        dev=measured["dev"],
        test=measured["test"],
        tolerance=tolerance,
        notes=_notes(measured),
    )


def part_estimate(name: str, value: float | None, *, rows: int | None, sd: float | None, goal: Goal) -> Estimate | None:
    """Return the loss of one part, from its error in the goal's own unit; None without an error."""
    rows = checked_rows(f"{name}_rows", rows)
    if value is None:
        if rows is not None or sd is not None:
            raise BadInput(
                f"{name}_rows and {name}_sd must come with an error on {name}",
                found=f"rows {rows}, sd {sd}, no error",
                remedy=f"Give {name}, or leave both out",
            )
        return None
    loss = checked_loss(f"the {name} error", value, goal=goal)
    if sd is not None:
        return _from_sd(name, loss, rows=rows, sd=sd, goal=goal)
    if goal.counts_rows and rows is not None and name != "train":
        found = wilson(loss * rows, rows)  # its value equals the rate only up to rounding
        return replace(found, value=loss, low=min(found.low, loss), high=max(found.high, loss))
    return Estimate.fixed(loss, rows=rows)


def _from_sd(name: str, loss: float, *, rows: int | None, sd: float, goal: Goal) -> Estimate:
    if goal.counts_rows or rows is None:
        raise BadInput(
            "a standard deviation must come with a number of rows, and with a goal other than error",
            found=f"{name}_sd = {sd:g}, {name}_rows = {rows}, goal {goal.name}",
            remedy=f"Give {name}_rows, name a --goal such as rmse, or leave {name}_sd out",
        )
    found = interval_from_sd(loss, sd=sd, rows=rows)
    return Estimate(loss, max(0.0, found.low), min(1.0, found.high) if goal.is_rate else found.high, rows)


def _notes(measured: dict[str, Estimate | None]) -> tuple[str, ...]:
    exact = [name for name, part in measured.items() if name != "train" and part is not None and part.is_fixed]
    if not exact:
        return ()
    names = ", ".join(exact)
    return (
        f"{names}: no interval could be computed for the error, so it was treated as exact; give its rows or its sd.",
    )
