"""The noise of a fit: how far another seed alone moves dev."""

from __future__ import annotations

import math
from collections.abc import Iterable
from dataclasses import dataclass

import numpy as np
from scipy import special

from wellfit.base.typing import Json
from wellfit.records.config import Config
from wellfit.records.outcome import Outcome, Status
from wellfit.stats.intervals import LEVEL


@dataclass(frozen=True)
class Noise:
    """The spread of dev losses among fits that differ in their seed alone, pooled over all such groups.

    Attributes:
        spread: standard deviation of one fit's dev loss.
        freedom: degrees of freedom, the number of fits less the number of groups.
        fits: number of fits.
    """

    spread: float
    freedom: int
    fits: int

    def at(self, level: float = LEVEL) -> float:
        """Return x of "another seed moves dev by +-x": the prediction interval of the difference of two fits.

        It is t * s * sqrt(2), and contains the difference between two new fits in `level` of the cases.
        """
        return float(special.stdtrit(self.freedom, (1 + level) / 2)) * self.spread * math.sqrt(2)

    def to_json(self) -> Json:
        """The object of `study --json`: `dev` is x in the goal's loss."""
        return {"dev": self.at(), "fits": self.fits}


def noise_of(outcomes: Iterable[Outcome]) -> Noise | None:
    """Return the noise among fits; None where no two differ in their seed alone."""
    groups: dict[object, list[float]] = {}
    for outcome in outcomes:
        if outcome.status is not Status.DIVERGED:
            groups.setdefault(_knobs(outcome.config), []).append(outcome.losses["dev"])
    several = [np.array(losses) for losses in groups.values() if len(losses) > 1]
    freedom = sum(len(losses) - 1 for losses in several)
    if not freedom:
        return None
    squares = sum(float(((losses - losses.mean()) ** 2).sum()) for losses in several)
    return Noise(math.sqrt(squares / freedom), freedom, sum(map(len, several)))


def _knobs(config: Config) -> object:
    return config.own
