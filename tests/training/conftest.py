from __future__ import annotations

import numpy as np
import pyarrow as pa
import pytest

from wellfit.data.prepare import Prepared, fit_preparation
from wellfit.data.schema import infer_schema


def make_table(task: str, *, rows: int, seed: int = 0) -> pa.Table:
    """Two numbers, one category of four levels, one of twelve; a smooth signal and a little noise."""
    source = np.random.default_rng(seed)
    numbers = source.normal(size=(rows, 2))
    few, many = source.integers(0, 4, rows), source.integers(0, 12, rows)
    signal = np.sin(2 * numbers[:, 0]) + numbers[:, 1] * (few == 2) + 0.1 * many
    noisy = signal + 0.3 * source.normal(size=rows)
    columns = {
        "a": numbers[:, 0],
        "b": numbers[:, 1],
        "few": [f"f{code}" for code in few],
        "many": [f"m{code:02d}" for code in many],
    }
    target = np.where(noisy > np.median(noisy), "yes", "no") if task == "classification" else 100 + 20 * noisy
    return pa.table({**columns, "target": target})


def prepare(task: str, *, rows: int = 600, dev: int = 300) -> Prepared:
    table = make_table(task, rows=rows + dev)
    train, rest = table.slice(0, rows), table.slice(rows)
    preparation = fit_preparation(train, infer_schema(table, target="target", task=task))
    return Prepared(preparation, preparation.transform(train), None, preparation.transform(rest))


@pytest.fixture(scope="session")
def classification() -> Prepared:
    return prepare("classification")


@pytest.fixture(scope="session")
def regression() -> Prepared:
    return prepare("regression")
