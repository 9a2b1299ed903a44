"""A table of hours with seasons, split by time and at random: what counts time is told apart from what shifts."""

from __future__ import annotations

import numpy as np
import pytest

from wellfit.data.features import Feature, Features
from wellfit.diagnosis.checks import CHECKS
from wellfit.diagnosis.facts import Facts
from wellfit.diagnosis.findings import Finding
from wellfit.diagnosis.mismatch.columns import time_columns
from wellfit.diagnosis.rows import OpenRows, Rows
from wellfit.records.goals import goal_named

NAMES = ("year", "season", "hour", "temperature", "humidity")


def hours(*, rows: int = 8_000) -> np.ndarray:
    """Two years of hours, evenly thinned: the last fifth is autumn."""
    rng = np.random.default_rng(0)
    day = np.linspace(0, 2 * 365, rows, endpoint=False)
    season = (day % 365) // 91.25
    temperature = 15 - 12 * np.cos(2 * np.pi * (day % 365) / 365) + rng.normal(size=rows)
    return np.column_stack([day // 365, season, rng.integers(0, 24, rows), temperature, rng.normal(60, 15, rows)])


def part(values: np.ndarray) -> Rows:
    columns = (Feature(NAMES[0], "number"), Feature(NAMES[1], "category", ("0", "1", "2", "3")))
    columns += tuple(Feature(name, "number") for name in NAMES[2:])
    return Rows(features=Features(columns, values), target=(values[:, 3] > 15).astype(np.int64), classes=2)


def shifts(train: Rows, dev: Rows) -> list[Finding]:
    facts = Facts(
        goal=goal_named("error"), tolerance=0.02, rows=OpenRows(train=train, dev=dev, goal=goal_named("error"))
    )
    return [CHECKS[code](facts) for code in ("WF302", "WF303", "WF304", "WF305")]


def test_a_split_by_time_fires_and_names_the_columns_that_shift():
    values = hours()
    train, dev = part(values[:6_400]), part(values[6_400:])
    assert time_columns(train, dev) == ("year",)
    domain, columns, _, _ = shifts(train, dev)
    assert (domain.status, columns.status) == ("fired", "fired")
    assert "season" in columns.evidence
    assert "temperature" in columns.evidence
    assert "humidity" not in columns.evidence
    assert "merely count time" in columns.evidence
    assert "year" in columns.evidence


@pytest.mark.parametrize("seed", range(3))
def test_a_random_split_is_silent(seed):
    order = np.random.default_rng(seed).permutation(8_000)
    values = hours()
    train, dev = part(values[np.sort(order[:6_400])]), part(values[np.sort(order[6_400:])])
    assert "fired" not in [each.status for each in shifts(train, dev)]
