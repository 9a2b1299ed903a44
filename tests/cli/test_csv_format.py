"""--delimiter, --decimal and --encoding: what the detection would get wrong is given once, and kept."""

from __future__ import annotations

import json

import numpy as np
import pytest

import wellfit as wf
from wellfit.experiment.folder import open_folder


def write(path, *, rows=200, target=True, sign="~", seed=0):
    """A file of numbers with decimal commas between signs that nobody guesses."""
    rng = np.random.default_rng(seed)
    lines = [sign.join(["size", "weight", *(["größe"] if target else [])])]
    for _ in range(rows):
        size, weight = rng.normal(size=2)
        cells = [f"{size:.3f}".replace(".", ","), f"{weight:.3f}".replace(".", ",")]
        lines.append(sign.join([*cells, *(["ja" if size > 0 else "nein"] if target else [])]))
    path.write_text("\n".join(lines), encoding="latin-1")
    return path


FORMAT = ("--delimiter", "~", "--decimal", ",", "--encoding", "latin-1")


def test_the_format_of_a_file_is_given_once_and_kept(run, tmp_path):
    data = write(tmp_path / "data.csv")
    split = run("split", data, "--target", "größe", "--out", "one.wellfit", "--json", *FORMAT)
    assert split.code == 0, split.err
    kinds = {column["name"]: column["kind"] for column in json.loads(split.out)["columns"]["columns"]}
    assert (kinds["size"], kinds["weight"]) == ("number", "number")
    settings = open_folder(tmp_path / "one.wellfit").settings
    assert (settings.delimiter, settings.decimal, settings.encoding) == ("~", ",", "latin-1")
    # Another file, such as the rows to predict, is read as DATA was; without a word about its format.
    assert run("train", "one.wellfit", "--epochs", 1).code == 0
    new = write(tmp_path / "new.csv", rows=7, target=False, seed=1)
    predicted = run("predict", "one.wellfit", new, "-o", "out.csv")
    assert predicted.code == 0, predicted.err
    assert len((tmp_path / "out.csv").read_text().splitlines()) == 1 + 7
    other = write(tmp_path / "other.csv", rows=5, target=False, sign="^", seed=2)
    assert run("predict", "one.wellfit", other, "-o", "out2.csv").code == 2
    assert run("predict", "one.wellfit", other, "-o", "out2.csv", "--delimiter", "^").code == 0


def test_the_same_command_with_another_format_is_refused(run, tmp_path):
    data = write(tmp_path / "data.csv")
    assert run("split", data, "--target", "größe", "--out", "one.wellfit", *FORMAT).code == 0
    again = run("split", data, "--target", "größe", "--out", "one.wellfit", *FORMAT[:2])
    assert again.code == 2
    assert "decimal" in again.err


def test_python_takes_them_too(tmp_path):
    split = wf.split(write(tmp_path / "data.csv"), target="größe", delimiter="~", decimal=",", encoding="latin-1")
    assert sum(split.rows.values()) == 200


def test_predictions_of_another_format(run, tmp_path):
    path = tmp_path / "predictions.csv"
    rows = [f"{part}~{number % 2}~{number % 2}" for part in ("train", "dev") for number in range(60)]
    path.write_text("\n".join(["split~y~prediction", *rows]))
    assert run("diagnose", path, "--human-error", 0, "--delimiter", "~").code == 0


@pytest.mark.parametrize(
    ("option", "value", "word"),
    [("--delimiter", ";;", "one sign"), ("--decimal", "a", "one sign"), ("--encoding", "klingon", "Python knows")],
)
def test_a_format_that_cannot_be_is_refused(run, tmp_path, option, value, word):
    refused = run("split", write(tmp_path / "data.csv"), "--target", "größe", option, value)
    assert refused.code == 2
    assert word in refused.err


def test_one_sign_cannot_be_both(run, tmp_path):
    data = write(tmp_path / "data.csv")
    refused = run("split", data, "--target", "größe", "--delimiter", ",", "--decimal", ",")
    assert refused.code == 2
    assert "differ" in refused.err
