"""From a table and options to parts, by every way to split, and a message for each way that cannot be."""

from __future__ import annotations

import datetime

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import pytest

from wellfit.data.schema import infer_schema
from wellfit.exceptions import BadInput
from wellfit.splits.assign import three_counts
from wellfit.splits.partition import SplitOptions, partition

N = 1000
RNG = np.random.default_rng(0)
TABLE = pa.table(
    {
        "row": [f"r{i}" for i in range(N)],
        "x": RNG.normal(size=N),
        "who": [f"p{i}" for i in RNG.integers(0, 80, N)],
        "when": [datetime.date(2020, 1, 1) + datetime.timedelta(days=int(d)) for d in RNG.permutation(N)],
        "part": (["train"] * 5 + ["train_dev", "dev", "dev", "test", "test"]) * 100,
        "y": [*["rare"] * 40, *["yes", "no"] * 480],
    }
)


def parts(table=TABLE, *, target="y", **options):
    ways = {name: options[name] for name in ("group_on", "time_on", "split_on", "stratify_on") if name in options}
    return partition(table, infer_schema(table, target=target, **ways), SplitOptions(**options))


def rows_of(found):
    return {part: set(table.column("row").to_pylist()) for part, table in found.tables.items()}


def test_default_is_60_20_20_stratified():
    found = parts()
    assert found.rows == {"train": 600, "dev": 200, "test": 200}
    for table, expected in ((found.tables["train"], 24), (found.tables["dev"], 8), (found.tables["test"], 8)):
        assert abs(pc.sum(pc.equal(table.column("y"), "rare")).as_py() - expected) <= 1
    assert "stratified on 'y'" in found.policy
    assert set.union(*rows_of(found).values()) == set(TABLE.column("row").to_pylist())


def test_large_tables_follow_the_policy():
    large = pa.table({"x": RNG.normal(size=60_000), "y": [0, 1] * 30_000})
    assert parts(large).rows == {"train": 60_000 - 7847 - 9600, "dev": 7847, "test": 9600}  # "Split sizes"


def test_seed_decides():
    assert rows_of(parts(seed=3)) == rows_of(parts(seed=3))
    assert rows_of(parts(seed=3)) != rows_of(parts(seed=4))


def test_regression_is_stratified_on_tenths_of_the_target():
    table = pa.table({"x": RNG.normal(size=N), "y": np.sort(RNG.normal(size=N)) ** 3})
    tables = parts(table).tables
    medians = [np.median(table.column("y").to_numpy()) for table in tables.values()]
    assert np.ptp(medians) < 0.1


def test_group_and_time_columns_leave_the_features():
    grouped, timed = parts(group_on="who"), parts(time_on="when")
    people = [set(table.column("who").to_pylist()) for table in grouped.tables.values()]
    assert sum(map(len, people)) == len(set.union(*people))
    assert list(timed.rows) == ["train", "train_dev", "dev", "test"]
    bounds = {part: pc.min_max(table.column("when")).as_py() for part, table in timed.tables.items()}
    assert max(bounds["train"]["max"], bounds["train_dev"]["max"]) < bounds["dev"]["min"]
    assert bounds["dev"]["max"] < bounds["test"]["min"]
    assert infer_schema(TABLE, target="y", group_on="who").feature_names == ("x", "when", "part")
    assert infer_schema(TABLE, target="y", time_on="when").feature_names == ("x", "who", "part")


def test_split_on():
    assert parts(split_on="part").rows == {"train": 500, "train_dev": 100, "dev": 200, "test": 200}


def test_stratify_on_a_column():
    found = parts(stratify_on="part")
    shares = [pc.mean(pc.equal(t.column("part"), "dev").cast("int8")).as_py() for t in found.tables.values()]
    assert max(shares) - min(shares) < 0.02


def test_own_test_file_and_deployment_data():
    other = TABLE.set_column(0, "row", pa.array([f"d{i}" for i in range(N)])).slice(40, 100)
    with_test = parts(test_data=other)
    assert with_test.rows == {"train": 800, "dev": 200, "test": 100}
    assert all(name.startswith("d") for name in rows_of(with_test)["test"])
    deployed = parts(deployment_data=other)
    assert deployed.rows == {"train": 950, "train_dev": 50, "dev": 50, "test": 50}
    names = rows_of(deployed)
    assert all(name.startswith("d") for name in names["dev"] | names["test"])
    assert not names["dev"] & names["test"]
    assert all(name.startswith("r") for name in names["train"] | names["train_dev"])
    both = parts(deployment_data=other, test_data=other.slice(0, 30))
    assert both.rows == {"train": 900, "train_dev": 100, "dev": 100, "test": 30}


def test_rows_without_target_are_counted():
    target = pa.array([None if i % 10 == 0 else i % 2 for i in range(N)])
    found = parts(TABLE.set_column(5, "y", target))
    assert found.unlabelled == 100
    assert sum(found.rows.values()) == 900


SIZES = {
    "60/20/20": (600, 200, 200),
    "0.6/0.2/0.2": (600, 200, 200),
    "33.3/33.3/33.4": (333, 333, 334),
    "500/100/200": (500, 100, 200),
    " 80 / 10 / 10 ": (800, 100, 100),
}


@pytest.mark.parametrize(("sizes", "expected"), SIZES.items(), ids=SIZES)
def test_sizes(sizes, expected):
    assert three_counts(sizes, rows=N, task="classification")[:3] == expected


@pytest.mark.parametrize(
    "sizes", ["", "60/40", "60/20/20/0", "a/b/c", "100/0/0", "900/100/100", "1..2/3/4", "-1/50/51"]
)
def test_bad_sizes(sizes):
    with pytest.raises(BadInput):
        three_counts(sizes, rows=N, task="classification")


DAYS = TABLE.column("when").to_pylist()[1:]


def replaced(name, values):
    return TABLE.set_column(TABLE.column_names.index(name), name, pa.array(values))


BAD = {
    "rare-class": ({"table": replaced("y", ["one", "one", *["a", "b"] * 499])}, "2 of class 'one'"),
    "two-ways": ({"group_on": "who", "time_on": "when"}, "--group-on together with --time-on"),
    "column-and-sizes": ({"split_on": "part", "sizes": "60/20/20"}, "--split-on together with --sizes"),
    "missing-time": ({"table": replaced("when", [None, *DAYS]), "time_on": "when"}, "column 'when', row 1"),
    "test-lacks-column": ({"test_data": TABLE.drop_columns(["x"])}, "test_data must have the columns"),
    "test-has-other-class": ({"test_data": replaced("y", ["yes", "new"] * 500)}, "'new' in column 'y', row 2"),
    "test-shares-groups": ({"test_data": TABLE, "group_on": "who"}, "also in another file"),
    "test-without-targets": ({"test_data": replaced("y", pa.nulls(N, pa.string()))}, "test_data must have rows"),
    "one-class-in-train": (
        {
            "table": replaced("y", ["a" if part == "train" else "b" for part in TABLE.column("part").to_pylist()]),
            "split_on": "part",
        },
        "at least two classes",
    ),
}


@pytest.mark.parametrize(("options", "words"), BAD.values(), ids=BAD)
def test_bad_requests_get_one_message(options, words):
    with pytest.raises(BadInput) as caught:
        parts(**options)
    assert words in str(caught.value)


def test_the_rare_class_message_names_the_class_and_the_number_of_parts():
    table = replaced("y", ["one", "one", *["a", "b"] * 499])
    with pytest.raises(BadInput, match="each of the 3 parts; found 2 of class 'one'"):
        parts(table)
