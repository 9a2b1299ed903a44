"""The base classes of the estimators, which turn arguments and rows into a config, train it, and return a model."""

from __future__ import annotations

import numbers
import warnings
from abc import ABC, abstractmethod
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, replace
from typing import Any, ClassVar, Self, TypeVar

import numpy as np
import pyarrow as pa
import torch
from scipy.special import softmax
from sklearn.base import BaseEstimator, ClassifierMixin, RegressorMixin
from sklearn.exceptions import ConvergenceWarning
from sklearn.utils import check_random_state, column_or_1d
from sklearn.utils.multiclass import check_classification_targets
from sklearn.utils.validation import check_is_fitted

from wellfit.base.typing import Floats, Integers, Task
from wellfit.data.prepare import Preparation
from wellfit.data.schema import Column
from wellfit.estimators.arguments import config_of
from wellfit.estimators.inputs import (
    Rows,
    groups_of,
    merged,
    prepared,
    read_both,
    read_features,
    target_moments,
    weights_of,
    with_class_weights,
)
from wellfit.exceptions import BadInput
from wellfit.records.config import Config
from wellfit.records.goals import default_goal
from wellfit.records.outcome import Outcome, Status
from wellfit.sweeps.executor import InProcess
from wellfit.training.tensors import OUTPUT_RANGE, Inputs, Part, network_from, one_thread, outputs_of

MOST_SEED = 2**31 - 1

Method = TypeVar("Method", bound=Callable[..., Any])

# Callbacks, from scikit-learn 1.9 on: a fit is one task, and every fold of a search a task of it.
try:
    from sklearn.callback import CallbackSupportMixin as CallbackSupport
    from sklearn.callback import with_callbacks as _with_callbacks
except ImportError:  # scikit-learn before 1.9

    class CallbackSupport:  # type: ignore[no-redef]
        """A placeholder for versions of scikit-learn without callbacks."""

    def _with_callbacks(method: Method) -> Method:
        return method


def with_callbacks(method: Method) -> Method:
    """Return a `fit` that tears down its callbacks at the end, even if it fails."""
    found: Method = _with_callbacks(method)
    return found


@contextmanager
def fit_context(estimator: Any, *, subtasks: int, data: tuple[Any, Any], metadata: Mapping[str, Any]) -> Iterator[Any]:
    """Notify the callbacks of the start of a fit and, unless it fails, of its end; yield the context, if any."""
    if not hasattr(estimator, "_init_callback_context"):
        yield None
        return
    context = estimator._init_callback_context(max_subtasks=subtasks)
    X, y = data
    given = {name: value for name, value in metadata.items() if value is not None} or None
    context.call_on_fit_task_begin(estimator=estimator, X=X, y=y, metadata=given)
    yield context
    context.call_on_fit_task_end(estimator=estimator, X=X, y=y, metadata=given, reconstruction_attributes={})


@contextmanager
def subtask_context(estimator: Any, context: Any, name: str) -> Iterator[None]:
    """Notify the callbacks of the start and the end of one task of a fit."""
    if context is None:
        yield
        return
    subtask = context.subcontext(task_name=name)
    subtask.call_on_fit_task_begin(estimator=estimator)
    yield
    subtask.call_on_fit_task_end(estimator=estimator)


@dataclass(frozen=True)
class Given:
    """The rows of a fit with positive weights, their places [rows] in X, and the features."""

    rows: Rows
    places: Integers
    columns: tuple[Column, ...]


@dataclass(frozen=True)
class Model:
    """One network or the average of several, with the transforms; `mean` and `scale` turn outputs into predictions.

    Both are moments of the targets: scalars, or [targets].
    """

    preparation: Preparation
    parts: tuple[Part, ...]
    mean: Floats
    scale: Floats

    @classmethod
    def of(cls, preparation: Preparation, outcomes: Sequence[Outcome], *, train: Rows) -> Model:
        """Return the average of the networks trained on these rows."""
        mean, scale = (np.zeros(()), np.ones(())) if preparation.schema.classes else target_moments(train)
        parts = tuple(Part(1 / len(outcomes), each.config, dict(each.state)) for each in outcomes)
        return cls(preparation, parts, mean, scale)

    def probabilities(self, table: pa.Table) -> Floats:
        """Return the probability of each class [rows, classes]."""
        return self._average(table, lambda _part, outputs: np.asarray(softmax(outputs, axis=1)))

    def values(self, table: pa.Table) -> Floats:
        """Return predictions [rows] or [rows, targets] in the target's unit, within the range of the training rows."""
        return self._average(table, self._values)

    def _values(self, part: Part, outputs: Floats) -> Floats:
        outputs = outputs[:, 0] if self.preparation.targets == 1 else outputs
        low, high = part.state[OUTPUT_RANGE]
        if self.preparation.targets > 1:
            # The engine knew several targets as standardized ones.
            low, high = low * self.scale + self.mean, high * self.scale + self.mean
        return np.clip(outputs * self.scale + self.mean, low, high)

    def _average(self, table: pa.Table, predicted: Callable[[Part, Floats], Floats]) -> Floats:
        # In float64 a row has the same outputs whatever rows are beside it, to 1e-12.
        inputs = Inputs.of(self.preparation.transform(table, with_target=False), dtype=torch.float64)
        return np.asarray(sum(part.weight * predicted(part, self._outputs(part, inputs)) for part in self.parts))

    def _outputs(self, part: Part, inputs: Inputs) -> Floats:
        with one_thread():
            network = network_from(part.state, self.preparation, part.config.network).double()
            return np.asarray(outputs_of(network, inputs).numpy())


class Net(CallbackSupport, BaseEstimator, ABC):  # type: ignore[misc]  # scikit-learn has no types
    """A network whose arguments set its knobs."""

    _task: ClassVar[Task]

    def __sklearn_tags__(self) -> Any:
        tags = super().__sklearn_tags__()
        tags.input_tags.allow_nan = True
        return tags

    @with_callbacks
    def fit(self, X: Any, y: Any, sample_weight: Any = None) -> Self:
        """Train the network.

        Args:
            X: array [rows, features] or data frame (pandas, polars, pyarrow). NaN is a missing value. In a frame, text
                and categorical columns are categories, and dates are dates. Scaling and encoding are done here.
            y: the target [rows]; a regression may have several targets [rows, targets].
            sample_weight: the number of rows that each row represents [rows]; a weight of 0 leaves a row out, and a
                weight of 2 counts it twice.

        Raises:
            ValueError: if X and y do not fit together, y has missing values or a single class, knobs are out of range,
                or weights are negative or all zero (mostly as `wf.BadInput`).
            TypeError: for a sparse X.
        """
        given = self._read(X, y, sample_weight)
        train = merged(given.rows)
        config = self._config(train, given.columns)
        with fit_context(self, subtasks=0, data=(X, y), metadata={"sample_weight": sample_weight}):
            return self._train(train, config, columns=given.columns)

    @abstractmethod
    def _encoded(self, y: Any) -> Any:
        """Learn the classes of y, and return y as the engine needs it: int64 codes or float64 numbers [rows]."""

    @property
    def _class_count(self) -> int:
        """Return the number of classes, known once y has been read; 0 for a regression."""
        return len(self.classes_) if self._task == "classification" else 0

    def _read(self, X: Any, y: Any, sample_weight: Any, *, groups: Any = None) -> Given:
        table, columns, y = read_both(self, X, y, numbers=self._task == "regression")
        weights = weights_of(sample_weight, rows=len(y))
        places = np.flatnonzero(weights)
        target = self._encoded(y[places])
        kept = table if len(places) == len(y) else table.take(pa.array(places))
        named = None if groups is None else groups_of(groups, rows=len(y))[places]
        return Given(Rows(kept, target, weights[places], named), places, columns)

    def _config(self, train: Rows, columns: tuple[Column, ...]) -> Config:
        numbers = sum(column.kind != "category" for column in columns)
        seed = int(check_random_state(self.random_state).randint(MOST_SEED))
        return config_of(self.get_params(deep=False), rows=train, columns=numbers, seed=seed)

    def _weighted(self, train: Rows) -> Rows:
        """Return the merged rows, with the weights of their classes included."""
        if self._task == "regression":
            return train
        return with_class_weights(train, self.class_weight, classes=self.classes_)

    def _train(self, train: Rows, config: Config, *, columns: tuple[Column, ...]) -> Self:
        train = self._weighted(train)
        data = prepared(train, None, columns=columns, classes=self._class_count)
        outcomes = InProcess(data, goal=default_goal(self._task), effects=False).train(self._seeded(config))
        if any(outcome.status is Status.DIVERGED for outcome in outcomes):
            warnings.warn(f"The training diverged. {Status.DIVERGED.advice}", ConvergenceWarning, stacklevel=3)
        self.model_ = Model.of(data.preparation, outcomes, train=train)
        self.config_ = config
        self.n_iter_ = config.optimization.epochs
        return self

    def _seeded(self, config: Config) -> list[Config]:
        """Return the config with a seed for each network, its own seed first."""
        if not isinstance(self.networks, numbers.Integral) or self.networks < 1:
            found = f"networks={self.networks!r}"
            raise BadInput(
                "networks must be a whole number of at least 1", found=found, remedy="Give for example 1 or 4"
            )
        return [replace(config, seed=(config.seed + place) % MOST_SEED) for place in range(int(self.networks))]

    def _table(self, X: Any) -> pa.Table:
        check_is_fitted(self, "model_")
        return read_features(self, X, self.model_.preparation.schema.columns)


FEWEST_CLASSES = 2


class BaseNetClassifier(ClassifierMixin, Net):  # type: ignore[misc]  # scikit-learn has no types
    """A network whose target is a class."""

    _task: ClassVar[Task] = "classification"

    def predict_proba(self, X: Any) -> Floats:
        """Return the probability of each class [rows, classes], in the order of `classes_`.

        Raises:
            ValueError: if columns differ from those of the fit.
            NotFittedError: before `fit`.
        """
        table = self._table(X)  # first, since it checks that there was a fit
        return self.model_.probabilities(table)

    def predict(self, X: Any) -> Any:
        """Return the most probable class of each row [rows].

        Raises:
            ValueError: if columns differ from those of the fit.
            NotFittedError: before `fit`.
        """
        codes = self.predict_proba(X).argmax(axis=1)
        return self.classes_[codes]

    def _encoded(self, y: Any) -> Integers:
        check_classification_targets(y)
        self.classes_, codes = np.unique(y, return_inverse=True)
        if len(self.classes_) < FEWEST_CLASSES:
            one, rows = self.classes_.tolist()[0], f"{len(y)} sample{'s' * (len(y) > 1)}"
            raise BadInput(
                "y must contain at least two classes",
                found=f"1 class, {one!r}, in {rows} with positive weight",
                remedy="Add rows of another class",
            )
        return np.asarray(codes, dtype=np.int64)


class BaseNetRegressor(RegressorMixin, Net):  # type: ignore[misc]  # scikit-learn has no types
    """A network whose target is one or several numbers."""

    _task: ClassVar[Task] = "regression"

    def __sklearn_tags__(self) -> Any:
        tags = super().__sklearn_tags__()
        tags.target_tags.multi_output = True
        return tags

    def predict(self, X: Any) -> Floats:
        """Return the predicted values [rows], or [rows, targets], within the range of the training rows.

        Raises:
            ValueError: if columns differ from those of the fit.
            NotFittedError: before `fit`.
        """
        table = self._table(X)
        return self.model_.values(table)

    def _encoded(self, y: Any) -> Floats:
        # As in scikit-learn: one column is one target, with a warning that says so.
        flat = column_or_1d(y, warn=True) if np.ndim(y) == 2 and np.shape(y)[1] == 1 else y
        return np.asarray(flat, dtype=np.float64)
