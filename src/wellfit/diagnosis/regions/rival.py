"""Another model on dev rows: an upper limit of what is reachable in a region, a second opinion on a label."""

from __future__ import annotations

from typing import Any

import numpy as np
from sklearn.ensemble import HistGradientBoostingClassifier, HistGradientBoostingRegressor
from threadpoolctl import threadpool_limits

from wellfit._typing import Floats
from wellfit.diagnosis.rows import Rows
from wellfit.goals import Goal

FIT_ROWS = 20_000
_MOST_LEVELS = 255  # of a category, in scikit-learn's trees


def rival_predictions(train: Rows, dev: Rows, *, goal: Goal, seed: int = 0) -> Floats:
    """Gradient-boosted trees, fit on (at most 20,000) training rows: dev probabilities [rows, classes], or values."""
    columns = train.features.columns
    rows = np.sort(np.random.default_rng(seed).permutation(train.rows)[:FIT_ROWS])
    values, target = train.features.values[rows], np.asarray(train.target)[rows]
    categories = [column.kind == "category" and 0 < len(column.levels) <= _MOST_LEVELS for column in columns]
    usual = {"categorical_features": categories if any(categories) else None, "random_state": seed}
    with threadpool_limits(limits=1):  # two threads stall beside a busy neighbour
        if goal.task == "regression":
            loss = "absolute_error" if goal.name == "mae" else "squared_error"
            fitted: Any = HistGradientBoostingRegressor(loss=loss, early_stopping=False, **usual).fit(values, target)
            return np.asarray(fitted.predict(dev.features.values))
        predicted = np.zeros((dev.rows, train.classes))
        if len(np.unique(target)) < 2:  # nothing to learn
            predicted[:, target[0]] = 1.0
            return predicted
        fitted = HistGradientBoostingClassifier(early_stopping=False, **usual).fit(values, target)
        predicted[:, fitted.classes_] = fitted.predict_proba(dev.features.values)
    return predicted
