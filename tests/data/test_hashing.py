"""Laws of the row hashes: what must not matter does not, what must matter does."""

from __future__ import annotations

import datetime

import numpy as np
import pyarrow as pa
import pytest
from hypothesis import given
from hypothesis import strategies as st

from wellfit.data.hashing import as_bytes, row_hashes

RNG = np.random.default_rng(0)
MIXED = pa.table(
    {
        "a": RNG.normal(size=200),
        "b": RNG.integers(0, 5, 200),
        "c": pa.array(["p", "q", None, "r"] * 50),
        "d": pa.array([True, None] * 100),
    }
)


def distinct(hashes):
    return len(set(as_bytes(hashes)))


def test_shape():
    hashes = row_hashes(MIXED)
    assert hashes.shape == (200, 2)
    assert hashes.dtype == np.uint64
    assert distinct(hashes) == 200


def test_column_order_and_chunks_do_not_matter():
    expected = row_hashes(MIXED)
    assert np.array_equal(row_hashes(MIXED.select(["d", "b", "a", "c"])), expected)
    pieces = pa.concat_tables([MIXED.slice(0, 7), MIXED.slice(7)])
    assert np.array_equal(row_hashes(pieces), expected)
    assert np.array_equal(row_hashes(MIXED.slice(50, 20)), expected[50:70])


EQUAL = {
    "integer-and-float": ([1, 2, 3], [1.0, 2.0, 3.0]),
    "narrow-and-wide": (pa.array([1, 2], pa.int8()), pa.array([1, 2], pa.int64())),
    "nan-and-null": ([1.0, float("nan")], [1.0, None]),
    "zero-and-minus-zero": ([0.0], [-0.0]),
    "text-and-large-text": (pa.array(["a"]), pa.array(["a"], pa.large_string())),
    "date-and-midnight": ([datetime.date(2020, 1, 2)], [datetime.datetime(2020, 1, 2)]),
    "null-of-any-type": (pa.nulls(1), pa.nulls(1, pa.string())),
    "large-integer-and-equal-float": ([2**60], [float(2**60)]),
    "boolean-and-integer": ([True, False], [1, 0]),
}


@pytest.mark.parametrize(("first", "second"), EQUAL.values(), ids=EQUAL)
def test_equal_values_have_equal_hashes(first, second):
    assert np.array_equal(row_hashes(pa.table({"v": first})), row_hashes(pa.table({"v": second})))


def test_large_integers_stay_apart():
    assert distinct(row_hashes(pa.table({"v": [2**60 + i for i in range(100)]}))) == 100


@given(st.lists(st.one_of(st.none(), st.text(max_size=3)), min_size=1, max_size=30))
def test_text_hashes_are_equal_exactly_where_text_is(values):
    hashes = as_bytes(row_hashes(pa.table({"v": pa.array(values, pa.string())})))
    assert len(set(hashes)) == len(set(values))


@given(st.lists(st.floats(allow_nan=False), min_size=1, max_size=30))
def test_float_hashes_are_equal_exactly_where_floats_are(values):
    assert distinct(row_hashes(pa.table({"v": values}))) == len(set(values))


def test_values_swapped_between_columns_and_other_names_give_other_hashes():
    one = row_hashes(pa.table({"a": [1], "b": [2]}))
    assert not np.array_equal(one, row_hashes(pa.table({"a": [2], "b": [1]})))
    assert not np.array_equal(one, row_hashes(pa.table({"a": [1], "c": [2]})))


def test_columns_can_be_chosen():
    assert np.array_equal(row_hashes(MIXED, columns=["b", "a"]), row_hashes(MIXED.select(["a", "b"])))


def test_bits_are_balanced():
    # Null: each of 128 bits is 1 in half of 20,000 rows; 5.5 sd, so that one bit in about 10^5 runs fails by chance.
    bits = np.unpackbits(row_hashes(pa.table({"v": range(20_000)})).view(np.uint8), axis=1)
    assert np.abs(bits.mean(axis=0) - 0.5).max() < 5.5 * 0.5 / 20_000**0.5
