from __future__ import annotations

import re

import numpy as np
import pandas as pd
import polars as pl
import pyarrow as pa
import pytest
from sklearn import metrics

from wellfit.diagnosis.predictions import diagnose_predictions
from wellfit.diagnosis.table import diagnose_table
from wellfit.exceptions import BadInput
from wellfit.stats.intervals import wilson

Y, P = ["no", "yes", "yes", "no"] * 25, ["no", "yes", "no", "no"] * 25  # a quarter is wrong


def _soft(labels, rng):
    scores = rng.normal(size=(len(labels), 3)) + 1.5 * np.eye(3)[labels]
    return np.exp(scores) / np.exp(scores).sum(1, keepdims=True)


@pytest.mark.parametrize(
    "vector",
    [
        list,
        np.array,
        lambda v: np.array(v, dtype=object),
        pd.Series,
        pd.Categorical,
        lambda v: pd.Series(v, dtype="string"),
        lambda v: pl.Series(values=v),
        pa.array,
        lambda v: pa.chunked_array([v]),
    ],
    ids=["list", "numpy", "objects", "pandas", "categorical", "pandas-string", "polars", "arrow", "chunked"],
)
def test_labels_from_anywhere(vector):
    found = diagnose_predictions(train=(vector(Y), vector(Y)), dev=(vector(Y), vector(P)))
    assert found.goal.name == "error"
    assert found.errors.train.value == 0
    assert found.errors.dev == wilson(25, 100)
    assert "the goal is error" in str(found)


@pytest.mark.parametrize("goal", ["error", "balanced_error", "log_loss", "auc"])
def test_probabilities_agree_with_scikit_learn(goal):
    rng = np.random.default_rng(0)
    y, y2 = rng.integers(0, 3, 500), rng.integers(0, 3, 300)
    p, p2 = _soft(y, rng), _soft(y2, rng)
    oracle = {
        "error": lambda: 1 - metrics.accuracy_score(y2, p2.argmax(1)),
        "balanced_error": lambda: 1 - metrics.balanced_accuracy_score(y2, p2.argmax(1)),
        "log_loss": lambda: metrics.log_loss(y2, p2),
        "auc": lambda: metrics.roc_auc_score(y2, p2, multi_class="ovr"),
    }[goal]()
    body = diagnose_predictions(train=(y, p), dev=(y2, p2), goal=goal).to_json()
    assert body["errors"]["dev"]["value"] == pytest.approx(oracle)
    assert body["errors"]["train"]["low"] == body["errors"]["train"]["high"]


def test_one_column_is_the_probability_of_the_second_class():
    y, p = ["a", "b", "b", "a"], [0.1, 0.8, 0.4, 0.3]
    found = diagnose_predictions(train=(y, p), dev=(y, p), goal="log_loss")
    assert found.errors.dev.value == pytest.approx(metrics.log_loss(y, p))


def test_classes_may_be_named_in_the_order_of_the_columns():
    y, p = ["yes", "no"], [[0.9, 0.1], [0.2, 0.8]]
    found = diagnose_predictions(train=(y, p), dev=(y, p), classes=["yes", "no"])
    assert found.errors.dev.value == 0


def test_values_are_regressed():
    rng = np.random.default_rng(1)
    y = rng.normal(size=2000)
    p = y + rng.normal(size=2000)
    found = diagnose_predictions(train=(y, y), dev=(y, p))
    assert found.goal.name == "rmse"
    assert found.to_json()["errors"]["dev"]["value"] == pytest.approx(metrics.root_mean_squared_error(y, p))


def test_counts_with_real_predictions_are_regressed():
    found = diagnose_predictions(train=([0, 3, 5], [0.2, 3.3, 4.9]), dev=([1, 2, 4], [1.4, 2.2, 3.0]))
    assert found.goal.name == "rmse"


@pytest.mark.parametrize("stored", [np.int64, np.float64])
def test_two_whole_numbers_are_classes_however_they_are_stored(stored):
    y = np.array([0, 1] * 50).astype(stored)
    found = diagnose_predictions(train=(y, y), dev=(y, np.roll(y, 1)))
    assert (found.goal.name, found.errors.dev.value) == ("error", 1.0)
    assert diagnose_predictions(train=(y, 0.8 * y + 0.1), dev=(y, 0.8 * y + 0.1)).errors.dev.value == 0


def test_a_hundred_integers_that_are_predicted_as_such_are_classes():
    """As `predictions_100_integer_classes.csv` of the cases: an error rate, not the RMSE of the numbers of classes."""
    rng = np.random.default_rng(0)
    y = rng.integers(0, 100, 3_000)
    p = np.where(rng.random(3_000) < 0.2, rng.integers(0, 100, 3_000), y)
    found = diagnose_predictions(train=(y[:2_000], y[:2_000]), dev=(y[2_000:], p[2_000:]))
    assert found.goal.name == "error"
    assert found.errors.dev.value == np.mean(y[2_000:] != p[2_000:])
    assert "100 classes" in str(found)
    # Whole numbers that are hardly ever equal, and predictions between them, are values.
    values, more = np.arange(3_000), np.arange(3_000, 4_000)
    assert diagnose_predictions(train=(values, values), dev=(more, more)).goal.name == "rmse"
    assert diagnose_predictions(train=(y, y + 0.5), dev=(y, y + 0.5)).goal.name == "rmse"


BAD = {
    "lengths": ({"dev": (Y, P[:-1])}, "one entry for each"),
    "not-a-pair": ({"dev": Y}, "prediction"),
    "no-rows": ({"dev": ([], [])}, "at least one row"),
    "missing-label": ({"dev": ([*Y[:-1], None], P)}, "missing"),
    "missing-value": ({"train": ([1.0, 2.0], [1.0, 2.0]), "dev": ([1.0, np.nan], [1.0, 2.0])}, "row 1"),
    "mixed-kinds": ({"dev": (Y, [0, 1, 0, 1] * 25)}, "the same kind"),
    "auc-of-labels": ({"goal": "auc"}, "must be probabilities"),
    "columns": ({"dev": (Y, np.full((100, 3), 1 / 3))}, "3 columns"),
    "sums": ({"dev": (Y, np.full((100, 2), 0.9))}, "add up to 1"),
    "regression-of-labels": ({"goal": "rmse"}, "numbers"),
    "unknown-class": ({"classes": ["no", "yess"]}, "Did you mean 'yess'"),
    "classes-twice": ({"classes": ["no", "yes", "no"]}, "distinct"),
    "auc-of-one-class": ({"train": (Y, [0.5] * 100), "dev": (["no"] * 9, [0.5] * 9), "goal": "auc"}, "every class"),
}


@pytest.mark.parametrize(("change", "words"), BAD.values(), ids=BAD)
def test_bad_predictions_say_so(change, words):
    with pytest.raises(BadInput, match=words):
        diagnose_predictions(**({"train": (Y, Y), "dev": (Y, P)} | change))


@pytest.mark.parametrize(
    ("labels", "said", "words"),
    [
        pytest.param(["Yes", "No"], ["yes", "no"], "Did you mean 'No' for 'no', 'Yes' for 'yes'", id="case"),
        pytest.param(["Yes", "No"], ["Yes", " No"], "Did you mean 'No' for ' No'", id="one label, a blank"),
        pytest.param(
            ["yes", "no"], ["ja", "nein"], "'ja', 'nein' in 4 of 4 rows, but never in y", id="another language"
        ),
        pytest.param([0, 1], [2, 3], "'2', '3' in 4 of 4 rows", id="numbers"),
    ],
)
def test_predicted_labels_that_no_row_has_are_refused(labels, said, words):
    with pytest.raises(BadInput, match=re.escape(words)):
        diagnose_predictions(train=(labels * 2, labels * 2), dev=(labels * 2, said * 2))


def _table(**columns):
    base = {"split": ["train"] * 100 + ["dev"] * 100, "y": Y + Y, "prediction": Y + P, "age": list(range(200))}
    return pa.table({name: values for name, values in (base | columns).items() if values is not None})


def test_a_table_of_labels():
    found = diagnose_table(_table(), human_error=0.0)
    assert found.errors.dev == wilson(25, 100)
    assert found.gap("variance").verdict == "yes"


def test_a_table_of_probabilities_in_any_order_of_columns():
    chance = [0.9 if label == "yes" else 0.2 for label in Y + P]
    table = _table(prediction=None, p_yes=chance, p_no=[1 - c for c in chance])
    assert diagnose_table(table).errors.dev.value == 0.25
    assert diagnose_table(table, goal="log_loss").goal.name == "log_loss"


@pytest.mark.parametrize(
    ("labels", "names"),
    [
        pytest.param([0, 1], ("p_0", "p_1"), id="integers"),
        pytest.param([False, True], ("p_false", "p_true"), id="truth-values"),
        pytest.param([False, True], ("p_False", "p_True"), id="as-pandas-writes-them"),
    ],
)
def test_class_names_of_probability_columns_are_the_labels_as_text(labels, names):
    y = [labels[label == "yes"] for label in Y + Y]
    chance = [0.9 if label == "yes" else 0.2 for label in Y + P]
    table = _table(y=y, prediction=None, **dict(zip(names, ([1 - c for c in chance], chance), strict=True)))
    assert diagnose_table(table).errors.dev.value == 0.25


def test_a_feature_called_p_something_is_no_probability():
    assert diagnose_table(_table(p_value=[0.5] * 200)).errors.dev == wilson(25, 100)


def test_categories_and_train_dev_and_values():
    rng = np.random.default_rng(0)
    table = _table(
        split=pa.array(["train"] * 80 + ["train-dev"] * 60 + ["DEV"] * 60).dictionary_encode(),
        y=rng.normal(size=200),
        prediction=rng.normal(size=200),
    )
    found = diagnose_table(table)
    assert found.goal.name == "rmse"
    assert found.errors.train_dev.rows == 60


BAD_TABLES = {
    "no-split": ({"split": None, "spilt": ["train"] * 200}, "Rename 'spilt'"),
    "no-prediction": ({"prediction": None}, "no column prediction"),
    "unknown-split": ({"split": ["train"] * 100 + ["validation"] * 100}, "'validation' in row 100"),
    "missing-split": ({"split": ["train"] * 199 + [None]}, "None"),
    "no-dev": ({"split": ["train"] * 200}, "rows of train and of dev"),
    "one-column-short": (
        {"prediction": None, "y": ["maybe", *Y[1:], *Y], "p_yes": [0.5] * 200, "p_no": [0.5] * 200},
        "no column p_maybe",
    ),
    "missing-y": ({"y": [None, *Y[1:], *Y]}, "missing"),
}


@pytest.mark.parametrize(("change", "words"), BAD_TABLES.values(), ids=BAD_TABLES)
def test_bad_tables_say_so(change, words):
    with pytest.raises(BadInput, match=words):
        diagnose_table(_table(**change))


def test_texts_as_features_are_no_table_and_no_names_of_files():
    part = (np.array(Y), np.array(P))
    texts = ["a long sentence " * 40] * len(Y)
    with pytest.raises(BadInput, match="a list of texts"):
        diagnose_predictions(train=part, dev=part, features={"train": texts, "dev": texts})


def test_a_column_of_whole_numbers_may_have_gaps_in_dev():
    part = (np.array(Y), np.array(P))
    features = {"train": {"x": np.arange(100)}, "dev": {"x": np.where(np.arange(100) == 3, np.nan, np.arange(100.0))}}
    assert diagnose_predictions(train=part, dev=part, features=features).errors.dev.rows == 100
