"""Intervals for an error rate and for a mean of losses, over single or grouped rows.

Whole groups are resampled, because rows of one group tend to err together.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from typing import Any

import numpy as np
from scipy import special

from wellfit.base.serialize import OMITTED, Record
from wellfit.base.typing import Floats, Integers
from wellfit.exceptions import BadInput

LEVEL = 0.95
SKEW_LIMIT = 0.1  # |skewness| / sqrt(n) above which t-intervals miss their level (docs/methods.md, "Intervals")
SMALL = 1_000  # below this many rows BCa replaces t (docs/methods.md, "Intervals")
RESAMPLES = 4_000
RESAMPLED_ROWS = 10_000  # above it the bootstrap distribution is expanded analytically instead of drawn
_CHUNK = 1 << 22  # indices drawn at a time, to bound memory


@dataclass(frozen=True)
class Estimate(Record):
    """A number with its interval (95 % unless stated otherwise), and the number of rows if it is known.

    `binomial` marks a plain share of rows, whose interval is Wilson's at any level and size.
    """

    value: float
    low: float
    high: float
    rows: int | None
    binomial: bool = field(default=False, repr=False, metadata=OMITTED)

    @classmethod
    def fixed(cls, value: float, *, rows: int | None = None) -> Estimate:
        """Return a number without sampling error, whose interval has zero width."""
        return cls(float(value), float(value), float(value), rows)

    @classmethod
    def from_json(cls, body: Mapping[str, Any], *, binomial: bool = False) -> Estimate:
        """Return the estimate that `to_json` wrote; set `binomial` for a plain error rate with an interval."""
        found = super().from_json(body)
        return replace(found, binomial=binomial and not found.is_fixed)

    @property
    def is_fixed(self) -> bool:
        """True if the interval has no width."""
        return self.low == self.high

    def at_level(self, level: float) -> Estimate:
        """Return the same estimate with an interval at a different level, derived from the 95 % interval.

        Wilson's interval is recomputed; any other interval is stretched by the ratio of the t-quantiles.
        """
        if self.is_fixed or level == LEVEL:
            return self
        if self.binomial and self.rows:
            return wilson(self.value * self.rows, self.rows, level=level)
        freedom = max(self.rows - 1, 1) if self.rows else math.inf
        return self._stretched(_t_quantile(level, freedom) / _t_quantile(LEVEL, freedom), rows=self.rows)

    def with_rows(self, rows: int) -> Estimate:
        """Return the interval that the same value would have if it were measured on `rows` rows."""
        if self.is_fixed or not self.rows:
            return self
        if self.binomial:
            return wilson(self.value * rows, rows)
        return self._stretched(math.sqrt(self.rows / rows), rows=rows)

    def _stretched(self, factor: float, *, rows: int | None) -> Estimate:
        low = self.value - factor * (self.value - self.low)
        high = self.value + factor * (self.high - self.value)
        return Estimate(self.value, low, high, rows)


def normal_quantile(level: float) -> float:
    """Return the z for which P(|Z| <= z) = level."""
    return float(special.ndtri((1 + level) / 2))


def wilson(errors: float, rows: float, *, level: float = LEVEL) -> Estimate:
    """Return Wilson's score interval for an error rate (Wilson 1927); BadInput unless 0 <= errors <= rows.

    Errors may be fractional (a rounded rate times the rows), and rows too (the effective number of grouped rows).
    """
    if rows < 1:
        rule = "an error rate must be measured on at least one row"
        raise BadInput(rule, found=f"{rows:g} rows", remedy="Give the number of rows")
    if not 0 <= errors <= rows:
        raise BadInput(
            "the number of errors must be between 0 and the number of rows",
            found=f"{errors:g} errors in {rows:g} rows",
            remedy="Check the two counts",
        )
    z2 = normal_quantile(level) ** 2
    rate = errors / rows
    middle = (rate + z2 / (2 * rows)) / (1 + z2 / rows)
    half = math.sqrt(z2 * (rate * (1 - rate) / rows + z2 / (4 * rows**2))) / (1 + z2 / rows)
    # At 0 and at all rows the limit is exact; rounding must not move it past the value.
    low = 0.0 if errors == 0 else min(rate, middle - half)
    high = 1.0 if errors == rows else max(rate, middle + half)
    return Estimate(rate, low, high, round(rows), binomial=True)


def mean_interval(losses: Floats, *, level: float = LEVEL, seed: int = 0) -> Estimate:
    """Return an interval for the mean of the losses of rows: Student's t, or BCa where t cannot be trusted.

    BCa (Efron 1987) replaces t below 1000 rows, and if |skewness| / sqrt(n) > .1. For a mean, its acceleration has a
    closed form, so no jackknife is needed. Above 10,000 rows the bootstrap distribution is replaced by its
    Cornish-Fisher expansion, which agrees to second order. Raises BadInput for a single row, or a loss that is not
    finite.
    """
    losses = np.asarray(losses, dtype=np.float64)
    if losses.size < 2:
        raise BadInput(
            "an interval must be computed from at least two rows", found=f"{losses.size} rows", remedy="Give more rows"
        )
    bad = np.flatnonzero(~np.isfinite(losses))
    if bad.size:
        raise BadInput(
            "losses must be finite",
            found=f"{losses[bad[0]]} in row {bad[0]}",
            remedy="Check the predictions of that row",
        )
    rows = losses.size
    mean, deviations = float(losses.mean()), losses - losses.mean()
    spread = float(np.sqrt(np.mean(deviations**2)))
    if spread <= 1e-15 * abs(mean) or spread == 0:
        return Estimate.fixed(mean, rows=rows)
    skew = float(np.mean((deviations / spread) ** 3))
    error = spread / math.sqrt(rows - 1)
    if rows >= SMALL and abs(skew) / math.sqrt(rows) <= SKEW_LIMIT:
        half = error * _t_quantile(level, rows - 1)
        return Estimate(mean, mean - half, mean + half, rows)
    low, high = _bca_limits(losses, acceleration=skew / (6 * math.sqrt(rows)), error=error, level=level, seed=seed)
    return Estimate(mean, min(low, mean), max(high, mean), rows)


def interval_from_sd(mean: float, *, sd: float, rows: int, level: float = LEVEL) -> Estimate:
    """Return Student's t-interval for a mean loss, given its standard deviation over rows."""
    if rows < 2:
        raise BadInput(
            "an interval must be computed from at least two rows",
            found=f"{rows} rows",
            remedy="Give the number of rows",
        )
    if not (math.isfinite(sd) and sd >= 0):
        raise BadInput("a standard deviation must be finite and not negative", found=repr(sd), remedy="Correct it")
    half = _t_quantile(level, rows - 1) * sd / math.sqrt(rows)
    return Estimate(mean, mean - half, mean + half, rows)


def on_logit_scale(
    rate: float, *, error: float, quantile: float, sure_rows: float, level: float
) -> tuple[float, float]:
    """Return limits of a rate from its standard error on the logit scale, which keeps them inside (0, 1).

    Without variance, they are Wilson's limits for `sure_rows` rows.
    """
    if error <= 1e-12 or rate in (0.0, 1.0):
        limits = wilson(rate * sure_rows, sure_rows, level=level)
        return limits.low, limits.high
    middle = float(special.logit(rate))
    half = quantile * error / (rate * (1 - rate))
    return float(special.expit(middle - half)), float(special.expit(middle + half))


def _bca_limits(losses: Floats, *, acceleration: float, error: float, level: float, seed: int) -> tuple[float, float]:
    mean = float(losses.mean())
    z = normal_quantile(level)
    if losses.size > RESAMPLED_ROWS:
        low, high = (_bca_point(side, shift=acceleration, acceleration=acceleration) for side in (-z, z))
        return tuple(mean + error * (x + acceleration * (x * x - 1)) for x in (low, high))  # type: ignore[return-value]
    means = _resampled_means(losses, seed=seed)
    below = (np.mean(means < mean) + np.mean(means <= mean)) / 2
    shift = float(special.ndtri(np.clip(below, 1 / RESAMPLES, 1 - 1 / RESAMPLES)))
    points = [_bca_point(side, shift=shift, acceleration=acceleration) for side in (-z, z)]
    low, high = np.quantile(means, special.ndtr(points))
    return float(low), float(high)


def _bca_point(z: float, *, shift: float, acceleration: float) -> float:
    """Return Efron's adjusted normal point for the quantile z."""
    moved = shift + z
    # The denominator reaches 0 only for absurd skew; hold it where the adjustment still points outward.
    return shift + moved / max(1 - acceleration * moved, 0.1)


def _resampled_means(losses: Floats, *, seed: int) -> Floats:
    rng = np.random.default_rng(seed)
    step = max(1, _CHUNK // losses.size)
    parts = [
        losses[rng.integers(0, losses.size, size=(min(step, RESAMPLES - start), losses.size))].mean(axis=1)
        for start in range(0, RESAMPLES, step)
    ]
    return np.concatenate(parts)


def _t_quantile(level: float, freedom: float) -> float:
    return normal_quantile(level) if math.isinf(freedom) else float(special.stdtrit(freedom, (1 + level) / 2))


def has_groups(groups: Integers | None) -> bool:
    """Return True if any rows share a group; groups of one row make no difference."""
    return groups is not None and len(np.unique(groups)) < len(groups)


def grouped_mean(losses: Floats, groups: Integers, *, level: float = LEVEL, seed: int = 0) -> Estimate:
    """Return an interval for a mean loss over rows in groups: t or BCa over the groups instead of the rows.

    Each of G groups has the value mean + G/n (its sum of losses - its rows x the mean). These values have the mean of
    the losses and, to first order, the variance that resampling of whole groups gives it (the linearized ratio
    estimator of cluster sampling). The losses may be influence values with the same mean. Raises BadInput for a single
    group.
    """
    values = _by_group(losses, groups)
    found = mean_interval(values, level=level, seed=seed)
    return Estimate(found.value, found.low, found.high, len(losses))


def grouped_rate(wrong: Floats, groups: Integers, *, level: float = LEVEL) -> Estimate:
    """Return Wilson's interval for an error rate over rows in groups, for the effective number of rows.

    The effective number of rows is n times the ratio of the variance of a plain share to that of `grouped_mean`'s
    values, but at most n. If no row (or every row) is wrong, it is the number of groups. Student's quantile replaces
    the normal one; its degrees of freedom are the number of groups minus one (Korn and Graubard 1998, for Wilson's
    interval).
    """
    values = _by_group(wrong, groups)
    count, rate = len(values), float(np.mean(wrong))
    variance = float(values.var(ddof=1)) / count
    plain = rate * (1 - rate)
    worth = min(float(len(wrong)), plain / variance) if plain and variance else float(count)
    student = float(special.stdtrit(count - 1, (1 + level) / 2))
    # Wilson's interval is meant for whole rows, but its two arguments enter only as a ratio and a total.
    found = wilson(rate * worth, worth, level=2 * float(special.ndtr(student)) - 1)
    return Estimate(rate, found.low, found.high, len(wrong))


def _by_group(losses: Floats, groups: Integers) -> Floats:
    """Return one value for each group [groups], with the same mean as the losses."""
    losses, groups = np.asarray(losses, dtype=np.float64), np.asarray(groups)
    if losses.shape != groups.shape:
        raise BadInput(
            "every row must have a group",
            found=f"{losses.size} losses and {groups.size} groups",
            remedy="Give a group for each loss",
        )
    codes = np.unique(groups, return_inverse=True)[1]
    sizes = np.bincount(codes)
    if len(sizes) < 2:
        raise BadInput(
            "an interval over groups must be computed from at least two groups",
            found=f"{len(sizes)} group with {losses.size} rows",
            remedy="Give rows of more groups",
        )
    mean = math.fsum(losses) / losses.size
    sums = np.bincount(codes, weights=losses)
    return np.asarray(mean + len(sizes) / losses.size * (sums - sizes * mean))
