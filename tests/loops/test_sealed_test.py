"""A sealed test set alone: opened once, for a model of any kind."""

from __future__ import annotations

import shutil

import numpy as np
import pandas as pd
import polars as pl
import pyarrow as pa
import pytest

import wellfit as wf
from wellfit.exceptions import BadInput, Refusal
from wellfit.loops.sealed_test import TARGET

RNG = np.random.default_rng(0)
X = RNG.normal(size=(200, 3))
Y = np.where(X[:, 0] > 0, "yes", "no")


def predict(rows):
    values = np.asarray(rows["a"]) if hasattr(rows, "columns") else rows.reshape(len(rows), -1)[:, 0]
    return np.where(values > 0.5, "yes", "no")


FORMS = {
    "array": X,
    "pictures": X.reshape(200, 3, 1).astype(np.float32),
    "pandas": pd.DataFrame(X, columns=list("abc")),
    "polars": pl.DataFrame(X, schema=list("abc")),
}


@pytest.mark.parametrize("form", FORMS)
def test_a_model_is_measured_once_on_rows_as_they_were_given(form, tmp_path):
    seen = []
    wf.SealedTest.of(FORMS[form], Y, folder=tmp_path / "s.sealed")
    opening = wf.SealedTest(tmp_path / "s.sealed").open(lambda rows: (seen.append(rows), predict(rows))[1])
    assert opening.certified
    assert opening.error.value == pytest.approx(np.mean(predict(FORMS[form]) != Y))
    assert opening.dev_optimism is None
    assert type(seen[0]) is type(FORMS[form])
    np.testing.assert_array_equal(np.asarray(seen[0]), np.asarray(FORMS[form]))


def test_a_second_opening_is_refused_and_a_copy_is_not_certified(tmp_path):
    sealed = wf.SealedTest.of(X, Y, folder=tmp_path / "s.sealed")
    shutil.copytree(sealed.folder, tmp_path / "copy")
    first = sealed.open(predict)
    with pytest.raises(Refusal, match="opened once"):
        wf.SealedTest(sealed.folder).open(predict)
    with pytest.raises(Refusal):
        wf.SealedTest(tmp_path / "copy").open(predict)
    again = wf.SealedTest.of(X, Y, folder=tmp_path / "again.sealed").open(predict, again=True)
    assert first.certified
    assert not again.certified


def test_values_and_dev_rows_have_their_goal(tmp_path):
    sealed = wf.SealedTest.of(X, X[:, 0] * 2, folder=tmp_path / "s.sealed")
    opening = sealed.open(lambda rows: rows[:, 0] * 2 + 0.5, dev=([1.0, 2.0], [1.0, 3.0]))
    assert opening.error.value == pytest.approx(0.25)
    assert opening.dev_optimism == pytest.approx(0.25 - 0.5)


@pytest.mark.parametrize(
    ("call", "said"),
    [
        (lambda folder: wf.SealedTest.of(X, Y[:-1], folder=folder), "same number of rows"),
        (lambda folder: wf.SealedTest.of(X, Y, folder=folder.parent), "exists"),
        (lambda folder: wf.SealedTest.of(pd.DataFrame({TARGET: Y}), Y, folder=folder), "among the features"),
        (lambda folder: wf.SealedTest(folder).open(predict), "sealed test set"),
    ],
    ids=["rows", "folder", "target", "nothing there"],
)
def test_bad_input_is_refused(call, said, tmp_path):
    with pytest.raises(BadInput, match=said):
        call(tmp_path / "s.sealed")


SIZE = pd.CategoricalDtype(["small", "medium", "large", "never seen"], ordered=True)


def rich_frame():
    days = pd.date_range("2024-01-01", periods=200, freq="D")
    return pd.DataFrame(
        {
            "a": X[:, 0],
            "size": pd.Categorical(RNG.choice(["medium", "large", "small"], 200), dtype=SIZE),
            "codes": pd.Categorical(RNG.integers(3, 6, 200), categories=[5, 4, 3, 9]),
            "whole": pd.array([None, *range(199)], dtype="Int64"),
            "truth": pd.array([None, *[True] * 199], dtype="boolean"),
            "when": days,
            "zoned": days.tz_localize("Europe/Berlin"),
            "gap": pd.to_timedelta(range(200), unit="h"),
            "small": np.arange(200).astype("int8"),
            "text": [" padded", "NA", *["z"] * 198],
            "object": np.array([None, *["z"] * 199], dtype=object),
            "gaps": np.array([np.nan, *["z"] * 199], dtype=object),
            "month": days.to_period("M"),
        },
        index=pd.Index(np.arange(500, 700), name="customer"),
    )


def polars_frame():
    return pl.DataFrame(
        {
            "a": X[:, 0],
            "size": pl.Series(["b", "a"] * 100, dtype=pl.Enum(["c", "b", "a"])),
            "kind": pl.Series(["y", "x"] * 100, dtype=pl.Categorical),
            "small": pl.Series([1, None] * 100, dtype=pl.Int8),
            "text": [" padded", "NA"] * 100,
            "when": pl.Series(pd.date_range("2024-01-01", periods=200)).dt.replace_time_zone("UTC"),
        }
    )


def opened(given, folder, **options):
    seen = []
    wf.SealedTest.of(given, Y, folder=folder)
    wf.SealedTest(folder).open(lambda rows: (seen.append(rows), np.full(len(rows), "yes"))[1], **options)
    return seen[0]


@pytest.mark.filterwarnings(
    "ignore:Series.values returning"
)  # pyarrow reads zoned times in a way that pandas will change
@pytest.mark.parametrize("columns", [None, ["size"], ["object", "gaps"]], ids=["all", "category", "text"])
def test_a_pandas_frame_comes_back_with_its_types_categories_and_index(columns, tmp_path):
    given = rich_frame()[columns] if columns else rich_frame()
    back = opened(given, tmp_path / "s.sealed")
    pd.testing.assert_frame_equal(back, given, check_freq=False)
    for name in set(back) & {"size", "codes"}:
        assert back[name].cat.categories.tolist() == given[name].cat.categories.tolist()
        np.testing.assert_array_equal(back[name].cat.codes, given[name].cat.codes)


def test_a_polars_frame_comes_back_with_its_enums(tmp_path):
    given = polars_frame()
    back = opened(given, tmp_path / "s.sealed")
    assert back.schema == given.schema
    assert back.equals(given)


def test_an_arrow_table_and_numbered_columns_come_back_too(tmp_path):
    table = pa.table({"a": X[:, 0], "d": pa.array(["v", "u"] * 100).dictionary_encode()})
    assert opened(table, tmp_path / "a.sealed").equals(table)
    numbered = pd.DataFrame(X + 1)
    assert opened(numbered, tmp_path / "n.sealed").columns.tolist() == [0, 1, 2]


@pytest.mark.parametrize(
    "given",
    [
        pd.DataFrame({"a": pd.arrays.SparseArray(X[:, 0])}),
        pd.DataFrame({"a": [*["text"] * 199, 3]}, dtype=object),
        pd.DataFrame({"bin": pd.cut(X[:, 1], 4)}),
        np.ma.masked_less(X, 0),
        X.astype(complex),
        X.tolist(),
        {"a": X[:, 0]},
    ],
    ids=["sparse", "mixed objects", "bins", "masked", "complex", "lists", "mapping"],
)
def test_what_cannot_be_given_back_is_refused_when_it_is_sealed(given, tmp_path):
    with pytest.raises(BadInput, match="returned unchanged"):
        wf.SealedTest.of(given, Y, folder=tmp_path / "s.sealed")
    assert not (tmp_path / "s.sealed").exists()


def test_a_prediction_that_fails_costs_no_opening(tmp_path):
    sealed = wf.SealedTest.of(X, Y, folder=tmp_path / "s.sealed")

    def failing(rows):
        raise ValueError("train and valid dataset categorical_feature do not match.")

    with pytest.raises(ValueError, match="categorical"):
        sealed.open(failing, subject="first")
    with pytest.raises(BadInput):
        sealed.open(lambda rows: ["maybe"] * 200, subject="second")
    with pytest.raises(BadInput, match="probabilities"):
        sealed.open(predict, goal="log_loss", subject="second")
    elsewhere = wf.SealedTest.of(X, Y, folder=tmp_path / "again.sealed")
    assert [entry.kind for entry in sealed.ledger.read().entries] == ["opening", "failed", "failed", "failed"]
    opening = sealed.open(predict, subject="third")
    assert opening.certified
    assert opening.opening == 1
    with pytest.raises(Refusal, match="opened only once"):
        sealed.open(predict, subject="third")
    assert not elsewhere.open(predict, again=True).certified


def test_a_failed_prediction_elsewhere_is_no_opening_either(tmp_path):
    with pytest.raises(ZeroDivisionError):
        wf.SealedTest.of(X, Y, folder=tmp_path / "s.sealed").open(lambda rows: 1 / 0)
    assert wf.SealedTest.of(X, Y, folder=tmp_path / "again.sealed").open(predict).certified


def test_a_further_opening_that_fails_stays_uncertified(tmp_path):
    sealed = wf.SealedTest.of(X, Y, folder=tmp_path / "s.sealed")
    sealed.open(predict)
    with pytest.raises(ZeroDivisionError):
        sealed.open(lambda rows: 1 / 0, again=True)
    again = sealed.open(predict, again=True)
    assert not again.certified
    assert again.opening == 2


def test_two_whole_numbers_are_classes_however_they_are_stored(tmp_path):
    target = (X[:, 0] > 0).astype(float)
    opening = wf.SealedTest.of(X, target[:, None], folder=tmp_path / "s.sealed").open(lambda rows: rows[:, 0] > 0.5)
    assert opening.error.value == pytest.approx(np.mean((X[:, 0] > 0.5) != (target == 1)))
