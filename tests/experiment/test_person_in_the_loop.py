"""A person at the helm: knobs that stay, paths that branch off, networks that are compared; and what is refused."""

from __future__ import annotations

import json
import shutil
from dataclasses import replace

import pytest

import wellfit as wf
from wellfit.exceptions import BadInput, Refusal
from wellfit.journal.store import open_journal
from wellfit.records.config import Config, KnobPair, differing

BUDGET = "2500updates"


@pytest.fixture(scope="module")
def finished(cancer_csv, tmp_path_factory):
    """One run, made once; tests that write to it copy it first."""
    return wf.run(cancer_csv, target="target", budget=BUDGET, out=tmp_path_factory.mktemp("run") / "cancer.wellfit")


@pytest.fixture
def copied(finished, tmp_path):
    shutil.copytree(finished.path, tmp_path / "copy.wellfit")
    return wf.open_experiment(tmp_path / "copy.wellfit")


def _trained(experiment) -> list[Config]:
    with open_journal(experiment.folder.journal, read_only=True) as journal:
        return [Config.from_json(entry.body["config"]) for entry in journal.entries("training")]


def test_a_fixed_knob_is_turned_by_no_step(cancer_csv, tmp_path):
    fixed = {"optimization": {"epochs": 8}, "regularization": {"keep_prob": 0.9}, "network": {"widths": [32]}}
    experiment = wf.run(
        cancer_csv, target="target", budget=BUDGET, only="regularize", fixed=fixed, out=tmp_path / "f.wellfit"
    )
    trained = _trained(experiment)
    assert len({config.regularization.l2 for config in trained}) > 2
    assert {config.optimization.epochs for config in trained} == {8}
    assert {config.regularization.keep_prob for config in trained} == {0.9}
    assert {config.network.widths for config in trained} == {(32,)}


def test_with_both_knobs_of_the_sweep_fixed_nothing_is_swept(cancer_csv, tmp_path):
    fixed = {"regularization": {"keep_prob": 1.0, "l2": 0.0}}
    experiment = wf.run(
        cancer_csv, target="target", budget=BUDGET, fixed=fixed, ensemble=False, out=tmp_path / "f.wellfit"
    )
    assert "regularize" not in {step["kind"] for step in experiment.to_json()["steps"]}


def test_locks_that_leave_nothing_to_turn_are_refused_before_anything_is_made(cancer_csv, tmp_path):
    body = json.loads(json.dumps(Config().to_json()))
    body["optimization"] |= {"early_stopping": None, "clip_norm": None}
    off = ("l1", "label_smoothing", "input_noise", "mixup", "ema", "augment")
    body["regularization"] |= dict.fromkeys(off, 0.0)
    fixed = {board: body[board] for board in ("network", "optimization", "regularization")}
    with pytest.raises(BadInput, match="at least one knob that it may turn"):
        wf.run(cancer_csv, target="target", fixed=fixed, out=tmp_path / "f.wellfit")
    assert not (tmp_path / "f.wellfit").exists()


@pytest.mark.parametrize(
    ("options", "said"),
    [
        pytest.param(
            {"fixed": {"optimization": {"early_stopping": 5}}}, "must be allowed explicitly", id="fixed stopping"
        ),
        pytest.param({"fixed": {"optimisation": {"lr": 0.1}}}, "one of the boards", id="unknown board"),
        pytest.param({"fixed": {"optimization": {"rate": 0.1}}}, "arguments that it has", id="unknown knob"),
        pytest.param({"only": "stop_early"}, "--allow-early-stopping", id="coupled remedy"),
        pytest.param({"only": "more_luck"}, "--only must be one of", id="unknown remedy"),
    ],
)
def test_contradictions_are_refused_before_anything_is_made(cancer_csv, tmp_path, options, said):
    with pytest.raises(BadInput, match=said):
        wf.run(cancer_csv, target="target", out=tmp_path / "f.wellfit", **options)
    assert not (tmp_path / "f.wellfit").exists()


def test_early_stopping_is_tried_where_it_is_allowed_and_is_marked_as_coupled(copied):
    experiment = wf.run(copied.path, only="stop_early", allow_early_stopping=True, budget="20000updates")
    (step,) = experiment.to_json()["steps"]
    assert (step["kind"], step["coupled"]) == ("stop_early", True)
    assert {config.optimization.early_stopping for config in _trained(experiment)} == {None, 4, 8}


def test_a_budget_too_small_for_the_step_that_was_asked_for_says_how_much_it_takes(copied):
    needed = int(wf.open_experiment(copied.path).network.updates)
    with pytest.raises(BadInput, match="enough for one step") as refused:
        wf.run(copied.path, only="train_longer", budget=f"{needed + 1}updates")
    enough = refused.value.remedy.rsplit("least ", 1)[1].split(":")[0]
    again = wf.run(copied.path, only="train_longer", budget=enough)
    assert [step["kind"] for step in again.to_json()["steps"]] == ["train_longer"]


def test_going_on_keeps_what_the_last_run_was_given(cancer_csv, tmp_path):
    fixed = {"optimization": {"lr": 0.002}, "network": {"widths": (32,)}}
    asked = {"fixed": fixed, "ensemble": False, "allow_early_stopping": True}
    made = wf.run(cancer_csv, target="target", budget="200updates", out=tmp_path / "f.wellfit", **asked)
    events = []
    gone_on = wf.run(made, budget="300updates", notify=events.append)
    assert gone_on.last_asked() == made.last_asked() | {"budget": "300updates"}
    assert {"event": "fixed", "knobs": "lr 0.002, widths [32]"} in events
    assert {(each.optimization.lr, each.network.widths) for each in _trained(gone_on)} == {(0.002, (32,))}

    freed = wf.run(made, budget="300updates", fixed={}, ensemble=True, allow_early_stopping=False)
    assert freed.last_asked().keys() == {"budget", "reference", "only", "seed"}


def test_a_finished_plan_that_is_asked_for_again_shows_its_own_result(copied):
    whole = copied.to_json()
    alone = wf.run(copied.path, only="average_weights", budget=BUDGET).to_json()
    assert [step["kind"] for step in alone["steps"]] == ["average_weights"]
    assert wf.run(copied.path, budget=BUDGET).to_json()["steps"] == whole["steps"]
    again = wf.run(copied.path, only="average_weights", budget=BUDGET)
    assert again.to_json()["steps"] == alone["steps"]
    assert again.to_json()["sentence"] == alone["sentence"]


def test_a_step_behind_an_earlier_network_is_not_said_to_be_the_one_that_is_shown(copied):
    run = wf.run(copied.path, only="average_weights", budget=BUDGET)
    step = run.summary().steps[-1]
    ahead = step.network == run.network.identity or not step.kept
    assert ("an earlier network does better on dev" in run.summary().headline) is not ahead


def test_a_branch_goes_on_from_the_step_that_was_named_and_trains_nothing_twice(copied):
    start = copied.config_at(0)
    before = len(_trained(copied))
    branched = wf.run(copied.path, branch=0, only="average_weights", idea="smooth it", budget=BUDGET)
    (step,) = branched.to_json()["steps"]
    assert (step["kind"], step["idea"]) == ("average_weights", "smooth it")
    added = _trained(branched)[before:]
    assert {config.network for config in added} == {start.network}
    assert {config.regularization.ema for config in added} == {0.99, 0.997}
    with open_journal(copied.folder.journal, read_only=True) as journal:
        entries = len(journal.entries())
    wf.run(copied.path, branch=0, only="average_weights", budget=BUDGET)
    with open_journal(copied.folder.journal, read_only=True) as journal:
        assert len(journal.entries()) == entries


def test_a_branch_from_a_step_that_was_never_taken_is_refused(copied):
    with pytest.raises(BadInput, match="step 99"):
        wf.run(copied.path, branch=99)


def test_networks_of_one_split_are_compared_on_the_same_rows(copied):
    found = wf.compare(f"{copied.path}@0", copied)
    assert found.dev[1] == copied.network.losses["dev"]
    assert found.difference.value == pytest.approx(found.dev[0] - found.dev[1])
    assert found.difference.low <= found.difference.value <= found.difference.high
    assert {pair.knob for pair in found.knobs} == {
        pair.knob for pair in differing(copied.config_at(0), copied.network.config)
    }
    assert found.same_rows
    assert "paired on" in str(found)
    assert json.loads(json.dumps(found.to_json()))["b"] == str(copied.path)


def test_a_better_network_is_named(copied):
    poor = wf.split(
        _csv_of(copied), target="target", out=copied.path.with_name("worse.wellfit"), seed=copied.split.seed
    )
    wf.train(poor.folder, Config(optimization=wf.Optimization(epochs=1, lr=1e-9)))
    found = wf.compare(poor.folder, copied.path)
    assert found.better == str(copied.path)
    assert found.difference.low > 0


def test_a_comparison_of_other_dev_rows_is_void(copied, cancer_csv, tmp_path):
    other = wf.split(cancer_csv, target="target", seed=5, out=tmp_path / "other.wellfit")
    wf.train(other.folder, Config(optimization=wf.Optimization(epochs=1)))
    with pytest.raises(Refusal, match="different dev rows"):
        wf.compare(copied, tmp_path / "other.wellfit")


def _csv_of(experiment) -> str:
    return str(experiment.split.source.path)


def test_a_remedy_that_did_not_help_leaves_what_the_experiment_stands_for(copied):
    """A step begins with one network: where an ensemble stands, that network alone would be no remedy."""

    def candidates():
        with open_journal(copied.folder.journal, read_only=True) as journal:
            return [entry.body["identity"] for entry in journal.entries("candidate")]

    before = candidates()
    (step,) = wf.run(copied.path, only="smooth_labels", budget=BUDGET).to_json()["steps"]
    assert not step["kept"]
    assert candidates() == before


def test_augmentation_of_a_table_is_refused_before_anything_is_made(cancer_csv, tmp_path):
    with pytest.raises(BadInput, match="augment must be used with pictures"):
        wf.run(cancer_csv, target="target", augment="light", out=tmp_path / "f.wellfit")
    assert not (tmp_path / "f.wellfit").exists()


def test_a_comparison_is_short_for_eyes_and_whole_for_scripts(copied):
    whole = wf.compare(copied.path, copied.path)
    searched = replace(whole, knobs=(KnobPair("optimization", "lr", 0.001, 0.0012458923531144352),))
    assert "optimization: lr 0.001 → 0.001246" in str(searched)
    assert searched.to_json()["knobs"][0]["b"] == 0.0012458923531144352
