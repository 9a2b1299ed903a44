"""The eyeball: the dev rows that a person looks at. The other dev rows, the blackbox, are only measured on.

A network that is changed after looking at rows fits those rows better than others, as it fits the rows of train. Rows
that nobody looked at show by how much (Ng 2018, Machine Learning Yearning, chapters 17 and 18).
"""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np

from wellfit.base.typing import Booleans, Floats, Integers
from wellfit.diagnosis.findings import Finding, finding
from wellfit.exceptions import BadInput
from wellfit.records.goals import Goal
from wellfit.records.units import Unit
from wellfit.stats.differences import difference
from wellfit.stats.intervals import grouped_mean, has_groups, mean_interval

ERRORS = 100
"""Errors that are enough to see which kinds are frequent (Ng 2018, chapter 17)."""
FEWEST_ROWS = 20
"""Fewest rows of eyeball and of blackbox for a comparison of the two."""


def draw_eyeball(
    rows: int, *, error: float, groups: Integers | None = None, size: int | None = None, seed: int = 0
) -> Integers:
    """Return the places of the rows to look at, in random order [eyeball rows]: any first part is a fair sample.

    Rows that share a group stay together, because one of them shows what the others look like.

    Args:
        rows: number of dev rows.
        error: share of them that is wrong; by default enough rows are drawn for 100 errors.
        groups: group of each dev row [rows].
        size: number of rows to draw (whole groups may make it more); at most half of dev.
        seed: seed of the draw.

    Raises:
        BadInput: `size` is not between 1 and half of the dev rows.
    """
    most = max(1, rows // 2)
    if size is not None and not 1 <= size <= most:
        raise BadInput(
            "the eyeball must leave at least half of the dev rows to the blackbox",
            found=f"--eyeball {size:,} of {rows:,} dev rows",
            remedy=f"Give at most {most:,}",
        )
    size = size or min(most, math.ceil(ERRORS / max(error, 1 / rows)))
    rng = np.random.default_rng(seed)
    if groups is None or not has_groups(groups):
        return rng.permutation(rows)[:size]
    codes = np.unique(groups, return_inverse=True)[1]
    turn = rng.permutation(int(codes.max()) + 1)[codes]
    return rng.permutation(np.flatnonzero(turn <= np.sort(turn)[size - 1]))


@dataclass(frozen=True, kw_only=True)
class Looked:
    """The dev losses, without and with the changes that were made since a person began to look at rows."""

    eyeball: Booleans  # [dev rows] whether a row was shown
    before: Floats  # [dev rows] of the network whose errors were looked at first
    after: Floats  # [dev rows] of the network that is chosen now
    groups: Integers | None = None  # [dev rows]


def eyeball_ahead(*, goal: Goal, looked: Looked) -> Finding:
    """WF404: fires if the loss fell further on the rows that were looked at than on the others."""
    gain, shown = looked.before - looked.after, looked.eyeball
    if not gain.any():
        return finding("WF404", fired=None, evidence="No other network has been chosen since the eyeball was drawn.")
    if min(shown.sum(), (~shown).sum()) < FEWEST_ROWS:
        why = f"Cannot tell: eyeball and blackbox need {FEWEST_ROWS} rows each."
        return finding("WF404", fired=None, evidence=why)
    means = []
    for part in (shown, ~shown):
        own = None if looked.groups is None else looked.groups[part]
        found = grouped_mean(gain[part], own) if own is not None and has_groups(own) else mean_interval(gain[part])
        means.append(found)
    ours, others = means
    apart, unit, start = difference(ours, others), Unit(goal), float(looked.before.mean())
    said = (
        f"since the eyeball was drawn, the loss fell by {unit.gap(ours.value, start=start)} on its {ours.rows:,} rows "
        f"and by {unit.gap(others.value, start=start)} on the {others.rows:,} rows that were not looked at"
    )
    return finding("WF404", fired=apart.low > 0, evidence=f"{said[0].upper()}{said[1:]}.", interval=apart)
