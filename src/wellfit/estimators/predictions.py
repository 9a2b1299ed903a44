"""What classifiers predict, and what regressors do, apart from how they were fit."""

from __future__ import annotations

from typing import Any, ClassVar

import numpy as np
from sklearn.base import ClassifierMixin, RegressorMixin
from sklearn.utils import column_or_1d
from sklearn.utils.multiclass import check_classification_targets

from wellfit._typing import Floats, Integers, Task
from wellfit.estimators.net import Net
from wellfit.exceptions import BadInput

FEWEST_CLASSES = 2


class Classifies(ClassifierMixin, Net):  # type: ignore[misc]  # scikit-learn has no types
    """A network whose target is a class."""

    _task: ClassVar[Task] = "classification"

    def predict_proba(self, X: Any) -> Floats:
        """Return the probability of each class [rows, classes], in the order of `classes_`.

        Raises:
            ValueError: for other columns than those of the fit.
            NotFittedError: before `fit`.
        """
        table = self._table(X)
        return self.model_.probabilities(table)

    def predict(self, X: Any) -> Any:
        """Return the most probable class [rows].

        Raises:
            ValueError: for other columns than those of the fit.
            NotFittedError: before `fit`.
        """
        probabilities = self.predict_proba(X)
        return self.classes_[probabilities.argmax(axis=1)]

    def _encoded(self, y: Any) -> Integers:
        check_classification_targets(y)
        self.classes_, codes = np.unique(y, return_inverse=True)
        if len(self.classes_) < FEWEST_CLASSES:
            one, rows = self.classes_.tolist()[0], f"{len(y)} sample{'s' * (len(y) > 1)}"
            raise BadInput(
                "a classifier learns from at least two classes",
                found=f"1 class, {one!r}, in {rows} of positive weight",
                remedy="Give rows of another class",
            )
        return np.asarray(codes, dtype=np.int64)


class Regresses(RegressorMixin, Net):  # type: ignore[misc]  # scikit-learn has no types
    """A network whose target is a number, or several."""

    _task: ClassVar[Task] = "regression"

    def __sklearn_tags__(self) -> Any:
        tags = super().__sklearn_tags__()
        tags.target_tags.multi_output = True
        return tags

    def predict(self, X: Any) -> Floats:
        """Return the target [rows], or [rows, targets], inside the range of the training rows.

        Raises:
            ValueError: for other columns than those of the fit.
            NotFittedError: before `fit`.
        """
        table = self._table(X)
        return self.model_.values(table)

    def _encoded(self, y: Any) -> Floats:
        # As in scikit-learn: one column is one target, with a warning that says so.
        flat = column_or_1d(y, warn=True) if np.ndim(y) == 2 and np.shape(y)[1] == 1 else y
        return np.asarray(flat, dtype=np.float64)
