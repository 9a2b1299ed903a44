"""What a split's rows show, before and after a network is there."""

from __future__ import annotations

import json

import numpy as np
import pyarrow as pa
import pytest

import wellfit as wf
from wellfit.diagnosis.checks import CHECKS


def table(rows: int = 900, *, seed: int = 0) -> pa.Table:
    """Two numbers and a category, by day; the second number drifts with the days."""
    rng = np.random.default_rng(seed)
    x = rng.normal(size=rows)
    drift = rng.normal(size=rows) + np.linspace(0, 6, rows)
    days = np.datetime64("2020-01-01") + np.arange(rows)
    return pa.table(
        {
            "x": x,
            "drift": drift,
            "kind": rng.choice(["a", "b", "c"], rows),
            "day": pa.array(days.astype("datetime64[s]")),
            "y": np.where(x + 0.3 * rng.normal(size=rows) > 0, "yes", "no"),
        }
    )


def fired(found) -> set[str]:
    return {each.code for each in found.findings if each.status == "fired"}


def test_a_split_in_memory_is_diagnosed_without_a_network():
    by_time = wf.diagnose(wf.split(table(), target="y", time_on="day"))
    assert {"WF302", "WF303"} <= fired(by_time)
    assert "drift" in next(each.evidence for each in by_time.findings if each.code == "WF303")
    at_random = wf.diagnose(wf.split(table(), target="y", drop=("day",)))
    assert fired(at_random) == set()
    assert [each.code for each in at_random.findings] == list(CHECKS)
    assert "Nothing in the rows should stop you" in str(at_random)
    passed = sum(each.status == "passed" for each in at_random.findings)
    assert f": {passed} checks passed. Could not tell: " in at_random.headline
    assert "groups in several splits (WF207)" in at_random.headline
    assert set(json.loads(json.dumps(by_time.to_json(), allow_nan=False))) >= {"findings", "errors", "gaps"}


def test_an_experiment_is_diagnosed_before_and_after_training(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    experiment = wf.open_experiment(wf.split(table(), target="y", drop=("day",), out="e.wellfit").folder)
    before = wf.diagnose(experiment)
    assert not experiment.is_trained
    assert before.headline.startswith("Nothing has been trained yet")
    wf.train(experiment, wf.Config())
    after = wf.diagnose(experiment)
    assert after.gap("variance") is not None
    statuses = [{each.code: each.status for each in found.findings} for found in (before, after)]
    for code in ("WF202", "WF205", "WF206", "WF302", "WF303", "WF304"):
        assert statuses[0][code] == statuses[1][code]
    assert statuses[0]["WF102"] == "not applicable"
    worth = [next(each.evidence for each in found.findings if each.code == "WF211") for found in (before, after)]
    assert worth[0].startswith("Not checked")
    assert not worth[1].startswith("Not checked")


def test_groups_that_were_kept_together_pass_and_scattered_ones_fire():
    people = pa.array([f"p{place // 6}" for place in range(900)])
    together = wf.diagnose(wf.split(table().append_column("who", people), target="y", drop=("day",), group_on="who"))
    assert next(each.status for each in together.findings if each.code == "WF207") == "passed"


@pytest.mark.parametrize("leak", ["y", "log"], ids=["a copy of the target", "a function of it"])
def test_a_column_that_gives_the_target_away_is_found_before_training(leak):
    rows = table()
    told = np.array(rows["y"].to_pylist()) == "yes"
    values = told.astype(float) if leak == "y" else np.exp(3.0 * told) + 0.01 * np.arange(900)
    found = wf.diagnose(wf.split(rows.append_column("told", pa.array(values)), target="y", drop=("day",)))
    assert "WF206" in fired(found)


def test_what_more_data_would_buy_is_measured_kept_and_reported(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    experiment = wf.open_experiment(wf.split(table(), target="y", drop=("day",), out="e.wellfit").folder)
    wf.train(experiment, wf.Config(optimization=wf.Optimization(epochs=4)))
    before = next(each for each in wf.diagnose(experiment).findings if each.code == "WF210")
    assert before.status == "not applicable"
    found = experiment.more_data(refits=12)
    assert found.rows == 540
    assert len(found.anchors) == 4
    after = next(each for each in wf.diagnose(experiment).findings if each.code == "WF210")
    assert after.evidence != before.evidence
    assert "Twice the data" in after.evidence or "Cannot tell" in after.evidence
    assert "WF210" in experiment.report().read_text()
