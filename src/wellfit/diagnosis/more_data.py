"""The gain from more training data: an extrapolated learning curve, with an interval widened by its past errors.

The primary curve is pow4 (pow3 if there are few anchors). The interval is the widest spread of bootstrapped repeats
among all families that predicted the last anchors, widened by the primary curve's error on those anchors when they were
hidden.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import TypeAlias

import numpy as np

from wellfit.base.serialize import OMITTED, Record
from wellfit.base.typing import Floats, Integers, Json
from wellfit.diagnosis.findings import Finding, finding
from wellfit.diagnosis.learning_curves import Curve, CurveName, fit_curve, fit_curves, rows_for
from wellfit.exceptions import BadInput
from wellfit.records.goals import Goal
from wellfit.records.units import Unit
from wellfit.stats.intervals import Estimate

FARTHEST = 4.0  # no extrapolation beyond four times the rows (docs/methods.md, "Value of more data")
FEW_ANCHORS = 5  # up to this many, pow3
HIDDEN = 2  # anchors left out for the backtest: half the rows, as far back as twice the data is ahead
FORETOLD = 3.0  # standard errors by which a family may miss the hidden anchors
RISE = 3.0  # standard errors of a rise that noise does not explain
DRAWS = 60  # bootstrap draws for each family
CALIBRATED = 1.25  # widening with which intervals of least squares held the truth in 23 of 24 (20 without it)
FAMILIES: tuple[CurveName, ...] = ("pow3", "pow4", "mmf4", "exp4", "last1")


@dataclass(frozen=True, kw_only=True)
class MoreData(Record):
    """The gain from `factor` times as many training rows, in the goal's loss; None if the curve is not extrapolated."""

    rows: int
    factor: float
    refused: str  # why the curve is not extrapolated; "" where it is
    curve: Curve = field(metadata=OMITTED)  # the primary curve; last1 where refused
    families: tuple[CurveName, ...]  # those whose spread is in the interval
    anchors: tuple[int, ...]  # training rows at which the errors below were measured
    train: tuple[float, ...]
    dev: tuple[float, ...]
    gain: Estimate | None  # dev error now - dev error then
    delta: float  # the smallest gain that matters
    chance: float | None  # P(gain > delta) under the same spread
    missed: float | None  # dev error at the hidden last anchor - the primary curve's prediction
    target: float | None = None  # an error that was asked for
    target_rows: int | None = None  # rows at which the curve reaches it; None beyond four times the rows

    def to_json(self) -> Json:
        """Return the fields as plain values."""
        return {**super().to_json(), "family": self.curve.family}


def more_data(
    anchors: Anchors,
    *,
    delta: float,
    factor: float = 2.0,
    target: float | None = None,
    floor: float = 0.0,
    seed: int = 0,
) -> MoreData:
    """Extrapolate a learning curve whose last anchor uses all training rows.

    Args:
        anchors: the measured curve.
        delta: the smallest gain that matters, in the goal's loss (the tolerance of the gaps).
        factor: the multiple of the training rows to which the curve is extrapolated.
        target: a dev error, for which the necessary number of rows is computed.
        floor: lower limit of the optimal error.
        seed: seed of the bootstrap.
    """
    means, sd = anchors.mean, anchors.sd
    rows = int(anchors.rows[-1])
    primary = primary_of(anchors)
    refused = _refusal(anchors, factor)
    curve = fit_curve("last1" if refused else primary, anchors.rows * 1.0, means, sd=sd, floor=floor)
    gain, chance, missed = None, None, None
    families: tuple[CurveName, ...] = ("last1",)
    if not refused:
        missed, families = _backtest(anchors, primary=primary, floor=floor)
        gain, chance = _gain(
            anchors, curve, families, factor=factor, delta=delta, floor=floor, missed=missed, seed=seed
        )
    reachable = None if target is None or refused else rows_for(curve, target, most=int(FARTHEST * rows))
    return MoreData(
        rows=rows,
        factor=factor,
        refused=refused,
        curve=curve,
        families=families,
        anchors=tuple(int(each) for each in anchors.rows),
        train=tuple(float(each) for each in anchors.train.mean(axis=1)),
        dev=tuple(float(each) for each in means),
        gain=gain,
        delta=delta,
        chance=chance,
        missed=missed,
        target=target,
        target_rows=reachable,
    )


def primary_of(anchors: Anchors) -> CurveName:
    """Return the family to fit: four parameters need more anchors than three."""
    return "pow3" if len(anchors.rows) <= FEW_ANCHORS else "pow4"


def worth_of_more_rows(*, goal: Goal, curve: MoreData) -> Finding:
    """WF210: fires if the gain is significantly above the smallest that matters, and passes if it is below."""
    gain, unit = curve.gain, Unit(goal)
    if gain is None:
        return finding("WF210", fired=None, evidence=f"Cannot tell: {curve.refused}.")
    now = curve.dev[-1]
    times = "Twice" if curve.factor == 2 else f"{curve.factor:g} times"
    said = (
        f"{times} the data ({curve.factor * curve.rows:,.0f} training rows): the dev error would fall by "
        f"{unit.gap_range(gain.low, gain.high, end=now)}, most likely by {unit.gap(gain.value, end=now)}"
    )
    if curve.target is not None:
        reached = f"needs about {curve.target_rows:,} rows"
        if curve.target_rows is None:
            reached = f"is not reached with {FARTHEST:g} times the rows"
        said = f"{said}; {unit.show(curve.target)} {reached}"
    fired = True if gain.low > curve.delta else False if gain.high <= curve.delta else None
    return finding("WF210", fired=fired, evidence=f"{'Cannot tell: ' if fired is None else ''}{said}.")


def _refusal(anchors: Anchors, factor: float) -> str:
    means, sd = anchors.mean, anchors.sd
    if factor > FARTHEST:
        return f"no curve is extrapolated beyond {FARTHEST:g} times the data, so not to {factor:g} times"
    lowest = np.minimum.accumulate(means)[:-1]
    place = [int(np.argmin(means[: k + 1])) for k in range(len(lowest))]
    rise = (means[1:] - lowest) / np.hypot(sd[1:], sd[place])
    worst = int(np.argmax(rise))
    # Bonferroni is not needed: three standard errors leave about one false refusal in a hundred curves of ten anchors.
    if rise[worst] > RISE and means[worst + 1] - lowest[worst] > 0.01 * means[worst + 1]:
        return (
            f"the dev error rises again at {int(anchors.rows[worst + 1]):,} training rows, so there is no evidence of "
            "a gain"
        )
    return ""


def _backtest(anchors: Anchors, *, primary: CurveName, floor: float) -> tuple[float | None, tuple[CurveName, ...]]:
    """Return the primary curve's error at the hidden last anchor, and the families that predicted this anchor."""
    seen = anchors.first(len(anchors.rows) - HIDDEN)
    if len(seen.rows) < FEWEST_ANCHORS:
        return None, (primary, "last1") if primary == "pow4" else ("pow3", "last1")
    errors: dict[CurveName, float] = {}
    for family in FAMILIES:
        curve = fit_curve(family, seen.rows * 1.0, seen.mean, sd=seen.sd, floor=floor)
        errors[family] = float(anchors.mean[-1] - curve.at(float(anchors.rows[-1])))
    before, of_dev = len(seen.rows) - 1, anchors.dev_noise
    # Variance over dev sets of the difference between the last anchor that is seen and the last of all.
    paired = float(of_dev[before, before] + of_dev[-1, -1] - 2 * of_dev[before, -1])
    noise = math.hypot(float(anchors.sd[-1]), float(seen.sd[-1]), math.sqrt(max(0.0, paired)))
    least = min(abs(error) for error in errors.values())
    kept = tuple(family for family in FAMILIES if abs(errors[family]) <= max(least, FORETOLD * noise))
    return errors[primary], tuple(dict.fromkeys((*kept, primary)))


def _gain(
    anchors: Anchors,
    curve: Curve,
    families: Sequence[CurveName],
    *,
    factor: float,
    delta: float,
    floor: float,
    missed: float | None,
    seed: int,
) -> tuple[Estimate, float]:
    rng = np.random.default_rng(seed)
    rows = float(anchors.rows[-1])
    value = _drop(curve, rows, factor)
    found = [_draws(family, anchors, factor=factor, floor=floor, rng=rng) for family in families]
    # The widest of the families' intervals: which of them is right is not a matter of chance, so they are not a
    # mixture (as one, the flat ones cut off the upper limits of the others: 19 of 24 intervals held the truth).
    low = min(float(np.quantile(each, 0.025)) for each in found)
    high = max(float(np.quantile(each, 0.975)) for each in found)
    draws = np.concatenate(found)
    widening = abs(missed or 0.0)
    gain = Estimate(
        value,
        value - math.hypot(CALIBRATED * max(0.0, value - low), widening),
        value + math.hypot(CALIBRATED * max(0.0, high - value), widening),
        int(rows),
    )
    chance = float(np.mean(draws + widening * rng.standard_normal(draws.size) / 1.96 > delta))
    return gain, chance


def _draws(family: CurveName, anchors: Anchors, *, factor: float, floor: float, rng: np.random.Generator) -> Floats:
    if family == "last1":
        return np.zeros(DRAWS)
    rows, repeats = anchors.rows * 1.0, anchors.dev.shape[1]
    # Repeats drawn from R have only (R - 1)/R of the repeats' variance.
    wide = anchors.mean[:, None] + math.sqrt(repeats / (repeats - 1)) * (anchors.dev - anchors.mean[:, None])
    noise = rng.multivariate_normal(np.zeros(len(rows)), anchors.dev_noise, size=DRAWS, method="eigh")
    # Whole repeats are drawn, since a repeat's anchors are nested; what all repeats share is added as one shift.
    drawn = wide[:, rng.integers(0, repeats, (DRAWS, repeats))].mean(axis=2).T
    shifts = anchors.luck * rng.standard_normal((DRAWS, 1))
    # No loss is below 0, however small dev is.
    fits = fit_curves(family, rows, np.maximum(drawn + shifts + noise, 0.0), sd=anchors.sd, floor=floor)
    return np.array([_drop(fit, float(rows[-1]), factor) for fit in fits])


def _drop(curve: Curve, rows: float, factor: float) -> float:
    return float(curve.at(rows) - curve.at(factor * rows))


Refit: TypeAlias = Callable[[Integers, int], tuple[float, Floats]]
"""Function of (rows to train on, seed) that returns (train loss, dev losses [rows])."""

SMALLEST = 16  # anchors 16 * 2^(k/2), as in LCDB
FEWEST_REPEATS = 3
FEWEST_ANCHORS = 4  # pow3 has three parameters
_FASTEST = -2.0  # power by which the spread may fall with the rows
_LEAST_SPREAD = 1e-9  # of the error: refits that agree exactly still give a finite weight
_ROUNDING = 0.01  # anchors are whole rows


@dataclass(frozen=True)
class Anchors:
    """A measured learning curve, in which repeat r trains on nested subsets of one permutation.

    `dev_noise` is the covariance over dev sets; noise that two anchors share cancels in their difference.
    """

    rows: Integers  # [anchors] training rows, rising; the last is all of them
    train: Floats  # [anchors, repeats] train loss
    dev: Floats  # [anchors, repeats] mean dev loss
    dev_noise: Floats  # [anchors, anchors] covariance of the dev errors

    @property
    def mean(self) -> Floats:
        """Return the mean dev error [anchors]."""
        return np.asarray(self.dev.mean(axis=1))

    @property
    def spread(self) -> Floats:
        """Return the standard deviation of the dev error over training sets of each size [anchors].

        Subsets of the same n rows overlap, so subsets of m rows show about sqrt(1 - m/n) of it. It is estimated from
        the anchors with at most half of the rows, and extrapolated to the others as a power of the number of rows.
        """
        share = self.rows / self.rows[-1]
        few = share <= 0.5 + _ROUNDING
        own = self.dev[few].std(axis=1, ddof=1) / np.sqrt(1 - share[few])
        least = _LEAST_SPREAD * max(float(np.abs(self.mean).max()), _LEAST_SPREAD)
        slope, level = np.polyfit(np.log(share[few]), np.log(np.maximum(own, least)), 1) if few.sum() > 1 else (0, 0)
        return np.asarray(np.maximum(np.exp(level + np.clip(slope, _FASTEST, 0.0) * np.log(share)), least))

    @property
    def luck(self) -> Floats:
        """Return the part of the spread that all subsets of these n rows share, which repeats do not show [anchors]."""
        return np.asarray(self.spread * np.sqrt(self.rows / self.rows[-1]))

    @property
    def sd(self) -> Floats:
        """Return the standard error of the mean dev error, as a point on the curve over all training sets [anchors]."""
        share = self.rows / self.rows[-1]
        return np.asarray(self.spread * np.sqrt((1 - share) / self.dev.shape[1] + share))

    def first(self, count: int) -> Anchors:
        """Return the curve with only its first `count` anchors."""
        return Anchors(self.rows[:count], self.train[:count], self.dev[:count], self.dev_noise[:count, :count])


def anchor_rows(rows: int, *, most: int | None = None) -> Integers:
    """Return sizes 16 * 2^(k/2) that end with all rows; the smallest are dropped if there are more than `most`.

    Raises:
        BadInput: if there are fewer rows than four anchors need.
    """
    steps = math.floor(2 * math.log2(rows / SMALLEST)) if rows > SMALLEST else 0
    found = [round(rows * 2 ** (-k / 2)) for k in range(steps, -1, -1)]
    if len(found) < FEWEST_ANCHORS:
        raise BadInput(
            f"a learning curve must have {FEWEST_ANCHORS} sizes, starting at {SMALLEST} rows",
            found=f"{rows} training rows",
            remedy=f"Bring at least {math.ceil(SMALLEST * 2 ** ((FEWEST_ANCHORS - 1) / 2))} rows",
        )
    return np.array(found[-(most or len(found)) :], dtype=np.int64)


def require_refits(refits: int) -> None:
    """Refuse fewer training runs than a learning curve needs; BadInput before any of them."""
    if refits < FEWEST_ANCHORS * FEWEST_REPEATS:
        raise BadInput(
            f"a learning curve must have {FEWEST_ANCHORS} sizes with {FEWEST_REPEATS} repeats",
            found=f"{refits} refits",
            remedy=f"Allow at least {FEWEST_ANCHORS * FEWEST_REPEATS} refits",
        )


def measure_anchors(refit: Refit, *, rows: int, refits: int = 30, seed: int = 0) -> Anchors:
    """Retrain on nested subsets, at most `refits` times, on as many anchors as three repeats of each allow.

    Raises:
        BadInput: for too few rows, or fewer refits than four anchors with three repeats need.
    """
    require_refits(refits)
    sizes = anchor_rows(rows, most=refits // FEWEST_REPEATS)
    repeats = refits // len(sizes)
    rng = np.random.default_rng(seed)
    train, dev = np.empty((2, len(sizes), repeats))
    rows_of_dev: list[Floats] = [np.zeros(1)] * len(sizes)
    for repeat in range(repeats):
        order = rng.permutation(rows)
        for place, size in enumerate(sizes):
            loss, losses = refit(order[:size], int(rng.integers(2**31)))
            train[place, repeat], dev[place, repeat] = loss, float(np.mean(losses))
            rows_of_dev[place] = rows_of_dev[place] + np.asarray(losses, dtype=np.float64) / repeats
    if not (np.isfinite(train).all() and np.isfinite(dev).all()):
        raise BadInput(
            "every refit must give finite losses",
            found="a loss that is not finite",
            remedy="Return finite losses from refit",
        )
    return Anchors(sizes, train, dev, np.cov(np.stack(rows_of_dev)) / len(rows_of_dev[0]))
