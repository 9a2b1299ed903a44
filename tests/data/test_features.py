"""Features in their own units: one place for a level in every part, missing values as NaN."""

from __future__ import annotations

import datetime as dt

import numpy as np
import pyarrow as pa
import pytest

from wellfit.data.columns import numbers_of
from wellfit.data.features import features_of
from wellfit.data.schema import infer_schema

DAYS = [dt.date(1970, 1, 1) + dt.timedelta(days=int(day)) for day in range(40)]
TABLE = pa.table(
    {
        "age": pa.array([None, *range(1, 40)], pa.float64()),
        "city": ["b", "a", None, "c"] * 10,
        "member": [True, False] * 20,
        "joined": DAYS,
        "y": ["yes", "no"] * 20,
    }
)


@pytest.fixture(scope="module")
def parts():
    schema = infer_schema(TABLE, target="y")
    return features_of({"train": TABLE.slice(4), "dev": TABLE.slice(0, 4)}, schema)


def test_numbers_and_dates_are_in_their_own_units(parts):
    dev = parts["dev"]
    assert dev.names == ("age", "city", "member", "joined")
    np.testing.assert_array_equal(dev.values[:, 0], [np.nan, 1, 2, 3])
    np.testing.assert_array_equal(dev.values[:, 3], [0, 1, 2, 3])


def test_a_level_has_the_same_place_in_every_part(parts):
    city = parts["dev"].columns[1]
    assert city.levels == ("a", "b", "c")
    np.testing.assert_array_equal(parts["dev"].values[:, 1], [1, 0, np.nan, 2])
    np.testing.assert_array_equal(parts["train"].values[:4, 1], [1, 0, np.nan, 2])


def test_rows_can_be_taken(parts):
    np.testing.assert_array_equal(parts["dev"].take(np.array([3, 1])).values[:, 0], [3, 1])


@pytest.mark.parametrize("unit", ["s", "ms", "us", "ns"])
def test_a_clock_time_is_the_same_number_in_every_unit(unit):
    kind = pa.time32(unit) if unit in {"s", "ms"} else pa.time64(unit)
    clock = pa.chunked_array([pa.array([dt.time(9, 30), None, dt.time(20, 28, 1)]).cast(kind)])
    np.testing.assert_allclose(numbers_of(clock, name="clock"), [34_200, np.nan, 73_681])
    lasted = pa.chunked_array([pa.array([dt.timedelta(minutes=90), None]).cast(pa.duration(unit))])
    np.testing.assert_allclose(numbers_of(lasted, name="lasted"), [5_400, np.nan])
