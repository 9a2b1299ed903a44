"""Bounds on total variation: known answers, the null, and what a huge sample must not alarm about."""

from __future__ import annotations

import numpy as np
import pytest
from scipy import stats

from wellfit.data.features import Feature, Features
from wellfit.diagnosis.checks import CHECKS
from wellfit.diagnosis.facts import Facts
from wellfit.diagnosis.findings import Finding
from wellfit.diagnosis.mismatch.columns import (
    bound_from_counts,
    column_shifts,
    dkw_bound,
    ks_distance,
    label_shift,
)
from wellfit.diagnosis.mismatch.domain_classifier import domain_shift
from wellfit.diagnosis.rows import OpenRows, Rows
from wellfit.records.goals import goal_named


def rows_of(values: np.ndarray, *, target: np.ndarray | None = None, classes: int = 2, **more: np.ndarray) -> Rows:
    columns = tuple(Feature(f"x{place}", "number") for place in range(values.shape[1]))
    labels = np.zeros(len(values), np.int64) if target is None else target
    return Rows(features=Features(columns, values.astype(float)), target=labels, classes=classes, **more)


def normal(rows: int, *, shift: float = 0.0, columns: int = 1, seed: int = 0) -> Rows:
    rng = np.random.default_rng(seed)
    values = rng.normal(size=(rows, columns))
    values[:, 0] += shift
    return rows_of(values, target=rng.integers(0, 2, rows))


def shifts(train: Rows, dev: Rows) -> list[Finding]:
    facts = Facts(
        goal=goal_named("error"), tolerance=0.02, rows=OpenRows(train=train, dev=dev, goal=goal_named("error"))
    )
    return [CHECKS[code](facts) for code in ("WF302", "WF303", "WF304", "WF305")]


@pytest.mark.parametrize("apart", [0.25, 0.5, 1.0])
def test_two_normals_apart_have_the_total_variation_of_the_books(apart):
    """TV = 2 Phi(d/2) - 1 (docs/methods.md, "Mismatch": .0995, .1974, .3829), reached by the set x > d/2."""
    known = 2 * stats.norm.cdf(apart / 2) - 1
    assert known == pytest.approx({0.25: 0.0995, 0.5: 0.1974, 1.0: 0.3829}[apart], abs=5e-5)
    dev, train = (normal(40_000, shift=shift, seed=seed).features.values[:, 0] for shift, seed in ((apart, 1), (0, 2)))
    counts = [(int((side > apart / 2).sum()), len(side)) for side in (dev, train)]
    bound = bound_from_counts(counts[0], counts[1])
    error = np.sqrt(2 * 0.25 / 40_000)
    assert bound.value == pytest.approx(known, abs=4 * error)
    assert bound.low == pytest.approx(bound.value - 1.645 * error, rel=0.05)


def test_a_lower_limit_is_wrong_in_at_most_five_percent():
    """The null of the bound itself: both sides put 30 % of their rows into the set."""
    rng = np.random.default_rng(0)
    runs, above = 2_000, 0
    for _ in range(runs):
        counts = [(int(rng.binomial(n, 0.3)), n) for n in (150, 400)]
        above += bound_from_counts(counts[0], counts[1]).low > 0
    assert above / runs <= 0.05 + 4 * np.sqrt(0.05 * 0.95 / runs)


def test_the_ks_distance_is_scipys():
    rng = np.random.default_rng(0)
    first, second = rng.normal(size=300), rng.normal(0.3, 1.2, size=500).round(1)
    assert ks_distance(first, second) == pytest.approx(stats.ks_2samp(first, second).statistic)


def test_the_dkw_band_is_that_of_methods():
    """D - sqrt(ln(2/a')/2) (1/sqrt n + 1/sqrt m) with a' = alpha/2."""
    bound = dkw_bound(0.3, (400, 900), alpha=0.05)
    assert bound.low == pytest.approx(0.3 - np.sqrt(np.log(80) / 2) * (1 / 20 + 1 / 30))


def test_a_million_rows_and_a_tiny_shift_are_no_alarm():
    """n = 10^6, d = .02: Kolmogorov-Smirnov says p = 7e-27, the total variation is .008."""
    train, dev = normal(1_000_000, seed=1), normal(1_000_000, shift=0.02, seed=2)
    found = stats.ks_2samp(train.features.values[:, 0], dev.features.values[:, 0], method="asymp")
    assert found.pvalue < 1e-15
    assert [each.status for each in shifts(train, dev)[:3]] == ["passed"] * 3


def test_half_a_standard_deviation_is_an_alarm_that_names_the_column():
    """n = 10^4, d = .5: TV .197."""
    train, dev = normal(10_000, columns=3, seed=1), normal(10_000, shift=0.5, columns=3, seed=2)
    shift = domain_shift(train, dev)
    on_inputs, on_columns = shifts(train, dev)[:2]
    assert on_inputs.status == "fired"
    assert 0.10 < shift.bound.low < 0.1974
    assert shift.importance[0][0] == "x0"
    columns = column_shifts(train, dev)
    assert [each.column for each in columns.judged("yes")] == ["x0"]
    assert "x0: dev is higher by 0.5" in on_columns.evidence


@pytest.mark.parametrize("rows", [100, 1_000])
def test_equal_distributions_are_silent(rows):
    runs, alarms = 20, np.zeros(3)
    for seed in range(runs):
        findings = shifts(normal(3 * rows, columns=4, seed=2 * seed), normal(rows, columns=4, seed=2 * seed + 1))
        alarms += [each.status == "fired" for each in findings[:3]]
    assert alarms.max() <= stats.binom.ppf(1 - 0.001, runs, 0.05)


def test_few_rows_cannot_tell_and_say_how_many_would():
    findings = shifts(normal(200, seed=1), normal(100, shift=0.4, seed=2))
    assert findings[0].status == findings[1].status == "not applicable"
    assert "on each side would decide" in findings[0].evidence or "on each side would decide" in findings[1].evidence
    fewer = shifts(normal(20, seed=1), normal(20, seed=2))
    assert all("at least" in each.evidence or "needs" in each.evidence for each in fewer)


def test_classes_that_became_frequent_are_named():
    rng = np.random.default_rng(0)
    sides = [
        rows_of(rng.normal(size=(4_000, 1)), target=rng.choice(3, 4_000, p=shares), classes=3)
        for shares in ((0.6, 0.3, 0.1), (0.3, 0.3, 0.4))
    ]
    found = label_shift(*sides, levels=("cat", "dog", "fish"))
    assert shifts(*sides)[2].status == "fired"
    assert found.bound.value == pytest.approx(0.3, abs=0.05)
    assert "'cat'" in found.how or "'fish'" in found.how
