"""Transforms: fit on train only, stored as JSON, bounded, and informative where the data are awkward."""

from __future__ import annotations

import datetime
import json

import numpy as np
import pyarrow as pa
import pytest
from hypothesis import example, given
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays

from wellfit.data.prepare import (
    MOST_LEVELS,
    SOFT_LIMIT,
    NumberFit,
    Preparation,
    fit_preparation,
    robust_scale,
    scaled,
)
from wellfit.data.schema import infer_schema
from wellfit.exceptions import BadInput

N = 400
RNG = np.random.default_rng(0)
DAYS = [datetime.datetime(2020, 1, 1) + datetime.timedelta(hours=7 * i) for i in range(N)]
TABLE = pa.table(
    {
        "size": pa.array(RNG.lognormal(size=N), mask=RNG.random(N) < 0.1),
        "kind": pa.array(["a", "b", "a", None] * (N // 4)),
        "flag": [True, False] * (N // 2),
        "when": DAYS,
        "y": ["no", "yes"] * (N // 2),
    }
)
SCHEMA = infer_schema(TABLE, target="y")


def fitted(target="y", **columns):
    data = pa.table({"y": [0, 1] * (N // 2), **columns})
    return fit_preparation(data, infer_schema(data, target=target)), data


def test_shapes_names_and_types():
    preparation = fit_preparation(TABLE, SCHEMA)
    arrays_ = preparation.transform(TABLE)
    assert arrays_.rows == N
    assert arrays_.numeric.dtype == np.float32
    assert arrays_.codes.dtype == np.int32
    assert arrays_.target.dtype == np.int64
    assert arrays_.numeric.shape == (N, len(preparation.numeric_names))
    assert preparation.numeric_names[-1] == "size is missing"
    assert preparation.outputs == 2
    assert np.isfinite(arrays_.numeric).all()
    assert np.abs(arrays_.numeric).max() <= SOFT_LIMIT
    assert (arrays_.codes < preparation.cardinalities).all()


def test_json_round_trip_gives_the_same_arrays():
    preparation = fit_preparation(TABLE, SCHEMA)
    again = Preparation.from_json(json.loads(json.dumps(preparation.to_json())))
    assert again == preparation
    assert np.array_equal(again.transform(TABLE).numeric, preparation.transform(TABLE).numeric)


def test_rows_are_transformed_alone_as_in_a_batch():
    preparation = fit_preparation(TABLE, SCHEMA)
    whole, alone = preparation.transform(TABLE), preparation.transform(TABLE.slice(5, 1))
    assert np.array_equal(whole.numeric[5:6], alone.numeric)
    assert np.array_equal(whole.codes[5:6], alone.codes)


def test_only_training_rows_are_seen():
    half = TABLE.slice(0, N // 2)
    assert fit_preparation(half, SCHEMA) == fit_preparation(pa.table(half.to_pydict(), schema=half.schema), SCHEMA)
    shifted = TABLE.set_column(0, "size", pa.array(RNG.normal(size=N) * 1e6))
    assert fit_preparation(half, SCHEMA) != fit_preparation(shifted.slice(0, N // 2), SCHEMA)


def test_missing_numbers_go_to_the_median_with_an_indicator():
    preparation = fit_preparation(TABLE, SCHEMA)
    numeric = preparation.transform(TABLE).numeric
    unknown = TABLE.column("size").is_null().to_numpy()
    assert (numeric[unknown, preparation.numeric_names.index("size")] == 0).all()
    assert np.array_equal(numeric[:, -1] == 1, unknown)
    fills = {number.label: number.fill for number in preparation.numbers}
    assert fills["size"] == pytest.approx(np.nanmedian(TABLE.column("size").to_numpy()))


def test_missing_only_at_prediction_is_the_median():
    preparation, data = fitted(x=RNG.normal(size=N))
    new = data.set_column(1, "x", pa.array([None] * N, pa.float64()))
    assert (preparation.transform(new).numeric == 0).all()


def test_constant_with_missing_values_keeps_its_indicator_only():
    preparation, data = fitted(x=[1.0, None] * (N // 2), z=RNG.normal(size=N))
    assert preparation.numeric_names == ("z", "x is missing")
    assert np.array_equal(preparation.transform(data).numeric[:, 1], [0, 1] * (N // 2))


def test_a_column_that_is_constant_on_train_only_is_left_out():
    data = pa.table({"y": [0, 1] * (N // 2), "x": [5.0] * 200 + [7.0] * 200, "z": RNG.normal(size=N)})
    preparation = fit_preparation(data.slice(0, 200), infer_schema(data, target="y"))
    assert preparation.numeric_names == ("z",)


def test_a_heavy_tail_over_zeros_stays_informative():
    gains = np.where(RNG.random(N) < 0.92, 0.0, RNG.lognormal(8.9, 0.8, size=N))
    gains[:3] = 99_999.0
    preparation, data = fitted(x=gains)
    x = preparation.transform(data).numeric[:, 0]
    assert (x[gains == 0] == 0).all()
    typical = x[(gains > 0) & (gains < 99_999)]
    assert 0.5 < np.median(typical) < 1.5
    assert np.array_equal(np.argsort(x, kind="stable"), np.argsort(gains, kind="stable"))
    assert x.max() > 2


def test_one_gross_value_does_not_flatten_the_rest():
    values = RNG.normal(size=N)
    values[0] = 1e30
    preparation, data = fitted(x=values)
    assert preparation.transform(data).numeric[1:, 0].std() > 0.5


def test_a_column_of_rounding_noise_is_no_feature():
    noise = np.float32(0.1) + np.spacing(np.float32(0.1)) * RNG.integers(0, 2, N).astype(np.float32)
    preparation, _ = fitted(x=pa.array(noise.astype(np.float32)), z=RNG.normal(size=N))
    assert preparation.numeric_names == ("z",)


def test_dates_become_a_trend_and_turns():
    preparation = fit_preparation(TABLE, SCHEMA)
    assert [name for name in preparation.numeric_names if name.startswith("when")] == [
        "when",
        *(f"when ({turn}_{wave})" for turn in ("month", "weekday", "hour") for wave in ("sin", "cos")),
    ]
    hours = preparation.transform(TABLE).numeric[:, preparation.numeric_names.index("when (hour_cos)")]
    angle = np.array([day.hour for day in DAYS]) * 2 * np.pi / 24
    assert hours == pytest.approx(np.cos(angle) / np.sqrt(1 + np.cos(angle) ** 2 / 9), abs=1e-6)


def test_levels_by_frequency_missing_as_a_level_unseen_is_zero():
    preparation = fit_preparation(TABLE, SCHEMA)
    (kind,) = preparation.categories
    assert kind.levels == ("a", "b", None)
    new = TABLE.slice(0, 4).set_column(1, "kind", pa.array(["b", "new", None, "a"]))
    assert preparation.transform(new).codes[:, 0].tolist() == [2, 0, 3, 1]


def test_rare_levels_share_one_code():
    names = [f"level {i % 350}" for i in range(1100)]
    data = pa.table({"y": [0, 1] * 550, "x": names})
    preparation = fit_preparation(data, infer_schema(data, target="y"))
    codes = preparation.transform(data).codes[:, 0]
    assert preparation.cardinalities == (MOST_LEVELS + 2,)
    assert codes.max() == MOST_LEVELS + 1
    assert codes.min() == 1


def test_number_coded_categories_are_found_again_in_any_type():
    data = pa.table({"y": [0, 1] * 30, "x": [1, 2, 3] * 20})
    preparation = fit_preparation(data, infer_schema(data, target="y", types={"x": "category"}))
    codes = [
        preparation.transform(pa.table({"x": x}), with_target=False).codes[:, 0].tolist() for x in ([3], [3.0], ["3"])
    ]
    assert codes == [[3]] * 3


def test_regression_target_has_its_own_unit_and_moments():
    y = RNG.normal(50, 9, size=N)
    data = pa.table({"y": y, "x": RNG.normal(size=N)})
    preparation = fit_preparation(data, infer_schema(data, target="y"))
    assert np.array_equal(preparation.transform(data).target, y)
    assert (preparation.target_mean, preparation.target_scale) == pytest.approx((y.mean(), y.std()))
    assert preparation.outputs == 1


def test_extra_columns_and_order_do_not_matter_and_the_target_may_be_gone():
    preparation = fit_preparation(TABLE, SCHEMA)
    new = TABLE.drop_columns(["y"]).append_column("extra", pa.array(range(N)))
    new = new.select(new.column_names[::-1])
    assert np.array_equal(preparation.transform(new, with_target=False).numeric, preparation.transform(TABLE).numeric)


BAD = {
    "missing-column": (TABLE.rename_columns(["Size", "kind", "flag", "when", "y"]), "Did you mean 'Size'"),
    "infinite": (TABLE.set_column(0, "size", pa.array([1.0, np.inf] * 200)), "column 'size', row 2"),
    "text-for-number": (TABLE.set_column(0, "size", pa.array(["1", "tall"] * 200)), "'tall' in row 2"),
    "text-for-date": (TABLE.set_column(3, "when", pa.array(["soon"] * N)), "column 'when'"),
    "new-class": (TABLE.set_column(4, "y", pa.array(["no", "maybe"] * 200)), "'maybe' in column 'y', row 2"),
    "missing-target": (TABLE.set_column(4, "y", pa.array(["no", None] * 200)), "column 'y', row 2"),
}


@pytest.mark.parametrize(("table", "words"), BAD.values(), ids=BAD)
def test_bad_rows_get_one_message(table, words):
    with pytest.raises(BadInput) as caught:
        fit_preparation(TABLE, SCHEMA).transform(table)
    assert words in str(caught.value)


FINITE = st.floats(-1e12, 1e12, allow_subnormal=False)


@given(arrays(np.float64, st.integers(1, 40), elements=FINITE), st.floats(0.1, 100), st.floats(-100, 100))
@example(np.array([-4.0, -1.0, -np.finfo(np.float64).tiny, *[0.0] * 6]), 1.0, 0.0)
def test_scaled_values_keep_order_and_bounds(values, factor, shift):
    median, scale = robust_scale(values)
    if scale:
        z = scaled(values * factor + shift, NumberFit("x", "value", median * factor + shift, scale * factor, False))
        assert np.abs(z).max() <= SOFT_LIMIT
        assert (np.diff(z[np.argsort(values)]) >= -1e-9).all()


def test_scale_is_the_interquartile_range_of_scipy():
    from scipy.stats import iqr

    values = RNG.normal(size=N)
    assert robust_scale(values) == pytest.approx((np.median(values), iqr(values)))


@pytest.mark.proof
def test_a_million_rows_in_a_minute():
    columns = {f"x{i}": RNG.normal(size=1_000_000) for i in range(49)}
    data = pa.table({"y": (columns["x0"] > 0).astype(int), **columns})
    start = datetime.datetime.now()
    preparation = fit_preparation(data, infer_schema(data, target="y"))
    assert preparation.transform(data).rows == 1_000_000
    assert (datetime.datetime.now() - start).total_seconds() < 60
