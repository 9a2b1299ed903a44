"""The optimal error from rows whose inputs are equal: what tells their targets apart is not in the columns."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from wellfit._typing import Json
from wellfit.diagnosis.leakage.duplicates import keys_of
from wellfit.diagnosis.reference.label_disagreement import FEWEST_ROWS, Disagreement, label_disagreement
from wellfit.diagnosis.rows import Rows


@dataclass(frozen=True)
class Repeated:
    """The bracket over groups of equal rows; it speaks for the covered rows alone.

    Attributes:
        found: the bracket, each group weighted by its rows.
        covered: share of all rows that have an equal.
    """

    found: Disagreement
    covered: float

    def to_json(self) -> Json:
        """Plain values."""
        return {**self.found.to_json(), "covered": self.covered}


def repeated_rows(rows: Rows) -> Repeated | None:
    """Bracket the optimal error by rows that repeat; None for regression, or with fewer than ten groups of equal rows.

    Rows that were copied with their target make the bracket too low: look for exact copies first (WF203).
    """
    if not rows.classes:
        return None
    groups = np.unique(keys_of(rows.features), return_inverse=True)[1]
    counts = np.zeros((int(groups.max(initial=-1)) + 1, rows.classes), np.int64)
    np.add.at(counts, (groups, np.asarray(rows.target, np.int64)), 1)
    sizes = counts.sum(axis=1)
    if (sizes > 1).sum() < FEWEST_ROWS:
        return None
    found = label_disagreement(counts, weights=sizes.astype(np.float64))
    return Repeated(found, float(sizes[sizes > 1].sum() / rows.rows))
