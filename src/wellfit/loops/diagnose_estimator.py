"""Diagnose any scikit-learn estimator or pipeline: fitted already, or fitted here on a part of the rows."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
from sklearn.base import clone, is_classifier
from sklearn.model_selection import GroupShuffleSplit, ShuffleSplit, StratifiedShuffleSplit
from sklearn.utils import _safe_indexing as rows_of
from sklearn.utils.validation import check_is_fitted, indexable

from wellfit.base.typing import Integers
from wellfit.diagnosis.diagnosis import Diagnosis
from wellfit.diagnosis.predictions import Pair, diagnose_predictions
from wellfit.exceptions import BadInput

DEV_SHARE = 0.2
"""Share of the rows that is kept from the fit, where no dev rows are given."""


def diagnose_estimator(
    estimator: Any,
    X: Any,
    y: Any,
    *,
    dev: tuple[Any, Any] | None = None,
    groups: Any = None,
    dev_share: float = DEV_SHARE,
    seed: int = 0,
    **options: Any,
) -> Diagnosis:
    """Say where the error of an estimator comes from and what to do about it.

        wf.diagnose_estimator(make_pipeline(StandardScaler(), SVC()), X, y, human_error=.02)      # fits a clone
        wf.diagnose_estimator(fitted, X_train, y_train, dev=(X_dev, y_dev))                       # fits nothing

    Args:
        estimator: a classifier or regressor, or a pipeline that ends in one. Without `dev` it is cloned, never changed.
        X: [rows, features] array or data frame: the training rows, or (without `dev`) all rows.
        y: [rows] their target.
        dev: (X, y) of rows that the fitted estimator has not seen.
        groups: [rows] rows of one group stay on one side of the division.
        dev_share: share of the rows that becomes dev where none is given; stratified by class.
        seed: of the division.
        **options: as `diagnose_predictions`: goal, human_error, human_rows, optimal_error, tolerance.

    Raises:
        BadInput: for rows that do not fit together, an estimator that is not fitted (with `dev`), and what
            `diagnose_predictions` refuses.
    """
    if dev is not None:
        return _diagnosed(_fitted(estimator), train=(X, y), dev=dev, options=options)
    X, y, groups = indexable(X, y, groups)
    here, there = _division(estimator, np.asarray(y), groups, share=dev_share, seed=seed)
    parts = [(rows_of(X, rows), rows_of(y, rows)) for rows in (here, there)]
    return _diagnosed(clone(estimator).fit(*parts[0]), train=parts[0], dev=parts[1], options=options)


def _fitted(estimator: Any) -> Any:
    try:
        check_is_fitted(estimator)
    except (ValueError, TypeError) as error:
        raise BadInput(
            "an estimator given with dev rows must be fitted",
            found=str(error).splitlines()[0],
            remedy="Fit it on the training rows, or leave dev out",
        ) from error
    return estimator


def _division(estimator: Any, y: Any, groups: Any, *, share: float, seed: int) -> tuple[Integers, Integers]:
    if not 0 < share < 1:
        raise BadInput("dev_share must be between 0 and 1", found=f"dev_share={share!r}", remedy="Give for example 0.2")
    kind: Callable[..., Any]
    if groups is not None:
        kind = GroupShuffleSplit
    else:
        kind = StratifiedShuffleSplit if is_classifier(estimator) else ShuffleSplit
    try:
        here, there = next(kind(n_splits=1, test_size=share, random_state=seed).split(y, y, groups))
    except ValueError as error:
        raise BadInput(
            "rows must be enough for train and dev",
            found=f"{len(y)} rows: {str(error).splitlines()[0]}",
            remedy="Give more rows, or dev rows of your own",
        ) from error
    return here, there


def _diagnosed(fitted: Any, *, train: Pair, dev: Pair, options: dict[str, Any]) -> Diagnosis:
    classes = None
    predict: Callable[[Any], Any] = fitted.predict
    if is_classifier(fitted) and hasattr(fitted, "predict_proba"):
        predict, classes = fitted.predict_proba, list(fitted.classes_)
    pairs = [(y, np.asarray(predict(X))) for X, y in (train, dev)]
    return diagnose_predictions(train=pairs[0], dev=pairs[1], classes=classes, **options)
