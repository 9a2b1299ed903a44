"""Coverage of the 95 % intervals: exact where a sum over all outcomes is possible, simulated otherwise.

Error rates: Wilson and Clopper-Pearson for every n of the list and 400 rates with at least two expected errors and two
expected successes. Then the difference of two rates (MOVER), and intervals of means, areas and paired differences.
"""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
from scipy import special, stats

from report import Row, arguments, finish
from wellfit.base.typing import Floats
from wellfit.records.goals import goal_named
from wellfit.stats.differences import difference, paired_difference
from wellfit.stats.intervals import Estimate, mean_interval, wilson

SIZES = (100, 150, 200, 500, 1_000, 5_000, 20_000)
RATES = 400
EXPECTED = 2.0
MEAN_LOW, MEAN_HIGH, LOWEST = 0.935, 0.97, 0.91
AUC_TRUTH = 0.7602499389065233  # two unit normals one apart: Phi(1 / sqrt 2)

Interval = Callable[..., Estimate]


def main() -> None:
    asked = arguments(__doc__)
    sizes, repeats = (SIZES[:4], 400) if asked.quick else (SIZES, 4_000)
    rows = [row for size in sizes for row in _of_rates(size)]
    rows += [row for size in (100, 400) for row in _of_differences(size)]
    for name, (truth, draw) in _SIMULATED.items():
        for size in (100, 1_000):
            rows.append(_simulated(f"{name}, n = {size:,}", truth, draw, size=size, repeats=repeats))
    finish("interval_coverage", rows, as_json=asked.json)


def clopper_pearson(errors: int, rows: int) -> Estimate:
    """The exact binomial interval (Clopper and Pearson 1934): never below its level, wider than Wilson's."""
    low = 0.0 if errors == 0 else float(special.betaincinv(errors, rows - errors + 1, 0.025))
    high = 1.0 if errors == rows else float(special.betaincinv(errors + 1, rows - errors, 0.975))
    return Estimate(errors / rows, low, high, rows)


def exact_coverage(method: Interval, rows: int, rates: Floats) -> Floats:
    """[rates] share of outcomes whose interval holds the rate."""
    found = [method(errors, rows) for errors in range(rows + 1)]
    low, high = (np.array([getattr(each, side) for each in found]) for side in ("low", "high"))
    # The first and the last outcome whose interval holds the rate: limits rise with the errors.
    first = np.searchsorted(high, rates, side="left")
    last = np.searchsorted(low, rates, side="right") - 1
    return np.asarray(stats.binom.cdf(last, rows, rates) - stats.binom.cdf(first - 1, rows, rates))


def _of_rates(rows: int) -> list[Row]:
    rates = np.linspace(EXPECTED / rows, 1 - EXPECTED / rows, RATES)
    found, safe = exact_coverage(wilson, rows, rates), exact_coverage(clopper_pearson, rows, rates)
    said = f"n = {rows:,}"
    return [
        Row(f"Wilson, {said}: mean", found.mean(), MEAN_LOW, at_most=False),
        Row(f"Wilson, {said}: mean, not wasteful", found.mean(), MEAN_HIGH),
        Row(f"Wilson, {said}: lowest", found.min(), LOWEST, at_most=False, note=f"at {rates[found.argmin()]:.4f}"),
        Row(f"Clopper-Pearson, {said}: lowest", safe.min(), 0.95, at_most=False),
    ]


def _of_differences(rows: int) -> list[Row]:
    """The difference of two rates on different rows, over a grid of pairs: exact, by summing over all pairs."""
    rates = np.linspace(EXPECTED / rows, 0.5, 12)
    found = [wilson(errors, rows) for errors in range(rows + 1)]
    limits = [[difference(one, two) for two in found] for one in found]
    low, high = (np.array([[getattr(each, side) for each in line] for line in limits]) for side in ("low", "high"))
    weights = {rate: stats.binom.pmf(np.arange(rows + 1), rows, rate) for rate in rates}
    covered = np.array(
        [weights[one] @ ((low <= one - two) & (one - two <= high)) @ weights[two] for one in rates for two in rates]
    )
    return [
        Row(f"difference of rates (MOVER), n = {rows:,} each: mean", covered.mean(), MEAN_LOW, at_most=False),
        Row(f"difference of rates (MOVER), n = {rows:,} each: mean, not wasteful", covered.mean(), MEAN_HIGH),
        Row(f"difference of rates (MOVER), n = {rows:,} each: lowest", covered.min(), LOWEST, at_most=False),
    ]


def _simulated(
    case: str, truth: float, draw: Callable[[int, np.random.Generator], Estimate], *, size: int, repeats: int
) -> Row:
    rng = np.random.default_rng([size, len(case)])
    held = sum(found.low <= truth <= found.high for found in (draw(size, rng) for _ in range(repeats)))
    # Four standard errors of the simulation below the lowest that is allowed.
    slack = 4 * np.sqrt(LOWEST * (1 - LOWEST) / repeats)
    return Row(case, held / repeats, LOWEST - slack, at_most=False, note=f"{repeats:,} simulations")


def _area(rows: int, rng: np.random.Generator) -> Estimate:
    target = np.arange(rows) % 2
    score = 1 / (1 + np.exp(-(rng.normal(size=rows) + target)))
    return goal_named("auc").estimate(target, np.column_stack([1 - score, score]))


_TOLD = np.array([0.9, 0.8, 0.7, 0.6, 0.6])[:, None] * np.eye(5) + np.array([0.1, 0.2, 0.3, 0.4, 0.4])[:, None] * (
    (1 - np.eye(5)) / 4
)
_PAIRS = np.array([0.5, 0.2, 0.15, 0.1, 0.05])[:, None] * _TOLD
"""[true, told] five classes of unequal size; the smallest has 5 rows of 100."""
F1_TRUTH = float(np.mean(2 * _PAIRS.diagonal() / (_PAIRS.sum(axis=0) + _PAIRS.sum(axis=1))))


def _macro_f1(rows: int, rng: np.random.Generator) -> Estimate:
    target, told = np.divmod(rng.choice(25, rows, p=_PAIRS.ravel()), 5)
    return goal_named("f1").estimate(target, np.eye(5)[told])


def _paired(rows: int, rng: np.random.Generator) -> Estimate:
    """Two models that err on 10 and 7 % of the rows, half of the latter's errors shared."""
    both, first, second = 0.035, 0.065, 0.035
    kind = rng.choice(4, rows, p=[both, first, second, 1 - both - first - second])
    return paired_difference(np.isin(kind, (0, 1)).astype(float), np.isin(kind, (0, 2)).astype(float))


_SIMULATED: dict[str, tuple[float, Callable[[int, np.random.Generator], Estimate]]] = {
    "mean of exponential losses (BCa, t)": (1.0, lambda rows, rng: mean_interval(rng.exponential(size=rows))),
    "mean squared error of normal residuals": (1.0, lambda rows, rng: mean_interval(rng.normal(size=rows) ** 2)),
    "1 - AUC (DeLong on the logit scale)": (1 - AUC_TRUTH, _area),
    "1 - macro F1, five classes": (1 - F1_TRUTH, _macro_f1),
    "paired difference of errors": (0.03, _paired),
}


if __name__ == "__main__":
    main()
