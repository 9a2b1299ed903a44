from __future__ import annotations

import numpy as np
import pyarrow as pa
import pytest

from wellfit.data.read import read_table
from wellfit.data.schema import infer_schema
from wellfit.splits.split import split_table

ROWS = 300


@pytest.fixture
def table():
    rng = np.random.default_rng(0)
    x = rng.normal(size=ROWS)
    columns = {"row": [f"r{i}" for i in range(ROWS)], "x": x, "kind": ["a", "b", None] * 100}
    return read_table(pa.table({**columns, "y": np.where(x + rng.normal(size=ROWS) > 0, "yes", "no")}))


@pytest.fixture
def split(table):
    return split_table(table, schema=infer_schema(table.frame, target="y"))
