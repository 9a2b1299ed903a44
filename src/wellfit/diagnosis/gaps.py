"""The gaps between the rungs of the ladder, each with an interval and a verdict (Ng, Machine Learning Yearning)."""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field, replace
from typing import Literal

from wellfit.base.serialize import OMITTED, Record, omitted_if
from wellfit.diagnosis.optimal_error import Optimal
from wellfit.exceptions import BadInput
from wellfit.records.gaps import GAPS, GapKind, GapName
from wellfit.records.goals import Goal
from wellfit.records.units import Unit
from wellfit.stats.differences import LowerLimit, difference, holm
from wellfit.stats.intervals import LEVEL, Estimate

Verdict = Literal["yes", "no", "cannot tell"]
Side = Optimal | Estimate

SLACK = 1e-9  # so that .15 - .13 is not above .02
LARGEST_TOLERANCE = 0.02  # two points (docs/methods.md, "Verdicts")
SMALLEST_TOLERANCE = 0.001  # and at least a tenth of a point
RATE_SHARE = 0.25  # a quarter of the dev error
LOSS_SHARE = 0.1  # a tenth of the dev loss
MOST_ROWS = 10**9  # nobody has a larger set than this
MOST_TIMES_THE_ROWS, FEW_ROWS = 10, 10_000  # a set that is larger than both is not collected to settle a verdict
TOO_CLOSE = "too close to the tolerance for more rows to decide"


@dataclass(frozen=True, kw_only=True)
class Errors:
    """The rungs of the ladder: losses of the goal with their intervals.

    `train` is a fixed number for the model; `train_sample` is the same loss with the sampling error of as many rows.
    The reference refers to all possible rows, and on a few of them even the best rule may do better or worse.
    """

    optimal: Optimal
    train: Estimate
    train_sample: Estimate | None = None
    train_dev: Estimate | None = None
    dev: Estimate
    test: Estimate | None = None

    @property
    def held_out(self) -> Estimate:
        """The loss that is compared with train: train-dev, or dev if there is no train-dev set."""
        return self.dev if self.train_dev is None else self.train_dev

    @property
    def sides(self) -> dict[GapName, tuple[Estimate, Side]]:
        """The losses at the upper and the lower end of each gap that was measured."""
        sides: dict[GapName, tuple[Estimate, Side]] = {
            "avoidable_bias": (self.train, self.optimal),
            "variance": (self.held_out, self.train),
        }
        if self.train_dev is not None:
            sides["mismatch"] = (self.dev, self.train_dev)
        if self.test is not None:
            sides["dev_overfit"] = (self.test, self.dev)
        return sides

    def ends(self, name: GapName) -> tuple[float, float]:
        """Return the losses at the two ends of a gap, the lower rung first; a bias held at 0 starts where it ends."""
        after, before = self.sides[name]
        end, start = after.value, before.at_level(LEVEL).value
        return (min(start, end) if name == "avoidable_bias" else start), end

    def size(self, gap: Gap, *, unit: Unit) -> str:
        """Return a gap as it is written in a sentence; without a reference only the limits of a bias are known."""
        start, end = self.ends(gap.name)
        if self.is_open(gap):
            shown = unit.gap_range(gap.low, gap.high, end=end)
            return shown if unit.is_percent else f"{shown} {unit.noun}"
        return unit.size(gap.value, start=start, end=end)

    def is_open(self, gap: Gap) -> bool:
        """Return True for a bias without a reference, whose value is only the middle of the possible range."""
        return gap.name == "avoidable_bias" and self.optimal.source == "none"

    def limits(self, gap: Gap, *, unit: Unit) -> str:
        """Return the limits of a gap in the goal's own unit."""
        start, end = self.ends(gap.name)
        held = {"end": end} if gap.name == "avoidable_bias" else {"start": start}
        return unit.gap_range(gap.low, gap.high, **held)

    def decided_by(self, gap: Gap) -> Estimate:
        """Return the loss on the set to which `rows_needed` refers."""
        return self.held_out if gap.name == "variance" else self.dev

    def lacks_rows(self, gap: Gap) -> bool:
        """Return True if more rows would decide; Holm's procedure may leave open what a plain interval decides."""
        return bool(gap.rows_needed and gap.rows_needed > (self.decided_by(gap).rows or 0))

    def rows_wanted(self, gap: Gap) -> int | None:
        """Return the number of rows that would decide; None if it is too large to be collected."""
        most = max(FEW_ROWS, MOST_TIMES_THE_ROWS * (self.decided_by(gap).rows or 0))
        return gap.rows_needed if self.lacks_rows(gap) and (gap.rows_needed or 0) <= most else None


@dataclass(frozen=True, kw_only=True)
class Gap(Record):
    """One gap, in the goal's loss.

    Attributes:
        rows_needed: for the verdict "cannot tell", the total number of rows of the dev-side set (train-dev for the
            variance if there is one, otherwise dev) at which the plain 95 % interval, at the same values, would exclude
            the tolerance; None if more rows cannot decide.
        below_reference: for the avoidable bias: train is below the reference, so the bias is held at 0.
        includes_mismatch: for the variance: there is no train-dev set, so variance and mismatch cannot be separated.
        by_chance: for a high avoidable bias: on so few training rows even the best possible rule may err as often.
    """

    name: GapName = field(metadata=OMITTED)
    value: float
    low: float
    high: float
    verdict: Verdict
    rows_needed: int | None = None
    below_reference: bool | None = field(default=None, metadata=omitted_if(None))
    includes_mismatch: bool | None = field(default=None, metadata=omitted_if(None))
    by_chance: bool = field(default=False, metadata=OMITTED)

    @property
    def kind(self) -> GapKind:
        """The gap's kind, with its names, finding and board."""
        return GAPS[self.name]


def gaps_from(bodies: Mapping[str, Mapping[str, object] | None]) -> dict[GapName, Gap | None]:
    """Return the gaps that were read back from their JSON, by name."""
    found = {name: bodies.get(name) for name in GAPS}
    return {name: None if body is None else Gap.from_json({"name": name, **body}) for name, body in found.items()}


def default_tolerance(goal: Goal, dev: float) -> float:
    """Return the smaller of 2 points and a quarter of the dev loss (at least .1 point); a tenth if not a rate."""
    if goal.is_rate:
        return max(SMALLEST_TOLERANCE, min(LARGEST_TOLERANCE, RATE_SHARE * dev))
    return LOSS_SHARE * dev


def checked_tolerance(tolerance: float | None, *, goal: Goal, dev: float) -> float:
    """Return the given tolerance, in the goal's loss, or the default one.

    Raises:
        BadInput: for a tolerance that is negative, not finite, or (for a rate) not below 1.
    """
    if tolerance is None:
        return default_tolerance(goal, dev)
    if not (math.isfinite(tolerance) and tolerance >= 0 and (tolerance < 1 or not goal.is_rate)):
        limit = "between 0 and 1" if goal.is_rate else "finite and not negative"
        raise BadInput(f"a tolerance must be {limit}", found=f"{tolerance:g}", remedy="Write 2 points as .02")
    return float(tolerance)


def measure(errors: Errors, *, tolerance: float) -> dict[GapName, Gap | None]:
    """Return every gap between known rungs with its verdict, and None for the others.

    The intervals are MOVER's. The verdict is *yes* if the lower limit, Holm-adjusted over the gaps, is above the
    tolerance, and *no* if the plain 95 % upper limit is at most the tolerance.
    """
    sides = errors.sides
    high = _high(sides, tolerance=tolerance)
    found: dict[GapName, Gap | None] = dict.fromkeys(GAPS)
    for name, yes in high.items():
        found[name] = _flagged(_judged(name, sides[name], yes=yes, tolerance=tolerance), errors)
    bias = found["avoidable_bias"]
    if errors.train_sample is not None and bias is not None and bias.verdict == "yes":
        sampled = _high(sides | {"avoidable_bias": (errors.train_sample, errors.optimal)}, tolerance=tolerance)
        found["avoidable_bias"] = replace(bias, by_chance=not sampled["avoidable_bias"])
    return found


def present(gaps: Mapping[GapName, Gap | None]) -> Iterable[Gap]:
    """Return the gaps that were measured, in their usual order."""
    return (gap for gap in gaps.values() if gap is not None)


def _high(sides: Mapping[GapName, tuple[Estimate, Side]], *, tolerance: float) -> dict[GapName, bool]:
    """Return which gaps are significantly above the tolerance, by Holm's procedure over all of them."""

    def lower_limit(name: GapName) -> LowerLimit:
        return lambda level: _interval(*sides[name], level).low

    names = [name for name in GAPS if name in sides]
    return dict(zip(names, holm(list(map(lower_limit, names)), above=tolerance + SLACK), strict=True))


def _interval(after: Estimate, before: Side, level: float) -> Estimate:
    first, second = after.at_level(level), before.at_level(level)
    if isinstance(before, Optimal) and before.rows is None:
        # A range in which the optimum may be anywhere is not a sampling error: its ends do not cancel by chance.
        return Estimate(first.value - second.value, first.low - second.high, first.high - second.low, rows=None)
    return difference(first, second)


def _judged(name: GapName, sides: tuple[Estimate, Side], *, yes: bool, tolerance: float) -> Gap:
    plain = _interval(*sides, LEVEL)
    no = plain.high <= tolerance + SLACK
    verdict: Verdict = "yes" if yes else "no" if no else "cannot tell"
    rows = _rows_needed(name, sides, tolerance) if verdict == "cannot tell" else None
    return Gap(name=name, value=plain.value, low=plain.low, high=plain.high, verdict=verdict, rows_needed=rows)


def _flagged(gap: Gap, errors: Errors) -> Gap:
    if gap.name == "variance":
        return replace(gap, includes_mismatch=errors.train_dev is None)
    if gap.name != "avoidable_bias":
        return gap
    below = errors.train.value < errors.optimal.low - SLACK
    return replace(
        gap,
        value=max(0.0, gap.value),
        low=max(0.0, gap.low),
        high=max(0.0, gap.high),
        verdict="no" if below else gap.verdict,
        rows_needed=None if below else gap.rows_needed,
        below_reference=below,
    )


def _rows_needed(name: GapName, sides: tuple[Estimate, Side], tolerance: float) -> int | None:
    """Find, by bisection, the smallest dev-side set for which the plain interval excludes the tolerance."""
    after, before = sides
    if name == "avoidable_bias" or not isinstance(before, Estimate):
        return None  # neither the training set nor the reference is measured on dev-side rows
    grown = before if name == "dev_overfit" else after
    if grown.rows is None or grown.is_fixed:
        return None

    def leaves(rows: int) -> bool:
        pair = (after, before.with_rows(rows)) if name == "dev_overfit" else (after.with_rows(rows), before)
        gap = difference(*pair)
        return gap.low > tolerance + SLACK or gap.high <= tolerance + SLACK

    low, high = 0, MOST_ROWS
    if not leaves(high):
        return None
    while high - low > 1:
        middle = (low + high) // 2
        low, high = (low, middle) if leaves(middle) else (middle, high)
    return high
