"""Whether the targets of two parts are distributed alike, both sides labelled; by their predictions otherwise."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from wellfit._typing import Json
from wellfit.data.features import Feature
from wellfit.diagnosis.findings import Finding, finding
from wellfit.diagnosis.mismatch.bounds import ALPHA, MATERIAL, TvBound
from wellfit.diagnosis.mismatch.columns import FEWEST_ROWS, shift_of
from wellfit.diagnosis.mismatch.describe import direction
from wellfit.diagnosis.rows import Rows

_WORST_CONDITION = 100.0  # of the confusion matrix, above which its inverse only carries noise


@dataclass(frozen=True)
class LabelShift:
    """Bound on the total variation of the targets alone, and in words how dev differs."""

    bound: TvBound
    how: str
    tau: float

    def to_json(self) -> Json:
        """Plain values."""
        return {"bound": self.bound.to_json(), "how": self.how, "tau": self.tau}


def label_shift(
    train: Rows, dev: Rows, *, levels: tuple[str, ...] = (), tau: float = MATERIAL, seed: int = 0
) -> LabelShift | None:
    """Compare the targets of two parts; None with fewer than 30 rows on a side.

    Args:
        train: one part.
        dev: the other.
        levels: names of the classes; their codes where not given.
        tau: total variation that is material.
        seed: of the halves on which the classes are chosen and tested.
    """
    if min(train.rows, dev.rows) < FEWEST_ROWS:
        return None
    named = levels or tuple(str(code) for code in range(train.classes))
    column = Feature("target", "category", named) if train.classes else Feature("target", "number")
    sides = (train.target.astype(np.float64), dev.target.astype(np.float64))
    bound = shift_of(column, sides, alpha=ALPHA, rng=np.random.default_rng(seed))
    return LabelShift(bound, direction(column, *sides), tau)


def label_finding(found: LabelShift | None) -> Finding:
    """WF304."""
    if found is None:
        return finding("WF304", fired=None, evidence=f"This needs at least {FEWEST_ROWS} labelled rows on each side.")
    bound, verdict = found.bound, found.bound.verdict(found.tau)
    if verdict == "yes":
        said = f"The target: {found.how} (total variation at least {bound.low:.2f})."
        return finding("WF304", fired=True, evidence=said)
    if verdict == "no":
        said = f"The targets differ by at most {bound.high:.2f} of total variation, as far as this comparison shows."
        return finding("WF304", fired=False, evidence=said)
    needed = bound.rows_to_decide(found.tau)
    rows = f" About {needed:,} rows on each side would decide." if needed else ""
    said = f"Cannot tell: {max(bound.low, 0):.2f} to {bound.high:.2f} of total variation.{rows}"
    return finding("WF304", fired=None, evidence=said)
