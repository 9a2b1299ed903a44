from __future__ import annotations

import pytest

from wellfit.recipe.defaults import batch_size_for, bins_for, epochs_for


@pytest.mark.parametrize(
    ("rows", "batch_size", "epochs"),
    [(600, 64, 128), (3_242, 128, 97), (19_536, 256, 33), (60_000, 512, 22), (600_000, 1_024, 16)],
    ids=["credit_g", "phoneme", "adult", "mnist", "a million"],
)
def test_batches_grow_with_the_rows_and_epochs_shrink(rows, batch_size, epochs):
    assert batch_size_for(rows) == batch_size
    assert epochs_for(rows, batch_size=batch_size) == epochs


@pytest.mark.parametrize(("columns", "bins"), [(0, 32), (8, 32), (50, 20), (1_000, 4)])
def test_many_columns_get_fewer_bins_each(columns, bins):
    assert bins_for(columns) == bins
