"""diagnose_estimator judges what the estimator answers, as scikit-learn's own numbers do."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest
from sklearn.base import BaseEstimator, ClassifierMixin
from sklearn.datasets import make_classification, make_multilabel_classification, make_regression
from sklearn.ensemble import RandomForestClassifier
from sklearn.linear_model import LinearRegression, LogisticRegression
from sklearn.metrics import balanced_accuracy_score, f1_score, log_loss, mean_squared_error, r2_score, roc_auc_score
from sklearn.model_selection import FixedThresholdClassifier, GridSearchCV, GroupShuffleSplit
from sklearn.neighbors import KNeighborsRegressor
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler
from sklearn.svm import SVC, LinearSVC

import wellfit as wf
from wellfit.exceptions import BadInput

X, Y = make_classification(600, 8, n_informative=4, weights=[0.85], flip_y=0.05, class_sep=0.7, random_state=3)
HERE, THERE = slice(0, 400), slice(400, None)
THRESHOLD = FixedThresholdClassifier(LogisticRegression(), threshold=0.15)


class Cautious(ClassifierMixin, BaseEstimator):
    """Its predict is not the likeliest class: it says 1 whenever it is not sure of 0."""

    def fit(self, X, y):
        self.inner_ = LogisticRegression().fit(X, y)
        self.classes_ = self.inner_.classes_
        return self

    def predict_proba(self, X):
        return self.inner_.predict_proba(X)

    def predict(self, X):
        return np.where(self.predict_proba(X)[:, 0] > 0.9, 0, 1)


GOALS = {
    "error": lambda m, X, y: 1 - m.score(X, y),
    "balanced_error": lambda m, X, y: 1 - balanced_accuracy_score(y, m.predict(X)),
    "f1": lambda m, X, y: f1_score(y, m.predict(X), average="macro"),
}


@pytest.mark.parametrize("goal", GOALS)
@pytest.mark.parametrize(
    "model",
    [
        THRESHOLD,
        Cautious(),
        make_pipeline(StandardScaler(), THRESHOLD),
        GridSearchCV(LogisticRegression(class_weight="balanced"), {"C": [0.1, 1.0]}),
        LinearSVC(),
    ],
    ids=["threshold", "own predict", "pipeline", "search", "without probabilities"],
)
def test_goals_of_labels_judge_what_predict_returns(model, goal):
    model.fit(X[HERE], Y[HERE])
    found = wf.diagnose_estimator(model, X[HERE], Y[HERE], dev=(X[THERE], Y[THERE]), goal=goal).to_json()["errors"]
    for part, rows in {"train": HERE, "dev": THERE}.items():
        assert found[part]["value"] == pytest.approx(GOALS[goal](model, X[rows], Y[rows]), abs=1e-9)


def test_goals_of_probabilities_judge_predict_proba_whatever_the_threshold():
    model = THRESHOLD.fit(X[HERE], Y[HERE])
    probabilities = model.predict_proba(X[THERE])
    dev = {
        goal: wf.diagnose_estimator(model, X[HERE], Y[HERE], dev=(X[THERE], Y[THERE]), goal=goal).to_json()["errors"]
        for goal in ("log_loss", "auc")
    }
    assert dev["log_loss"]["dev"]["value"] == pytest.approx(log_loss(Y[THERE], probabilities))
    assert dev["auc"]["dev"]["value"] == pytest.approx(roc_auc_score(Y[THERE], probabilities[:, 1]))


def test_the_order_of_two_classes_may_come_from_a_decision_function():
    model = LinearSVC().fit(X[HERE], Y[HERE] * 1000)
    found = wf.diagnose_estimator(model, X[HERE], Y[HERE] * 1000, dev=(X[THERE], Y[THERE] * 1000), goal="auc")
    expected = roc_auc_score(Y[THERE], model.decision_function(X[THERE]))
    assert found.to_json()["errors"]["dev"]["value"] == pytest.approx(expected)


def test_a_class_that_was_never_trained_on_counts_as_wrong():
    labels = np.where(np.arange(600) % 50 == 49, 2, Y)
    seen = np.flatnonzero((labels < 2) & (np.arange(600) < 400))
    model = LogisticRegression().fit(X[seen], labels[seen])
    found = wf.diagnose_estimator(model, X[seen], labels[seen], dev=(X[THERE], labels[THERE]))
    assert found.errors.dev.value == pytest.approx(1 - model.score(X[THERE], labels[THERE]))


def test_many_classes_of_integers_are_classes_of_a_classifier():
    labels = np.arange(600) % 30
    model = LinearSVC(max_iter=50)
    found = wf.diagnose_estimator(model, X + labels[:, None], labels)
    assert found.goal.name == "error"


def patients():
    rng = np.random.default_rng(0)
    own, group = rng.normal(size=60), np.repeat(np.arange(60), 20)
    features = np.c_[rng.normal(size=(1200, 2)), np.repeat(rng.normal(size=(60, 3)), 20, 0)]
    labels = (rng.random(1200) < 1 / (1 + np.exp(-(features[:, 0] + 2.5 * own[group])))).astype(int)
    return features, labels, group


def test_the_interval_is_that_of_groups():
    """Rows of a patient are alike: an interval over rows is half as wide as one over resampled patients."""
    features, labels, group = patients()
    found = wf.diagnose_estimator(LogisticRegression(), features, labels, groups=group, seed=0).errors.dev
    here, there = next(GroupShuffleSplit(n_splits=1, test_size=0.2, random_state=0).split(features, labels, group))
    model = LogisticRegression().fit(features[here], labels[here])
    wrong, rng = model.predict(features[there]) != labels[there], np.random.default_rng(1)
    of_group = [wrong[group[there] == one].mean() for one in np.unique(group[there])]
    means = [rng.choice(of_group, len(of_group)).mean() for _ in range(4_000)]
    low, high = np.quantile(means, [0.025, 0.975])
    assert found.value == pytest.approx(wrong.mean())
    assert 0.9 < (found.high - found.low) / (high - low) < 1.4
    rows = wf.diagnose_predictions(
        train=(labels[here], model.predict(features[here])), dev=(labels[there], model.predict(features[there]))
    )
    assert found.high - found.low > 1.5 * (rows.errors.dev.high - rows.errors.dev.low)


def test_groups_of_given_dev_rows_are_named_by_their_part():
    features, labels, group = patients()
    here, there = slice(0, 800), slice(800, None)
    model = LogisticRegression().fit(features[here], labels[here])
    given = {
        "train": (labels[here], model.predict(features[here])),
        "dev": (labels[there], model.predict(features[there])),
    }
    expected = wf.diagnose_predictions(**given, groups={"dev": group[there]})
    pair = (features[there], labels[there])
    found = wf.diagnose_estimator(model, features[here], labels[here], dev=pair, groups={"dev": group[there]})
    assert found.errors.dev == expected.errors.dev
    with pytest.raises(BadInput, match="name their part"):
        wf.diagnose_estimator(model, features[here], labels[here], dev=pair, groups=group[there])


def test_an_estimator_that_takes_groups_gets_those_of_its_rows():
    seen = {}

    class Taking(LogisticRegression):
        def fit(self, X, y, groups=None):
            seen["groups"] = np.asarray(groups)
            return super().fit(X, y)

    features, labels, group = patients()
    wf.diagnose_estimator(Taking(), features, labels, groups=pd.Series(group))
    assert len(seen["groups"]) == 960


@pytest.mark.parametrize("goal", ["rmse", "r2", "mae", None])
def test_several_targets_are_averaged_over(goal):
    features, targets = make_regression(300, 5, n_targets=3, noise=20.0, random_state=0)
    model = LinearRegression().fit(features[:200], targets[:200])
    dev = features[200:], targets[200:]
    found = wf.diagnose_estimator(model, features[:200], targets[:200], dev=dev, goal=goal).to_json()["errors"]["dev"]
    predicted = model.predict(dev[0])
    expected = {
        "rmse": mean_squared_error(dev[1], predicted) ** 0.5,
        "r2": r2_score(dev[1], predicted),
        "mae": np.abs(dev[1] - predicted).mean(),
    }
    assert found["value"] == pytest.approx(expected[goal or "rmse"])
    assert found["low"] < found["value"] < found["high"]
    groups = np.arange(300) // 5
    assert wf.diagnose_estimator(LinearRegression(), features, targets, groups=groups, goal=goal).errors.dev.rows == 60
    one = wf.diagnose_estimator(KNeighborsRegressor(), features, targets[:, :1])
    assert one.errors.dev.rows == 60


def test_a_score_of_another_kind_is_said():
    model = GridSearchCV(LogisticRegression(), {"C": [1.0]}, scoring="roc_auc").fit(X[HERE], Y[HERE])
    notes = wf.diagnose_estimator(model, X[HERE], Y[HERE], dev=(X[THERE], Y[THERE])).notes
    assert any("it measures something else" in note for note in notes)
    plain = make_pipeline(LogisticRegression()).fit(X[HERE], Y[HERE])
    notes = wf.diagnose_estimator(plain, X[HERE], Y[HERE], dev=(X[THERE], Y[THERE])).notes
    assert not any("it measures something else" in note for note in notes)


def test_the_generators_of_the_caller_stay_as_they_were():
    np.random.seed(3)  # noqa: NPY002
    expected = np.random.rand()  # noqa: NPY002
    np.random.seed(3)  # noqa: NPY002
    wf.diagnose_estimator(RandomForestClassifier(5), X, Y)
    assert np.random.rand() == expected  # noqa: NPY002


class NeverFitted(SVC):
    def fit(self, X, y):
        raise AssertionError("refused too late")


LABELS = make_multilabel_classification(100, 4, random_state=0)[1]


@pytest.mark.parametrize(
    ("call", "said"),
    [
        (lambda: wf.diagnose_estimator(NeverFitted(), X[:100], LABELS), "one label"),
        (lambda: wf.diagnose_estimator(NeverFitted(), X, Y, goal="log_loss"), "probabilities"),
        (lambda: wf.diagnose_estimator(NeverFitted(), X, np.arange(600) % 3, goal="auc"), "two classes"),
        (lambda: wf.diagnose_estimator(NeverFitted(), X, Y, goal="rmse"), "goal rmse must be used with"),
        (lambda: wf.diagnose_estimator(NeverFitted(), X, Y, groups=np.arange(600) // 300), "two groups"),
        (lambda: wf.diagnose_estimator(NeverFitted(), X, Y, groups=np.arange(10)), "same number of rows"),
        (lambda: wf.diagnose_estimator(NeverFitted(), X, Y, dev=X), "must be \\(X, y\\)"),
        (lambda: wf.diagnose_estimator(object(), X, Y), "must be a scikit-learn estimator"),
    ],
    ids=["labels", "log loss", "order of three", "goal", "one dev group", "group rows", "dev", "another kind"],
)
def test_what_cannot_be_judged_is_refused_before_the_fit(call, said):
    with pytest.raises(BadInput, match=said):
        call()
