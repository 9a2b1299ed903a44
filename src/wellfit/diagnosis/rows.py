"""The rows of each part for the checks that use data: features, target, and a model's losses.

The results of another model on dev rows give an upper limit on the loss reachable in a region, and a second opinion on
labels.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace
from functools import cached_property
from typing import Any, TypeAlias

import numpy as np
from sklearn.ensemble import HistGradientBoostingClassifier, HistGradientBoostingRegressor
from threadpoolctl import threadpool_limits

from wellfit.base.typing import Booleans, Floats, Integers
from wellfit.data.features import Features
from wellfit.records.goals import Goal

FEWEST_ROWS = 200
"""Fewest rows of train and of dev for the opinion of another model."""
FIT_ROWS, MOST_CELLS, MOST_TREES = 20_000, 4_000_000, 1_000
MOST_ROUNDS, FEWEST_ROUNDS = 100, 5
_MOST_LEVELS = 255  # of a category, in scikit-learn's trees


@dataclass(frozen=True, kw_only=True)
class Rows:
    """One part (train, train-dev or dev) of the diagnosed data; fields are [rows], or None if not known."""

    features: Features  # in their own units
    target: Integers | Floats  # int64 class codes, or float64 values
    classes: int  # 0 for regression
    losses: Floats | None = None  # of the model
    groups: Integers | None = None  # code of each row's group, the same in all parts
    times: Floats | None = None  # when a row was measured, in days

    @property
    def rows(self) -> int:
        """Return the number of rows."""
        return self.features.rows

    def take(self, rows: Integers) -> Rows:
        """Return the rows at the given places."""
        return replace(
            self,
            features=self.features.take(rows),
            target=self.target[rows],
            losses=None if self.losses is None else self.losses[rows],
            groups=None if self.groups is None else self.groups[rows],
            times=None if self.times is None else self.times[rows],
        )


Shuffled: TypeAlias = Callable[[str, Integers, Integers], Floats]
"""Function of a column, dev rows [rows], and the rows [orders, rows] whose values they take; returns predictions."""


@dataclass(frozen=True, kw_only=True)
class NetworkOnRows:
    """The results of a network on the open rows."""

    losses: Mapping[str, Floats]  # part (train, train_dev, dev) -> [rows]
    predictions: Floats  # [dev rows, classes] probabilities, or [dev rows] values
    rival: Floats | None  # [dev rows] losses of the best reference model, None without any


@dataclass(frozen=True, kw_only=True)
class Predicted:
    """A model's predictions for dev, and for train if known, in the form that the goal takes."""

    parts: Mapping[str, tuple[Integers | Floats, Floats]]  # part -> targets and predictions
    constant: Floats  # the prediction that, made for every row, has (nearly) the lowest loss on train
    constant_on_train: float  # that loss
    levels: tuple[str, ...] = ()  # names of the classes; their codes if not given
    groups: Mapping[str, Integers] = field(default_factory=dict)  # part -> [rows] code of each row's group

    @classmethod
    def over(
        cls,
        parts: Mapping[str, tuple[Integers | Floats, Floats]],
        *,
        goal: Goal,
        train: Integers | Floats,
        levels: tuple[str, ...] = (),
        groups: Mapping[str, Integers] | None = None,
    ) -> Predicted:
        """Return the predictions for these parts, and the best constant for the targets of train."""
        prediction = parts["dev"][1]
        constant = goal.metric.best_constant(
            train, outputs=prediction.shape[-1] if goal.task == "classification" else 0
        )
        loss = goal.loss(train, np.broadcast_to(constant, (len(train), *prediction.shape[1:])))
        return cls(parts=parts, constant=constant, constant_on_train=loss, levels=levels, groups=groups or {})

    def name_of(self, code: int) -> str:
        """Return the name of a class."""
        return self.levels[code] if self.levels else str(code)


@dataclass(frozen=True, kw_only=True)
class OpenRows:
    """The rows that checks may use, and the split's counts of the others, computed from their hashes alone."""

    train: Rows
    dev: Rows
    train_dev: Rows | None = None
    goal: Goal
    sealed: Mapping[str, tuple[int, int]] = field(default_factory=dict)  # comparison -> (copies of open rows, rows)
    look_alikes: Mapping[str, tuple[int, int]] = field(default_factory=dict)  # part -> (like one of train, pictures)
    levels: tuple[str, ...] = ()  # names of the classes; their codes if not given
    pictures: bool = False  # whether the features were measured on pictures
    seed: int = 0  # of every subsample

    @property
    def parts(self) -> dict[str, Rows]:
        """Return the parts by name."""
        parts = {"train": self.train, "dev": self.dev, "train_dev": self.train_dev}
        return {name: part for name, part in parts.items() if part is not None}

    def of_train(self, kept: Booleans) -> OpenRows:
        """Return the rows with only some of those of train; near copies among them are not counted yet."""
        return self if kept.all() else replace(self, train=self.train.take(np.flatnonzero(kept)), look_alikes={})

    def under(self, network: NetworkOnRows | None) -> OpenRows:
        """Return the same rows, with the losses of a network in place of their own if a network is given."""
        if network is None:
            return self
        parts = {name: replace(part, losses=network.losses[name]) for name, part in self.parts.items()}
        return replace(self, train=parts["train"], dev=parts["dev"], train_dev=parts.get("train_dev"))

    @cached_property
    def opinion(self) -> Floats | None:
        """Return probabilities [dev rows, classes] or values [dev rows] of another model; None for too few rows."""
        if min(self.train.rows, self.dev.rows) < FEWEST_ROWS or not self.train.features.columns:
            return None
        return rival_predictions(self.train, self.dev, goal=self.goal, seed=self.seed)


def rival_predictions(train: Rows, dev: Rows, *, goal: Goal, seed: int = 0) -> Floats:
    """Return dev probabilities [rows, classes], or values, of gradient-boosted trees.

    The trees are fitted on at most 20,000 rows, and their cells and number are bounded.
    """
    columns = train.features.columns
    most = min(FIT_ROWS, MOST_CELLS // max(len(columns), 1))
    rows = np.sort(np.random.default_rng(seed).permutation(train.rows)[:most])
    values, target = train.features.values[rows], np.asarray(train.target)[rows]
    categories = [column.kind == "category" and 0 < len(column.levels) <= _MOST_LEVELS for column in columns]
    usual = {"categorical_features": categories if any(categories) else None, "random_state": seed}
    with threadpool_limits(limits=1):  # two threads stall next to a busy process
        if goal.task == "regression":
            regressor = HistGradientBoostingRegressor(loss=goal.metric.trees_loss, early_stopping=False, **usual)
            fitted: Any = regressor.fit(values, target)
            return np.asarray(fitted.predict(dev.features.values))
        predicted = np.zeros((dev.rows, train.classes))
        if len(np.unique(target)) < 2:  # nothing to learn
            predicted[:, target[0]] = 1.0
            return predicted
        rounds = max(FEWEST_ROUNDS, min(MOST_ROUNDS, MOST_TREES // train.classes))
        model = HistGradientBoostingClassifier(early_stopping=False, max_iter=rounds, **usual)
        fitted = model.fit(values, target)
        predicted[:, fitted.classes_] = fitted.predict_proba(dev.features.values)
    return predicted
