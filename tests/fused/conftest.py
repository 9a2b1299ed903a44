from __future__ import annotations

from collections.abc import Callable

import numpy as np
import pyarrow as pa
import pytest

from wellfit.data.prepare import Prepared, fit_preparation
from wellfit.data.schema import infer_schema

TRAIN_ROWS = 210
"""Three batches of 64 and a small one of 18."""


@pytest.fixture(scope="session")
def table() -> Callable[..., Prepared]:
    """A maker of small tables: two numbers, a category of four levels (one-hot) and one of twelve (embedded)."""
    made: dict[tuple[str, bool, int], Prepared] = {}

    def make(task: str, *, numbers: bool = True, rows: int = TRAIN_ROWS) -> Prepared:
        return made.setdefault((task, numbers, rows), _prepared(task, numbers=numbers, rows=rows))

    return make


def _prepared(task: str, *, numbers: bool, rows: int) -> Prepared:
    source = np.random.default_rng(7)
    count = 2 * rows
    first, second = source.normal(size=(2, count))
    few, many = source.integers(0, 4, count), source.integers(0, 12, count)
    noisy = np.sin(2 * first) + second * (few == 2) + 0.1 * many + 0.3 * source.normal(size=count)
    columns = {"few": [f"f{code}" for code in few], "many": [f"m{code:02d}" for code in many]}
    columns |= {"first": first, "second": second} if numbers else {}
    target = np.digitize(noisy, np.quantile(noisy, [1 / 3, 2 / 3])) if task == "classification" else 100 + 20 * noisy
    words = [f"class {code}" for code in target] if task == "classification" else target
    whole = pa.table({**columns, "target": words})
    train, dev = whole.slice(0, rows), whole.slice(rows)
    preparation = fit_preparation(train, infer_schema(whole, target="target", task=task))
    return Prepared(preparation, preparation.transform(train), None, preparation.transform(dev))
