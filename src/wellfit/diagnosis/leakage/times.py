"""Time leakage: dev rows from before the last training row."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from wellfit._typing import Json
from wellfit.diagnosis.findings import Finding, finding
from wellfit.diagnosis.leakage.without import WithAndWithout, with_and_without, without_text
from wellfit.diagnosis.rows import Rows
from wellfit.goals import Goal


@dataclass(frozen=True)
class TimeLeakage:
    """How dev lies in time against train.

    Attributes:
        rows: dev rows whose time is known.
        before: how many of them are from before the last training row.
        train_after: how many training rows are from after the first dev row.
        last_train, first_dev: days since 1970.
        errors: the dev error with and without those rows, where losses are known.
    """

    rows: int
    before: int
    train_after: int
    last_train: float
    first_dev: float
    errors: WithAndWithout | None

    def to_json(self) -> Json:
        """Counts and moments, and the errors."""
        return {
            "rows": self.rows,
            "before": self.before,
            "train_after": self.train_after,
            "last_train": self.last_train,
            "first_dev": self.first_dev,
            "errors": None if self.errors is None else self.errors.to_json(),
        }


def time_leakage(train: Rows, dev: Rows) -> TimeLeakage | None:
    """Compare the moments of two parts; None where either has none."""
    if train.times is None or dev.times is None:
        return None
    if not (np.isfinite(train.times).any() and np.isfinite(dev.times).any()):
        return None
    last, first = float(np.nanmax(train.times)), float(np.nanmin(dev.times))
    before = dev.times < last
    return TimeLeakage(
        rows=int(np.isfinite(dev.times).sum()),
        before=int(before.sum()),
        train_after=int((train.times > first).sum()),
        last_train=last,
        first_dev=first,
        errors=with_and_without(dev.losses, before),
    )


def time_finding(found: TimeLeakage | None, *, goal: Goal | None = None) -> Finding:
    """WF208."""
    if found is None:
        return finding("WF208", fired=None, evidence="Rows have no time (--time-on).")
    last, first = (_moment(days) for days in (found.last_train, found.first_dev))
    if not found.before:
        return finding(
            "WF208", fired=False, evidence=f"The last training row is from {last}, the first of dev from {first}."
        )
    evidence = (
        f"{found.before:,} of {found.rows:,} dev rows are from before the last training row ({last}), and "
        f"{found.train_after:,} training rows from after the first of dev ({first}).{without_text(found.errors, goal)}"
    )
    return finding("WF208", fired=True, evidence=evidence)


def _moment(days: float) -> str:
    return (
        str(np.datetime64(0, "s") + np.timedelta64(round(days * 86_400), "s"))
        .replace("T00:00:00", "")
        .replace("T", " ")
    )
