"""Outcomes come back from disk as they went in."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from wellfit.base.files import write_whole
from wellfit.exceptions import NoRoom
from wellfit.journal.outcomes import OutcomeStore
from wellfit.journal.store import open_journal
from wellfit.records.config import Config, Network, Regularization
from wellfit.records.outcome import CurvePoint, Outcome, Status, snapshot_identity


def _outcome() -> Outcome:
    rng = np.random.default_rng(0)
    return Outcome(
        config=Config(
            network=Network(widths=(3, 2)), regularization=Regularization(l2=2.5, keep_prob=(0.5, 1.0)), seed=7
        ),
        status=Status.OUT_OF_BUDGET,
        updates=11,
        seconds=0.5,
        losses={"train": 0.25, "dev": 0.5},
        curve=(CurvePoint(5, 0.5, 0.75), CurvePoint(11, 0.25, 0.5)),
        weight_norms=(3.0, 4.0),
        predictions={"dev": rng.random((4, 2))},
        train_losses=rng.random(6),
        state={"layers.0.weight": rng.random((3, 2)).astype(np.float32)},
    )


def test_an_outcome_survives_the_disk(tmp_path):
    outcome = _outcome()
    with open_journal(tmp_path / "journal.sqlite") as journal:
        OutcomeStore(tmp_path / "models", journal).put(outcome, details={"shrink": 0.1})
    with open_journal(tmp_path / "journal.sqlite") as journal:
        back = OutcomeStore(tmp_path / "models", journal).get(outcome.config.identity)
        assert journal.entries("training")[0].body["shrink"] == 0.1
    assert back is not None
    assert back.to_json() == outcome.to_json()
    assert back.config == outcome.config
    assert back.weight_norm == 5.0
    np.testing.assert_array_equal(back.train_losses, outcome.train_losses)
    for kept, given in ((back.predictions, outcome.predictions), (back.state, outcome.state)):
        assert kept.keys() == given.keys()
        assert all(np.array_equal(kept[name], given[name]) and kept[name].dtype == given[name].dtype for name in kept)


def test_a_snapshot_is_kept_beside_the_training_that_it_was_taken_from(tmp_path):
    trained = replace(_outcome(), snapshots=(3, 7))
    taken = [replace(trained, status=Status.AT_RUNG, updates=at, snapshots=()) for at in (3, 7)]
    with open_journal(tmp_path / "journal.sqlite") as journal:
        outcomes = OutcomeStore(tmp_path / "models", journal)
        for each in (*taken, trained):
            outcomes.put(each, details={})
        back = [outcomes.get(snapshot_identity(trained.config, at)) for at in trained.snapshots]
        assert [each and each.to_json() for each in back] == [each.to_json() for each in taken]
        assert outcomes.get(trained.config.identity).to_json() == trained.to_json()
        assert len(journal.entries("training")) == 1


@pytest.mark.parametrize("damage", [b"", b"not tensors", b"\x80" * 4000], ids=["empty", "text", "noise"])
def test_with_damaged_arrays_an_outcome_counts_as_never_trained(tmp_path, damage):
    outcome = _outcome()
    with open_journal(tmp_path / "journal.sqlite") as journal:
        outcomes = OutcomeStore(tmp_path / "models", journal)
        outcomes.put(outcome, details={})
        (tmp_path / "models" / f"{outcome.config.identity}.safetensors").write_bytes(damage)
        assert outcomes.get(outcome.config.identity) is None


def test_without_its_arrays_an_outcome_counts_as_never_trained(tmp_path):
    outcome = _outcome()
    with open_journal(tmp_path / "journal.sqlite") as journal:
        outcomes = OutcomeStore(tmp_path / "models", journal)
        assert outcomes.get(outcome.config.identity) is None
        outcomes.put(outcome, details={})
        (tmp_path / "models" / f"{outcome.config.identity}.safetensors").unlink()
        assert outcomes.get(outcome.config.identity) is None


def test_writing_where_there_is_no_folder_leaves_nothing(tmp_path):
    (tmp_path / "file").write_text("")
    with pytest.raises(NoRoom, match="continues"):
        write_whole(tmp_path / "file" / "under" / "x.bin", lambda file: file.write(b"content"))
    assert [path.name for path in tmp_path.iterdir()] == ["file"]


def test_a_full_disk_leaves_the_old_content(tmp_path):
    target = tmp_path / "x.bin"
    target.write_bytes(b"old")

    def write(file):
        file.write(b"new")
        # /dev/full answers ENOSPC to every write, as a full disk does.
        with Path("/dev/full").open("wb") as full:
            full.write(b"more")

    with pytest.raises(NoRoom, match="the disk is full"):
        write_whole(target, write)
    assert target.read_bytes() == b"old"
    assert [path.name for path in tmp_path.iterdir()] == ["x.bin"]


def test_one_array_is_read_and_a_damaged_file_has_none(tmp_path):
    outcome = _outcome()
    with open_journal(tmp_path / "journal.sqlite") as journal:
        outcomes = OutcomeStore(tmp_path / "models", journal)
        identity = outcome.config.identity
        assert not outcomes.has(identity)
        assert outcomes.predictions(identity, part="dev") is None
        outcomes.put(outcome, details={})
        assert outcomes.has(identity)
        np.testing.assert_array_equal(outcomes.predictions(identity, part="dev"), outcome.predictions["dev"])
        path = tmp_path / "models" / f"{identity}.safetensors"
        path.write_bytes(path.read_bytes()[:-4])
        assert not outcomes.has(identity)
        assert outcomes.predictions(identity, part="dev") is None
        assert outcomes.get(identity) is None
