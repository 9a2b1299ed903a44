"""What earlier versions saved is opened by this one: models, and an experiment with its journal.

`scripts/keep_schema.py` made the folders; they are never written again.
"""

from __future__ import annotations

import json
import shutil
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.csv
import pytest

import wellfit as wf
from wellfit.exceptions import Refusal
from wellfit.experiment.folder import SCHEMA

OLDER = Path(__file__).parents[1] / "older"
KEPT = sorted(OLDER.iterdir())
CLOSE = {"rtol": 1e-4, "atol": 1e-5}
"""Another processor multiplies float32 in another order."""
PLACES = ("experiment", "report", "seconds")
"""What of an experiment's JSON depends on where and when."""


@pytest.fixture(params=KEPT, ids=lambda folder: folder.name)
def kept(request, tmp_path):
    """A copy of what a version saved: reading must not write where it was kept."""
    return Path(shutil.copytree(request.param, tmp_path / "kept"))


def predicted_of(folder, name):
    return json.loads((folder / "predicted.json").read_text())[name]


def run_of(folder):
    """The knobs that the experiment was run with, and what it told."""
    body = json.loads((folder / "told.json").read_text())
    return body["fixed"], {name: value for name, value in body["told"].items() if name not in PLACES}


def receipt_of(folder):
    last = json.loads((folder / "experiment" / "ledger.jsonl").read_text().splitlines()[-1])
    return f"wf-{last['hash'][:4]}"


def assert_same(found, expected):
    table = found.to_pydict()
    assert list(table) == list(expected)
    for name, values in expected.items():
        if isinstance(values[0], str):
            assert table[name] == values
        else:
            np.testing.assert_allclose(table[name], values, **CLOSE)


def assert_told(found, expected, path=""):
    """Everything that was told is told still; later versions may tell more."""
    if isinstance(expected, dict):
        for name, value in expected.items():
            assert_told(found[name], value, f"{path}.{name}")
    elif isinstance(expected, list):
        assert len(found) == len(expected), path
        for place, value in enumerate(expected):
            assert_told(found[place], value, f"{path}.{place}")
    elif isinstance(expected, float):
        assert found == pytest.approx(expected, rel=1e-6), path
    else:
        assert found == expected, path


def test_every_schema_is_kept():
    assert [folder.name for folder in KEPT] == [f"schema_{number}" for number in range(1, SCHEMA + 1)]


@pytest.mark.parametrize("name", ["model_kind", "model_size"])
def test_a_saved_model_predicts_what_it_did(kept, name):
    assert_same(wf.load_model(kept / name).predict(pa.csv.read_csv(kept / "new.csv")), predicted_of(kept, name))


def test_an_experiment_predicts_what_it_did(kept):
    assert_same(wf.predict(kept / "experiment", kept / "new.csv"), predicted_of(kept, "experiment"))


def test_an_experiment_tells_what_it_did(kept):
    assert_told(wf.open_experiment(kept / "experiment").to_json(), run_of(kept)[1])


def test_a_report_and_a_card_are_rebuilt(kept):
    receipt = receipt_of(kept)
    assert receipt in wf.report(kept / "experiment").read_text()
    wf.export(kept / "experiment", kept / "again")
    assert receipt in (kept / "again" / "README.md").read_text()
    assert_same(wf.load_model(kept / "again").predict(kept / "new.csv"), predicted_of(kept, "experiment"))


def test_a_finished_experiment_stays_finished_and_opened(kept):
    fixed, told = run_of(kept)
    assert_told(wf.run(kept / "experiment", fixed=fixed).to_json(), told)
    with pytest.raises(Refusal, match="once"):
        wf.unseal(kept / "experiment")
