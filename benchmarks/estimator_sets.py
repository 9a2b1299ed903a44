"""The data sets of benchmarks/estimators.py: those that scikit-learn ships and the shared tables, as Arrow tables."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from sklearn.datasets import load_breast_cancer, load_diabetes, load_digits, load_iris, load_wine
from sklearn.model_selection import train_test_split

from tables import ADULT, BIKE, CALIFORNIA, CREDIT, DATA, PHONEME, Source
from wellfit.data.read import read_table

TEST_SHARE = 0.25
MOST_TRAIN, MOST_TEST = 5_000, 5_000
"""Larger tables are thinned to so many rows: the rivals' grid search makes fifty trainings of each."""


@dataclass(frozen=True)
class Sides:
    """Rows to fit on, and rows that only measure.

    Attributes:
        X: of the training rows; numbers, or texts that are categories.
        y: their classes, or numbers.
        X_test: of the test rows.
        y_test: their classes, or numbers.
        regression: whether y is numbers.
    """

    X: pa.Table
    y: np.ndarray
    X_test: pa.Table
    y_test: np.ndarray
    regression: bool


@dataclass(frozen=True)
class DataSet:
    """A name, and what loads (features, target)."""

    name: str
    load: Callable[[], tuple[pa.Table, np.ndarray]]
    regression: bool = False

    def divided(self, seed: int) -> Sides:
        """Divide at random by `seed`, by class where there are classes, and thin both sides."""
        X, y = self.load()
        places, kinds = np.arange(len(y)), None if self.regression else y
        train, test = train_test_split(places, test_size=TEST_SHARE, random_state=seed, stratify=kinds)
        train, test = train[:MOST_TRAIN], test[:MOST_TEST]
        return Sides(X.take(train), y[train], X.take(test), y[test], self.regression)


def _shipped(loader: Callable[..., tuple[np.ndarray, np.ndarray]]) -> Callable[[], tuple[pa.Table, np.ndarray]]:
    def load() -> tuple[pa.Table, np.ndarray]:
        X, y = loader(return_X_y=True)
        return pa.table({f"x{place}": column for place, column in enumerate(X.T)}), y

    return load


def _shared(source: Source) -> Callable[[], tuple[pa.Table, np.ndarray]]:
    def load() -> tuple[pa.Table, np.ndarray]:
        table = read_table(DATA / source.file).frame
        y = table[source.target].to_numpy()
        table = table.drop_columns([source.target, *source.drop])
        columns = [_days(column) if pa.types.is_temporal(column.type) else column for column in table.columns]
        return pa.table(columns, names=table.column_names), y

    return load


def _days(column: pa.ChunkedArray) -> pa.ChunkedArray:
    """A date as a number of days, for wellfit and rivals alike."""
    return pc.days_between(pa.scalar(0, pa.date32()), column.cast(pa.date32()))


SETS = (
    DataSet("iris", _shipped(load_iris)),
    DataSet("wine", _shipped(load_wine)),
    DataSet("breast_cancer", _shipped(load_breast_cancer)),
    DataSet("digits", _shipped(load_digits)),
    DataSet("diabetes", _shipped(load_diabetes), regression=True),
    DataSet(PHONEME.name, _shared(PHONEME)),
    DataSet(CREDIT.name, _shared(CREDIT)),
    DataSet(CALIFORNIA.name, _shared(CALIFORNIA), regression=True),
    DataSet(ADULT.name, _shared(ADULT)),
    DataSet(BIKE.name, _shared(BIKE), regression=True),
)
