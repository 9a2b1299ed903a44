"""The estimators inside what scikit-learn builds of estimators."""

from __future__ import annotations

import numpy as np
import pandas as pd
import polars as pl
import pytest
from sklearn import config_context
from sklearn.calibration import CalibratedClassifierCV
from sklearn.compose import ColumnTransformer, TransformedTargetRegressor, make_column_selector
from sklearn.datasets import load_breast_cancer, load_diabetes
from sklearn.ensemble import VotingClassifier
from sklearn.inspection import permutation_importance
from sklearn.linear_model import LogisticRegression
from sklearn.model_selection import GridSearchCV, GroupKFold, RandomizedSearchCV, cross_val_predict, cross_validate
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import OneHotEncoder, StandardScaler

import wellfit as wf


def net(**knobs):
    return wf.NetClassifier(**{"epochs": 15, "random_state": 0, **knobs})


def searching(**arguments):
    over = {"l2": [0.0, 30.0]}
    return wf.NetClassifierCV(**{"epochs": 5, "random_state": 0, "cv": 2, "over": over, **arguments})


@pytest.fixture(scope="module")
def cancer():
    return load_breast_cancer(return_X_y=True)


def test_inside_a_pipeline(cancer):
    X, y = cancer
    pipeline = make_pipeline(StandardScaler(), net())
    assert pipeline.fit(X[:400], y[:400]).score(X[400:], y[400:]) > 0.93
    pipeline.fit(X[:400], y[:400], netclassifier__sample_weight=np.arange(400.0))
    assert pipeline.set_params(netclassifier__l2=3.0).fit(X, y)[-1].config_.regularization.l2 == 3


def test_inside_a_grid_search(cancer):
    X, y = cancer
    grid = {"l2": [0.0, 1e5], "keep_prob": [1.0, (0.8, 0.9)]}
    search = GridSearchCV(net(), grid, cv=3).fit(X, y)
    assert search.best_params_["l2"] == 0
    assert search.best_score_ > 0.94
    assert search.best_estimator_.predict(X[:3]).shape == (3,)


def test_a_grid_search_in_processes(cancer):
    X, y = cancer
    search = RandomizedSearchCV(net(epochs=2), {"widths": [(8,), (8, 8)]}, n_iter=2, cv=2, n_jobs=2, random_state=0)
    assert search.fit(X, y).best_score_ > 0.5


@pytest.mark.parametrize("make", [net, searching])
@pytest.mark.parametrize("method", ["sigmoid", "isotonic"])
def test_inside_a_calibration(make, method, cancer):
    X, y = cancer
    calibrated = CalibratedClassifierCV(make(), cv=3, method=method).fit(X, y)
    found = calibrated.predict_proba(X)
    np.testing.assert_allclose(found.sum(axis=1), 1)
    assert calibrated.score(X, y) > 0.93


@pytest.mark.parametrize("voting", ["soft", "hard"])
def test_inside_a_vote(voting, cancer):
    X, y = cancer
    members = [
        ("net", net()),
        ("searching", searching()),
        ("linear", make_pipeline(StandardScaler(), LogisticRegression())),
    ]
    vote = VotingClassifier(members, voting=voting).fit(X, np.where(y, "benign", "malignant"))
    assert vote.score(X, np.where(y, "benign", "malignant")) > 0.95


def test_cross_validation_with_groups(two_classes):
    X, y = two_classes
    groups = np.arange(240) // 10
    found = cross_validate(net(), X, y, groups=groups, cv=GroupKFold(4), return_train_score=True)
    assert found["test_score"].mean() > 0.75
    assert cross_val_predict(net(), X, y, cv=3, method="predict_proba").shape == (240, 2)


def test_groups_reach_the_folds_inside_by_metadata_routing(two_classes):
    X, y = two_classes
    groups = np.arange(240) // 10
    seen = []

    class Watching(GroupKFold):
        def split(self, X, y=None, groups=None):
            seen.append(groups)
            return super().split(X, y, groups)

    with config_context(enable_metadata_routing=True):
        estimator = searching(cv=Watching(3)).set_fit_request(groups=True, sample_weight=True)
        estimator.set_score_request(sample_weight=False)
        params = {"groups": groups, "sample_weight": np.ones(240)}
        found = cross_validate(estimator, X, y, cv=GroupKFold(4), params=params)
    assert len(found["test_score"]) == 4
    assert [len(one) for one in seen] == [180] * 4
    assert all(len(np.unique(one)) == 18 for one in seen)


def test_permutation_importance(two_classes):
    X, y = two_classes
    found = permutation_importance(net().fit(X, y), X, y, n_repeats=3, random_state=0)
    assert found.importances_mean.argmax() == 0
    frame = pd.DataFrame(X, columns=list("abcd"))
    found = permutation_importance(net().fit(frame, y), frame, y, n_repeats=3, random_state=0)
    assert found.importances_mean.argmax() == 0


@pytest.mark.parametrize("output", ["pandas", "polars", "default"])
@pytest.mark.parametrize("make", [net, searching])
def test_behind_a_column_transformer(make, output, mixed):
    frame, y = mixed
    frame = frame.astype({"grade": "str"})
    columns = ColumnTransformer(
        [
            ("numbers", StandardScaler(), ["size"]),
            ("categories", OneHotEncoder(sparse_output=False), ["town", "grade"]),
            ("as they are", "passthrough", ["old"]),
        ]
    ).set_output(transform=output)
    pipeline = make_pipeline(columns, make(epochs=30)).fit(frame, y)
    assert pipeline.score(frame, y) > 0.85
    if output != "default":
        assert pipeline[-1].feature_names_in_[:2].tolist() == ["numbers__size", "categories__town_Bonn"]
        kind = pd.DataFrame if output == "pandas" else pl.DataFrame
        assert isinstance(pipeline[:-1].transform(frame), kind)


def test_a_column_transformer_may_leave_categories_to_the_network(mixed):
    frame, y = mixed
    numbers = make_column_selector(dtype_include="number")
    columns = ColumnTransformer([("numbers", StandardScaler(), numbers)], remainder="passthrough")
    pipeline = make_pipeline(columns.set_output(transform="pandas"), net(epochs=60)).fit(frame, y)
    assert pipeline.score(frame, y) > 0.9
    kinds = {column.name: column.kind for column in pipeline[-1].model_.preparation.schema.columns}
    assert kinds["remainder__town"] == kinds["remainder__grade"] == "category"


def test_a_regression_inside_others():
    X, y = load_diabetes(return_X_y=True)
    estimator = wf.NetRegressor(epochs=15, random_state=0, l2=100.0)
    wrapped = TransformedTargetRegressor(estimator, func=np.log, inverse_func=np.exp).fit(X, y)
    assert wrapped.score(X, y) > 0.3
    found = cross_validate(wf.NetRegressorCV(epochs=5, random_state=0, cv=2, over=["l2"], members=3), X, y, cv=2)
    assert found["test_score"].shape == (2,)


def test_diagnose_estimator_takes_them(two_classes):
    X, y = two_classes
    found = wf.diagnose_estimator(net(), X, y, human_error=0.05)
    assert found.errors.dev.rows == 48
