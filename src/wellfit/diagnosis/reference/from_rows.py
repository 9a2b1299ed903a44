"""Hints at the optimal error from the rows themselves, where nobody gave a reference; they are never bounds."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from wellfit.diagnosis.leakage.duplicates import keys_of
from wellfit.diagnosis.reference.label_disagreement import FEWEST_ROWS, Disagreement, label_disagreement
from wellfit.diagnosis.reference.noise_variance import nearest_neighbours, noise_variance
from wellfit.diagnosis.rows import Rows
from wellfit.exceptions import BadInput
from wellfit.records.goals import Goal
from wellfit.records.units import Unit

COVERED = 0.05  # share of the rows that have an equal, below which these rows speak for too few


def said_by_rows(rows: Rows, *, goal: Goal, seed: int = 0) -> str:
    """Return a sentence on the optimal error (goals error and rmse); "" where the rows say nothing."""
    if goal.counts_rows:
        return " ".join(filter(None, (_repeated(rows, goal), _neighbours(rows, goal, seed=seed))))
    return _noise(rows, goal, seed=seed) if goal.is_squared else ""


def _repeated(rows: Rows, goal: Goal) -> str:
    try:
        found = repeated_rows(rows)
    except BadInput:  # no two labels to compare
        return ""
    if found is None or found.covered < COVERED:
        return ""
    limits = " to ".join(Unit(goal).show(limit) for limit in (found.found.low, found.found.high))
    return (
        f"Rows with equal inputs ({100 * found.covered:.0f} % of train) disagree as if the optimal error were {limits} "
        "on them."
    )


def _neighbours(rows: Rows, goal: Goal, *, seed: int) -> str:
    found = nearest_neighbours(rows, seed=seed)
    if found is None:
        return ""
    limits = " to ".join(Unit(goal).show(limit) for limit in (found.estimate, found.error.value))
    return f"Nearest neighbours suggest {limits}: an estimate that is rather too high, never a bound."


def _noise(rows: Rows, goal: Goal, *, seed: int) -> str:
    found = noise_variance(rows, seed=seed)
    if found is None:
        return ""
    variance = found.gamma if found.replicates is None else found.replicates
    source = "Nearest neighbours suggest" if found.replicates is None else "Rows with equal inputs suggest"
    said = f"{source} about {Unit(goal).show(variance)}: an estimate that is rather too high, never a bound."
    return f"{said} {found.warning}".strip()


@dataclass(frozen=True)
class Repeated:
    """Bracket over groups of equal rows, each weighted by its rows; it speaks for the covered rows alone."""

    found: Disagreement
    covered: float  # share of all rows that have an equal


def repeated_rows(rows: Rows) -> Repeated | None:
    """Bracket the optimal error by rows that repeat; None for regression, or with fewer than ten groups of equal rows.

    Nothing in the columns tells the targets of such rows apart. Rows that were copied with their target make the
    bracket too low: look for exact copies first (WF203).
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
