"""Each thing is computed once in a command: spies count the calls of the real functions in real small commands."""

from __future__ import annotations

from collections import Counter

import numpy as np
import pytest

import wellfit as wf
from wellfit.experiment import workspace as workspace_module
from wellfit.experiment.diagnosing import Diagnostician
from wellfit.experiment.folder import open_folder
from wellfit.experiment.workspace import Workspace
from wellfit.journal import outcomes as outcomes_module
from wellfit.journal import store

BUDGET = "4000updates"


class Spies:
    """Counts of what was computed since `clear`."""

    def __init__(self, patch: pytest.MonkeyPatch) -> None:
        self.entries: Counter[int] = Counter()
        self.splits = 0
        self.diagnoses: list[tuple[str, float]] = []
        self.estimates: Counter[tuple[str, float]] = Counter()
        self.arrays: Counter[str] = Counter()
        parse, split, diagnose = store.EntryLog.parse, workspace_module.load_split, Diagnostician.__call__
        estimates, arrays = workspace_module.losses_of, outcomes_module.load_arrays

        def counted_entry(log, row):
            self.entries[row[0]] += 1
            parse(log, row)

        def counted_split(folder):
            self.splits += 1
            return split(folder)

        def counted_diagnosis(one, errors, *, outcome, **named):
            self.diagnoses.append((outcome.identity, outcome.temperature))
            return diagnose(one, errors, outcome=outcome, **named)

        def counted_estimates(outcome, **named):
            self.estimates[outcome.identity, outcome.temperature] += 1
            return estimates(outcome, **named)

        def counted_arrays(path):
            self.arrays[path.name] += 1
            return arrays(path)

        patch.setattr(store.EntryLog, "parse", counted_entry)
        patch.setattr(workspace_module, "load_split", counted_split)
        patch.setattr(Diagnostician, "__call__", counted_diagnosis)
        patch.setattr(workspace_module, "losses_of", counted_estimates)
        patch.setattr(outcomes_module, "load_arrays", counted_arrays)


@pytest.fixture(scope="module")
def made(cancer_csv, tmp_path_factory):
    """A run with a sweep and an ensemble, and what it computed."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("WELLFIT_HOME", str(tmp_path_factory.mktemp("registry")))
        spies = Spies(patch)
        path = tmp_path_factory.mktemp("run") / "cancer.wellfit"
        experiment = wf.run(cancer_csv, target="target", out=path, budget=BUDGET)
        experiment.to_json()
        str(experiment)
    return experiment, spies


@pytest.fixture
def spies(monkeypatch):
    return Spies(monkeypatch)


def test_a_run_parses_each_entry_of_its_journal_once(made):
    _, spies = made
    assert spies.entries
    assert set(spies.entries.values()) == {1}


def test_a_run_reads_no_split_back(made):
    _, spies = made
    assert spies.splits == 0


def test_a_run_diagnoses_once_a_step(made):
    experiment, spies = made
    steps = [entry for entry in experiment.entries() if entry.kind == "step"]
    tempered = experiment.network.temperature != 1.0
    assert len(steps) >= 1
    assert len(spies.diagnoses) == 1 + len(steps) + tempered


def test_a_run_computes_the_intervals_of_a_network_once(made):
    _, spies = made
    assert spies.estimates
    assert set(spies.estimates.values()) == {1}


def test_an_ensemble_is_found_without_reading_the_arrays_of_its_members(made, spies):
    experiment, _ = made
    network = wf.open_experiment(experiment.path).network
    assert network.members
    assert set(spies.arrays) <= {f"{network.identity}.safetensors", f"{network.identity}-tempered.safetensors"}


def test_a_diagnosis_parses_the_journal_and_reads_the_split_once(made, spies):
    experiment, _ = made
    wf.diagnose(experiment.path)
    assert set(spies.entries.values()) == {1}
    assert spies.splits == 1
    assert len(spies.diagnoses) == 1
    assert set(spies.estimates.values()) == {1}
    # The network, and the members that predict; what else dev has compared is known by its predictions alone.
    assert set(spies.arrays.values()) == {1}
    trainings = [entry for entry in experiment.entries() if entry.kind == "training"]
    assert len(spies.arrays) < len(trainings)


def test_a_report_and_a_second_run_parse_each_entry_once(made, spies):
    experiment, _ = made
    wf.report(experiment.path)
    assert set(spies.entries.values()) == {1}
    assert spies.splits == 0
    spies.entries.clear()
    again = wf.run(experiment.path, budget=BUDGET)
    again.to_json()
    assert set(spies.entries.values()) == {1}
    assert spies.splits == 1
    assert spies.diagnoses == []


def test_the_split_in_memory_is_the_one_on_the_disk(made):
    experiment, _ = made
    kept, read = experiment.workspace, Workspace(open_folder(experiment.path))
    assert kept.split.to_json() == read.split.to_json()
    assert kept.split.seal == read.split.seal
    assert kept.split.seal.path == read.split.seal.path
    assert kept.split.train.equals(read.split.train)
    assert kept.split.dev.equals(read.split.dev)
    for part in ("train", "dev"):
        one, other = getattr(kept.prepared, part), getattr(read.prepared, part)
        np.testing.assert_array_equal(one.numeric, other.numeric)
        np.testing.assert_array_equal(one.codes, other.codes)
        np.testing.assert_array_equal(one.target, other.target)
        np.testing.assert_array_equal(kept.split.hashes[part], read.split.hashes[part])
