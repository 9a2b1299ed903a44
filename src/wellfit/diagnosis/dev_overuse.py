"""The dev loss of a chosen candidate, corrected for the choice on dev (BBC, Tsamardinos et al., 2018).

Rows are drawn with replacement, the candidate that is best on them is chosen, and its loss is measured on the rows left
out, where the choice cannot flatter it. This file also contains the Ladder, a dev score that may be queried any number
of times.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np
from scipy import integrate, special

from wellfit.base.typing import Floats
from wellfit.diagnosis.findings import Finding, finding
from wellfit.records.goals import Goal
from wellfit.records.units import Unit
from wellfit.stats.intervals import Estimate

DRAWS = 500
FEWEST_ROWS = 50
MOST = 1_000_000  # no larger number of candidates is considered
_AT_ONCE = 50


@dataclass(frozen=True, kw_only=True)
class DevUse:
    """The cost of choosing among candidates on dev."""

    decisions: int  # candidates that were compared on it
    best: float  # lowest dev loss among them
    corrected: Estimate  # the chosen candidate's loss on other rows, with a 95 % interval
    budget: int  # candidates that can be compared here until the best looks better than it is by the tolerance

    @property
    def optimism(self) -> float:
        """Return the amount by which the chosen candidate looks better than it is."""
        return self.corrected.value - self.best


def dev_use(losses: Floats, *, tolerance: float, seed: int = 0) -> DevUse | None:
    """Correct the lowest of many dev losses [candidates, rows]; None for fewer than two candidates or 50 rows."""
    count, rows = losses.shape
    if count < 2 or rows < FEWEST_ROWS:
        return None
    means = losses.mean(axis=1)
    found = _out_of_bag(losses, np.random.default_rng(seed))
    value = float(found.mean())
    # The sampling error of the corrected loss is that of a mean over all rows; the draws' own spread is wider, since
    # each sees a third of the rows.
    half = 1.96 * float(losses[int(means.argmin())].std(ddof=1)) / np.sqrt(rows)
    return DevUse(
        decisions=count,
        best=float(means.min()),
        corrected=Estimate(value, value - half, value + half, rows),
        budget=decisions_left(losses, tolerance=tolerance),
    )


def used_up_dev(*, goal: Goal, tolerance: float, candidates: Floats) -> Finding:
    """WF403: fires if choosing on dev makes the best network look better than it is by more than the tolerance."""
    found = dev_use(candidates, tolerance=tolerance)
    if found is None:
        why = f"This check needs the dev losses of at least two networks on at least {FEWEST_ROWS} rows."
        return finding("WF403", fired=None, evidence=why)
    unit, left = Unit(goal), found.budget - found.decisions
    flattered = "the best look better than it is by more than the tolerance"
    budget = (
        f"a choice among so many can make {flattered}"
        if left <= 0
        else f"comparing {left:,} more would make {flattered}"
    )
    budget = budget if left < 10_000 else "many more networks can be compared"
    said = (
        f"{found.decisions:,} networks were compared on dev: the best has {unit.show(found.best)} there, or "
        f"{unit.show(max(0.0, found.corrected.value))} when corrected for the choice (optimism "
        f"{unit.size(found.optimism, start=found.best)}); {budget}."
    )
    return finding("WF403", fired=found.optimism > tolerance, evidence=said, interval=found.corrected)


def _out_of_bag(losses: Floats, rng: np.random.Generator) -> Floats:
    """Return the loss [draws], on the rows left out, of the candidate that is best on the rows drawn."""
    rows, found = losses.shape[1], []
    for start in range(0, DRAWS, _AT_ONCE):
        bags = rng.multinomial(rows, np.full(rows, 1 / rows), size=min(_AT_ONCE, DRAWS - start))
        best = (losses @ bags.T).argmin(axis=0)
        outside = (bags == 0).astype(np.float64)
        chosen = losses[best]
        found.append((chosen * outside).sum(axis=1) / np.maximum(outside.sum(axis=1), 1.0))
    return np.concatenate(found)


def expected_maximum(count: int) -> float:
    """Return the expected maximum of `count` standard normals: .5642, 1.1630 and 1.5388 for 2, 5 and 10."""
    if count <= 1:
        return 0.0

    def density(x: float) -> float:
        return float(x * count * special.ndtr(x) ** (count - 1) * math.exp(-x * x / 2) / math.sqrt(2 * math.pi))

    return float(integrate.quad(density, -10.0, 10.0, epsabs=1e-10)[0])


def effective_sd(losses: Floats) -> float:
    """Return the standard error per candidate of chance differences between candidates' losses [candidates, rows]."""
    count, rows = losses.shape
    if count < 2:
        return 0.0
    # Noise that all candidates share cancels: the spread around each row's mean is that of (1 - rho).
    own = losses - losses.mean(axis=0) - (losses.mean(axis=1, keepdims=True) - losses.mean())
    return math.sqrt(float((own**2).sum()) / ((count - 1) * rows) / rows)


def decisions_left(losses: Floats, *, tolerance: float) -> int:
    """Return the number of candidates among which the best is expected to look better than it is by the tolerance."""
    spread = effective_sd(losses)
    if spread * expected_maximum(MOST) <= tolerance:
        return MOST
    low, high = 1, MOST
    while high - low > 1:
        middle = int(math.sqrt(low * high)) if high > 2 * low else (low + high) // 2
        low, high = (middle, high) if spread * expected_maximum(middle) <= tolerance else (low, middle)
    return low


class Ladder:
    """The best score so far, in a form that is safe to show (the parameter-free Ladder of Blum and Hardt, 2015).

    Args:
        rows: number of dev rows.
    """

    def __init__(self, rows: int) -> None:
        self._rows = rows
        self._best: Floats | None = None
        self.score = math.inf

    def ask(self, losses: Floats) -> float:
        """Take a candidate's losses [rows], and return the best score so far, rounded to 1 / rows.

        A candidate is accepted when its mean loss is below the best by more than one standard error of the difference.
        """
        mean = float(losses.mean())
        error = 0.0 if self._best is None else float((losses - self._best).std(ddof=1)) / math.sqrt(self._rows)
        if self._best is None or mean < self.score - error:
            self._best = np.asarray(losses, np.float64)
            self.score = round(mean * self._rows) / self._rows
        return self.score
