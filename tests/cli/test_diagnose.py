"""`wellfit diagnose` on numbers and on files of predictions."""

from __future__ import annotations

import numpy as np
import pyarrow as pa
import pyarrow.csv
import pyarrow.parquet as pq
import pytest

from wellfit.cli.diagnose import refit_lines

# Errors in % (human, train, train-dev, dev), rows of the dev sets, and the verdicts that must be.
YES, NO, UNSURE = "yes", "no", "cannot tell"
GOLDEN = {
    "0 1 - 11": ((0, 1, None, 11), 10_000, (NO, YES, None)),
    "0 1 5 5": ((0, 1, 5, 5), 10_000, (NO, YES, NO)),
    "0 10 11 12": ((0, 10, 11, 12), 10_000, (YES, NO, NO)),
    "0 10 11 20": ((0, 10, 11, 20), 10_000, (YES, NO, YES)),
    "1 15 - 16": ((1, 15, None, 16), 10_000, (YES, NO, None)),
    "13 15 - 16": ((13, 15, None, 16), 10_000, (NO, NO, None)),
    "0 15 - 30": ((0, 15, None, 30), 10_000, (YES, YES, None)),
    "0 15 - 20 with 50 rows": ((0, 15, None, 20), 50, (YES, UNSURE, None)),
    "16 12 - 13": ((16, 12, None, 13), 10_000, (NO, NO, None)),
}


def numbers(errors, rows) -> list[str]:
    names = ("--human-error", "--train-error", "--train-dev-error", "--dev-error")
    given = [(name, str(percent / 100)) for name, percent in zip(names, errors, strict=True) if percent is not None]
    counts = [("--train-rows", "50000"), ("--dev-rows", str(rows))]
    counts += [("--train-dev-rows", str(rows))] if errors[2] is not None else []
    return [word for pair in (*given, *counts) for word in pair]


@pytest.mark.parametrize("name", GOLDEN)
def test_the_golden_table(run, name):
    errors, rows, verdicts = GOLDEN[name]
    ran = run("diagnose", *numbers(errors, rows), "--json")
    gaps = ran.json["gaps"]
    assert ran.code == 0
    found = tuple(gaps[gap] and gaps[gap]["verdict"] for gap in ("avoidable_bias", "variance", "mismatch"))
    assert found == verdicts
    assert all(gap["value"] >= 0 for gap in gaps.values() if gap)


def test_a_verdict_that_cannot_be_told_names_the_rows_it_needs(run):
    errors, rows, _ = GOLDEN["0 15 - 20 with 50 rows"]
    assert run("diagnose", *numbers(errors, rows), "--json").json["gaps"]["variance"]["rows_needed"] == 603


def test_below_the_reference_is_marked(run):
    errors, rows, _ = GOLDEN["16 12 - 13"]
    bias = run("diagnose", *numbers(errors, rows), "--json").json["gaps"]["avoidable_bias"]
    assert (bias["value"], bias["below_reference"]) == (0, True)


def test_the_json_has_the_shape_of_the_design(run):
    body = run("diagnose", *numbers((0, 1, None, 11), 1000), "--json").json
    assert list(body) == ["schema", "goal", "tolerance", "errors", "gaps", "findings", "prescription"]
    assert body["errors"]["dev"] == {
        "value": 0.11,
        "low": pytest.approx(0.092, abs=5e-4),
        "high": pytest.approx(0.131, abs=5e-4),
        "rows": 1000,
    }
    assert list(body["errors"]) == ["optimal", "train", "train_dev", "dev", "test"]
    assert list(body["gaps"]) == ["avoidable_bias", "variance", "mismatch", "dev_overfit"]
    assert set(body["findings"][0]) == {"code", "title", "status", "evidence", "remedy"}
    assert set(body["prescription"][0]) == {"kind", "board", "because", "ceiling", "why"}


@pytest.mark.parametrize(("errors", "code"), [((0, 1, None, 11), 3), ((13, 15, None, 16), 0)], ids=["gap", "no gap"])
def test_fail_on_gap_is_for_scripts(run, errors, code):
    assert run("diagnose", *numbers(errors, 10_000), "--fail-on", "gap", "--json").code == code


def test_the_text_says_the_verdict(run):
    ran = run("diagnose", *numbers((0, 1, None, 11), 10_000))
    assert "variance" in ran.out
    assert "variance (with any mismatch)  yes" in ran.out
    assert ran.err == ""


def test_a_range_for_the_optimal_error(run):
    optional = ["--optimal-error", ".01", ".02"]
    body = run("diagnose", "--train-error", ".05", "--dev-error", ".06", *optional, "--json").json
    assert (body["errors"]["optimal"]["low"], body["errors"]["optimal"]["high"]) == (0.01, 0.02)
    assert body["errors"]["optimal"]["source"] == "given"


def test_regression_takes_the_deviation_of_the_losses(run):
    options = ["--goal", "mae", "--train-error", "1", "--dev-error", "2", "--dev-rows", "400", "--dev-sd", "1"]
    dev = run("diagnose", *options, "--train-rows", "1000", "--json").json["errors"]["dev"]
    # Student's t on 399 degrees of freedom: 2 +- 1.9659 / 20.
    assert (dev["low"], dev["high"]) == (pytest.approx(2 - 0.0983, abs=1e-4), pytest.approx(2 + 0.0983, abs=1e-4))


TRAIN, DEV = ["--train-error", ".1"], ["--dev-error", ".2"]
REFUSED = {
    "nothing": ([], "no --train-error and no --dev-error"),
    "no dev": (TRAIN, "no --dev-error"),
    "no train": (DEV, "no --train-error"),
    "above one": ([*DEV, "--train-error", "1.2"], "1.2"),
    "negative": ([*DEV, "--train-error", "-.1"], "-0.1"),
    "nan": ([*DEV, "--train-error", "nan"], "nan"),
    "human above one": ([*TRAIN, *DEV, "--human-error", "13"], "13"),
    "two references": ([*TRAIN, *DEV, "--human-error", ".1", "--optimal-error", "0", ".1"], "human"),
    "range upside down": ([*TRAIN, *DEV, "--optimal-error", ".2", ".1"], "0.2"),
    "human rows alone": ([*TRAIN, *DEV, "--human-rows", "100"], "human"),
    "no rows": ([*TRAIN, *DEV, "--dev-rows", "0"], "0"),
    "rows without error": ([*TRAIN, *DEV, "--test-rows", "10"], "test"),
    "unknown goal": ([*TRAIN, *DEV, "--goal", "accuracy"], "accuracy"),
    "negative tolerance": ([*TRAIN, *DEV, "--tolerance", "-1"], "-1"),
    "absent file": (["absent.csv"], "absent.csv"),
    "folder that is no experiment": (["."], "experiment.json"),
    "numbers and a file": (["absent.csv", *TRAIN], "--train-error together with absent.csv"),
}


@pytest.mark.parametrize("name", REFUSED)
def test_numbers_that_cannot_be_used_are_refused(name, run):
    arguments, found = REFUSED[name]
    run("diagnose", *arguments).assert_refused(found)


@pytest.fixture
def table() -> pa.Table:
    """600 train rows with 6 wrong, 300 dev rows with 60 wrong."""
    wrong = np.r_[np.arange(600) < 6, np.arange(300) < 60]
    return pa.table(
        {
            "split": ["train"] * 600 + ["dev"] * 300,
            "y": ["no"] * 900,
            "prediction": np.where(wrong, "yes", "no").tolist(),
            "age": list(range(900)),
        }
    )


@pytest.mark.parametrize("ending", ["csv", "parquet"])
def test_a_file_of_predictions(run, table, tmp_path, ending):
    path = tmp_path / f"predictions.{ending}"
    if ending == "csv":
        pa.csv.write_csv(table, path)
    else:
        pq.write_table(table, path)
    body = run("diagnose", path, "--human-error", "0", "--json").json
    assert (body["errors"]["train"]["value"], body["errors"]["dev"]["value"]) == (0.01, 0.2)
    assert (body["gaps"]["avoidable_bias"]["verdict"], body["gaps"]["variance"]["verdict"]) == ("no", "yes")


FILES = {
    "empty": (b"", "predictions.csv"),
    "header only": (b"split,y,prediction\n", "predictions.csv"),
    "binary": (bytes(range(256)) * 20, "predictions.csv"),
    "ragged": (b"split,y,prediction\ntrain,1,1\ndev,1\n", "predictions.csv"),
    "no split": (b"part,y,prediction\ntrain,1,1\n", "split"),
    "no prediction": (b"split,y,guess\ntrain,1,1\ndev,1,1\n", "prediction"),
    "unknown part": (b"split,y,prediction\ntrain,1,1\nval,1,1\n", "'val'"),
    "a class called NA": (b"split,y,prediction\ntrain,NA,EU\ntrain,EU,EU\ndev,NA,NA\n", "Give --missing ''"),
    "no dev": (b"split,y,prediction\ntrain,1,1\ntrain,0,1\n", "dev"),
}


@pytest.mark.parametrize("name", FILES)
def test_a_file_that_cannot_be_used_is_refused(name, run, tmp_path):
    content, found = FILES[name]
    path = tmp_path / "predictions.csv"
    path.write_bytes(content)
    run("diagnose", path).assert_refused(found)


@pytest.mark.parametrize(("status", "lines"), [("passed", 1), ("fired", 0), ("not applicable", 0)])
def test_what_was_asked_of_refits_is_told_also_where_it_passed(status, lines):
    """The list of findings shows the evidence of the others."""
    asked = {
        "code": "WF210",
        "title": "more data would help",
        "status": status,
        "evidence": "Worth 1,300 more pictures.",
    }
    found = refit_lines({"findings": [{**asked, "code": "WF101", "status": "passed"}, asked]})
    assert found == ["WF210 more data would help: no. Worth 1,300 more pictures."][:lines]
