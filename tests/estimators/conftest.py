from __future__ import annotations

import numpy as np
import pandas as pd
import pytest


@pytest.fixture(scope="session")
def two_classes() -> tuple[np.ndarray, np.ndarray]:
    """240 rows of 4 numbers; the class is the sign of the first, a little noisy."""
    source = np.random.default_rng(0)
    X = source.normal(size=(240, 4))
    return X, np.where(X[:, 0] + 0.3 * source.normal(size=240) > 0, "yes", "no")


@pytest.fixture(scope="session")
def one_number() -> tuple[np.ndarray, np.ndarray]:
    """240 rows of 3 numbers; the target is 100 + 20 (x0 - x1), a little noisy."""
    source = np.random.default_rng(1)
    X = source.normal(size=(240, 3))
    return X, 100 + 20 * (X[:, 0] - X[:, 1]) + source.normal(size=240)


@pytest.fixture(scope="session")
def mixed() -> tuple[pd.DataFrame, pd.Series]:
    """300 rows: a number with gaps, text, a category of integers, a truth value and a date; all but the date matter."""
    source = np.random.default_rng(2)
    rows = 300
    size, town = source.normal(size=rows), source.choice(["Bonn", "Kiel", "Ulm"], rows)
    grade, old = source.integers(0, 4, rows), source.random(rows) < 0.4
    score = size + (town == "Kiel") + (grade == 2) - old + 0.1 * source.normal(size=rows)
    frame = pd.DataFrame(
        {
            "size": np.where(source.random(rows) < 0.05, np.nan, size),
            "town": pd.Series(town, dtype="str"),
            "grade": pd.Categorical(grade),
            "old": old,
            "sold": pd.Timestamp("2024-01-01") + pd.to_timedelta(source.integers(0, 700, rows), unit="D"),
        }
    )
    return frame, pd.Series(np.where(score > np.median(score), "dear", "cheap"), name="price")
