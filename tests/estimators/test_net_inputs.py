"""What may be given as X and y, and what is refused with a clear word."""

from __future__ import annotations

import numpy as np
import pandas as pd
import polars as pl
import pyarrow as pa
import pytest
from scipy import sparse
from sklearn.exceptions import DataConversionWarning, NotFittedError

import wellfit as wf


def net(**knobs):
    return wf.NetClassifier(**{"epochs": 20, "random_state": 0, **knobs})


def regressor(**knobs):
    return wf.NetRegressor(**{"epochs": 20, "random_state": 0, **knobs})


def test_an_array_and_frames_of_its_values_give_the_same_network(two_classes):
    X, y = two_classes
    names = [f"column {place}" for place in range(X.shape[1])]
    frames = [pd.DataFrame(X, columns=names), pl.DataFrame(X, schema=names)]
    expected = net().fit(X, y).predict_proba(X)
    for frame in frames:
        fitted = net().fit(frame, y)
        assert fitted.feature_names_in_.tolist() == names
        np.testing.assert_array_equal(fitted.predict_proba(frame), expected)


def test_a_mixed_frame_is_the_same_in_pandas_and_polars_and_is_learnt(mixed):
    frame, y = mixed
    fitted = net(epochs=60).fit(frame, y)
    kinds = {column.name: column.kind for column in fitted.model_.preparation.schema.columns}
    assert kinds == {"size": "number", "town": "category", "grade": "category", "old": "number", "sold": "date"}
    assert fitted.score(frame, y) > 0.9
    other = pl.from_pandas(frame.astype({"grade": "str"}))
    np.testing.assert_array_equal(
        net(epochs=60).fit(other, y.to_numpy()).predict_proba(other), fitted.predict_proba(frame)
    )


def test_a_mixed_arrow_table(mixed):
    frame, y = mixed
    table = pa.Table.from_pandas(frame.drop(columns="grade"))
    fitted = net().fit(table, y)
    np.testing.assert_array_equal(fitted.predict(table), fitted.predict(frame.drop(columns="grade")))


def test_a_level_and_a_gap_that_train_never_had_are_predicted(mixed):
    frame, y = mixed
    new = frame.head(3).assign(town=["Rome", None, "Ulm"], size=[np.nan, 1.0, 2.0])
    found = net().fit(frame, y).predict_proba(new)
    np.testing.assert_allclose(found.sum(axis=1), 1)


def test_missing_numbers_are_values_of_their_own():
    source = np.random.default_rng(0)
    X = source.normal(size=(200, 2))
    y = source.random(200) < 0.5
    X[y, 1] = np.nan
    assert net(epochs=40).fit(X, y).score(X, y) == 1


def test_columns_that_do_not_vary_leave_a_constant_prediction():
    X, y = np.ones((40, 2)), np.arange(40) % 4 == 0
    fitted = net(epochs=None).fit(X, y)
    np.testing.assert_allclose(fitted.predict_proba(X)[:, 1], 0.25, atol=0.02)
    assert np.ptp(regressor().fit(X, np.arange(40.0)).predict(X)) == 0


def test_other_columns_at_predict_are_named(two_classes, mixed):
    X, y = two_classes
    frame = pd.DataFrame(X, columns=list("abcd"))
    fitted = net(epochs=1).fit(frame, y)
    with pytest.raises(ValueError, match=r"(?s)unseen at fit time:\n- e.*seen at fit time, yet now missing:\n- d"):
        fitted.predict(frame.rename(columns={"d": "e"}))
    with pytest.raises(ValueError, match="must be in the same order"):
        fitted.predict(frame[list("abdc")])
    with pytest.raises(ValueError, match="X has 3 features, but NetClassifier is expecting 4"):
        net(epochs=1).fit(X, y).predict(X[:, :3])
    frame, y = mixed
    fitted = net(epochs=1).fit(frame, y)
    with pytest.raises(ValueError, match=r"(?s)missing:\n- town"):
        fitted.predict(frame.rename(columns={"town": "city"}))
    with pytest.raises(wf.BadInput, match=r"fitted on a frame with categories .* with town, grade, sold"):
        fitted.predict(np.zeros((3, 5)))


def test_a_column_of_another_type_at_predict_is_named(mixed):
    frame, y = mixed
    fitted = net(epochs=1).fit(frame, y)
    with pytest.raises(wf.BadInput, match=r"'size'.*'large'"):
        fitted.predict(frame.assign(size=["large"] * len(frame)))


@pytest.mark.parametrize("kind", [sparse.csr_array, sparse.csc_matrix])
def test_sparse_input_is_refused(kind, two_classes):
    X, y = two_classes
    with pytest.raises(TypeError, match=r"Sparse data was passed.*dense data is required"):
        net().fit(kind(X), y)
    with pytest.raises(TypeError, match=r"Sparse data was passed.*dense data is required"):
        net(epochs=1).fit(X, y).predict(kind(X))


def test_what_cannot_be_learnt_is_refused(two_classes):
    X, y = two_classes
    with pytest.raises(ValueError, match="Input y contains NaN"):
        regressor().fit(X, np.where(y == "yes", 1.0, np.nan))
    with pytest.raises(ValueError, match="Input X contains infinity"):
        net().fit(np.where(X > 2, np.inf, X), y)
    with pytest.raises(wf.BadInput, match=r"at least two classes; found 1 class, 'yes', in 1 sample with positive"):
        net().fit(X[:1], ["yes"])
    with pytest.raises(ValueError, match="inconsistent numbers of samples"):
        net().fit(X, y[:-1])
    with pytest.raises(ValueError, match="Unknown label type"):
        net().fit(X, X[:, 0])


@pytest.mark.parametrize("gap", [None, np.nan, pd.NA], ids=str)
def test_a_class_that_is_missing_is_told_with_its_row(gap, two_classes):
    X, y = two_classes
    with pytest.raises(wf.BadInput, match=r"y must have a value in every row; found \S+ in row 3 \(2 such rows\)"):
        net().fit(X, [gap if place in (3, 5) else one for place, one in enumerate(y)])


def test_an_array_of_texts_is_told_to_come_as_a_frame(mixed, two_classes):
    frame, y = mixed
    with pytest.raises(wf.BadInput, match=r"must contain numbers; found .*'\w+'\. Give a data frame"):
        net().fit(frame[["town", "size"]].to_numpy(), y)
    X, y = two_classes
    with pytest.raises(wf.BadInput, match=r"must contain numbers; found .*'large'\. Give a data frame"):
        net(epochs=1).fit(X, y).predict([["large", 1, 2, 3]])


def test_string_classes_that_were_never_seen_count_as_wrong(two_classes):
    X, y = two_classes
    fitted = net().fit(X, y)
    assert fitted.classes_.tolist() == ["no", "yes"]
    assert fitted.score(X, np.full(len(y), "perhaps")) == 0


def test_prediction_before_fit_is_refused(two_classes):
    for estimator in (net(), regressor(), wf.NetClassifierCV(), wf.NetRegressorCV()):
        with pytest.raises(NotFittedError):
            estimator.predict(two_classes[0])


def test_several_targets_of_very_different_units(one_number):
    X, y = one_number
    targets = np.column_stack([y, 1e6 * X[:, 2], 1e-6 * X[:, 0]])
    fitted = regressor(epochs=100).fit(X, targets)
    assert fitted.predict(X).shape == targets.shape
    np.testing.assert_array_less(
        0.9, [np.corrcoef(a, b)[0, 1] for a, b in zip(fitted.predict(X).T, targets.T, strict=True)]
    )
    inside = (fitted.predict(10 * X) <= targets.max(axis=0) * (1 + 1e-6)).all()
    assert inside


def test_one_column_of_targets_is_one_target(one_number):
    X, y = one_number
    with pytest.warns(DataConversionWarning):
        found = regressor().fit(X, y[:, None]).predict(X)
    np.testing.assert_array_equal(found, regressor().fit(X, y).predict(X))


def test_predictions_stay_inside_the_training_targets(one_number):
    X, y = one_number
    found = regressor(epochs=60).fit(X, y).predict(100 * X)
    assert y.min() <= found.min() < found.max() <= y.max()


def test_a_row_is_predicted_alike_whatever_is_beside_it(two_classes):
    X, y = two_classes
    fitted = net().fit(X, y)
    alone = np.concatenate([fitted.predict_proba(row[None]) for row in X[:20]])
    np.testing.assert_allclose(alone, fitted.predict_proba(X)[:20], atol=1e-12)
