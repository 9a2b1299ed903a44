"""What the rows themselves say about the optimal error, where nobody gave a reference: hints, never bounds."""

from __future__ import annotations

from wellfit.diagnosis.reference.nearest_neighbours import nearest_neighbours
from wellfit.diagnosis.reference.noise_variance import noise_variance
from wellfit.diagnosis.reference.repeated_rows import repeated_rows
from wellfit.diagnosis.rows import Rows
from wellfit.diagnosis.words import error_text
from wellfit.exceptions import BadInput
from wellfit.goals import Goal

COVERED = 0.05  # share of the rows that have an equal, below which these rows speak for too few


def said_by_rows(rows: Rows, *, goal: Goal, seed: int = 0) -> str:
    """A sentence on the optimal error (goals error and rmse); "" where the rows say nothing.

    Args:
        rows: training rows, with features and targets.
        goal: in whose unit to speak.
        seed: of every subsample.
    """
    if goal.name == "error":
        return " ".join(filter(None, (_repeated(rows, goal), _neighbours(rows, goal, seed=seed))))
    return _noise(rows, goal, seed=seed) if goal.name == "rmse" else ""


def _repeated(rows: Rows, goal: Goal) -> str:
    try:
        found = repeated_rows(rows)
    except BadInput:  # no two labels to compare
        return ""
    if found is None or found.covered < COVERED:
        return ""
    limits = " to ".join(error_text(goal, limit) for limit in (found.found.low, found.found.high))
    return (
        f"Rows with equal inputs ({100 * found.covered:.0f} % of train) disagree as if the optimal error were {limits} "
        "on them."
    )


def _neighbours(rows: Rows, goal: Goal, *, seed: int) -> str:
    found = nearest_neighbours(rows, seed=seed)
    if found is None:
        return ""
    limits = " to ".join(error_text(goal, limit) for limit in (found.estimate, found.error.value))
    return f"Nearest neighbours suggest {limits}: an estimate that is rather too high, never a bound."


def _noise(rows: Rows, goal: Goal, *, seed: int) -> str:
    found = noise_variance(rows, seed=seed)
    if found is None:
        return ""
    variance = found.gamma if found.replicates is None else found.replicates
    source = "Nearest neighbours suggest" if found.replicates is None else "Rows with equal inputs suggest"
    said = f"{source} about {error_text(goal, variance)}: an estimate that is rather too high, never a bound."
    return f"{said} {found.warning}".strip()
