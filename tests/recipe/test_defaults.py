from __future__ import annotations

import pytest

from wellfit.recipe.defaults import PILOT_UPDATES, pilot_config
from wellfit.records.config import total_updates
from wellfit.sweeps.usual import batch_size_for, bins_for, epochs_for


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
    assert bins_for(columns, rows=600) == bins


@pytest.mark.parametrize(
    ("rows", "columns", "bins"),
    [(3_242, 5, 32), (5_001, 8, 64), (13_210, 8, 128), (1_000_000, 8, 128), (1_000_000, 50, 20)],
)
def test_many_rows_get_more_bins_where_columns_are_few(rows, columns, bins):
    assert bins_for(columns, rows=rows) == bins


@pytest.mark.parametrize("rows", [30, 600, 19_536, 76_000])
def test_a_pilot_is_just_long_enough_to_be_timed(rows):
    pilot = pilot_config(rows=rows, columns=4, seed=0)
    assert pilot is not None
    assert PILOT_UPDATES <= total_updates(pilot, rows=rows) <= 2 * PILOT_UPDATES


def test_a_million_rows_need_no_pilot():
    assert pilot_config(rows=1_000_000, columns=4, seed=0) is None
