"""`run --more-data`: taken where it helps, kept in the experiment, the same after a kill, refused where it must be."""

from __future__ import annotations

import shutil
import sqlite3

import numpy as np
import pyarrow as pa
import pyarrow.csv
import pytest

import wellfit as wf
from wellfit.exceptions import BadInput, Refusal
from wellfit.experiment.prepared import ADDED_ROWS as KIND
from wellfit.journal.store import open_journal

RUN = {"budget": "3000updates", "human_error": 0.05, "ensemble": False, "only": "more_data"}
VOLATILE = {"seconds", "time", "experiment", "report"}


def _rows(rows: int, *, seed: int) -> pa.Table:
    rng = np.random.default_rng(seed)
    x = rng.normal(size=(rows, 8))
    y = x @ np.array([1.5, -1, 1, 0.7, 0, 0, 0, 0]) + 0.5 * rng.normal(size=rows) > 0
    return pa.table({**{f"x{place}": column for place, column in enumerate(x.T)}, "y": np.where(y, "yes", "no")})


@pytest.fixture(scope="module")
def files(tmp_path_factory):
    folder = tmp_path_factory.mktemp("files")
    pa.csv.write_csv(_rows(1_080, seed=1), folder / "base.csv")
    pa.csv.write_csv(_rows(1_000, seed=2), folder / "more.csv")
    return folder


@pytest.fixture(scope="module")
def finished(files):
    """A run with more rows, never killed."""
    out = files / "base.wellfit"
    return wf.run(files / "base.csv", target="y", sizes="80/600/400", out=out, more_data=files / "more.csv", **RUN)


@pytest.fixture
def copied(finished, tmp_path):
    folder = tmp_path / "copy.wellfit"
    shutil.copytree(finished.path, folder)
    return folder


def _stable(body):
    return {name: value for name, value in body.items() if name not in VOLATILE}


def _cut(folder, *, share: float) -> None:
    """What a kill leaves of the journal."""
    with sqlite3.connect(folder / "journal.sqlite") as connection:
        (count,) = connection.execute("SELECT COUNT(*) FROM entries").fetchone()
        connection.execute("DELETE FROM entries WHERE seq > ?", (max(2, round(share * count)),))


def test_the_rows_lower_the_dev_error_and_the_journal_says_so(finished):
    (step,) = finished.to_json()["steps"]
    assert (step["kind"], step["board"], step["finding"], step["kept"]) == ("more_data", "data", "WF102", True)
    assert step["got"] > 0.03
    with open_journal(finished.folder.journal, read_only=True) as journal:
        (entry,) = journal.entries(KIND)
    assert (entry.body["rows"], entry.body["path"]) == (1_000, str(finished.path.parent / "more.csv"))
    assert finished.network.config.data.more_data == entry.body["name"]
    assert len(finished.network.train_losses) == 1_080
    assert finished.split.rows == {"train": 80, "dev": 600, "test": 400}


def test_the_comparison_with_other_methods_tells_what_they_did_not_have(finished):
    (said,) = [found.evidence for found in finished.diagnose().findings if found.code == "WF106"]
    assert said.endswith("The reference models were fit without the added 1000 rows.")


def test_the_report_shows_the_rows(finished):
    assert "more data" in str(finished)
    assert "Change the training rows" in finished.report().read_text()


def test_the_network_predicts_is_exported_refit_and_unsealed(copied, files, tmp_path):
    new = _rows(50, seed=3)
    predicted = wf.predict(copied, new)
    wf.export(copied, tmp_path / "model")
    assert wf.load_model(tmp_path / "model").predict(new).equals(predicted)
    found = wf.open_experiment(copied).more_data(refits=12)
    assert found.rows == 1_080
    assert wf.unseal(copied).error.rows == 400


@pytest.mark.parametrize("share", [0.3, 0.8])
def test_a_killed_run_goes_on_to_the_same_end(finished, copied, files, share):
    _cut(copied, share=share)
    again = wf.run(files / "base.csv", target="y", sizes="80/600/400", out=copied, more_data=files / "more.csv", **RUN)
    assert _stable(again.to_json()) == _stable(finished.to_json())


def test_the_experiment_goes_on_without_the_file(finished, copied):
    _cut(copied, share=0.8)
    assert _stable(wf.run(copied, **RUN).to_json()) == _stable(finished.to_json())


def test_rows_that_were_taken_out_of_the_folder_are_missed(copied):
    _cut(copied, share=0.8)
    shutil.rmtree(copied / "more_data")
    with pytest.raises(Refusal, match="the rows that were added to train must be in the experiment"):
        wf.run(copied, **RUN)


@pytest.fixture
def replaced(files):
    """`more.csv` is put back after the test."""
    kept = (files / "more.csv").read_bytes()
    yield files / "more.csv"
    (files / "more.csv").write_bytes(kept)


def test_a_file_that_is_gone_is_missed(finished, replaced):
    replaced.unlink()
    with pytest.raises(BadInput, match="must still exist when the command is repeated") as refused:
        wf.run(finished.path, more_data=replaced, **RUN)
    assert "1,000 rows were read from it before" in refused.value.found


def test_a_file_with_other_rows_than_before_is_refused(finished, replaced):
    pa.csv.write_csv(_rows(999, seed=2), replaced)
    with pytest.raises(Refusal, match="must not change") as refused:
        wf.run(finished.path, more_data=replaced, **RUN)
    assert "999 rows" in refused.value.found
    assert "it had 1,000" in refused.value.found


def test_a_new_experiment_is_not_made_with_rows_that_do_not_fit(files, tmp_path):
    wrong = _rows(20, seed=1).drop_columns(["x0"])
    with pytest.raises(BadInput, match="columns as DATA"):
        wf.run(files / "base.csv", target="y", out=tmp_path / "new.wellfit", more_data=wrong, **RUN)
    assert not (tmp_path / "new.wellfit").exists()


def test_without_rows_the_remedy_has_nothing_to_try(files, tmp_path):
    with pytest.raises(BadInput) as refused:
        wf.run(files / "base.csv", target="y", out=tmp_path / "new.wellfit", **RUN)
    assert "--more-data FILE" in refused.value.remedy
    assert not (tmp_path / "new.wellfit").exists()
