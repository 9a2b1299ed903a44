"""The whole job on a real table: one command, a journal that explains itself, a test set opened once."""

from __future__ import annotations

import json
import shutil
from pathlib import Path

import numpy as np
import pyarrow.csv
import pytest

import wellfit as wf
from wellfit.exceptions import BadInput, Refusal
from wellfit.journal.store import open_journal
from wellfit.records.config import Config
from wellfit.records.units import seconds
from wellfit.reports.text import render_text

pytestmark = pytest.mark.workers
BUDGET = "2500updates"


@pytest.fixture(scope="module")
def finished(cancer_csv, tmp_path_factory):
    """One run, made once; tests that write to it copy it first."""
    return wf.run(cancer_csv, target="target", budget=BUDGET, out=tmp_path_factory.mktemp("run") / "cancer.wellfit")


@pytest.fixture
def copied(finished, tmp_path):
    shutil.copytree(finished.path, tmp_path / "copy.wellfit")
    return wf.open_experiment(tmp_path / "copy.wellfit")


def _configs(experiment) -> dict[str, Config]:
    trainings = [entry.body for entry in experiment.entries() if entry.kind == "training"]
    return {body["identity"]: Config.from_json(body["config"]) for body in trainings}


def test_the_result_is_the_json_that_scripts_rely_on(finished):
    body = json.loads(json.dumps(finished.to_json(), allow_nan=False))
    assert body["schema"] == 1
    assert body["goal"] == "error"
    assert set(body["references"]) == {"dummy", "linear", "trees"}
    assert body["test"] is None
    assert body["errors"]["dev"]["low"] < body["errors"]["dev"]["value"] < body["errors"]["dev"]["high"]
    assert body["errors"]["train"]["low"] == body["errors"]["train"]["high"]
    assert body["best"]["network"]["widths"]
    assert body["sentence"].endswith(".")
    assert Path(body["report"]).stat().st_size < 1_000_000


def test_the_result_tells_where_its_time_went(finished):
    body, trained = finished.to_json(), [entry.body for entry in finished.entries() if entry.kind == "training"]
    time = body["time"]
    assert time["result"] + time["others"] == pytest.approx(sum(each["seconds"] for each in trained))
    assert time["result"] > 0
    assert 0 < time["reading"] + time["references"] < body["seconds"]
    assert time["rest"] >= 0
    assert f"reading {seconds(time['reading'])}, reference models" in " ".join(render_text(finished.summary()).split())


def test_the_network_beats_the_dummy_by_far(finished):
    body = finished.to_json()
    assert body["references"]["dummy"] > 0.3  # 37 % of the tumours are malignant
    assert body["errors"]["dev"]["value"] < 0.1


def test_every_step_turns_one_board(finished):
    configs = _configs(finished)
    steps = [entry.body for entry in finished.entries() if entry.kind == "step"]
    assert steps
    for step in steps:
        before, after = configs[step["config_before"]], configs[step["config_after"]]
        if step["board"] == "optimization":
            assert before.regularization == after.regularization
            assert after.regularization.is_off
        else:
            assert (before.network, before.optimization) == (after.network, after.optimization)


def test_every_step_tells_its_gaps_before_and_after(finished):
    steps = [entry.body for entry in finished.entries() if entry.kind == "step"]
    for step in steps:
        assert step["gaps_before"].keys() == step["gaps_after"].keys() == set(finished.to_json()["gaps"])
        part = "train" if step["board"] == "optimization" else "dev"
        assert step["got"] == pytest.approx(step["errors_before"][part] - step["errors_after"][part])
        assert step["expected"] >= 0


def test_a_finished_run_is_not_run_again(finished, cancer_csv):
    before = finished.entries()
    again = wf.run(cancer_csv, target="target", budget=BUDGET, out=finished.path)
    assert again.to_json() == finished.to_json()
    assert again.entries() == before


def test_the_experiment_stands_in_for_its_data(finished):
    assert wf.run(finished.path, budget=BUDGET).to_json() == finished.to_json()


def test_a_larger_budget_continues_and_trains_nothing_twice(copied):
    wf.run(copied.path, budget="3500updates")
    with open_journal(copied.folder.journal, read_only=True) as journal:
        identities = [entry.key for entry in journal.entries("training")]
    assert len(identities) == len(set(identities))
    assert len({entry.body["plan"] for entry in copied.entries() if entry.kind == "step"}) == 1


def test_a_reference_given_later_changes_the_diagnosis(copied):
    assert copied.diagnose().errors.optimal.source == "none"
    given = copied.diagnose(human_error=0.01)
    assert (given.errors.optimal.source, given.errors.optimal.high) == ("human", 0.01)


def test_the_same_seed_gives_the_same_network_whatever_the_engine(finished):
    outcome = finished.network
    again = wf.train(finished.split, outcome.config)
    np.testing.assert_array_equal(again.predictions["dev"], outcome.predictions["dev"])


def test_another_split_or_target_is_refused(finished, cancer_csv):
    for options in ({"seed": 5}, {"sizes": "50/25/25"}, {"drop": ("mean area",)}):
        with pytest.raises(Refusal, match=next(iter(options))):
            wf.run(cancer_csv, target="target", budget=BUDGET, out=finished.path, **options)


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"budget": "soon"}, "a budget must be a time"),
        ({"only": "pray"}, "--only must be one of"),
        ({"target": "targets"}, "Did you mean 'target'"),
        ({"goal": "rmse"}, "goal rmse must be used with a regression target"),
    ],
)
def test_bad_input_leaves_no_folder(cancer_csv, tmp_path, options, message):
    with pytest.raises(BadInput, match=message):
        wf.run(cancer_csv, **{"target": "target", "out": tmp_path / "x.wellfit", **options})
    assert list(tmp_path.iterdir()) == []


def test_predictions_stand_in_the_order_of_the_input(finished, cancer_csv, tmp_path):
    rows = wf.predict(finished.path, cancer_csv, out=tmp_path / "out.csv")
    written = pyarrow.csv.read_csv(tmp_path / "out.csv")
    assert rows == written.num_rows == 569
    truth = pyarrow.csv.read_csv(cancer_csv)["target"].to_pylist()
    wrong = np.mean([label != given for label, given in zip(truth, written["prediction"].to_pylist(), strict=True)])
    assert wrong < 0.1
    in_memory = wf.predict(finished.path, pyarrow.csv.read_csv(cancer_csv))
    np.testing.assert_allclose(in_memory["p_benign"].to_numpy(), written["p_benign"].to_numpy(), rtol=1e-6)


def test_the_test_set_is_opened_once(copied):
    first = copied.unseal()
    assert (first.opening, first.certified) == (1, True)
    assert set(first.references) == {"dummy", "linear", "trees"}
    assert copied.to_json()["test"]["value"] == first.error.value
    with pytest.raises(Refusal, match="opened once"):
        copied.unseal()
    again = copied.unseal(again=True)
    assert (again.opening, again.certified) == (2, False)
    assert again.error.value == first.error.value
    assert again.error.high - again.error.low > first.error.high - first.error.low


def test_the_opened_test_set_is_a_rung_of_the_diagnosis(copied):
    assert copied.diagnose().gap("dev_overfit") is None
    opening = copied.unseal()
    diagnosis = copied.diagnose()
    gap = diagnosis.gap("dev_overfit")
    assert gap.value == pytest.approx(opening.dev_optimism)
    assert gap.low < gap.value < gap.high
    assert diagnosis.to_json()["errors"]["test"] == opening.error.to_json()


def test_the_diagnosis_of_an_experiment_is_the_one_its_run_ended_with(finished):
    body = finished.to_json()
    diagnosis = finished.diagnose().to_json()
    assert (diagnosis["errors"], diagnosis["gaps"]) == (body["errors"], body["gaps"])


def test_a_test_score_is_shown_in_the_unit_of_the_goal(cancer_csv, tmp_path, monkeypatch):
    monkeypatch.setenv("WELLFIT_HOME", str(tmp_path / "home"))
    out = tmp_path / "auc.wellfit"
    experiment = wf.run(cancer_csv, target="target", goal="auc", budget="1500updates", out=out)
    opening = experiment.unseal()
    assert opening.error.value < 0.1  # 1 - auc
    assert experiment.to_json()["test"]["value"] == pytest.approx(1 - opening.error.value)
    assert experiment.to_json()["test"]["low"] == pytest.approx(1 - opening.error.high)


def test_one_remedy_can_be_carried_out_by_name(copied):
    with_step = wf.run(copied.path, budget="6000updates", only="train_longer", idea="the curve still falls")
    steps = [entry.body for entry in with_step.entries() if entry.kind == "step"]
    assert [step["kind"] for step in steps] == ["train_longer"]
    assert steps[0]["idea"] == "the curve still falls"


def test_train_and_sweep_keep_their_outcomes_in_the_experiment(copied):
    outcome = wf.train(copied, Config(optimization=wf.Optimization(epochs=3)))
    assert outcome.config.identity in _configs(copied)
    swept = wf.sweep(copied, Config(optimization=wf.Optimization(epochs=2)), over={"l2": [0.0, 10.0]})
    assert {member.config.identity for member in swept.members} <= set(_configs(copied))
    assert copied.network.losses["dev"] <= min(outcome.losses["dev"], swept.chosen.losses["dev"])


def test_regression_from_a_data_frame(tmp_path):
    from sklearn.datasets import load_diabetes

    frame = load_diabetes(as_frame=True).frame
    experiment = wf.run(frame, target="target", budget="1500updates", out=tmp_path / "d.wellfit")
    body = experiment.to_json()
    assert body["goal"] == "rmse"
    assert 40 < body["errors"]["dev"]["value"] < body["references"]["dummy"] < 100
    assert wf.predict(experiment, frame.drop(columns="target")).num_rows == len(frame)
