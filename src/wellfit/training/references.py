"""Reference models on the same split: the models that a network must beat.

dummy: the best constant prediction for the goal. linear: logistic or ridge regression. trees: scikit-learn's histogram
gradient boosting. All are deterministic for a seed, so they are fit again where they are needed.
"""

from __future__ import annotations

import math
import time
import warnings
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
from scipy import sparse
from sklearn.ensemble import HistGradientBoostingClassifier, HistGradientBoostingRegressor
from sklearn.exceptions import ConvergenceWarning
from sklearn.linear_model import LogisticRegression, RidgeCV
from sklearn.preprocessing import OneHotEncoder, StandardScaler
from threadpoolctl import threadpool_limits

from wellfit.base.typing import Floats, Task
from wellfit.data.prepare import Arrays, Prepared
from wellfit.records.goals import Goal
from wellfit.training.noise import batch_order
from wellfit.training.pictures import reduced, reduced_data

MOST_CELLS = 4_000_000
"""Maximum rows x columns for fitting linear and trees; a larger table is thinned at random, with a note."""
MOST_LINEAR_CELLS = 40_000_000
"""Maximum rows x columns x classes for the linear model, which has a weight for each column and class."""
MOST_TREES = 1_000
"""Total number of trees over all classes."""
MOST_ITERATIONS, MOST_LINEAR_ITERATIONS = 200, 300
FEWEST_ITERATIONS, FEWEST_LINEAR_ITERATIONS = 5, 20
LEAST_SECONDS, MOST_SECONDS, SHARE = 1.0, 20.0, 0.1
"""Seconds of an idle core that `effort_for` allows the models: minimum, maximum, and share of a budget in time."""
SECONDS_OF_TREE = (2.2e-3, 8e-9)
SECONDS_OF_ITERATION = (4e-4, 1.5e-9)
"""Seconds measured on one idle core (scikit-learn 1.7): for one tree and one iteration of the logistic regression, and
for each cell of the table (times the classes)."""
MOST_NATIVE_CODES = 250
"""Number of levels above which a category enters the trees as a number: scikit-learn has at most 255 bins."""
RIDGE_ALPHAS = tuple(np.logspace(-3, 4, 15).tolist())

Predict = Callable[[Arrays], Floats]


@dataclass(frozen=True)
class Reference:
    """One reference model: the goal's loss and the predictions of each part.

    Predictions are probabilities [rows, classes], or values [rows] in the target's unit.
    """

    name: str
    losses: Mapping[str, float]
    predictions: Mapping[str, Floats]
    seconds: float
    note: str = ""


def fit_references(
    data: Prepared, *, goal: Goal, seed: int, extra: Mapping[str, Arrays] | None = None, effort: float = 1.0
) -> tuple[Reference, ...]:
    """Fit dummy, linear and trees on the training rows, and measure them there, on dev, and on `extra`.

    If the training rows are thinned, the train loss is that of the rows used for the fit. With an `effort` below 1, the
    models get that share of their iterations.
    """
    shape = data.preparation.schema.picture
    data = reduced_data(data)
    others = {name: reduced(part, shape) if shape else part for name, part in (extra or {}).items()}
    short = f"{100 * effort:.0f} % of the usual iterations, to stay within the budget" if effort < 1 else ""
    few, why_few = _thinned(data.train, cells=min(MOST_CELLS, MOST_LINEAR_CELLS // data.preparation.outputs), seed=seed)
    train, why = _thinned(data.train, cells=MOST_CELLS, seed=seed)
    constant = goal.metric.best_constant(data.train.target, outputs=data.preparation.outputs)

    def dummy(arrays: Arrays) -> Floats:
        return np.broadcast_to(constant, (arrays.rows, *constant.shape))

    fitters: dict[str, tuple[Callable[[], Predict], Arrays, str]] = {
        "dummy": (lambda: dummy, data.train, ""),
        "linear": (lambda: _linear(few, data, effort=effort), few, _joined(why_few, short)),
        "trees": (lambda: _trees(train, data, seed=seed, effort=effort), train, _joined(why, short)),
    }
    return tuple(
        _measured(name, fitter, {"train": rows, "dev": data.dev, **others}, goal=goal, note=note)
        for name, (fitter, rows, note) in fitters.items()
    )


def _joined(*notes: str) -> str:
    return ", ".join(note for note in notes if note)


def effort_for(data: Prepared, *, budget_seconds: float | None) -> float:
    """Return the share of the models' iterations that keeps them bounded; 1 unless the table is large.

    It depends only on the table and the budget, so that the same command fits the same models on every machine.
    """
    train, outputs = reduced_data(data).train, data.preparation.outputs
    cells = min(train.rows * (train.numeric.shape[1] + train.codes.shape[1]), MOST_CELLS)
    classify = data.preparation.schema.task == "classification"
    a_tree, a_cell = SECONDS_OF_TREE
    seconds = _rounds(data) * _trees_a_round(data) * (a_tree + a_cell * cells)
    if classify:
        an_iteration, a_weight = SECONDS_OF_ITERATION
        seconds += MOST_LINEAR_ITERATIONS * (an_iteration + a_weight * min(cells * outputs, MOST_LINEAR_CELLS))
    share = math.inf if budget_seconds is None else SHARE * budget_seconds
    most = min(MOST_SECONDS, max(LEAST_SECONDS, share))
    return float(min(1.0, most / seconds))


def _trees_a_round(data: Prepared) -> int:
    outputs = data.preparation.outputs
    return outputs if data.preparation.schema.task == "classification" and outputs > 2 else 1


def _rounds(data: Prepared) -> int:
    return max(min(MOST_ITERATIONS, MOST_TREES // _trees_a_round(data)), FEWEST_ITERATIONS)


def _measured(
    name: str, fitter: Callable[[], Predict], parts: Mapping[str, Arrays], *, goal: Goal, note: str
) -> Reference:
    began = time.monotonic()
    with threadpool_limits(limits=1):  # trees on every core stall beside a busy neighbour: 90 s in place of 9
        predict = fitter()
        predictions = {part: predict(arrays) for part, arrays in parts.items()}
    losses = {part: goal.loss(parts[part].target, predictions[part]) for part in parts}
    return Reference(name, losses, predictions, time.monotonic() - began, note)


def _thinned(train: Arrays, *, cells: int, seed: int) -> tuple[Arrays, str]:
    most = max(cells // max(train.numeric.shape[1] + train.codes.shape[1], 1), 1)
    if train.rows <= most:
        return train, ""
    chosen = np.sort(batch_order(seed=seed, stream="references", epoch=0, rows=train.rows)[:most])
    return Arrays(train.numeric[chosen], train.codes[chosen], train.target[chosen]), (
        f"fit on {most:,} of the {train.rows:,} training rows"
    )


def _linear(train: Arrays, data: Prepared, *, effort: float) -> Predict:
    scaler = StandardScaler()
    encoder = OneHotEncoder(handle_unknown="ignore", dtype=np.float64)

    def features(arrays: Arrays, *, start: bool = False) -> Any:
        numeric = arrays.numeric.astype(np.float64)
        if numeric.shape[1]:
            numeric = scaler.fit_transform(numeric) if start else scaler.transform(numeric)
        if not arrays.codes.shape[1]:
            return numeric
        codes = encoder.fit_transform(arrays.codes) if start else encoder.transform(arrays.codes)
        return sparse.hstack([sparse.csr_matrix(numeric), codes], format="csr")

    if data.preparation.schema.task == "classification":
        iterations = max(FEWEST_LINEAR_ITERATIONS, round(effort * MOST_LINEAR_ITERATIONS))
        model = LogisticRegression(max_iter=iterations)
    else:
        model = RidgeCV(alphas=RIDGE_ALPHAS)
    with warnings.catch_warnings():
        # A reference a little short of its optimum is still a reference.
        warnings.simplefilter("ignore", ConvergenceWarning)
        model.fit(features(train, start=True), train.target)
    return _predictor(model, data, features=features)


def _trees(train: Arrays, data: Prepared, *, seed: int, effort: float) -> Predict:
    task: Task = data.preparation.schema.task
    native = [codes <= MOST_NATIVE_CODES for codes in data.preparation.cardinalities]
    settings: dict[str, Any] = {
        "max_iter": max(FEWEST_ITERATIONS, round(effort * _rounds(data))),
        "categorical_features": np.array([False] * train.numeric.shape[1] + native),
        "random_state": seed % 2**32,
    }
    classify = task == "classification"
    model = HistGradientBoostingClassifier(**settings) if classify else HistGradientBoostingRegressor(**settings)

    def features(arrays: Arrays) -> Floats:
        return np.hstack([arrays.numeric, arrays.codes.astype(np.float32)])

    model.fit(features(train), train.target)
    return _predictor(model, data, features=features)


def _predictor(model: Any, data: Prepared, *, features: Callable[[Arrays], Any]) -> Predict:
    if data.preparation.schema.task == "regression":
        return lambda arrays: np.asarray(model.predict(features(arrays)), dtype=np.float64)

    def probabilities(arrays: Arrays) -> Floats:
        # A class may be missing from the thinned rows.
        spread = np.zeros((arrays.rows, data.preparation.outputs))
        spread[:, model.classes_.astype(int)] = model.predict_proba(features(arrays))
        return spread

    return probabilities
