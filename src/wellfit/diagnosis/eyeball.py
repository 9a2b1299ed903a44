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
from wellfit.stats.intervals import has_groups

ERRORS = 100
"""Errors that are enough to see which kinds are frequent (Ng 2018, chapter 17)."""
FEWEST_ROWS = 20
"""Fewest rows of eyeball and of blackbox for a comparison of the two."""
LEVEL = 0.025
DRAWS, _AT_ONCE = 1_999, 50


def draw_eyeball(
    rows: int, *, error: float, groups: Integers | None = None, size: int | None = None, seed: int = 0
) -> Integers:
    """Return the places of the rows to look at, in random order [eyeball rows]: any first part is a fair sample.

    Rows that share a group stay together, because one of them shows what the others look like.

    Args:
        rows: number of dev rows.
        error: share of them that is wrong; by default enough rows are drawn for 100 errors.
        groups: group of each dev row [rows].
        size: number of rows to draw (whole groups may make it more or fewer); at most half of dev.
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
    counts = np.bincount(codes)
    shown = np.zeros(len(counts), bool)
    for group in rng.permutation(len(counts)):
        drawn = int(counts[shown].sum())
        shown[group] = drawn < size and drawn + counts[group] <= most
    if not shown.any():
        shown[int(counts.argmin())] = True  # each group has more than half of the rows that there may be
    return rng.permutation(np.flatnonzero(shown[codes]))


@dataclass(frozen=True, kw_only=True)
class Looked:
    """The dev losses, without and with the changes that were made since a person began to look at rows."""

    eyeball: Booleans  # [dev rows] whether a row was shown
    before: Floats  # [dev rows] of the network whose errors were looked at first
    after: Floats  # [dev rows] of the network that is chosen now
    groups: Integers | None = None  # [dev rows]


def eyeball_ahead(*, goal: Goal, looked: Looked) -> Finding:
    """WF404: fires if the loss fell further on the rows that were looked at than on the others.

    The rows of the eyeball were drawn at random, so how often another draw would differ as much is known whatever the
    losses are: a randomization test (Fisher 1935), one-sided, in which the rows of a group stay together.
    """
    gain, shown = looked.before - looked.after, looked.eyeball
    if not gain.any():
        return finding("WF404", fired=None, evidence="No other network has been chosen since the eyeball was drawn.")
    if min(shown.sum(), (~shown).sum()) < FEWEST_ROWS:
        why = f"Cannot tell: eyeball and blackbox need {FEWEST_ROWS} rows each."
        return finding("WF404", fired=None, evidence=why)
    unit, start = Unit(goal), float(looked.before.mean())
    parts = [(float(gain[part].mean()), int(part.sum())) for part in (shown, ~shown)]
    (own, rows), (others, more) = [
        (f"{'fell' if mean >= 0 else 'rose'} by {unit.gap(abs(mean), start=start)}", count) for mean, count in parts
    ]
    chance = by_chance(gain, shown, groups=looked.groups)
    said = (
        f"Since the eyeball was drawn, the loss {own} on its {rows:,} rows and {others} on the {more:,} rows that were "
        f"not looked at; chance alone would favour the eyeball as much in {100 * chance:.1f} % of the draws."
    )
    return finding("WF404", fired=chance <= LEVEL, evidence=said)


def by_chance(gain: Floats, shown: Booleans, *, groups: Integers | None = None, seed: int = 0) -> float:
    """Return how often a random draw of the same number of rows (or groups) favours the drawn ones as much.

    Args:
        gain: [rows] fall of the loss.
        shown: [rows] whether a row was drawn.
        groups: [rows]; those of one group are drawn together.
        seed: seed of the draws.

    Returns:
        The one-sided p-value of the difference of the two mean gains.
    """
    codes = np.arange(len(gain)) if groups is None else np.unique(groups, return_inverse=True)[1]
    sums, counts = np.bincount(codes, weights=gain), np.bincount(codes).astype(np.float64)
    mine = np.zeros(len(counts), bool)
    mine[codes[shown]] = True

    def difference(drawn: Booleans) -> Floats:
        inside, rows = drawn @ sums, drawn @ counts
        return np.asarray(inside / rows - (sums.sum() - inside) / (counts.sum() - rows))

    found, rng, least = 0, np.random.default_rng(seed), difference(mine[None])[0] - 1e-12
    for start in range(0, DRAWS, _AT_ONCE):
        drawn = np.tile(mine, (min(_AT_ONCE, DRAWS - start), 1))
        found += int((difference(rng.permuted(drawn, axis=1)) >= least).sum())
    return (1 + found) / (1 + DRAWS)
