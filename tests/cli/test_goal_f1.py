"""The goal f1 through every command: one row of the goals' table is all that they know of it."""

from __future__ import annotations

import pytest
from sklearn.metrics import f1_score

import wellfit as wf


@pytest.fixture
def cancer(run, cancer_csv, tmp_path):
    """An experiment whose goal is f1, and what its run printed."""
    out = tmp_path / "cancer.wellfit"
    command = (
        "run",
        cancer_csv,
        "--target",
        "target",
        "--goal",
        "f1",
        "--human-error",
        ".99",
        "--budget",
        "200updates",
    )
    return out, run(*command, "--budget", "200updates", "--out", out, "--json", "--quiet").json


def test_f1_goes_through_every_command(run, cancer):
    path, body = cancer
    dev = body["errors"]["dev"]
    assert body["goal"] == "f1"
    assert 0.8 < dev["low"] < dev["value"] < dev["high"] <= 1
    diagnosed = run("diagnose", path, "--json").json
    assert (diagnosed["goal"], diagnosed["errors"]["dev"]["value"]) == ("f1", dev["value"])
    assert "F1" in run("diagnose", path).out
    assert "F1" in run("train", path, "--widths", "8", "--epochs", "3", "--quiet").out
    assert "Chosen: λ" in run("sweep", path, "--over", "l2", "--members", "2", "--epochs", "3", "--quiet").out
    report = run("report", path)
    assert report.code == 0
    assert "F1" in (path / "report.html").read_text(encoding="utf-8")
    opened = run("unseal", path, "--yes", "--json").json
    assert 0.8 < opened["error"]["low"] < opened["error"]["value"] <= 1


def test_a_bare_f1_is_diagnosed(run):
    body = run(
        "diagnose", "--goal", "f1", "--train-error", ".99", "--dev-error", ".8", "--human-error", ".99", "--json"
    )
    assert body.json["gaps"]["variance"]["value"] == pytest.approx(0.19)


def test_estimators_choose_by_f1(cancer_csv):
    import pandas as pd

    frame = pd.read_csv(cancer_csv)
    model = wf.NetClassifierCV(goal="f1", members=2, epochs=3, cv=2, networks=1, random_state=0)
    model.fit(frame.drop(columns="target"), frame["target"])
    assert f1_score(frame["target"], model.predict(frame.drop(columns="target")), average="macro") > 0.8
