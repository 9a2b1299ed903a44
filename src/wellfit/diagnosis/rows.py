"""The rows of one part as the methods that look at data take them: features, target, and what a model loses on them."""

from __future__ import annotations

from dataclasses import dataclass, replace

from wellfit._typing import Floats, Integers
from wellfit.data.features import Features


@dataclass(frozen=True, kw_only=True)
class Rows:
    """One part (train, train-dev, dev) of the data that is diagnosed.

    Attributes:
        features: every feature in its own unit.
        target: [rows] int64 class codes, or float64 values.
        classes: number of classes; 0 for regression.
        losses: [rows] loss of the model on each row, None where there is no model.
        groups: [rows] code of the group that a row belongs to, over all parts alike; None without groups.
        times: [rows] when a row was measured, in days; None where rows have no time.
    """

    features: Features
    target: Integers | Floats
    classes: int
    losses: Floats | None = None
    groups: Integers | None = None
    times: Floats | None = None

    @property
    def rows(self) -> int:
        """Number of rows."""
        return self.features.rows

    def take(self, rows: Integers) -> Rows:
        """Some of the rows."""
        return replace(
            self,
            features=self.features.take(rows),
            target=self.target[rows],
            losses=None if self.losses is None else self.losses[rows],
            groups=None if self.groups is None else self.groups[rows],
            times=None if self.times is None else self.times[rows],
        )
