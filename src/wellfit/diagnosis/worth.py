"""The worth of augmentation in real rows: how many more rows would lower the error as much.

The learning curve without augmentation is extrapolated to the dev error that all rows reach with it. The interval comes
from repeated training runs, with the dev set held fixed.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np

from wellfit.base.serialize import Record
from wellfit.base.typing import Floats, Json
from wellfit.diagnosis.learning_curves import Curve, fit_curve, fit_curves, rows_for
from wellfit.diagnosis.more_data import CALIBRATED, DRAWS, FARTHEST, Anchors, primary_of

_LEVELS = (0.025, 0.975)
_DIGITS = 2


@dataclass(frozen=True, kw_only=True)
class Worth(Record):
    """The number of additional rows that would help as much as augmentation; None beyond four times the rows."""

    rows: int
    more: int | None
    low: int | None  # 95 % limits of `more`
    high: int | None
    without: float  # mean dev error of repeated training runs without the change
    changed: float  # the same with it

    def to_json(self) -> Json:
        """Return the fields as plain values, and the sentence."""
        return {**super().to_json(), "sentence": self.sentence}

    @property
    def sentence(self) -> str:
        """State the worth in a sentence."""
        if self.more == 0:
            return "Augmentation is worth no additional pictures here, because the dev error is just as low without it."
        limit = _rounded((FARTHEST - 1) * self.rows)
        if self.more is None:
            return f"Augmentation is worth more than {limit} additional pictures (there are {self.rows:,})."
        low = f"more than {limit}" if self.low is None else _rounded(self.low)
        high = f"more than {limit}" if self.high is None else _rounded(self.high)
        return (
            f"Augmentation is worth about {_rounded(self.more)} additional pictures (from {low} to {high}): with it, "
            f"{self.rows:,} pictures do as well as {_rounded(self.rows + self.more)} without it."
        )


def worth_in_rows(without: Anchors, changed: Floats, *, floor: float = 0.0, seed: int = 0) -> Worth:
    """Extrapolate the curve without augmentation to the dev errors [repeats] reached with it on all rows.

    `floor` is the lower limit of the optimal error.
    """
    rows, rng = int(without.rows[-1]), np.random.default_rng(seed)
    family, at, repeats = primary_of(without), without.rows * 1.0, without.dev.shape[1]
    curve = fit_curve(family, at, without.mean, sd=without.sd, floor=floor)
    drawn = _widened(without.dev)[:, rng.integers(0, repeats, (DRAWS, repeats))].mean(axis=2).T
    reached = rng.choice(_widened(np.asarray(changed)[None, :])[0], (DRAWS, len(changed))).mean(axis=1)
    again = fit_curves(family, at, drawn, sd=without.sd, floor=floor)
    found = np.array([_more(each, float(error), rows) for each, error in zip(again, reached, strict=True)])
    low, high = (float(np.quantile(found, level, method="nearest")) for level in _LEVELS)
    more = _more(curve, float(changed.mean()), rows)
    value, least, most = (None if math.isinf(each) else round(each) for each in (more, min(low, more), max(high, more)))
    means = {"without": float(without.mean[-1]), "changed": float(changed.mean())}
    return Worth(rows=rows, more=value, low=least, high=most, **means)


def _widened(repeats: Floats) -> Floats:
    """Spread repeats [..., R] away from their mean, since R drawn from R have only (R - 1)/R of the variance."""
    count, mean = repeats.shape[-1], repeats.mean(axis=-1, keepdims=True)
    return np.asarray(mean + CALIBRATED * math.sqrt(count / max(1, count - 1)) * (repeats - mean))


def _more(curve: Curve, target: float, rows: int) -> float:
    """Return how many more rows are needed; infinity if the curve does not reach the target."""
    needed = rows_for(curve, target, most=int(FARTHEST * rows))
    return math.inf if needed is None else max(0.0, needed - rows)


def _rounded(rows: float) -> str:
    """Round to two digits, since the number is not known more precisely."""
    size = max(0, len(str(round(rows))) - _DIGITS)
    return f"{round(rows, -size):,.0f}"
