from __future__ import annotations

import numpy as np
import pyarrow as pa
import pytest

from wellfit.data.prepare import Prepared, fit_preparation
from wellfit.data.schema import infer_schema


@pytest.fixture(scope="session")
def data() -> Prepared:
    """A small noisy table on which a network overfits."""
    source = np.random.default_rng(0)
    numbers = source.normal(size=(700, 4))
    signal = np.sin(2 * numbers[:, 0]) + numbers[:, 1] + 0.8 * source.normal(size=700)
    columns = {name: numbers[:, place] for place, name in enumerate("abcd")}
    kind = [f"k{code}" for code in source.integers(0, 3, 700)]
    table = pa.table({**columns, "kind": kind, "target": np.where(signal > 0, "yes", "no")})
    preparation = fit_preparation(table.slice(0, 400), infer_schema(table, target="target"))
    train, dev = preparation.transform(table.slice(0, 400)), preparation.transform(table.slice(400))
    return Prepared(preparation, train, None, dev)
