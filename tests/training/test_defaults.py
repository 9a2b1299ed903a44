from __future__ import annotations

import pytest

from wellfit.config import total_updates
from wellfit.training.defaults import LADDER, bins_for, first_config


@pytest.mark.parametrize(
    ("rows", "batch_size", "epochs"),
    [(600, 64, 128), (3_242, 128, 97), (19_536, 256, 33), (60_000, 512, 22), (600_000, 1_024, 16)],
    ids=["credit_g", "phoneme", "adult", "mnist", "a million"],
)
def test_batches_grow_with_the_rows_and_epochs_shrink(rows, batch_size, epochs):
    config = first_config(rows=rows, columns=8)
    assert config.optimization.batch_size == batch_size
    assert config.optimization.epochs == epochs
    assert total_updates(config, rows=rows) >= 1_000


def test_the_first_network_is_the_smallest_and_nothing_is_regularized():
    config = first_config(rows=1_000, columns=8)
    assert config.network.widths == LADDER[0]
    assert config.regularization.is_off


@pytest.mark.parametrize(("columns", "bins"), [(0, 32), (8, 32), (50, 20), (1_000, 4)])
def test_many_columns_get_fewer_bins_each(columns, bins):
    assert bins_for(columns) == bins
