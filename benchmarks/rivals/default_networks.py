"""scikit-learn's and skorch's networks with their defaults, behind the preprocessing that their users write.

Numbers are filled with the median and scaled, categories one-hot encoded, and the target of a regression scaled: more
than their defaults do, since none of them learns without.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import torch
from sklearn.base import BaseEstimator
from sklearn.compose import ColumnTransformer, TransformedTargetRegressor, make_column_selector
from sklearn.impute import SimpleImputer
from sklearn.model_selection import GridSearchCV
from sklearn.neural_network import MLPClassifier, MLPRegressor
from sklearn.pipeline import Pipeline, make_pipeline
from sklearn.preprocessing import FunctionTransformer, LabelEncoder, OneHotEncoder, StandardScaler
from skorch import NeuralNetClassifier, NeuralNetRegressor
from torch import nn

HIDDEN = 100
"""scikit-learn's default; skorch has no network of its own."""
ALPHAS = np.logspace(-6, 1, 10).tolist()
"""Ten points around scikit-learn's default of 1e-4."""


def default_mlp(*, regression: bool, seed: int) -> BaseEstimator:
    """Return MLPClassifier() or MLPRegressor()."""
    network = MLPRegressor(random_state=seed) if regression else MLPClassifier(random_state=seed)
    return _behind_preprocessing(network, regression=regression)


def searched_mlp(*, regression: bool, seed: int) -> BaseEstimator:
    """Return the same inside GridSearchCV with its default of five folds, over ten values of alpha."""
    return GridSearchCV(
        default_mlp(regression=regression, seed=seed),
        {"regressor__network__alpha" if regression else "network__alpha": ALPHAS},
    )


class DefaultSkorch(BaseEstimator):
    """NeuralNetClassifier or NeuralNetRegressor with one hidden layer, made when the number of inputs is known."""

    def __init__(self, *, regression: bool, seed: int) -> None:
        self.regression = regression
        self.seed = seed

    def fit(self, X: Any, y: Any) -> DefaultSkorch:
        """Preprocess, make the network and fit it."""
        torch.manual_seed(self.seed)
        self.classes_ = LabelEncoder().fit(y) if not self.regression else None
        y = y.astype(np.float32) if self.classes_ is None else self.classes_.transform(y)
        outputs = 1 if self.classes_ is None else len(self.classes_.classes_)
        inputs = _preprocessing().fit_transform(X).shape[1]
        make = NeuralNetRegressor if self.regression else NeuralNetClassifier
        network = make(_network(inputs, outputs, self.regression), verbose=0)
        self.pipeline_ = _behind_preprocessing(network, regression=self.regression).fit(X, y)
        return self

    def predict(self, X: Any) -> np.ndarray:
        """Return classes or numbers."""
        predicted = self.pipeline_.predict(X)
        return predicted if self.classes_ is None else self.classes_.inverse_transform(predicted)


def _network(inputs: int, outputs: int, regression: bool) -> nn.Module:
    end = nn.Flatten(0) if regression else nn.Softmax(dim=-1)
    return nn.Sequential(nn.Linear(inputs, HIDDEN), nn.ReLU(), nn.Linear(HIDDEN, outputs), end)


def _behind_preprocessing(network: BaseEstimator, *, regression: bool) -> BaseEstimator:
    steps = Pipeline([("preprocessing", _preprocessing()), ("network", network)])
    return TransformedTargetRegressor(steps, transformer=_target_scaler()) if regression else steps


def _preprocessing() -> Pipeline:
    numbers = make_pipeline(SimpleImputer(strategy="median"), StandardScaler())
    categories = OneHotEncoder(handle_unknown="ignore", sparse_output=False)
    columns = ColumnTransformer(
        [
            ("numbers", numbers, make_column_selector(dtype_include="number")),
            ("categories", categories, make_column_selector(dtype_exclude="number")),
        ]
    )
    return make_pipeline(columns, _to_float32())


def _target_scaler() -> Pipeline:
    return make_pipeline(StandardScaler(), _to_float32())


def _to_float32() -> FunctionTransformer:
    """skorch's networks take no other type."""
    back: Callable[[np.ndarray], np.ndarray] = _float64
    return FunctionTransformer(_float32, inverse_func=back, check_inverse=False)


def _float32(values: np.ndarray) -> np.ndarray:
    return values.astype(np.float32)


def _float64(values: np.ndarray) -> np.ndarray:
    return values.astype(np.float64)
