"""Several labels per row as the reference, from the command line."""

from __future__ import annotations

import numpy as np
import pyarrow as pa
import pyarrow.csv
import pytest

PEOPLE = ("anna", "ben", "carl")


@pytest.fixture
def predictions(tmp_path):
    """Annotators are wrong in a fifth of the rows, each in his own; the network says the truth."""
    rng = np.random.default_rng(0)
    truth = rng.integers(0, 2, 4_000)
    people = {name: truth ^ (rng.random(4_000) < 0.2) for name in PEOPLE}
    split = np.where(np.arange(4_000) < 3_000, "train", "dev")
    table = pa.table({"split": split, "y": people["anna"], "prediction": truth, **people})
    pa.csv.write_csv(table, tmp_path / "p.csv")
    return tmp_path / "p.csv"


def test_disagreement_is_the_reference(run, predictions):
    body = run("diagnose", predictions, "--labels-per-row", ",".join(PEOPLE), "--json").json
    optimal = body["errors"]["optimal"]
    assert optimal["source"] == "labels"
    assert optimal["low"] <= 0.2 <= optimal["high"]
    assert body["gaps"]["avoidable_bias"]["verdict"] == "no"
    assert "several labels per row" in run("diagnose", predictions, "--labels-per-row", ",".join(PEOPLE)).out


def test_a_network_better_than_any_can_be_is_an_alarm(run, predictions, tmp_path):
    rows = pyarrow.csv.read_csv(predictions)
    leaked = rows.set_column(rows.column_names.index("prediction"), "prediction", rows["y"])
    pa.csv.write_csv(leaked, tmp_path / "leaked.csv")
    body = run("diagnose", tmp_path / "leaked.csv", "--labels-per-row", ",".join(PEOPLE), "--json").json
    assert next(each["status"] for each in body["findings"] if each["code"] == "WF107") == "fired"


@pytest.mark.parametrize(
    ("words", "rule"),
    [
        (("--labels-per-row", "anna"), "at least two annotators"),
        (("--labels-per-row", "anna,dora"), "no column dora"),
        (("--labels-per-row", "anna,ben", "--human-error", ".1"), "without another reference"),
        (("--labels-per-row", "anna,ben", "--goal", "auc"), "goal error"),
    ],
    ids=["one annotator", "unknown column", "two references", "another goal"],
)
def test_what_cannot_be_is_refused(run, predictions, words, rule):
    run("diagnose", predictions, *words).assert_refused(rule)


def test_bare_numbers_have_no_columns(run):
    words = ("--train-error", ".1", "--dev-error", ".2", "--labels-per-row", "a,b")
    run("diagnose", *words).assert_refused("file of predictions")


def test_rows_of_a_group_are_resampled_together(run, tmp_path):
    rows = ["split,y,prediction,patient", *(f"train,{i % 2},{i % 2},{i}" for i in range(60))]
    rows += [f"dev,{i % 2},{(i % 2) ^ (i % 50 < 10)},{i // 10}" for i in range(400)]
    path = tmp_path / "predictions.csv"
    path.write_text("\n".join(rows) + "\n")
    alone = run("diagnose", path, "--json").json["errors"]["dev"]
    together = run("diagnose", path, "--group-on", "patient", "--json").json["errors"]["dev"]
    assert together["value"] == alone["value"] == 0.2
    assert together["high"] - together["low"] > 2 * (alone["high"] - alone["low"])


def test_groups_need_a_file_of_predictions(run):
    ran = run("diagnose", "--train-error", ".1", "--dev-error", ".2", "--group-on", "patient")
    assert ran.code == 2
    assert "--group-on" in ran.err


def test_a_majority_of_labels_is_easier_to_predict_than_one(run, tmp_path):
    rng = np.random.default_rng(0)
    truth = rng.integers(0, 2, 900)
    labels = truth[:, None] ^ (rng.random((900, 9)) < 0.2)
    lines = ["split,y,prediction,a,b,c,d,e,f,g,h,i"]
    for place, (label, row) in enumerate(zip(truth, labels, strict=True)):
        said = ",".join(map(str, row.astype(int)))
        lines.append(f"{'train' if place < 450 else 'dev'},{label},{label},{said}")
    path = tmp_path / "predictions.csv"
    path.write_text("\n".join(lines) + "\n")
    high = {
        voters: run("diagnose", path, "--labels-per-row", "a,b,c,d,e,f,g,h,i", "--label-voters", voters, "--json").json[
            "errors"
        ]["optimal"]["high"]
        for voters in (1, 5)
    }
    assert high[5] < high[1]


def test_voters_need_labels(run):
    ran = run("diagnose", "--train-error", ".1", "--dev-error", ".2", "--label-voters", "3")
    assert ran.code == 2
    assert "--labels-per-row" in ran.err
