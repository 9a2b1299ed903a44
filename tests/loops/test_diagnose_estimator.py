"""Any estimator can be diagnosed: fitted, or not."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest
from sklearn.datasets import load_breast_cancer, load_diabetes
from sklearn.feature_extraction.text import CountVectorizer
from sklearn.linear_model import LinearRegression, LogisticRegression
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler
from sklearn.svm import LinearSVC
from sklearn.tree import DecisionTreeClassifier

import wellfit as wf
from wellfit.exceptions import BadInput

X, Y = load_breast_cancer(return_X_y=True, as_frame=True)


def test_a_fitted_estimator_is_read_and_not_changed():
    model = make_pipeline(StandardScaler(), LogisticRegression()).fit(X[:400], Y[:400])
    found = wf.diagnose_estimator(model, X[:400], Y[:400], dev=(X[400:], Y[400:]))
    assert found.errors.train.value == pytest.approx(1 - model.score(X[:400], Y[:400]))
    assert found.errors.dev.value == pytest.approx(1 - model.score(X[400:], Y[400:]))
    assert found.errors.dev.rows == 169


def test_an_estimator_is_cloned_and_fitted_on_a_part_of_the_rows():
    tree = DecisionTreeClassifier(random_state=0)
    found = wf.diagnose_estimator(tree, X, Y, dev_share=0.5)
    assert not hasattr(tree, "tree_")
    assert found.errors.train.value == 0
    assert found.errors.dev.value > 0
    assert (found.errors.train.rows, found.errors.dev.rows) == (284, 285)


def test_rows_of_a_group_stay_on_one_side():
    groups = np.arange(len(X)) // 2
    seen = {}

    class Spy(DecisionTreeClassifier):
        def fit(self, X, y):
            seen["train"] = set(groups[X.index])
            return super().fit(X, y)

    wf.diagnose_estimator(Spy(), X, Y, groups=groups)
    assert 0 < len(seen["train"]) < len(np.unique(groups))


@pytest.mark.parametrize(
    ("model", "data", "goal"),
    [
        (LinearSVC(), (X, Y.map({0: "bad", 1: "good"})), "error"),
        (LinearRegression(), load_diabetes(return_X_y=True), "rmse"),
        (LinearRegression(), tuple(map(pd.DataFrame, load_diabetes(return_X_y=True))), "rmse"),
    ],
    ids=["labels without probabilities", "values", "a frame of targets"],
)
def test_labels_and_values_are_diagnosed_too(model, data, goal):
    assert wf.diagnose_estimator(model, *data).goal.name == goal


@pytest.mark.parametrize(
    ("call", "said"),
    [
        (lambda: wf.diagnose_estimator(LogisticRegression(), X, Y, dev=(X, Y)), "fitted"),
        (lambda: wf.diagnose_estimator(LogisticRegression(), X, Y, dev_share=1.5), "dev_share"),
        (lambda: wf.diagnose_estimator(LogisticRegression(), X[:1], Y[:1]), "rows"),
    ],
    ids=["not fitted", "share", "too few rows"],
)
def test_what_cannot_be_diagnosed_is_refused(call, said):
    with pytest.raises(BadInput, match=said):
        call()


def test_copies_between_train_and_dev_are_found():
    model = DecisionTreeClassifier(random_state=0)
    twice, y = pd.concat([X, X.iloc[:120]]), pd.concat([Y, Y.iloc[:120]])
    for rows in (twice, twice.to_numpy()):
        found = {each.code: each for each in wf.diagnose_estimator(model, rows, y).findings}["WF203"]
        assert found.status == "fired"
        assert "Exact copies of training rows" in found.evidence
    assert {each.code: each for each in wf.diagnose_estimator(model, X, Y).findings}["WF203"].status == "passed"
    assert "only checked for copies" in str(wf.diagnose_estimator(model, X, Y))


def test_what_is_no_table_is_said_not_to_be_looked_at():
    texts = [f"{'good' if label else 'bad'} {row % 7}" for row, label in enumerate(Y)]
    model = make_pipeline(CountVectorizer(), LogisticRegression())
    assert "the rows were not checked for copies" in str(wf.diagnose_estimator(model, texts, Y))
