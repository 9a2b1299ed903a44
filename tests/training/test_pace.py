from __future__ import annotations

from dataclasses import replace

import pytest

from wellfit.config import Config, Network, Optimization
from wellfit.training.pace import affordable, seconds_per_update

LONG = Config(network=Network(widths=(16,)), optimization=Optimization(epochs=100, batch_size=50))


@pytest.mark.parametrize(("seconds", "epochs"), [(0.0, 1), (11.9, 1), (12.0, 1), (60.0, 5), (1e6, 100)], ids=str)
def test_the_epochs_are_those_that_fit_into_the_time(seconds, epochs):
    # 600 rows in batches of 50 make 12 updates of a second each.
    shortened = affordable(LONG, rows=600, seconds=seconds, pace=1.0)
    assert shortened == replace(LONG, optimization=replace(LONG.optimization, epochs=epochs))


def test_the_pace_of_a_training_is_positive_and_of_none_is_zero(classification):
    assert 0 < seconds_per_update(classification, LONG) < 1
    one_update = replace(LONG, optimization=Optimization(epochs=1, batch_size=600))
    pace = seconds_per_update(classification, one_update)
    assert pace == 0
    assert affordable(one_update, rows=600, seconds=0.0, pace=pace) == one_update
