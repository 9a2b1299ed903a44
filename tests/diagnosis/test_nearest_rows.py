"""All pairs at once, against scikit-learn's search."""

from __future__ import annotations

import numpy as np
import pytest
from sklearn.neighbors import NearestNeighbors

from wellfit.diagnosis.leakage.near_duplicates import nearest_rows


@pytest.mark.parametrize(("rows", "queries"), [(30, 20), (20_000, 700)], ids=["few", "several blocks"])
def test_the_nearest_are_those_of_scikit_learn(rows, queries):
    rng = np.random.default_rng(rows)
    known, asked = (rng.normal(size=(count, 12)).astype(np.float32) for count in (rows, queries))
    asked[:5] = known[:5] + 1e-4
    distances, places = nearest_rows(known, asked)
    expected, twins = NearestNeighbors(n_neighbors=1).fit(known.astype(float)).kneighbors(asked.astype(float))
    assert distances == pytest.approx(expected[:, 0], rel=1e-5, abs=1e-6)
    assert (places == twins[:, 0]).mean() > 0.99


def test_a_row_is_not_its_own_neighbour_and_its_copy_is():
    rng = np.random.default_rng(0)
    known = rng.normal(size=(9_000, 12)).astype(np.float32)
    known[8_500] = known[3]
    own = np.array([3, 4, 8_999])
    distances, places = nearest_rows(known, known[own], own=own)
    assert (places != own).all()
    assert (distances[0], places[0]) == (0.0, 8_500)
    assert (distances[1:] > 0.1).all()
