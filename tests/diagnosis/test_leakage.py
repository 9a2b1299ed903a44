"""Leaks that were planted are found, each by its own method; where nothing was planted nothing fires."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from scipy import stats

from wellfit.data.features import Feature, Features
from wellfit.diagnosis.checks import CHECKS
from wellfit.diagnosis.facts import Facts
from wellfit.diagnosis.findings import Finding
from wellfit.diagnosis.leakage.groups import hidden_error
from wellfit.diagnosis.rows import OpenRows, Rows
from wellfit.exceptions import BadInput
from wellfit.records.goals import Goal, goal_named

ERROR = goal_named("error")
CODES = ("WF203", "WF205", "WF206", "WF207", "WF208")


def rows_of(values: np.ndarray, target: np.ndarray, **more) -> Rows:
    columns = tuple(Feature(f"x{place}", "number") for place in range(values.shape[1]))
    classes = 2 if target.dtype.kind == "i" else 0
    return Rows(features=Features(columns, np.asarray(values, float)), target=target, classes=classes, **more)


def clean(rows: int, *, seed: int = 0, columns: int = 4, **more) -> Rows:
    rng = np.random.default_rng(seed)
    values = rng.normal(size=(rows, columns))
    return rows_of(values, (values[:, 0] + rng.normal(size=rows) > 0).astype(np.int64), **more)


def leaks(train: Rows, dev: Rows, *, goal: Goal = ERROR) -> dict[str, Finding]:
    facts = Facts(goal=goal, rows=OpenRows(train=train, dev=dev, goal=goal))
    return {code: CHECKS[code](facts) for code in CODES}


def statuses(train: Rows, dev: Rows) -> dict[str, str]:
    return {code: found.status for code, found in leaks(train, dev).items()}


def test_copies_are_counted_and_told_with_the_error_without_them():
    train, dev = clean(1_000, seed=1), clean(400, seed=2)
    values, losses = dev.features.values.copy(), np.full(400, 0.0)
    values[:40] = train.features.values[:40]
    losses[40:130] = 1.0
    copied = rows_of(values, dev.target, losses=losses)
    found = leaks(train, copied)
    assert found["WF203"].status == "fired"
    assert "40 of 400 rows of dev" in found["WF203"].evidence
    # 90 of 400 rows are wrong, and 90 of the 360 that are no copies.
    assert "The error with them is 22.5%, and without them 25.0%" in found["WF203"].evidence


def numbered(rows: Rows, first: int) -> Rows:
    """Put a column of whole numbers before the others that are all different, and not in a row."""
    own = np.random.default_rng(first).permutation(np.arange(first, first + 7 * rows.rows, 7))
    columns = (Feature("id", "number"), *rows.features.columns)
    return replace(rows, features=Features(columns, np.column_stack([own, rows.features.values])))


def test_copies_are_found_behind_a_column_that_numbers_the_rows():
    """As `copies_with_id.csv` of the cases."""
    train, dev = clean(1_000, seed=1), clean(400, seed=2)
    values = dev.features.values.copy()
    values[:40] = train.features.values[:40]
    copied = rows_of(values, dev.target)
    found = leaks(numbered(train, 10), numbered(copied, 10_000))["WF203"]
    assert found.status == "fired"
    assert "copies of training rows except for id (different in every row): 40 of 400 rows of dev" in found.evidence
    assert statuses(numbered(train, 10), numbered(dev, 10_000))["WF203"] == "passed"


def test_equal_rows_of_few_values_are_no_copies_without_their_numbers():
    coarse = [
        rows_of(np.round(clean(rows, seed=rows).features.values[:, :2]), np.arange(rows) % 2) for rows in (900, 300)
    ]
    assert statuses(numbered(coarse[0], 10), numbered(coarse[1], 10_000))["WF203"] == "passed"


def several_times(values, times):
    """All rows several times, shuffled, and divided into train and dev."""
    rng = np.random.default_rng(0)
    rows = rng.permutation(np.repeat(np.arange(len(values)), times))
    target = rng.integers(0, 2, len(values))
    middle = int(0.7 * len(rows))
    return [rows_of(values[part], target[part]) for part in (rows[:middle], rows[middle:])]


RNG = np.random.default_rng(0)
HOURS = RNG.integers(0, 24, 1_000)
REPEATED = {
    "measurements-twice": (RNG.normal(size=(500, 4)), 2, "fired"),
    "measurements-three-times": (RNG.normal(size=(500, 4)), 3, "fired"),
    "rounded-twice": (RNG.normal(size=(500, 6)).round(1), 2, "fired"),
    "ten-grades-twice": (RNG.integers(0, 10, (500, 9)), 2, "fired"),
    "one-rounded-column-and-a-constant": (
        np.column_stack([RNG.normal(size=1_000).round(3), np.full(1_000, 5.0)]),
        1,
        "not applicable",
    ),
    "few-values": (RNG.integers(0, 4, (1_000, 3)), 1, "not applicable"),
    "few-values-twice": (RNG.integers(0, 4, (500, 3)), 2, "not applicable"),
    "hours-and-their-sines": (
        np.column_stack([HOURS, np.sin(HOURS * np.pi / 12), np.cos(HOURS * np.pi / 12), np.sin(HOURS * np.pi / 6)]),
        1,
        "not applicable",
    ),
}


@pytest.mark.parametrize(("values", "times", "status"), REPEATED.values(), ids=REPEATED)
def test_a_table_of_copies_is_told_from_one_of_few_values(values, times, status):
    assert statuses(*several_times(np.asarray(values, dtype=float), times))["WF203"] == status


def test_copies_with_a_little_noise_are_near_copies():
    train, dev = clean(2_000, seed=1), clean(1_000, seed=2)
    values = dev.features.values.copy()
    values[:60] = train.features.values[:60] + 1e-6
    assert statuses(train, rows_of(values, dev.target))["WF205"] == "fired"


@pytest.mark.parametrize("noise", [0.0, 0.05], ids=["the target itself", "with noise"])
def test_a_column_that_tells_the_class_is_named(noise):
    rng = np.random.default_rng(0)
    train = clean(500, seed=1)
    values = train.features.values.copy()
    values[:, 2] = train.target + noise * rng.normal(size=500)
    found = leaks(rows_of(values, train.target), clean(200))
    assert found["WF206"].status == "fired"
    assert "x2" in found["WF206"].evidence


def test_columns_whose_sum_is_the_target_are_named():
    """As casual + registered = cnt in the bike-sharing table."""
    rng = np.random.default_rng(0)
    values = rng.gamma(2.0, 50.0, size=(600, 5))
    target = values[:, 1] + values[:, 3]
    found = leaks(rows_of(values, target), rows_of(values[:200], target[:200]), goal=goal_named("rmse"))
    assert found["WF206"].status == "fired"
    assert "x1" in found["WF206"].evidence
    assert "x3" in found["WF206"].evidence


def test_groups_on_both_sides_and_times_that_overlap_fire():
    train = clean(500, seed=1, groups=np.arange(500) // 5, times=np.arange(500.0))
    dev = clean(100, seed=2, groups=np.arange(100) // 5 + 90, times=np.arange(450.0, 550.0))
    found = statuses(train, dev)
    assert (found["WF207"], found["WF208"]) == ("fired", "fired")
    later = clean(100, seed=2, groups=np.arange(100) // 5 + 900, times=np.arange(600.0, 700.0))
    found = statuses(train, later)
    assert (found["WF207"], found["WF208"]) == ("passed", "passed")


def persons(groups: range, rows: int, *, apart: float, kind: str = "category") -> Rows:
    """Rows of persons that stand together, with four columns and the target of their person, and one of their own."""
    rng = np.random.default_rng(groups.start)
    codes = np.repeat(np.array(groups), rows)
    centres = apart * np.random.default_rng(5).normal(size=(200, 4))
    values = np.column_stack([codes, centres[codes] + rng.normal(size=(len(codes), 4)), rng.normal(size=len(codes))])
    levels = tuple(f"P{code:03}" for code in range(200)) if kind == "category" else ()
    columns = (Feature("person", kind, levels), *(Feature(f"c{place}", "number") for place in range(5)))
    target = np.random.default_rng(6).integers(0, 2, 200)[codes]
    return Rows(features=Features(columns, values), target=target, classes=2)


@pytest.mark.parametrize("kind", ["category", "number"])
def test_a_column_that_marks_groups_is_named_before_it_is_dropped(kind):
    """As `persons.csv` of the cases: the column gives the target away, because persons are in train and in dev."""
    train, dev = (persons(range(60), rows, apart=3.0, kind=kind) for rows in (18, 6))
    found = leaks(train, dev)
    assert found["WF207"].status == "fired"
    assert "person marks groups: 60 of about 18 adjacent and similar training rows" in found["WF207"].evidence
    assert "60 of the 60 groups in dev are in train too. Split with --group-on person." in found["WF207"].evidence
    assert found["WF206"].status == "not applicable"
    apart = persons(range(60, 80), 6, apart=3.0, kind=kind)
    assert leaks(train, apart)["WF207"].status == "passed"


def test_a_column_that_only_sorts_the_rows_marks_no_groups():
    fired = 0
    for seed in range(50):
        train, dev = (persons(range(seed, seed + 40), rows, apart=0.0) for rows in (20, 5))
        fired += leaks(train, dev)["WF207"].status != "not applicable"
    assert fired == 0
    shuffled = persons(range(60), 18, apart=3.0).take(np.random.default_rng(0).permutation(60 * 18))
    assert leaks(shuffled, persons(range(60), 6, apart=3.0))["WF207"].status == "not applicable"


def test_groups_that_are_all_single_rows_are_not_applicable():
    train, dev = clean(50, groups=np.arange(50)), clean(20, seed=1, groups=np.arange(50, 70))
    assert statuses(train, dev)["WF207"] == "not applicable"


def test_what_groups_hide_is_what_was_planted():
    """The score is .1 lower on a group that was trained on, whatever else."""
    groups = np.repeat(np.arange(40), 10)

    def score(train: np.ndarray, held: np.ndarray, seed: int) -> float:
        known = np.isin(groups[held], groups[train]).mean()
        return 0.3 - 0.1 * known + 0.01 * np.random.default_rng(seed).normal()

    found = hidden_error(groups, score, seed=0)
    assert found.low <= 0.1 <= found.high
    assert found.low > 0.05
    with pytest.raises(BadInput, match="10 groups"):
        hidden_error(np.repeat([0, 1], 50), score)


@pytest.mark.parametrize("rows", [100, 1_000])
def test_nothing_planted_is_silent(rows):
    runs, alarms = 30, dict.fromkeys(CODES, 0)
    for seed in range(runs):
        groups = np.arange(rows) // 4
        train = clean(3 * rows, seed=2 * seed, groups=np.arange(3 * rows) // 4 + rows)
        dev = clean(rows, seed=2 * seed + 1, groups=groups)
        for code, status in statuses(train, dev).items():
            alarms[code] += status == "fired"
    assert max(alarms.values()) <= stats.binom.ppf(1 - 0.001, runs, 0.05), alarms


def test_few_rows_are_no_verdict():
    found = statuses(clean(12, seed=1), clean(8, seed=2))
    assert (found["WF205"], found["WF206"]) == ("not applicable", "not applicable")
