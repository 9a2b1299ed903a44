"""A sweep in an experiment: its snapshots and its ensemble are networks that are kept, taken up again, and predict."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

import wellfit as wf
from wellfit.records.config import Config, Network, Optimization
from wellfit.records.outcome import Status
from wellfit.sweeps.rungs import Rungs

CONFIG = Config(network=Network(widths=(32,)), optimization=Optimization(epochs=60, batch_size=32, lr=0.01))
OVER = {"l2": [0.0, 0.1, 1.0], "keep_prob": [1.0, 0.7]}


@pytest.fixture(scope="module")
def waves(tmp_path_factory):
    """Few rows of a wavy number: members err on different ones."""
    rng = np.random.default_rng(0)
    x = rng.normal(size=(600, 4))
    y = np.sin(3 * x[:, 0]) + x[:, 1] * x[:, 2] + 0.3 * rng.normal(size=600)
    path = tmp_path_factory.mktemp("waves") / "waves.parquet"
    pq.write_table(pa.table({**{f"x{place}": x[:, place] for place in range(4)}, "y": y}), path)
    return path


@pytest.fixture
def experiment(waves, tmp_path):
    wf.split(waves, target="y", out=tmp_path / "waves.wellfit")
    return wf.open_experiment(tmp_path / "waves.wellfit")


def test_the_ensemble_of_a_sweep_becomes_the_network_and_predicts(experiment, waves):
    found = wf.sweep(experiment, CONFIG, over=OVER, rungs=True, ensemble=True)
    assert found.ensemble.is_ahead
    assert experiment.network.members == pytest.approx(found.ensemble.weights)
    assert len(experiment.parts) == len(found.ensemble.picks) > 1
    snapshots = {each.identity for each in found.snapshots}
    assert found.ensemble.coupled == bool(snapshots & found.ensemble.weights.keys())
    predicted = experiment.predict(waves)["prediction"].to_numpy()
    assert np.mean((predicted - pq.read_table(waves)["y"].to_numpy()) ** 2) < 0.9
    assert experiment.diagnose().errors.dev.value == pytest.approx(found.ensemble.loss)


def test_without_being_asked_the_chosen_member_is_the_network(experiment):
    found = wf.sweep(experiment, CONFIG, over=OVER, rungs=True)
    assert not found.chosen.is_snapshot
    assert experiment.network.identity == found.chosen.identity


def test_a_sweep_that_is_known_is_told_again_with_its_snapshots(experiment):
    first, again = (wf.sweep(experiment, CONFIG, over=OVER, rungs=True) for _ in range(2))
    assert [each.identity for each in again.snapshots] == [each.identity for each in first.snapshots] != []
    assert again.ensemble == first.ensemble
    for one, other in zip(first.snapshots, again.snapshots, strict=True):
        np.testing.assert_array_equal(one.predictions["dev"], other.predictions["dev"])


def test_a_member_that_was_dropped_is_trained_to_its_end_where_there_are_no_rungs(experiment):
    slow = replace(CONFIG, optimization=replace(CONFIG.optimization, epochs=15, schedule="coslog4"))
    over = {"l2": [0.0, 1e4, 1e5], "keep_prob": [1.0]}
    first = wf.sweep(experiment, slow, over=over, rungs=Rungs(keep=0.01, level=0.9))
    assert Status.DROPPED in {member.status for member in first.members}
    again = wf.sweep(experiment, slow, over=over)
    assert {member.status for member in again.members} == {Status.FINISHED}


def test_a_chosen_snapshot_is_the_network_and_is_marked(experiment, waves):
    smooth = {"l2": [1e5]}
    found = wf.sweep(experiment, CONFIG, over=smooth, rungs=Rungs(snapshots=True))
    assert found.chosen.is_snapshot
    assert experiment.network.identity == found.chosen.identity
    assert experiment.network.updates == found.chosen.updates
    assert any("coupled" in warning for warning in found.warnings)
    assert "<td>chosen at a rung</td>" in experiment.report().read_text()
    assert experiment.predict(waves).num_rows == 600
