"""The front door for bare numbers."""

from __future__ import annotations

from dataclasses import replace

from wellfit.diagnosis.diagnosis import Diagnosis, diagnose_losses
from wellfit.diagnosis.optimal_error import checked_loss, checked_rows, reference
from wellfit.exceptions import BadInput
from wellfit.goals import Goal, goal_named
from wellfit.stats.intervals import Estimate, interval_from_sd, wilson


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

    The train error is a fixed number of the model (over all its training rows), unless `train_sd` says that it was
    measured on a sample. The others get Wilson's interval for the goal error, and Student's t from their standard
    deviation for other goals. A number without rows (or without its standard deviation) is taken as exact, and the
    diagnosis says so.

    Args:
        train: error on the training set, in the goal's own unit (.01 for 1 %; the AUC for auc; the RMSE for rmse).
        dev: error on the dev set.
        train_rows: rows of the training set.
        dev_rows: rows of the dev set.
        train_dev: error on rows of the training distribution that were not trained on.
        train_dev_rows: how many they are.
        test: error on the test set, once unsealed.
        test_rows: rows of the test set.
        human_error: a person's error, the usual stand-in for the optimal error.
        human_rows: on how many rows it was measured.
        optimal_error: the optimal error as (low, high), or one number.
        tolerance: the gap that does not matter, in the goal's loss (.02 for 2 points; MSE for rmse).
        train_sd: standard deviation of the per-row loss (for rmse: of the squared error).
        train_dev_sd: the same on train-dev.
        dev_sd: the same on dev.
        test_sd: the same on test.
        goal: error, balanced_error, log_loss, auc, rmse, mae or r2.

    Raises:
        BadInput: for values out of range, counts without their error, or two references.
    """
    wanted = goal_named(goal)
    measured = {
        "train": _part("train", train, rows=train_rows, sd=train_sd, goal=wanted),
        "train_dev": _part("train_dev", train_dev, rows=train_dev_rows, sd=train_dev_sd, goal=wanted),
        "dev": _part("dev", dev, rows=dev_rows, sd=dev_sd, goal=wanted),
        "test": _part("test", test, rows=test_rows, sd=test_sd, goal=wanted),
    }
    if measured["train"] is None or measured["dev"] is None:
        missing = "train" if measured["train"] is None else "dev"
        raise BadInput("a diagnosis needs a train and a dev error", found=f"no {missing} error", remedy="Give both")
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


def _part(name: str, value: float | None, *, rows: int | None, sd: float | None, goal: Goal) -> Estimate | None:
    rows = checked_rows(f"{name}_rows", rows)
    if value is None:
        if rows is not None or sd is not None:
            raise BadInput(
                f"{name}_rows and {name}_sd belong to an error on {name}",
                found=f"rows {rows}, sd {sd}, no error",
                remedy=f"Give {name}, or leave them out",
            )
        return None
    loss = checked_loss(f"the {name} error", value, goal=goal)
    if sd is not None:
        return _from_sd(name, loss, rows=rows, sd=sd, goal=goal)
    if goal.name == "error" and rows is not None and name != "train":
        found = wilson(loss * rows, rows)  # whose value is the rate only up to rounding
        return replace(found, value=loss, low=min(found.low, loss), high=max(found.high, loss))
    return Estimate.fixed(loss, rows=rows)


def _from_sd(name: str, loss: float, *, rows: int | None, sd: float, goal: Goal) -> Estimate:
    if goal.name == "error" or rows is None:
        raise BadInput(
            "a standard deviation goes with a number of rows, and with another goal than error",
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
    return (f"{names}: no interval could be put on the error, so it was taken as exact; give its rows or its sd.",)
