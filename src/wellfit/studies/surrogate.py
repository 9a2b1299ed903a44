"""A Gaussian process of the dev loss over all knobs of a study, which proposes the next fit.

Knobs are places in [0, 1], as `studies/knobs.py: OwnKnob.place` has them. The covariance is a Matern function of order
5/2 with a length for each knob, fitted by the marginal likelihood; the next fit is the one of most expected improvement
(Jones, Schonlau, Welch 1998, "Efficient global optimization of expensive black-box functions").
"""

from __future__ import annotations

import itertools
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import numpy as np
from scipy.linalg import cho_solve, cholesky, solve_triangular
from scipy.stats import norm

from wellfit.base.typing import Floats

LENGTHS = (0.25, 0.5, 1.0, 2.0, 4.0)
"""Lengths tried for each knob, as shares of its range; the last one says that it hardly matters."""
SURPRISE = 0.6
"""Standard deviation of the prior of a length's logarithm, around `LENGTHS[2]`."""
NOISES = (1e-3, 1e-2, 4e-2, 0.12)
"""Variances of the noise, as shares of the variance of the losses."""
SWEEPS = 2
"""Times that every length is fitted in turn."""
CANDIDATES, NEAR = 512, 64
"""Places considered everywhere, and around each of the best fits at each distance."""
DISTANCES = (0.05, 0.15, 0.3)
PARENTS = 3


def warped(losses: Floats) -> Floats:
    """Return losses on a scale on which bad fits, and those that diverged, are not much worse than middling ones."""
    finite = losses[np.isfinite(losses)]
    best, worst = float(finite.min()), float(finite.max())
    spread = float(np.median(finite)) - best
    return np.log1p((np.where(np.isfinite(losses), losses, worst) - best) / (0.3 * spread or 1.0))


@dataclass(frozen=True, eq=False)
class Surrogate:
    """The process, given fits at `places` [fits, knobs] with `values` [fits] (mean 0, variance 1)."""

    places: Floats
    values: Floats
    lengths: Floats
    noise: float

    def likelihood(self) -> float:
        """Return the log posterior of the lengths and the noise, up to a constant."""
        factor, weights = self._solved()
        surprise = np.log(self.lengths / LENGTHS[2]) / SURPRISE
        return float(-0.5 * self.values @ weights - np.log(np.diag(factor)).sum() - 0.5 * surprise @ surprise)

    def improvement(self, places: Floats) -> Floats:
        """Return the expected improvement on the best known value at some places, [places]."""
        factor, weights = self._solved()
        between = self._covariance(places, self.places)
        mean = between @ weights
        explained = solve_triangular(factor, between.T, lower=True)
        deviation = np.sqrt(np.maximum(1.0 - (explained**2).sum(0), 1e-12))
        gain = (self._covariance(self.places, self.places) @ weights).min() - mean
        found: Floats = gain * norm.cdf(gain / deviation) + deviation * norm.pdf(gain / deviation)
        return found

    def mean(self, places: Floats) -> Floats:
        """Return the expected values at some places, [places]."""
        found: Floats = self._covariance(places, self.places) @ self._solved()[1]
        return found

    def _solved(self) -> tuple[Floats, Floats]:
        own = self._covariance(self.places, self.places) + (self.noise + 1e-8) * np.eye(len(self.values))
        factor = cholesky(own, lower=True)
        return factor, cho_solve((factor, True), self.values)

    def _covariance(self, one: Floats, other: Floats) -> Floats:
        steps = (one[:, None, :] - other[None, :, :]) / self.lengths
        distance = np.sqrt(5 * (steps**2).sum(2))
        found: Floats = (1 + distance + distance**2 / 3) * np.exp(-distance)
        return found


def fitted(places: Floats, losses: Floats) -> Surrogate:
    """Return the process of some fits, with lengths and noise of the highest posterior found by turns."""
    values = warped(losses)
    values = (values - values.mean()) / (values.std() or 1.0)
    best = Surrogate(places, values, np.full(places.shape[1], LENGTHS[2]), NOISES[1])
    for _, knob in itertools.product(range(SWEEPS), range(places.shape[1])):
        tried = [best]
        for length in LENGTHS:
            lengths = best.lengths.copy()
            lengths[knob] = length
            tried.append(Surrogate(places, values, lengths, best.noise))
        best = max(tried, key=Surrogate.likelihood)
    return max((Surrogate(places, values, best.lengths, noise) for noise in NOISES), key=Surrogate.likelihood)


def proposals(places: Floats, losses: Floats, *, count: int, seed: int) -> Iterator[Floats]:
    """Return places for the next fits [knobs], the most promising first.

    Args:
        places: where fits were made, [fits, knobs] in [0, 1].
        losses: their losses, [fits]; inf where a fit diverged.
        count: number of fits to make side by side: each supposes that those before it come out as expected.
        seed: seed of the candidates.
    """
    process = fitted(places, losses)
    candidates = _candidates(process, np.random.default_rng(seed))
    for left in range(count, 0, -1):
        order = np.argsort(-process.improvement(candidates), kind="stable")
        yield from candidates[order[: None if left == 1 else 1]]
        chosen = candidates[order[0]]
        process = Surrogate(
            np.vstack([process.places, chosen]),
            np.append(process.values, process.mean(chosen[None])),
            process.lengths,
            process.noise,
        )


def _candidates(process: Surrogate, rng: np.random.Generator) -> Floats:
    knobs = process.places.shape[1]
    everywhere = rng.random((CANDIDATES, knobs))
    parents: Sequence[Floats] = list(process.places[np.argsort(process.values, kind="stable")[:PARENTS]])
    near = [
        np.clip(parent + distance * rng.normal(size=(NEAR, knobs)) * (rng.random((NEAR, knobs)) < 0.6), 0, 1)
        for parent in parents
        for distance in DISTANCES
    ]
    return np.vstack([everywhere, *near])
