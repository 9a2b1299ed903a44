"""Rows that were opened are known again after the table was worked on; new rows of the same kind are not."""

from __future__ import annotations

from itertools import product

import numpy as np
import pandas as pd
import pyarrow as pa
import pytest

from splits.reworked_tables import HARD, REAL, TABLES, WAYS
from wellfit.data.cell_codes import codes_of, is_numbering, pieces_of
from wellfit.data.hashing import row_hashes
from wellfit.data.read import read_table
from wellfit.data.schema import infer_schema
from wellfit.opening import open_test
from wellfit.records.goals import goal_named
from wellfit.splits.known_rows import AskedRows, Fingerprint
from wellfit.splits.partition import SplitOptions
from wellfit.splits.registry import CERTIFIED_OVERLAP, Registry, record_opening, remember
from wellfit.splits.seal import break_seal
from wellfit.splits.split import split_table

CERTAIN = ("a column of noise", "a column less", "a column renamed", "a class renamed", "float32", "one cell unknown")


def split_of(frame, seed=0):
    table, target = read_table(frame), "label" if "label" in frame else "target"
    return split_table(table, schema=infer_schema(table.frame, target=target), options=SplitOptions(seed=seed))


def rows_of(split):
    return AskedRows.of(break_seal(split.seal), split.others, hashes=split.hashes)


def certified(split, registry):
    def guess(test):
        return np.full((test.num_rows, len(split.schema.classes)), 1 / len(split.schema.classes))

    return open_test(split, predict=guess, goal=goal_named("error"), registry=registry, again=True).certified


def reworked(frame, way, seed=5):
    return WAYS[way](frame.copy(), np.random.default_rng(seed))


def halves(name, seed):
    """Two tables of one source, of real rows two that share none."""
    rng = np.random.default_rng(seed)
    if name not in REAL:
        return TABLES[name](rng), TABLES[name](rng)
    whole = TABLES[name](rng, rows=10_000)
    middle = len(whole) // 2
    return whole[:middle].reset_index(drop=True), whole[middle:].reset_index(drop=True)


@pytest.fixture
def registry(tmp_path):
    return Registry(tmp_path / "home")


@pytest.mark.parametrize("way", [*CERTAIN, "numbers rounded to 2 decimals", "all features renamed, one added"])
def test_the_same_rows_are_certified_once_however_the_table_was_worked_on(way, registry):
    base = TABLES["customers"](np.random.default_rng(7))
    assert certified(split_of(base), registry)
    assert not certified(split_of(reworked(base, way), seed=1), registry)


def test_new_rows_of_the_same_kind_are_certified(registry):
    for name in ("customers", "survey"):
        first, second = halves(name, seed=7)
        assert certified(split_of(first), registry)
        assert certified(split_of(second), registry)


@pytest.mark.parametrize("source", HARD.values(), ids=HARD)
def test_new_rows_that_agree_in_much_are_new(source, registry):
    first, second = (source(np.random.default_rng(seed)) for seed in (1, 2))
    assert _share(first, second, registry) < CERTIFIED_OVERLAP


def _share(first, second, registry, seed=0):
    with registry.locked() as connection:
        record_opening(connection, rows_of(split_of(first)), seal="first", entry="first", at="", place="")
    with registry.locked() as connection:
        return remember(connection, rows_of(split_of(second, seed=seed)), seal="second").opened_share


def test_the_share_is_that_of_the_rows(registry):
    first, second = halves("sensors", seed=3)
    half = pd.concat([first[:600], second[:600]], ignore_index=True)
    found = _share(first, reworked(half, "a column of noise"), registry)
    # The same seed draws the same places: half of the test rows are those that were opened.
    assert found == pytest.approx(0.5, abs=0.1)


def test_a_small_registry_of_hashes(registry):
    rows = rows_of(split_of(TABLES["customers"](np.random.default_rng(7))))
    again = Fingerprint.from_bytes(rows.fingerprint.to_bytes())
    assert again.bands == rows.fingerprint.bands
    assert all(map(np.array_equal, again.keys, rows.fingerprint.keys))
    assert len(rows.fingerprint.to_bytes()) < 300_000
    assert rows.share_in(again) == 1.0


def test_a_registry_of_earlier_openings_still_knows_whole_rows(registry):
    base = TABLES["customers"](np.random.default_rng(7))
    assert certified(split_of(base), registry)
    with registry.locked() as connection:
        connection.execute("DROP TABLE fingerprint")
    assert not certified(split_of(base, seed=1), registry)


@pytest.mark.parametrize("columns", [{}, {"x": [1.0] * 40}], ids=["the target alone", "a constant"])
def test_a_table_without_two_telling_columns_is_known_as_a_whole(columns, registry):
    table = pa.table({**columns, "y": list(range(40))})
    rows = AskedRows.of(table, [], hashes={"test": row_hashes(table)})
    for _ in range(2):
        with registry.locked() as connection:
            memory = remember(connection, rows, seal="s")
            record_opening(connection, rows, seal="s", entry="e", at="", place="")
    assert memory.opened_share == 1.0


def test_rows_of_few_values_are_known_as_a_whole(registry):
    # Their single rows say nothing: 240 of 1,000 rows and 16 kinds.
    base = HARD["four columns of 0 and 1"](np.random.default_rng(1))
    assert _share(base, base.sample(frac=1, random_state=0), registry, seed=0) in (0.0, 1.0)
    assert _share(base, base, registry) == 1.0


CODES = {
    "value": {"float32": ([1.23456, 20.0, None], np.array([1.23456, 20, np.nan], np.float32)),
              "text": ([1.5, 2.0, 30.0], ["1.5", "2", "30.0"]),
              "a word among numbers": ([1.5, 2.5, 30.0, 4.0, None], ["1.5", "2.5", "30.0", "4", "unknown"]),
              "capitals": (["Yes", "no"], ["yes", " NO"])},
    "rank": {"another unit": ([1.0, 5.0, 2.0], [100.0, 500.0, 200.0]),
             "a logarithm": ([1.0, 5.0, 2.0], np.log([1.0, 5.0, 2.0])),
             "classes as numbers": (["b", "a", "c"], [1, 0, 2]),
             "yes and no": (["no", "yes"], [False, True])},
}  # fmt: skip


@pytest.mark.parametrize(("view", "case"), [(view, case) for view in CODES for case in CODES[view]])
def test_codes_stay(view, case):
    first, second = (codes_of(pa.chunked_array([pa.array(each, from_pandas=True)])) for each in CODES[view][case])
    np.testing.assert_array_equal(first[view], second[view])


NUMBERED = {
    "numbers": (range(5, 300), True),
    "every hour": (pd.date_range("2020-01-01", periods=50, freq="h"), True),
    "names": ([f"r{number}" for number in range(50)], True),
    "amounts": (np.random.default_rng(0).integers(0, 10**9, 300), False),
    "measurements": (np.random.default_rng(0).normal(size=300), False),
    "words": (["north", "south"], False),
}


@pytest.mark.parametrize(("values", "expected"), NUMBERED.values(), ids=NUMBERED)
def test_row_numbers_are_seen(values, expected):
    assert is_numbering(pa.chunked_array([pa.array(values)])) is expected


def test_a_picture_is_eight_columns():
    pixels = np.random.default_rng(0).integers(0, 255, (20, 48), dtype=np.uint8)
    table = pa.table({"picture": pa.array([row.tobytes() for row in pixels], pa.binary(48)), "label": ["a", "b"] * 10})
    names, columns = pieces_of(table)
    assert len(names) == len(columns) == 9
    renamed = table.set_column(1, "label", pa.array(["x", "y"] * 10))
    past = AskedRows.of(table, [], hashes={"test": row_hashes(table)}).fingerprint
    assert AskedRows.of(renamed, [], hashes={"test": row_hashes(renamed)}).share_in(past) == 0.0  # 20 rows are too few
    many = pa.concat_tables([table, _other_pictures()])
    past = AskedRows.of(many, [], hashes={"test": row_hashes(many)}).fingerprint
    changed = many.set_column(1, "label", pa.array(["x", "y"] * 60))
    assert AskedRows.of(changed, [], hashes={"test": row_hashes(changed)}).share_in(past) > 0.9


def _other_pictures():
    pixels = np.random.default_rng(1).integers(0, 255, (100, 48), dtype=np.uint8)
    return pa.table({"picture": pa.array([row.tobytes() for row in pixels], pa.binary(48)), "label": ["a", "b"] * 50})


@pytest.mark.proof
@pytest.mark.timeout(1_800)
@pytest.mark.parametrize("seed", [0, 1], ids=["same split", "another split"])
def test_thirty_ways_to_work_on_six_tables(seed):
    assert len(WAYS) == 30
    missed = []
    for name in TABLES:
        base = TABLES[name](np.random.default_rng(7))
        past = rows_of(split_of(base)).fingerprint
        for way in WAYS:
            now = rows_of(split_of(reworked(base, way), seed=seed))
            if now.share_in(past) < CERTIFIED_OVERLAP:
                missed.append((name, way))
    assert len(missed) <= 0.05 * len(TABLES) * len(WAYS), missed


@pytest.mark.proof
@pytest.mark.timeout(1_800)
def test_thirty_tables_of_new_rows_from_six_sources(tmp_path):
    shares = {}
    for name, number in product(TABLES, range(30)):
        first, second = halves(name, seed=100 + number)
        shares[name, number] = _share(first, second, Registry(tmp_path / f"{name}{number}"))
    found = [case for case, share in shares.items() if share >= CERTIFIED_OVERLAP]
    assert len(found) <= 1, found


@pytest.mark.proof
@pytest.mark.timeout(3_600)
def test_a_false_alarm_is_rarer_than_one_in_a_thousand(tmp_path):
    # 13 sources x 100 pairs: at a rate of 1 in 1,000 each, 6 or more have a probability of 0.2 %.
    found = []
    for (name, source), number in product(HARD.items(), range(100)):
        first, second = (source(np.random.default_rng(10_000 + 2 * number + each)) for each in (0, 1))
        if _share(first, second, Registry(tmp_path / f"{name} {number}")) >= CERTIFIED_OVERLAP:
            found.append((name, number))
    assert len(found) < 6, found


@pytest.mark.proof
def test_a_million_rows_of_fifty_columns():
    rng = np.random.default_rng(0)
    rows = 1_000_000
    columns = {f"c{place}": rng.normal(size=rows) if place % 2 else rng.integers(0, 9, rows) for place in range(50)}
    table = pa.table(columns)
    past = AskedRows.of(table, [], hashes={"test": row_hashes(table)}).fingerprint
    fewer = table.drop_columns(["c1"])
    now = AskedRows.of(fewer, [], hashes={"test": row_hashes(fewer)})
    assert len(past.to_bytes()) < 6_000_000
    assert now.share_in(past) == pytest.approx(1.0, abs=0.3)
