"""`wellfit run --more-data FILE`: one message and exit code 2 for each file that cannot be used, before training."""

from __future__ import annotations

import json

import pyarrow as pa
import pyarrow.csv
import pytest
from sklearn.datasets import load_iris

from wellfit.cli import main


def _iris() -> pa.Table:
    bunch = load_iris()
    columns = {f"x{place}": column for place, column in enumerate(bunch.data.T)}
    return pa.table({**columns, "species": [str(bunch.target_names[code]) for code in bunch.target]})


def _changed(table: pa.Table) -> pa.Table:
    """Flowers that nobody has measured."""
    return table.set_column(0, "x0", pa.array([value + 0.01234 for value in table.column("x0").to_pylist()]))


NEW = _changed(_iris()).slice(0, 20)


@pytest.fixture
def folder(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    pa.csv.write_csv(_iris(), tmp_path / "iris.csv")
    return tmp_path


def _run(*words: str) -> int:
    return main(["run", *words, "--budget", "100updates", "--quiet"])


@pytest.mark.parametrize(
    ("more", "said"),
    [
        pytest.param(NEW.drop_columns(["x1"]), "1 missing ('x1')", id="missing column"),
        pytest.param(NEW.append_column("x9", pa.array([1.0] * 20)), "('x9')", id="another column"),
        pytest.param(NEW.set_column(1, "x1", pa.array(["wide"] * 20)), "'wide'", id="text for a number"),
        pytest.param(
            NEW.set_column(4, "species", pa.array(["rosa"] * 20)), "20 rows with other classes", id="unknown class"
        ),
        pytest.param(_iris(), "of the sealed test set and", id="rows of dev and test"),
    ],
)
def test_a_file_that_cannot_be_used_ends_with_code_2_and_leaves_nothing(folder, capsys, more, said):
    pa.csv.write_csv(more, folder / "more.csv")
    assert _run("iris.csv", "--target", "species", "--more-data", "more.csv") == 2
    error = capsys.readouterr().err
    assert said in error
    assert "--more-data" in error
    assert error.count("found") == 1
    assert not (folder / "iris.wellfit").exists()


def test_a_missing_file_ends_with_code_2(folder, capsys):
    assert _run("iris.csv", "--target", "species", "--more-data", "none.csv") == 2
    assert "no file none.csv" in capsys.readouterr().err


def test_rows_of_a_sealed_set_are_found_where_only_the_experiment_is_left(folder, capsys):
    assert main(["split", "iris.csv", "--target", "species", "--quiet", "--json"]) == 0
    rows = json.loads(capsys.readouterr().out)["rows"]
    (folder / "iris.csv").rename(folder / "more.csv")
    assert _run("iris.wellfit", "--more-data", "more.csv") == 2
    assert f"{rows['test']} of the sealed test set and {rows['dev']} of dev among 150 rows" in capsys.readouterr().err


def test_the_remedy_alone_needs_a_file(folder, capsys):
    assert _run("iris.csv", "--target", "species", "--only", "more_data") == 2
    assert "Give them with --more-data FILE" in capsys.readouterr().err
