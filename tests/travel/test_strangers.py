"""A stranger's experiment is data: what was planted in it is refused in words, and never runs."""

from __future__ import annotations

import pickle
import shutil
import sqlite3
from contextlib import closing
from pathlib import Path

import pytest

import wellfit as wf
from wellfit.exceptions import WellfitError

KEPT = Path(__file__).parents[1] / "older" / "schema_1"
OUTSIDE = "../../outside"


class Bomb:
    """Leaves a file when it is unpickled."""

    def __init__(self, path):
        self.path = path

    def __reduce__(self):
        return Path.touch, (self.path,)


@pytest.fixture
def place(tmp_path):
    """A folder with an experiment from elsewhere, and rows for it."""
    shutil.copytree(KEPT / "experiment", tmp_path / "experiment")
    shutil.copy(KEPT / "new.csv", tmp_path)
    return tmp_path


def planted(place, pattern):
    """Put a pickle in the place of every file of a kind."""
    paths = sorted((place / "experiment").rglob(pattern))
    for path in paths:
        path.unlink()
        path.write_bytes(pickle.dumps(Bomb(place / "executed")))
    assert paths


def in_journal(place, statement):
    with closing(sqlite3.connect(place / "experiment" / "journal.sqlite")) as connection, connection:
        connection.execute(statement)


def elsewhere(place):
    """Lead every training of the journal to one file outside the experiment."""
    models = place / "experiment" / "models"
    weights = [path for path in models.glob("*.safetensors") if path.stem != "references"]
    shutil.copy(weights[0], (models / OUTSIDE).resolve().with_suffix(".safetensors"))
    for path in weights:
        path.unlink()
        in_journal(place, f"UPDATE entries SET key = replace(key, '{path.stem}', '{OUTSIDE}')")
        in_journal(place, f"UPDATE entries SET body = replace(body, '{path.stem}', '{OUTSIDE}')")


TRIGGER = "CREATE TRIGGER t AFTER INSERT ON entries BEGIN DELETE FROM entries; END"
PLANTED = {
    "a pickle as weights": lambda place: planted(place, "*.safetensors"),
    "a pickle as transforms": lambda place: planted(place, "preparation.json"),
    "a pickle as the split": lambda place: planted(place, "split.json"),
    "a pickle as settings": lambda place: planted(place, "experiment.json"),
    "a pickle as the journal": lambda place: planted(place, "journal.sqlite"),
    "a trigger in the journal": lambda place: in_journal(place, TRIGGER),
    "a view in the journal": lambda place: in_journal(place, "CREATE VIEW v AS SELECT * FROM entries"),
    "a path that leads out": elsewhere,
}


@pytest.mark.parametrize("plant", PLANTED)
def test_a_prediction_from_what_was_planted_is_refused(plant, place):
    PLANTED[plant](place)
    with pytest.raises(WellfitError):
        wf.predict(place / "experiment", place / "new.csv")
    assert not (place / "executed").exists()


def test_a_pickle_as_the_sealed_rows_is_refused_at_the_opening(place):
    planted(place, "test.sealed")
    (place / "experiment" / "ledger.jsonl").unlink()
    with pytest.raises(WellfitError):
        wf.unseal(place / "experiment")
    assert not (place / "executed").exists()


def test_files_beside_an_experiment_are_not_read(place):
    for name in ("state.pkl", "models/state.pt", "__init__.py", "conftest.py"):
        (place / "experiment" / name).write_bytes(pickle.dumps(Bomb(place / "executed")))
    expected = wf.predict(KEPT / "experiment", KEPT / "new.csv")
    assert wf.predict(place / "experiment", place / "new.csv").equals(expected)
    assert not (place / "executed").exists()
