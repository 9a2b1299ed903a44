from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from oracle.stack import fit
from wellfit.records.config import Config, Network, Optimization
from wellfit.records.goals import goal_named
from wellfit.records.outcome import Status
from wellfit.training.learning_curve import Stopping

OVERFITTING = Optimization(epochs=60, batch_size=64, lr=0.02, schedule="constant")


def config(patience, *, optimization=OVERFITTING):
    optimization = replace(optimization, early_stopping=patience)
    return Config(network=Network(widths=(64, 64)), optimization=optimization)


def watched(losses, *, patience):
    """Watch a curve of `losses`, whose networks are its places; return the watcher and how many points it saw."""
    stopping = Stopping(patience)
    for place, dev in enumerate(losses):
        stopping.watch(dev, place)
        if stopping.is_due:
            break
    return stopping, place + 1


@pytest.mark.parametrize(
    ("losses", "patience", "seen", "kept"),
    [
        ([5, 4, 3, 2], 1, 4, 3),
        ([5, 4, 6, 3], 1, 3, 1),
        ([5, 4, 6, 3], 2, 4, 3),
        ([5, 4, 4, 4, 1], 2, 4, 1),
        ([1, 2, 2, 2], 3, 4, 0),
        ([5, 4, 6, 3], None, 4, 3),
    ],
    ids=str,
)
def test_it_stops_after_so_many_points_without_a_lower_loss(losses, patience, seen, kept):
    stopping, points = watched(losses, patience=patience)
    assert (points, stopping.network) == (seen, kept)
    assert stopping.went_back == (kept != seen - 1)


@given(losses=st.lists(st.integers(0, 9), min_size=1, max_size=30), patience=st.integers(1, 10))
def test_what_is_kept_is_the_first_of_the_best_points_seen(losses, patience):
    stopping, points = watched(losses, patience=patience)
    assert stopping.network == int(np.argmin(losses[:points]))
    assert points == len(losses) or points - 1 - stopping.network == patience


def test_a_training_ends_early_with_the_network_of_its_best_point(classification):
    outcome = fit(classification, config(3), goal=goal_named("log_loss"))
    devs = [point.dev for point in outcome.curve]
    assert outcome.status is Status.STOPPED_EARLY
    assert outcome.updates == outcome.curve[-1].update < 600
    assert len(devs) - 1 - int(np.argmin(devs)) == 3
    assert outcome.losses["dev"] == pytest.approx(min(devs))


def test_until_it_stops_a_training_is_the_same(classification):
    whole, stopped = (fit(classification, config(patience), goal=goal_named("log_loss")) for patience in (None, 3))
    assert whole.status is Status.FINISHED
    assert whole.losses["dev"] == pytest.approx(whole.curve[-1].dev)
    assert whole.curve[: len(stopped.curve)] == stopped.curve


def test_the_best_point_is_kept_where_the_patience_lasts_to_the_end(classification):
    outcome = fit(classification, config(100), goal=goal_named("log_loss"))
    assert outcome.updates == 600
    assert outcome.status is Status.STOPPED_EARLY
    assert outcome.losses["dev"] == pytest.approx(min(point.dev for point in outcome.curve))


def test_a_training_whose_last_point_is_the_best_is_finished(classification):
    short = Optimization(epochs=2, batch_size=600, lr=1e-3, schedule="constant")
    patient, whole = (
        fit(classification, config(n, optimization=short), goal=goal_named("log_loss")) for n in (1, None)
    )
    assert patient.status is whole.status is Status.FINISHED
    assert all(np.array_equal(patient.state[name], value) for name, value in whole.state.items())
