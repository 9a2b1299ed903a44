"""Regions: the known map is found and read, noise is silent, rules hold the rows that they say."""

from __future__ import annotations

import numpy as np
import pytest
from scipy import stats

from wellfit.data.features import Feature, Features
from wellfit.diagnosis.checks import CHECKS
from wellfit.diagnosis.facts import Facts
from wellfit.diagnosis.findings import Finding
from wellfit.diagnosis.regions import Encoding, find_regions, rules_of
from wellfit.diagnosis.rows import NetworkOnRows, OpenRows, Rows
from wellfit.records.goals import goal_named

RMSE = goal_named("rmse")
REGIONS = ("east", "north", "south", "west")


def rows_of(values: np.ndarray, losses: np.ndarray) -> Rows:
    columns = (Feature("age", "number"), Feature("region", "category", REGIONS), Feature("noise", "number"))
    return Rows(features=Features(columns, values), target=np.zeros(len(values)), classes=0, losses=losses)


def inputs(rows: int, seed: int) -> np.ndarray:
    rng = np.random.default_rng(seed)
    age, region, noise = rng.uniform(0, 100, rows), rng.integers(0, 4, rows).astype(float), rng.normal(size=rows)
    return np.column_stack([age, region, noise])


def known_map(rows: int, *, seed: int) -> tuple[Rows, Rows, Rows]:
    """Age < 30: a constant where the target varies by 1 (bias 1, variance 0). Region north: memorized noise.

    Train, dev, and dev with the losses of a model that knows the function: noise .25 everywhere.
    """
    parts = []
    for place, (under, over) in enumerate(((1.0, -0.2), (1.0, 0.4), (0.0, 0.0))):
        values = inputs(rows, 10 * seed + (1 if place else 0))
        mean = 0.25 + under * (values[:, 0] < 30) + over * (values[:, 1] == 1) * (values[:, 0] >= 30)
        draws = np.random.default_rng(seed + 100 * place + 7).chisquare(1, rows)
        parts.append(rows_of(values, mean * draws))
    return parts[0], parts[1], parts[2]


def regions(train: Rows, dev: Rows, rival: Rows | None = None) -> list[Finding]:
    network = NetworkOnRows(
        losses={"train": train.losses, "dev": dev.losses},
        predictions=dev.target,
        rival=None if rival is None else rival.losses,
    )
    facts = Facts(goal=RMSE, tolerance=0.1, rows=OpenRows(train=train, dev=dev, goal=RMSE), network=network)
    return [CHECKS[code](facts) for code in ("WF108", "WF109")]


def test_one_region_under_fits_and_another_over_fits():
    train, dev, rival = known_map(8_000, seed=1)
    under, over = regions(train, dev, rival)
    assert (under.status, over.status) == ("fired", "fired")
    assert "age <=" in under.evidence
    assert "region = north" in over.evidence
    found = find_regions(dev, train, tolerance=0.1)
    best = max((region for region in found if region.certain), key=lambda region: region.excess.low)
    assert best.excess.low <= 0.6 <= best.excess.high
    assert best.share == pytest.approx(0.7 * 0.25, abs=0.05)
    assert best.part > 0.6


@pytest.mark.parametrize("rows", [400, 3_000])
@pytest.mark.parametrize("kind", ["squared", "0-1"])
def test_noise_is_silent(rows, kind):
    """The same rows searched and tested would find something nearly always (docs/methods.md, "Regions": 60 of 60)."""
    fired = 0
    for seed in range(60):
        rng = np.random.default_rng(seed)
        losses = [rng.chisquare(1, rows) if kind == "squared" else (rng.random(rows) < 0.1) * 1.0 for _ in range(2)]
        train, dev = (rows_of(inputs(rows, 2 * seed + place), each) for place, each in enumerate(losses))
        found = find_regions(dev, train, tolerance=0.0, seed=seed)
        fired += any(region.certain for region in found)
    assert fired <= stats.binom.ppf(1 - 0.001, 60, 0.05)


def test_differences_of_the_same_rows_need_no_second_side():
    values = inputs(4_000, 3)
    losses = 0.3 * (values[:, 1] == 2) + 0.05 * np.random.default_rng(0).normal(size=4_000)
    (region, *_) = find_regions(rows_of(values, losses), None, tolerance=0.05)
    assert region.certain
    assert region.rule == "region = south"
    assert region.excess.low <= 0.3 <= region.excess.high


def test_a_rule_holds_exactly_the_rows_of_its_leaf():
    from sklearn.tree import DecisionTreeRegressor

    values = inputs(1_000, 0)
    values[::17, 0], values[::13, 1] = np.nan, np.nan
    signal = np.random.default_rng(0).normal(size=1_000) + (values[:, 1] == 3) + (values[:, 0] > 60)
    encoding = Encoding.of(
        (Feature("a", "number"), Feature("b", "category", REGIONS), Feature("c", "number")), values, signal
    )
    coded = encoding.encoded(values)
    assert np.isfinite(coded).all()
    tree = DecisionTreeRegressor(max_depth=3, min_samples_leaf=20, random_state=0).fit(coded, signal)
    held = np.stack([rule.holds(coded) for rule in rules_of(tree)])
    assert (held.sum(axis=0) == 1).all()
    leaves = tree.apply(coded)
    assert sorted(mask.sum() for mask in held) == sorted(np.unique(leaves, return_counts=True)[1])


def test_few_rows_are_no_verdict():
    train, dev, _ = known_map(150, seed=1)
    findings = regions(train, dev)
    assert [each.status for each in findings] == ["not applicable"] * 2
    assert "200 rows" in findings[1].evidence


def test_where_the_gap_is_only_less_negative_nothing_is_at_fault():
    """A reference model that is poor on one half of the rows says nothing against the other half."""
    values = inputs(4_000, 5)
    noise = np.random.default_rng(1).chisquare(1, (2, 4_000))
    best = rows_of(values, 0.25 * noise[0])
    rival = rows_of(inputs(4_000, 6), noise[1] * (0.25 + 2.0 * (inputs(4_000, 6)[:, 0] > 50)))
    found = find_regions(best, rival, tolerance=0.02)
    assert any(region.excess.low > 0.02 for region in found)
    assert not any(region.certain for region in found)
