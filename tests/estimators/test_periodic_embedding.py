"""A periodic embedding through the estimators: it fits and predicts, and is refused where there are no numbers."""

from __future__ import annotations

import numpy as np
import pyarrow as pa
import pytest

import wellfit as wf
from wellfit.exceptions import BadInput


def test_waves_fit_what_is_periodic():
    source = np.random.default_rng(0)
    x = source.uniform(-1, 1, size=(600, 1))
    y = np.sin(10 * x[:, 0])
    found = {}
    for embedding in ("none", "periodic"):
        net = wf.NetRegressor(widths=(32, 32), embedding=embedding, epochs=100, lr=1e-2, random_state=0)
        found[embedding] = net.fit(x, y).score(x, y)
    assert found["periodic"] > 0.99 > found["none"]


def test_without_numbers_it_is_refused():
    X = pa.table({"word": ["a", "b"] * 40})
    with pytest.raises(BadInput, match="needs numeric columns"):
        wf.NetClassifier(embedding="periodic", epochs=1).fit(X, np.arange(80) % 2)
