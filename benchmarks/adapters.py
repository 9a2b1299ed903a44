"""What the adapters say of a model against plain PyTorch and scikit-learn.

For Lightning, skorch and scikit-learn estimators, ways in which people build loaders, losses, outputs and estimators:
the errors of train and dev must equal the plain ones to 1e-6, or be refused before the first update. The figure of a
case is the largest difference over goals, parts and seeds: 0 of a refusal in time, infinite of one that came after an
update, and of a refusal where a number was due.
"""

from __future__ import annotations

import sys
import warnings
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
from sklearn.calibration import CalibratedClassifierCV
from sklearn.compose import TransformedTargetRegressor
from sklearn.dummy import DummyClassifier
from sklearn.ensemble import HistGradientBoostingClassifier, RandomForestClassifier, VotingClassifier
from sklearn.linear_model import LinearRegression, LogisticRegression, Ridge
from sklearn.metrics import balanced_accuracy_score, f1_score, log_loss, mean_squared_error, r2_score, roc_auc_score
from sklearn.model_selection import FixedThresholdClassifier, GridSearchCV, TunedThresholdClassifierCV
from sklearn.neighbors import KNeighborsRegressor
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler
from sklearn.svm import SVC, LinearSVC

import wellfit as wf
from adapter_ways import LIGHTNING, SKORCH, LightningWay, Outcome, Rows, SkorchWay
from report import Row, arguments, finish
from wellfit.exceptions import BadInput

MOST = 1e-6
Score = Callable[[Any, Any, Any], float]

OF_GOAL: Mapping[str, Score] = {
    "error": lambda model, X, y: 1 - float(np.mean(model.predict(X) == y)),
    "balanced_error": lambda model, X, y: 1 - balanced_accuracy_score(y, model.predict(X)),
    "f1": lambda model, X, y: f1_score(y, model.predict(X), average="macro"),
    "log_loss": lambda model, X, y: log_loss(y, model.predict_proba(X)),
    "auc": lambda model, X, y: roc_auc_score(y, _order(model, X)),
    "rmse": lambda model, X, y: mean_squared_error(y, model.predict(X)) ** 0.5,
    "r2": lambda model, X, y: r2_score(y, model.predict(X)),
}
LABELS = ("error", "balanced_error", "f1")
ALL = (*LABELS, "log_loss", "auc")
OF_VALUES = ("rmse", "r2")


def _order(model: Any, X: Any) -> Any:
    return model.predict_proba(X)[:, 1] if hasattr(model, "predict_proba") else model.decision_function(X)


class NeverFitted(LogisticRegression):
    """Tells a refusal in time from a late one."""

    def fit(self, _X: Any, _y: Any) -> Any:
        """Fail."""
        raise RuntimeError("fitted")


@dataclass(frozen=True)
class EstimatorWay:
    """An estimator, the goals to compare, and how its target is made of the labels."""

    model: Any
    goals: tuple[str, ...]
    target: Callable[[Any, Any], Any] = lambda labels, _X: labels
    refused: bool = False

    def outcome(self, rows: Rows, goal: str) -> Outcome:
        """Fit, and compare."""
        X, y = rows.X.numpy().astype(np.float64), self.target(rows.labels.numpy(), rows.X.numpy())
        if self.refused:
            try:
                wf.diagnose_estimator(self.model, X, y, goal=goal)
            except BadInput:
                return Outcome(refused=True)
            except RuntimeError:
                return Outcome(refused=True, updated=True)
            return Outcome()
        model = self.model.fit(X[rows.train], y[rows.train])
        parts = {"train": (X[rows.train], y[rows.train]), "dev": (X[rows.dev], y[rows.dev])}
        found = wf.diagnose_estimator(model, *parts["train"], dev=parts["dev"], goal=goal).to_json()["errors"]
        return Outcome(tuple((found[part]["value"], OF_GOAL[goal](model, *pair)) for part, pair in parts.items()))


def _names(labels: Any, _X: Any) -> Any:
    return np.where(labels == 1, "stays", "churns")


ESTIMATORS: Mapping[str, EstimatorWay] = {
    "logistic regression": EstimatorWay(LogisticRegression(), ALL),
    "labels of text": EstimatorWay(LogisticRegression(), LABELS, _names),
    "fixed threshold": EstimatorWay(FixedThresholdClassifier(LogisticRegression(), threshold=0.3), ALL),
    "tuned threshold": EstimatorWay(
        TunedThresholdClassifierCV(LogisticRegression(), scoring="balanced_accuracy", random_state=0), ALL
    ),
    "balanced SVC": EstimatorWay(SVC(class_weight="balanced"), (*LABELS, "auc")),
    "linear SVC": EstimatorWay(LinearSVC(), (*LABELS, "auc")),
    "pipeline": EstimatorWay(make_pipeline(StandardScaler(), LogisticRegression()), ALL),
    "grid search, scored otherwise": EstimatorWay(
        GridSearchCV(LogisticRegression(), {"C": [0.1, 1.0]}, scoring="roc_auc"), ALL
    ),
    "forest": EstimatorWay(RandomForestClassifier(20, min_samples_leaf=5, random_state=0), ALL),
    "boosting": EstimatorWay(HistGradientBoostingClassifier(max_iter=10, random_state=0), ALL),
    "votes": EstimatorWay(VotingClassifier([("a", LogisticRegression()), ("b", LinearSVC())]), LABELS),
    "calibrated": EstimatorWay(CalibratedClassifierCV(LinearSVC(), cv=3), ALL),
    "one class for all": EstimatorWay(DummyClassifier(), LABELS),
    "30 classes": EstimatorWay(LinearSVC(max_iter=200), ("error",), lambda _labels, X: np.argsort(X[:, 1]) % 30),
    "least squares": EstimatorWay(LinearRegression(), OF_VALUES, lambda _labels, X: X[:, 0] + X[:, 1] ** 2),
    "target [n, 1]": EstimatorWay(Ridge(), OF_VALUES, lambda _labels, X: X[:, :1] + X[:, 1:2] ** 2),
    "three targets": EstimatorWay(KNeighborsRegressor(), OF_VALUES, lambda _labels, X: X[:, :3]),
    "transformed target": EstimatorWay(
        TransformedTargetRegressor(LinearRegression(), func=np.log, inverse_func=np.exp),
        OF_VALUES,
        lambda _labels, X: np.exp(X[:, 0].astype(np.float64)),
    ),
    "several labels a row": EstimatorWay(
        NeverFitted(), ("error",), lambda labels, _X: np.stack([labels, 1 - labels], axis=1), refused=True
    ),
    "log loss without probabilities": EstimatorWay(LinearSVC(), ("log_loss",), refused=True),
    "a goal of values": EstimatorWay(NeverFitted(), ("rmse",), refused=True),
}

Way = LightningWay | SkorchWay | EstimatorWay
ADAPTERS: Mapping[str, Mapping[str, Way]] = {"Lightning": LIGHTNING, "skorch": SKORCH, "scikit-learn": ESTIMATORS}


def measure(way: Way, seeds: list[int]) -> Row:
    """Return the largest difference over seeds and goals; `case` is left to the caller."""
    worst = 0.0
    for seed in seeds:
        rows = Rows.of(seed)
        for goal in way.goals:
            found = way.outcome(rows, goal)
            worst = max(worst, found.difference if found.refused == way.refused else float("inf"))
    return Row("", worst, MOST, note="refused before the first update" if way.refused else ", ".join(way.goals))


def main() -> None:
    """Measure every way of every adapter."""
    given = arguments(__doc__)
    seeds = given.seeds[:1] if given.quick else given.seeds
    rows = []
    for adapter, ways in ADAPTERS.items():
        for name, way in ways.items():
            print(f"{adapter}: {name}", file=sys.stderr)
            found = measure(way, seeds)
            rows.append(Row(f"{adapter}: {name}", found.measured, MOST, note=found.note))
    finish("adapters", rows, as_json=given.json)


if __name__ == "__main__":
    warnings.filterwarnings("ignore")
    main()
