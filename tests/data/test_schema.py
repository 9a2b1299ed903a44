"""Types, roles, tasks and classes, and a message for each target that cannot be one."""

from __future__ import annotations

import datetime

import numpy as np
import pyarrow as pa
import pytest

from wellfit.data.schema import Schema, infer_schema, labelled_rows, target_values
from wellfit.exceptions import BadInput

N = 60
HALF = [0, 1] * (N // 2)
DAYS = [datetime.date(2020, 1, 1) + datetime.timedelta(days=i) for i in range(N)]
RNG = np.random.default_rng(0)


def table(**columns):
    return pa.table({"y": HALF, "x": RNG.normal(size=N), **columns})


def column(schema, name):
    return next(column for column in schema.columns if column.name == name)


KINDS = {
    "float": (RNG.normal(size=N), "number"),
    "integer": (RNG.integers(0, 9, N), "number"),
    "text": (["a", "b"] * (N // 2), "category"),
    "boolean": ([True, False] * (N // 2), "boolean"),
    "date": (DAYS, "date"),
    "time-stamp": (pa.array(DAYS).cast(pa.timestamp("ns", "UTC")), "date"),
    "time-of-day": ([datetime.time(i % 24) for i in range(N)], "number"),
}


@pytest.mark.parametrize(("values", "kind"), KINDS.values(), ids=KINDS)
def test_kinds(values, kind):
    found = column(infer_schema(table(z=values), target="y"), "z")
    assert (found.kind, found.role) == (kind, "feature")


DROPPED = {
    "constant-number": ([3.0] * N, "constant"),
    "constant-text": (["a"] * N, "constant"),
    "constant-date": ([DAYS[0]] * N, "constant"),
    "one-rounding-step": (pa.array(np.float32([0.1, np.nextafter(np.float32(0.1), 1)] * 30)), "rounding"),
    "all-missing": (pa.nulls(N, pa.float64()), "all missing"),
    "all-nan": ([float("nan")] * N, "all missing"),
    "unique-text": ([f"name {i}" for i in range(N)], "id-like"),
    "codes-as-text": ([f"{i:05d}" for i in range(N)], "id-like"),
    "measurements-spoilt-by-a-word": (["tall", *map(str, np.arange(1, N) / 7)], "but 'tall' is among them"),
    "row-numbers": (RNG.permutation(N) + 17, "id-like"),
}


@pytest.mark.parametrize(("values", "note"), DROPPED.values(), ids=DROPPED)
def test_useless_columns_are_dropped_with_the_reason(values, note):
    found = column(infer_schema(table(z=values), target="y"), "z")
    assert found.role == "dropped"
    assert note in found.note


KEPT = {
    "measurements-as-text": [f"{i / 7:.3f}" for i in range(N)],
    "unique-floats": np.arange(N) / 2,
    "consecutive-whole-floats": np.arange(N, dtype=float),
    "unique-integers-with-gaps": np.arange(N) * 7,
    "one-value-and-missing": pa.array([1.0, None] * (N // 2)),
    "tiny-spread-in-double-precision": 1e9 + np.arange(N) / 1000,
}


@pytest.mark.parametrize("values", KEPT.values(), ids=KEPT)
def test_measurements_are_not_ids(values):
    assert column(infer_schema(table(z=values), target="y"), "z").role == "feature"


TASKS = {
    "text": (["b", "a"] * 30, "classification", ("a", "b"), "string"),
    "boolean": ([True, False] * 30, "classification", ("false", "true"), "boolean"),
    "integers": ([10, 9, 2] * 20, "classification", ("2", "9", "10"), "integer"),
    "twenty-integers": (list(range(20)) * 3, "classification", tuple(map(str, range(20))), "integer"),
    "twenty-one-integers": ([*range(21)] * 2 + [0] * 18, "regression", (), ""),
    "floats": ([0.25, 1.5, 2.75] * 20, "regression", (), ""),
    "two-whole-floats": ([0.0, 1.0] * 30, "classification", ("0", "1"), "integer"),
    "whole-floats": ([3.0, 1.0, 2.0] * 20, "classification", ("1", "2", "3"), "integer"),
    "two-fractions": ([-0.5, 0.5] * 30, "classification", ("-0.5", "0.5"), "string"),
    "many-whole-floats": ([float(i) for i in range(60)], "regression", (), ""),
    "integers-with-gaps-as-pandas-keeps-them": ([0.0, 1.0, None] * 20, "classification", ("0", "1"), "integer"),
    "negative": ([-1, 1] * 30, "classification", ("-1", "1"), "integer"),
}


@pytest.mark.parametrize(("target", "task", "classes", "kind"), TASKS.values(), ids=TASKS)
def test_task_is_inferred(target, task, classes, kind):
    schema = infer_schema(pa.table({"x": RNG.normal(size=N), "y": target}), target="y")
    assert (schema.task, schema.classes, schema.class_kind) == (task, classes, kind)


def test_hundreds_of_classes():
    names = [f"class {i:03d}" for i in range(300)] * 4
    data = pa.table({"x": RNG.normal(size=1200), "y": names})
    schema = infer_schema(data, target="y")
    assert len(schema.classes) == 300
    assert [schema.classes[code] for code in target_values(data, schema)] == names


def test_task_and_types_can_be_given():
    data = table(code=[1, 2, 3] * 20, when=DAYS, text=["1.5", "2"] * 30)
    schema = infer_schema(
        data, target="y", task="regression", types={"code": "category", "when": "date", "text": "number"}
    )
    assert schema.task == "regression"
    assert [column(schema, name).kind for name in ("code", "when", "text")] == ["category", "date", "number"]


ASKED = {
    "category": ([*range(30)] * 2, "category", "classification"),
    "category-of-fractions": ([0.5, 1.5, 2.5] * 20, "category", "classification"),
    "number-of-few-values": ([1, 2, 3] * 20, "number", "regression"),
    "number-of-two-values": ([0.0, 1.0] * 30, "number", "regression"),
    "boolean": ([True, False] * 30, "boolean", "classification"),
}


@pytest.mark.parametrize(("target", "kind", "task"), ASKED.values(), ids=ASKED)
def test_the_type_of_the_target_decides_the_task(target, kind, task):
    data = pa.table({"x": RNG.normal(size=N), "y": target})
    assert infer_schema(data, target="y", types={"y": kind}).task == task
    other = "regression" if task == "classification" else "classification"
    with pytest.raises(BadInput, match=f"--types y={kind} .* --task {other}"):
        infer_schema(data, target="y", types={"y": kind}, task=other)


SPELLINGS = {
    "case": ("Zürich", "zürich"),
    "blanks": ("New York", "New  York"),
    "composed": ("Z\u00fcrich", "Zu\u0308rich"),
    "invisible": ("Bern", "Be\u00adrn"),
    "wide": ("ABC", "\uff21\uff22\uff23"),
}


@pytest.mark.parametrize(("one", "other"), SPELLINGS.values(), ids=SPELLINGS)
def test_two_spellings_of_a_class_are_asked_about(one, other):
    data = pa.table({"x": RNG.normal(size=N), "y": [*[one] * 30, *[other] * 20, *["Basel"] * 10]})
    with pytest.raises(BadInput, match="--spellings merge") as caught:
        infer_schema(data, target="y")
    shown = str(caught.value).split("found ")[1].split(" (30)")
    assert shown[0] not in shown[1]
    assert infer_schema(data, target="y", spellings="merge").counts == {"Basel": 10, one: 50}
    assert len(infer_schema(data, target="y", spellings="keep").classes) == 3


def test_roles_and_drop_leave_the_features():
    data = table(who=["a", "b"] * 30, when=DAYS, part=["train"] * N, other=HALF)
    schema = infer_schema(data, target="y", group_on="who", time_on="when", split_on="part", drop=["other"])
    assert schema.feature_names == ("x",)
    assert [c.role for c in schema.columns] == ["target", "feature", "group", "time", "split", "dropped"]
    assert column(schema, "other").note == "asked"


def test_json_round_trip():
    schema = infer_schema(table(z=["a", "b"] * 30), target="y")
    assert Schema.from_json(schema.to_json()) == schema


def test_rows_without_target_are_left_out():
    data = pa.table({"x": RNG.normal(size=N), "y": [None, *["a", "b"] * 29, None]})
    assert labelled_rows(data, infer_schema(data, target="y")).num_rows == N - 2


BAD = {
    "wrong-name": (table(), {"target": "z"}, "no column 'z'"),
    "near-name": (table(churned=HALF), {"target": "Churned"}, "Did you mean 'churned'?"),
    "all-missing": (table(z=pa.nulls(N)), {"target": "z"}, "empty in all 60 rows"),
    "one-class": (table(z=["a"] * N), {"target": "z"}, "only 'a'"),
    "dates": (table(z=DAYS), {"target": "z"}, "dates in column 'z'"),
    "text-as-number": (table(z=["a", "b"] * 30), {"target": "z", "task": "regression"}, "'a' in row 1"),
    "infinite-feature": (table(z=[1.0, np.inf] * 30), {"target": "y"}, "column 'z', row 2"),
    "infinite-target": (table(z=[1.0, 2.0, -np.inf] * 20), {"target": "z"}, "column 'z', row 3"),
    "infinite-after-unlabelled": (
        table(z=[None, *["a", "b"] * 29, "a"], v=[*[1.0, 2.0] * 29, 1.0, np.inf]),
        {"target": "z"},
        "row 60",
    ),
    "few-rows": (table().slice(0, 29), {"target": "y"}, "29 rows"),
    "few-labelled-rows": (table(z=["a", "b", None] * 20).slice(0, 40), {"target": "z"}, "27 rows"),
    "no-feature": (pa.table({"y": HALF}), {"target": "y"}, "found only the target"),
    "only-ids": (pa.table({"y": HALF, "id": range(N)}), {"target": "y"}, "id-like"),
    "group": (table(), {"target": "y", "group_on": "g"}, "no column 'g'"),
    "time": (table(), {"target": "y", "time_on": "t"}, "no column 't'"),
    "drop": (table(), {"target": "y", "drop": ["q"]}, "no column 'q'"),
    "type-column": (table(), {"target": "y", "types": {"q": "date"}}, "no column 'q'"),
    "type": (table(), {"target": "y", "types": {"x": "float"}}, "x = 'float'"),
    "two-roles": (table(), {"target": "y", "group_on": "y"}, "is already the target column"),
}


@pytest.mark.parametrize(("data", "arguments", "words"), BAD.values(), ids=BAD)
def test_bad_requests_get_one_message(data, arguments, words):
    with pytest.raises(BadInput) as caught:
        infer_schema(data, **arguments)
    assert words in str(caught.value)


def test_dropped_columns_may_be_infinite():
    assert infer_schema(table(z=[1.0, np.inf] * 30), target="y", drop=["z"]).feature_names == ("x",)
